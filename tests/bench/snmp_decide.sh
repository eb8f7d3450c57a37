#!/bin/bash
# snmp_decide.sh [ROUNDS] - how soon a fault that only the MIB tells of is decided about: the
# cable to the clients is cut, no member is lost; the agent says so, the poller reads it,
# the planner moves the service.  With the timing of a configuration that says nothing.
set -u
. "$top_srcdir/tests/scenario/lab_common.sh"
{
    alone_on_the_machine
    redis_service a 10.77.1.100
} > "$dir/conf"
lab_up 3

# In ms after $begin: the planner's order, and the service on another node.
times() {
    on "$survivor" bascule journal -n 60 --json | $py -c "
import json, sys
rows = [r for r in map(json.loads, sys.stdin) if r['serial'] > $last]
def first(test): return min([r['time_ms'] for r in rows if test(r)] or [0]) - $begin
print(first(lambda r: 'of planner' in r['text']), first(lambda r: r['kind'] == 'active'))"
}

for round in $(seq "${1:-5}"); do
    protected
    from=$(active a)
    survivor=$(other "$from")
    last=$(on "$survivor" bascule journal -n 1 --json | sed -n 's/.*"serial": *\([0-9]*\).*/\1/p')
    begin=$(date +%s%3N)
    $lab fault --name "$name" cut "$from" outside || fail "cut"
    wait_for 30 taken_over a || fail "$from keeps the service though no client reaches it"
    read -r order active < <(times)
    echo "$order $active" >> "$dir/times"
    echo "cut off from its clients: decided after $order ms, active elsewhere after $active ms"
    $lab fault --name "$name" heal "$from" || fail "heal"
    wait_for 30 is n2 "all(n['health'] == 'ok' for n in s['nodes'])" True || fail "not well again"
done
$py - "$dir/times" << 'P'
import statistics, sys
rows = [list(map(int, l.split())) for l in open(sys.argv[1])]
print("median of %d: decided after %d ms, active elsewhere after %d ms; the slowest %d ms" % (
    (len(rows),) + tuple(statistics.median(c) for c in zip(*rows)) + (max(r[1] for r in rows),)))
P
pass
