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
    echo "  quorum-device = 1250"
    echo "}"
    redis_service a 10.77.1.100
    alone_on_the_machine
} > "$dir/conf"
lab_up 2
# its files are the machine's: a directory of its own for them
on client sh -c 'mkdir -p /run/q && cd /run/q && chmod 755 . &&
    exec corosync-qnetd -f -s off -p 5403 \
        -S heartbeat_interval_min=500,lock_file=/run/q/pid,local_socket_file=/run/q/sock,nss_db_dir=/run/q' \
    > "$dir/qnetd" 2>&1 &
qnetd() { on client sh -c 'kill -0 $(cat /run/q/pid)'; }
wait_for 5 qnetd || fail "qnetd does not start: $(cat "$dir/qnetd")"
qdevice() {
    on "$1" sh -c 'mkdir -p /run/corosync-qdevice && exec corosync-qdevice -f \
        -S net_heartbeat_interval_min=500' > "$dir/qdevice-$1" 2>&1 &
}
qdevice n1
qdevice n2
votes() { on "$1" corosync-quorumtool -s | grep -q 'Total votes: *3'; }
for n in n1 n2; do
    wait_for 15 votes $n || fail "no vote of the device on $n: $(cat "$dir/qdevice-$n")"
    wait_for 10 is $n "s['device']" together || fail "$n: device $(value $n "s['device']")"
done

echo "- the active node crashes"
client_begin 10.77.1.100
from=$(active a n1)
to=$(other "$from")
$lab fault --name "$name" crash "$from" || fail "crash"
begin=$(date +%s%N)
taken() { is "$to" "by['a']['active']" "$to"; }
wait_for 20 taken || { cat "$dir"/q*; fail "$to does not take over: device $(value "$to" "s['device']")"; }
echo "  taken over after $((($(date +%s%N) - begin) / 1000000)) ms"
client_alive || fail "the client lost its connection"
is "$to" "s['device']" won || fail "device: $(value "$to" "s['device']")"
journal "$to" "the quorum device decided against node $from" || fail "not in the journal"
pass
