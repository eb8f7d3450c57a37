#!/bin/bash
# lab_device.sh - two nodes and a real corosync-qnetd on a third host: the active node
# crashes, the device decides, the other takes over and the client's connection stays.
set -u
. "$top_srcdir/tests/scenario/lab_common.sh"
for p in corosync-qnetd corosync-qdevice; do
    PATH=$PATH:/usr/sbin command -v $p > /dev/null || { echo "skipped: no $p"; exit 77; }
done

{
    echo "cluster \"$name\" {"
    echo "  lease = 140"
    echo "  heartbeat = 20"
    echo "  quorum-device = 2500"
    echo "}"
    redis_service a 10.77.1.100
    alone_on_the_machine
} > "$dir/conf"
lab_up 2
for n in n1 n2; do
    wait_for 20 is $n "s['device']" together || {
        on $n cat /var/log/bascule/corosync-qdevice.log
        on client sh -c 'cat /run/bascule-lab/device/*.log'
        fail "$n: device $(value $n "s['device']")"
    }
done

echo "- what would happen, and the MIB"
from=$(active a n1)
to=$(other "$from")
bascule "$to" simulate fail "$from" > "$dir/simulated" || fail "simulate"
grep -q "once the quorum device has voted for it" "$dir/simulated" &&
    grep -q "a: is taken over by $to" "$dir/simulated" || fail "simulate: $(cat "$dir/simulated")"
device=.1.3.6.1.4.1.$(sed -n 's/^#define BSC_ENTERPRISE //p' "$top_builddir/config.h").1.4.1.1.17.0
mib() {
    on client snmpget -v3 -l authPriv -u operator -a SHA-256 -x AES -Oqv \
        -A "$secret" -X "$secret" "10.77.1.${1#n}" "$device"
}
secret=$(cat "/var/lib/bascule-lab/$name/operator-secret")
says() { [ "$(mib "$1" | tr -d '"')" = "$2" ]; }
wait_for 5 says "$to" together || fail "the MIB says $(mib "$to")"

echo "- the active node crashes"
client_begin 10.77.1.100
$lab fault --name "$name" crash "$from" || fail "crash"
begin=$(date +%s%N)
taken() { is "$to" "by['a']['active']" "$to"; }
wait_for 20 taken || fail "$to does not take over: device $(value "$to" "s['device']")"
echo "  taken over after $((($(date +%s%N) - begin) / 1000000)) ms"
client_alive || fail "the client lost its connection"
wait_for 5 says "$to" won || fail "the MIB says $(mib "$to")"
is "$to" "s['device']" won || fail "device: $(value "$to" "s['device']")"
journal "$to" "the quorum device decided against node $from" || fail "not in the journal"
pass
