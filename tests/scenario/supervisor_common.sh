# supervisor_common.sh - three hosts with corosync, basculed and a double of sockmigd.
#
#   scenario "text"     announce, check the means, build the hosts, set the cleanup
#   start_all           corosync, double and basculed on hosts 1..3
#   corosync_on N, double_on N, basculed_on N, kill_of N WHAT [SIGNAL]
#   ask N JSON          one request to basculed of host N, its answer
#   field N EXPR        a python expression over its status `s` and first service `v`
#   told N TEXT         the double of host N was told TEXT since mark
#   wait_for SECONDS CMD...   poll until CMD succeeds; never a bare sleep

pass() { echo "PASS"; exit 0; }
fail() {
    echo "FAIL: $*"
    for i in 1 2 3; do
        echo "--- host $i"
        tail -n 25 "$dir/n$i/basculed.log" "$dir/n$i/double.log" 2>/dev/null
    done
    exit 1
}
skip() { echo "SKIP: $*"; exit 77; }

wait_for() {
    limit=$(($(date +%s) + $1)); shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$limit" ] || return 1
        sleep 0.05
    done
}

scenario() {
    echo "$*"
    PATH=$PATH:/usr/sbin:/sbin
    [ "$(id -u)" = 0 ] || skip "needs root"
    for p in corosync python3 unshare nsenter ip; do
        command -v $p >/dev/null || skip "needs $p"
    done
    sweep
    run=super_$$
    dir=$(mktemp -d /tmp/super_test.XXXXXX)
    chmod 755 "$dir"
    trap cleanup EXIT
    ip netns add "${run}_hub" 2>/dev/null || skip "needs network namespaces"
    ip -n "${run}_hub" link add br0 type bridge mcast_snooping 0 || skip "needs a bridge"
    ip -n "${run}_hub" link set br0 up
    head -c 128 /dev/urandom >"$dir/authkey"
    head -c 64 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$dir/secret"
    chmod 600 "$dir/secret"
    write_conf
    for i in 1 2 3; do make_host $i; done
}

# What a test that was killed has left: corosync goes on in real time for ever.
sweep() {
    ip netns list | sed -n 's/^\(super_\([0-9]*\)_[0-9a-z]*\).*/\1 \2/p' |
        while read -r ns owner; do
            [ -d "/proc/$owner" ] && continue
            ip netns pids "$ns" 2>/dev/null | xargs -r kill -9 2>/dev/null
            ip netns del "$ns" 2>/dev/null
        done
}

cleanup() {
    for i in 1 2 3 hub; do
        ip netns pids "${run}_$i" 2>/dev/null | xargs -r kill -9 2>/dev/null
    done
    for i in 1 2 3 hub; do ip netns del "${run}_$i" 2>/dev/null; done
    rm -rf "$dir"
}

write_conf() {
    cat >"$dir/bascule.conf" <<C
cluster "test" {
    secret-file = "$dir/secret"
    lease = 200
}
node "n1" { id = 1  address = "10.78.0.1" }
node "n2" { id = 2  address = "10.78.0.2" }
node "n3" { id = 3  address = "10.78.0.3" }
service "echo" {
    addresses = { "10.99.0.1/24" }
    device = "br0"
    command = { "/bin/cat" }
    user = "nobody"
}
C
}

make_host() {
    h=$dir/n$1
    mkdir -p "$h/etc/uidgid.d" "$h/run" "$h/lib" "$h/state"
    cp "$dir/authkey" "$h/etc/authkey"
    chmod 400 "$h/etc/authkey"
    printf 'uidgid {\n uid: nobody\n gid: nogroup\n}\n' >"$h/etc/uidgid.d/bascule"
    corosync_conf >"$h/etc/corosync.conf"
    ip netns add "${run}_$1"
    ip -n "${run}_$1" link set lo up
    ip link add "v$1" netns "${run}_$1" type veth peer name "p$1" netns "${run}_hub"
    ip -n "${run}_hub" link set "p$1" master br0 up
    ip -n "${run}_$1" addr add "10.78.0.$1/24" dev "v$1"
    ip -n "${run}_$1" link set "v$1" up
    ip netns exec "${run}_$1" unshare -m -u --propagation private sh -c "
        hostname n$1 && mount -t tmpfs shm /dev/shm &&
        mount --bind $h/etc /etc/corosync && mount --bind $h/run /run &&
        mount --bind $h/lib /var/lib/corosync && echo \$\$ >$h/pid && exec sleep 3600" 2>/dev/null &
    disown
    wait_for 5 test -s "$h/pid" || fail "host $1 does not come up"
}

# knet's ping values: derived from so small a token they would make links flap
corosync_conf() {
    cat <<C
totem {
  version: 2
  cluster_name: test
  transport: knet
  crypto_cipher: aes256
  crypto_hash: sha256
  token: 300
  token_coefficient: 0
  interface {
    linknumber: 0
    knet_ping_interval: 200
    knet_ping_timeout: 1000
    knet_pong_count: 1
  }
}
quorum {
  provider: corosync_votequorum
}
logging {
  to_stderr: no
  to_syslog: no
}
nodelist {
$(for k in 1 2 3; do printf '  node {\n name: n%d\n nodeid: %d\n ring0_addr: 10.78.0.%d\n }\n' $k $k $k; done)
}
C
}

# to be started with &: $! is then the program's own pid
become() { n=$1; shift; exec nsenter -t "$(cat "$dir/n$n/pid")" -m -n -u "$@"; }

corosync_on() {
    become $1 corosync -f >>"$dir/n$1/corosync.log" 2>&1 &
    echo $! >"$dir/n$1/corosync.pid"
}

double_on() {
    others=$(for k in 1 2 3; do [ $k = $1 ] || echo n$k; done)
    become $1 "$top_builddir/tests/scenario/fake_sockmigd" "$dir/n$1/run/sockmigd.sock" \
        n$1 echo $others >>"$dir/n$1/double.log" 2>&1 &
    echo $! >"$dir/n$1/double.pid"
}

basculed_on() {
    become $1 "$top_builddir/supervisor/basculed" -v -c "$dir/bascule.conf" \
        --state-dir "$dir/n$1/state" --run-dir "$dir/n$1/run" --user nobody --poller "" \
        >>"$dir/n$1/basculed.log" 2>&1 &
    echo $! >"$dir/n$1/basculed.pid"
}

kill_of() { kill -"${3:-KILL}" "$(cat "$dir/n$1/$2.pid")"; }

start_all() {
    for i in 1 2 3; do corosync_on $i; double_on $i; done
    for i in 1 2 3; do basculed_on $i; done
}

ask() {
    python3 - "$dir/n$1/run/basculed.sock" "$2" <<'P'
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(5)
s.connect(sys.argv[1])
s.sendall((json.dumps(dict(json.loads(sys.argv[2]), id=1)) + "\n").encode())
print(s.makefile().readline())
P
}

field() {
    ask $1 '{"op":"status"}' | python3 -c "
import json, sys
s = json.load(sys.stdin)['status']
v = s['services'][0]
print($2)"
}

is() { [ "$(field $1 "$2")" = "$3" ]; }
mark() { for i in 1 2 3; do wc -l <"$dir/n$i/double.log" >"$dir/n$i/mark"; done; }
told() { tail -n +$(($(cat "$dir/n$1/mark") + 1)) "$dir/n$1/double.log" | grep -q "$2"; }
