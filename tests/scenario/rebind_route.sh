#!/bin/bash
# rebind_route.sh - a host leaves its segment for another one, behind a router: its
# address keeps its connections, by a host route that BIRD announces (BGP).  With FRR
# (OSPF), too, where that is installed.
ALONE_LIMIT=${ALONE_LIMIT:-90}
. "$top_srcdir/tests/scenario/rebind_common.sh" || exit 1
PATH=$PATH:/usr/sbin
command -v bird > /dev/null || { echo "skipped: needs bird2"; exit 77; }
mount -t tmpfs none /run && mkdir -p /run/netns /run/bascule || exit 1

# This host has a cable in segment 1 and one in segment 2; the client is in segment 3.
ip netns add router || { echo "skipped: no network namespaces"; exit 77; }
ip netns add client
ip link set lo up
ip -n router link set lo up
ip -n client link set lo up
wire a0 r1 router
wire b0 r2 router
ip -n router link add r3 type veth peer name c0 netns client
ip -n router link set r3 up
ip -n client link set c0 up
for n in 1 2 3; do
    ip -n router address add 10.81.$n.1/24 dev r$n
    ip -n router -6 address add fd81:$n::1/64 dev r$n nodad
done
ip address add 10.81.1.5/24 dev a0
ip -6 address add fd81:1::5/64 dev a0 nodad
ip address add 10.81.2.5/24 dev b0
ip -6 address add fd81:2::5/64 dev b0 nodad
ip address add 10.81.1.100/24 dev a0
ip -6 address add fd81:1::100/64 dev a0 nodad
ip route add default via 10.81.1.1
ip -6 route add default via fd81:1::1
ip -n client address add 10.81.3.2/24 dev c0
ip -n client -6 address add fd81:3::2/64 dev c0 nodad
ip -n client route add default via 10.81.3.1
ip -n client -6 route add default via fd81:3::1
ip netns exec router sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward
    echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'

router_knows()
{
    ip -n router route | grep -q '^10.81.1.100 via 10.81.2.5 dev r2' &&
        ip -n router -6 route | grep -q '^fd81:1::100 .*dev r2'
}

speak router router 1 5
speak - host 5 1 learn
speaking router host
serve 10.81.1.100 fd81:1::100
clients client 6 10.81.1.100 fd81:1::100

echo "- to another segment"
rebind 10.81.1.100 b0 --route --via 10.81.2.1 --wait 1 || fail "rebind: exit $?"
cat rebind.out
rebind fd81:1::100 b0 --route --via fd81:2::1 --wait 1 || fail "rebind: exit $?"
cat rebind.out
await "the host route at the router" router_knows
is_on 10.81.1.100/32 lo && is_on fd81:1::100/128 lo || fail "not on lo: $(ip address)"
ip link set a0 down # it has left the old segment
go_on "in the other segment"
[ "$(ip netns exec client ping -c1 -W2 10.81.1.100 | grep -c ttl=63)" = 1 ] ||
    fail "not behind one router"

echo "- and home"
ip link set a0 up
ip -6 address replace fd81:1::5/64 dev a0 nodad
ip -6 route replace default via fd81:1::1
ip route replace default via 10.81.1.1
await "device a0" sh -c "ip -o link show a0 | grep -q LOWER_UP"
rebind 10.81.1.100 a0 --via 10.81.1.1 || fail "rebind home: exit $?"
cat rebind.out
rebind fd81:1::100 a0 --via fd81:1::1 || fail "rebind home: exit $?"
is_on 10.81.1.100/24 a0 && is_on fd81:1::100/64 a0 || fail "not on a0: $(ip address)"
await "no host route at the router" sh -c "! { ip -n router route;
    ip -n router -6 route; } | grep -E '^(10.81.1.100|fd81:1::100) via'"
ip link set b0 down
go_on "at home again"
ip route show table all proto 78 | grep -q 'dev lo' && fail "the host route is left"
finish
echo PASS
