#!/bin/bash
# rebind_segment.sh - an address goes to another device in the same segment and back, both
# families, under load; what cannot be is refused; whatever is killed in the middle, or
# fails, leaves everything as it was.
. "$top_srcdir/tests/scenario/rebind_common.sh" || exit 1
mount -t tmpfs none /run && mkdir -p /run/netns /run/bascule || exit 1
ip netns add peer || { echo "skipped: no network namespaces"; exit 77; }
ip link set lo up
ip -n peer link set lo up
ip -n peer link add br0 type bridge
ip -n peer link set br0 up
for d in c0 d0; do
    wire $d far-$d peer
    ip -n peer link set far-$d master br0
done
wire e0 far-e0 peer
ip -n peer address add 10.79.0.2/24 dev br0
ip -n peer -6 address add fd79::2/64 dev br0 nodad
ip address add 10.79.0.1/24 dev c0
ip -6 address add fd79::1/64 dev c0 nodad
for a in 100 150; do
    ip address add 10.79.0.$a/24 dev c0
    ip -6 address add fd79::$a/64 dev c0 nodad
done
await "device d0" sh -c "ip -o link show d0 | grep -q LOWER_UP"
serve 10.79.0.100 fd79::100
clients peer 6 10.79.0.100 fd79::100

echo "- there and back"
for a in 10.79.0.100/24 fd79::100; do
    rebind $a d0 || fail "rebind $a: exit $?"
    cat rebind.out
done
is_on 10.79.0.100/24 d0 && is_on fd79::100/64 d0 || fail "not on d0: $(ip address)"
is_on 10.79.0.100/24 c0 || is_on fd79::100/64 c0 && fail "still on c0: $(ip address)"
for a in 10.79.0.100 fd79::100; do
    neighbour_knows peer $a d0 || fail "$a was not announced: $(ip -n peer neigh)"
done
go_on "after the rebind"
ip link set c0 down # the old cable is out
go_on "without the old device"
ip link set c0 up
await "device c0" sh -c "ip -o link show c0 | grep -q LOWER_UP"
ip -6 address replace fd79::1/64 dev c0 nodad
ip -6 address replace fd79::150/64 dev c0 nodad
for a in 10.79.0.100 fd79::100; do
    rebind $a c0 || fail "rebind $a back: exit $?"
done
is_on 10.79.0.100/24 c0 && is_on fd79::100/64 c0 || fail "not on c0: $(ip address)"
go_on "after the way back"
ip link set d0 down
go_on "without the other device"
[ "$(ip rule | grep -c 'from 10.79.0.100')" = 1 ] || fail "rules: $(ip rule)"
[ "$(ip route show table all proto 78 | wc -l)" = 2 ] || fail "routes are left"

echo "- what is refused"
refused "d0 is down: ip link set d0 up" 10.79.0.100 d0
ip link set d0 up
await "device d0" sh -c "ip -o link show d0 | grep -q LOWER_UP"
refused "no address of this host" 10.79.0.101 d0
refused "no such network device" 10.79.0.100 d1
refused "leads nowhere" fd79::100 lo
refused "10.79.0.100/24 is on c0 already" 10.79.0.100/16 c0
refused "of one segment only" 127.0.0.1 d0
refused "must be an address of IPv6" fd79::100 d0 --via 10.79.0.2
ip -n peer link set far-d0 down
refused "no carrier" 10.79.0.100 d0
ip -n peer link set far-d0 up
ip -n peer address add 10.79.0.150/24 dev br0
ip -n peer -6 address add fd79::150/64 dev br0 nodad
mac=$(ip netns exec peer cat /sys/class/net/br0/address)
refused "10.79.0.150 is in use in the segment of d0, by $mac" 10.79.0.150 d0
refused "fd79::150 is in use in the segment of d0, by $mac" fd79::150 d0
rebind 10.79.0.150 d0 --no-probe || fail "--no-probe: exit $?"
/usr/bin/python3 -c 'import socket, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, 25, b"c0"); s.bind(("10.79.0.100", 99))
s.listen(); print("ready", flush=True); time.sleep(100)' > bound.out &
bound=$!
await "bound socket" grep -q ready bound.out
refused "port 99 is bound to c0" 10.79.0.100 d0
kill $bound
ip address add 10.81.0.7/24 dev e0
ip address add 10.81.0.8/24 dev e0
refused "promote_secondaries=1" 10.81.0.7 d0
go_on "after refusals"

# With its last address a device loses its routes: they come back, too.
ip address del 10.81.0.8/24 dev e0
ip route add 10.90.0.0/16 via 10.81.0.1
ip route add 10.91.0.0/16 dev e0 proto 99 metric 7 table 55
ip route add 10.92.0.0/16 nexthop via 10.81.0.1 nexthop via 10.79.0.2

if grep -q rebind-both "$sockmig"; then
    echo "- one that fails in the middle"
    was=$(tables)
    ip link add g0 type veth peer name g1
    ip link set g1 up
    ip link set g0 up
    await "device g0" sh -c "ip -o link show g0 | grep -q LOWER_UP"
    echo "rebind-step-1 hang" > /run/bascule/fault
    rebind 10.79.0.100 g0 --no-probe &
    await "rebind-step-1" test ! -e /run/bascule/fault
    ip link del g0
    kill -CONT "$(sed -n 's/.*sockmig\[\([0-9]*\)\].*/\1/p' rebind.err | head -1)"
    wait $! && fail "rebound to a device that is gone"
    grep -q 'undone: it cannot be put on g0' rebind.err || fail "said: $(cat rebind.err)"
    as_before "$was" || fail "failed: $(diff <(echo "$was") <(tables))"

    echo "- killed at every step"
    for a in 10.79.0.100 fd79::100 10.81.0.7; do
        step=0
        was=$(tables)
        for point in rebind-both rebind-changed rebind-step-{1..20}; do
            echo "$point kill" > /run/bascule/fault
            rebind $a d0 --no-probe
            code=$?
            [ -e /run/bascule/fault ] && break # there are not so many steps
            [ $code = 137 ] || fail "$a, $point: exit $code"
            await "$a, $point: all as before: $(diff <(echo "$was") <(tables))" \
                as_before "$was"
            step=$((step + 1))
        done
        rm -f /run/bascule/fault
        [ $step -ge 4 ] || fail "$a: only $step steps"
        [ $code = 0 ] || fail "$a: exit $code: $(cat rebind.err)"
        echo "  $a: killed $step times"
    done
    go_on "after all that"
fi
finish
echo PASS
