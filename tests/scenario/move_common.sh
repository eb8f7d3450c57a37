# move_common.sh - two hosts on one segment, for tests of sockmig move: this one (10.79.0.1)
# and b (10.79.0.3, with processes of its own), and a peer (10.79.0.2).
. "$top_srcdir/tests/scenario/alone_common.sh"
command -v redis-server > /dev/null || { echo "skipped: needs redis-server"; exit 77; }
[ -c /dev/net/tun ] || { echo "skipped: no TUN devices"; exit 77; }

segment()
{
    mount -t tmpfs none /run && mkdir -p /run/netns /run/bascule || exit 1
    ip netns add peer || { echo "skipped: no network namespaces"; exit 77; }
    ip netns add b || exit 1
    ip -n peer link add br0 type bridge || exit 1
    ip link add c0 type veth peer name a0 netns peer || exit 1
    ip -n b link add c0 type veth peer name b0 netns peer || exit 1
    for ns in peer b; do ip -n $ns link set lo up; done
    ip link set lo up
    ip -n peer link set a0 master br0
    ip -n peer link set b0 master br0
    for dev in br0 a0 b0; do ip -n peer link set $dev up; done
    ip -n b link set c0 up
    ip link set c0 up
    ip address add 10.79.0.1/24 dev c0
    ip -6 address add fd79::1/64 dev c0 nodad
    ip -n b address add 10.79.0.3/24 dev c0
    ip -n b -6 address add fd79::3/64 dev c0 nodad
    ip -n peer address add 10.79.0.2/24 dev br0
    ip -n peer -6 address add fd79::2/64 dev br0 nodad
    ip address add 10.79.0.100/24 dev c0
    ip -6 address add fd79::100/64 dev c0 nodad
    head -c 64 /dev/urandom > secret
    chmod 600 secret
    # its first process waits for whatever is left to it
    ip netns exec b unshare -m -p -i -f --kill-child --mount-proc bash -c \
        'mount -t tmpfs none /run; mkdir -p /run/bascule; mount -t tmpfs none /dev/shm
         mount -t devpts -o newinstance,ptmxmode=0666 devpts /dev/pts; echo up > b.up
         while :; do sleep 1000 & wait; done' &
    await "host b" test -s b.up
    b_init=$(pgrep -P $! | head -1)
    echo 4000 > /proc/sys/kernel/ns_last_pid
}

# on_b CMD...: as a process of host b.
on_b()
{
    nsenter -t "$b_init" -n -m -p -i -- "$@"
}

receiver()
{
    on_b sh -c "echo \$\$ > '$dir/receiver.pid'; exec '$sockmig' receive --device c0 \
        --secret '$dir/secret' $*" > receive.out 2>> receive.err &
    receiver=$!
    await "receiver" sh -c "ip netns exec b ss -Hltn sport = :4780 | grep -q ."
}

redis()
{
    setsid redis-server --port 6379 --bind 10.79.0.100 fd79::100 --protected-mode no \
        --save '' --enable-debug-command yes --daemonize no --dir "$dir" "$@" \
        > "$dir/redis.out" 2>&1 < /dev/null &
    pid=$!
    disown $pid
    await "redis" redis-cli -h 10.79.0.100 ping
}

clients()
{
    peer /usr/bin/python3 "$top_srcdir/tests/scenario/alone_client.py" 10.79.0.100 fd79::100 \
        6379 "$1" "$dir/client" > "$dir/client.out" 2> "$dir/client.err" &
    client=$!
    await "clients" test -e "$dir/client.ready"
}

answered()
{
    [ "$(cat client.count)" -gt "$1" ]
}

# go_on WHEN: the clients get answers, and none of them noticed anything.
go_on()
{
    local before
    before=$(cat client.count)
    await "answers $1" answered $((before + 200))
    kill -0 $client || fail "the clients noticed $1: $(cat client.out client.err)"
}

# clean WHERE...: no rule, no device, no address of the moved ones is left there.
clean()
{
    "$@" nft list tables | grep SOCKMIG && fail "rules are left: $*"
    "$@" ip link | grep -q sockmig && fail "a device is left"
    true
}

has_address()
{
    "$@" ip -o address | grep -q '10\.79\.0\.100/24' &&
        "$@" ip -o address | grep -q 'fd79::100/64'
}
