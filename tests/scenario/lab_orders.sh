#!/bin/bash
# lab_orders.sh - orders other than a switchover, with real engines: drain and resume,
# maintenance, freeze, interval, checkpoint, acknowledgement, and who gave them.
set -u
. "$top_srcdir/tests/scenario/lab_common.sh"

{
    alone_on_the_machine
    redis_service a 10.77.1.100 "fail-limit = 2 hold-off = 4"
    redis_service b 10.77.1.101
} > "$dir/conf"
lab_up 3

echo "- both services on n1, wherever they were started"
for s in a b; do
    [ "$(active $s)" = n1 ] || bascule n2 switchover $s n1 > "$dir/out" || fail "to n1: $(cat "$dir/out")"
done
protected

echo "- drain: both services leave, one after the other, and a client stays connected"
client_begin 10.77.1.100
bascule n2 drain n1 > "$dir/out" || fail "drain: $(cat "$dir/out")"
[ "$(active a)" != n1 ] && [ "$(active b)" != n1 ] || fail "a service is left on n1"
is n2 "[n['drain'] for n in s['nodes']][0]" drained || fail "n1 is not said to be drained"
client_alive || fail "the client lost its connection"
wait_for 5 journal n1 "order [0-9]* of root (local): drain n1" || fail "who drained is not in the journal"
wait_for 5 journal n1 "order [0-9]* of planner (n1 is to be emptied): switchover" ||
    fail "why the services moved is not in the journal"
bascule n2 drain n1 2>&1 | grep -q "is so already" || fail "drained twice"

echo "- a drained node is a last resort"
protected
from=$(active a)
bascule n2 switchover a > "$dir/out" || fail "switchover: $(cat "$dir/out")"
[ "$(active a)" != n1 ] || fail "the best standby is the drained node"
bascule n3 resume n1 > /dev/null || fail "resume"
wait_for 5 is n1 "[n['drain'] for n in s['nodes']][0]" no || fail "n1 is not resumed"
protected

echo "- maintenance: the service ends and nobody starts it; then somebody does"
node=$(active b)
bascule n1 maintenance on service b > /dev/null || fail "maintenance on"
bascule n1 switchover b 2>&1 | grep -q "in maintenance" || fail "moved in maintenance"
bascule n1 drain $node --timeout 5 > "$dir/out" 2>&1 && fail "drained in maintenance"
grep -q "services left: 1; b: it is in maintenance" "$dir/out" || fail "what it waits for: $(cat "$dir/out")"
bascule n1 resume $node > /dev/null || fail "resume"
kill_service $node b
wait_for 5 is n1 "by['b']['state']" failed || fail "the failure is not seen"
was=$(value n1 "by['b']['epoch']")
wait_for 2 value n1 "1 / (by['b']['epoch'] - $was)" && fail "started in maintenance"
bascule n1 maintenance off service b > /dev/null || fail "maintenance off"
wait_for 15 is n1 "by['b']['state'] in ('protected', 'unprotected')" True || fail "not started after maintenance"

echo "- failures are counted, hold a node back, and are forgotten"
node=$(value n1 "by['b']['fails'][0]['node']")
[ -n "$node" ] || fail "no failure is counted"
bascule n1 clear b > /dev/null || fail "clear"
is n1 "by['b']['fails']" "[]" || fail "not cleared"

echo "- checkpoint and interval, kept over a switchover"
protected
bascule n1 checkpoint a > /dev/null || fail "checkpoint"
bascule n1 checkpoint a --interval 77 > "$dir/out" 2>&1 || fail "interval: $(cat "$dir/out")"
bascule n1 switchover a > /dev/null || fail "switchover"
wait_for 5 is n1 "by['a']['checkpoint']['interval_ms']" 77 || fail "the interval is forgotten"
bascule n1 checkpoint a --interval 3 2>&1 | grep -q "5 to 60000" || fail "an interval of 3 ms"

echo "- freeze, acknowledgement, orders"
bascule n1 freeze on > /dev/null || fail "freeze"
wait_for 5 is n3 "s['frozen']" True || fail "not frozen"
bascule n1 freeze off > /dev/null || fail "freeze off"
serial=$(bascule n1 journal -n 1 --json | sed -n 's/.*"serial": *\([0-9]*\).*/\1/p')
bascule n1 ack "$serial" > /dev/null || fail "ack"
bascule n1 ack "$serial" 2>&1 | grep -q already || fail "acknowledged twice"
# by its number: what the services do meanwhile is newer
bascule n1 journal -n 60 --json | grep "\"serial\": *$serial," | grep -q '"acked_by": *"root"' ||
    fail "not said who has seen it"
bascule n1 orders | grep -q "drain .*operator .*n1 .*done .*root" || fail "orders: $(bascule n1 orders)"
for c in drain resume maintenance freeze policy checkpoint clear ack; do
    bascule n1 $c --help | grep -q "^Usage: bascule $c" || fail "$c --help"
    bascule n1 $c 2> /dev/null; [ $? = 2 ] || fail "$c without words"
done
client_alive || fail "the client lost its connection"
pass
