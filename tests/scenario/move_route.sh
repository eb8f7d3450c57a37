#!/bin/bash
# move_route.sh - processes go to a host in another segment, behind a router, and back:
# their addresses get host routes there, which BIRD announces.
ALONE_LIMIT=${ALONE_LIMIT:-90}
. "$top_srcdir/tests/scenario/rebind_common.sh" || exit 1
PATH=$PATH:/usr/sbin
command -v bird > /dev/null || { echo "skipped: needs bird2"; exit 77; }
[ -c /dev/net/tun ] || { echo "skipped: no TUN devices"; exit 77; }
mount -t tmpfs none /run && mkdir -p /run/netns /run/bascule || exit 1

# This host is in segment 1, b in segment 2, the client in segment 3.
for ns in router client b; do
    ip netns add $ns || { echo "skipped: no network namespaces"; exit 77; }
    ip -n $ns link set lo up
done
ip link set lo up
wire a0 r1 router
for pair in r2:b r3:client; do
    ip -n router link add ${pair%:*} type veth peer name c0 netns ${pair#*:}
    ip -n router link set ${pair%:*} up
    ip -n ${pair#*:} link set c0 up
done
for n in 1 2 3; do
    ip -n router address add 10.81.$n.1/24 dev r$n
    ip -n router -6 address add fd81:$n::1/64 dev r$n nodad
done
for at in "-:a0:1:5" "b:c0:2:5" "client:c0:3:2"; do
    IFS=: read -r ns dev n host <<< "$at"
    in="-n $ns"
    [ "$ns" = - ] && in=
    ip $in address add 10.81.$n.$host/24 dev $dev
    ip $in -6 address add fd81:$n::$host/64 dev $dev nodad
    ip $in route add default via 10.81.$n.1
    ip $in -6 route add default via fd81:$n::1
done
ip netns exec router sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward
    echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'
speak router router 1 5
speak b b 5 1 learn
speaking router b
head -c 64 /dev/urandom > secret
chmod 600 secret

pid=$("$sockmig" run --address 10.81.1.100/24 --address fd81:1::100/64 --device a0 \
    --log "$dir/serve.out" --name shop /usr/bin/python3 \
    "$(realpath "$top_srcdir/tests/scenario/rebind_client.py")" serve 10.81.1.100 \
    fd81:1::100 7000) || fail "run: exit $?"
await "server" grep -q ready serve.out
clients client 6 10.81.1.100 fd81:1::100

# receiver NAMESPACE OPTION...
receiver()
{
    local enter="ip netns exec $1"
    [ "$1" = - ] && enter=
    $enter "$sockmig" receive --secret secret --once "${@:2}" > receive.out 2> receive.err &
    receiver=$!
    await "receiver" sh -c "$enter ss -Hltn sport = :4780 | grep -q ."
}

receiver b --route
"$sockmig" move "$pid" 10.81.2.5 --secret secret --address 10.81.1.100 \
    --address fd81:1::100 > move.out 2> move.err || fail "move: exit $?"
cat move.out
go_on "in the other segment"
ip -n b -o address show dev lo | grep -q ' 10.81.1.100/32 ' || fail "not on lo there"
is_on 10.81.1.100/24 a0 && fail "it is here still"
wait $receiver || fail "receiver: exit $?"

pid=$(ip netns exec b sh -c 'ss -Hltnp sport = :7000' | sed -n 's/.*pid=\([0-9]*\).*/\1/p' | head -1)
receiver - --device a0
ip netns exec b "$sockmig" move "$pid" 10.81.1.5 --secret secret --address 10.81.1.100 \
    --address fd81:1::100 > move.out 2> move.err || fail "move home: exit $?"
cat move.out
go_on "at home again"
is_on 10.81.1.100/24 a0 && is_on fd81:1::100/64 a0 || fail "not on a0: $(ip address)"
ip -n b route show table all proto 78 | grep . && fail "a host route is left there"
ip -n b -o address show dev lo | grep -q '81.*:*100/' && fail "an address is left there"
wait $receiver || fail "receiver: exit $?"
finish
echo PASS
