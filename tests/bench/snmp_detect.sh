#!/bin/bash
# snmp_detect.sh [ROUNDS] - how soon the crash of a node is noticed and taken over, with SNMP
# at work and with every snmpd standing still, in turn in one lab.
set -u
. "$top_srcdir/tests/scenario/lab_common.sh"
redis_service a 10.77.1.100 > "$dir/conf"
lab_up 3

# The first row of each kind after row $last, in ms after $begin.
times() {
    on "$survivor" bascule journal -n 60 --json | $py -c "
import json, sys
rows = [r for r in map(json.loads, sys.stdin) if r['serial'] > $last]
print(*[min([r['time_ms'] for r in rows if r['kind'] == k] or [0]) - $begin
        for k in ('node-left', 'claim', 'active')])"
}

for round in $(seq "${1:-3}"); do
    for how in CONT STOP; do
        protected
        snmpds $how
        survivor=$(other "$(active a)")
        last=$(on "$survivor" bascule journal -n 1 --json | sed -n 's/.*"serial": *\([0-9]*\).*/\1/p')
        begin=$(date +%s%3N)
        crash a
        read -r left claim active < <(times)
        echo "$how $left $claim $active" >> "$dir/times"
        echo "snmpds $how: lost after $left ms, claimed after $claim ms, active after $active ms"
        $lab fault --name "$name" restart "$from" || fail "restart"
    done
done
$py - "$dir/times" << 'P'
import statistics, sys
rows = [l.split() for l in open(sys.argv[1])]
for how, words in (("CONT", "with SNMP at work"), ("STOP", "with every snmpd standing still")):
    of = [list(map(int, r[1:])) for r in rows if r[0] == how]
    print("%s, median of %d: lost after %d ms, claimed after %d ms, active after %d ms" % (
        (words, len(of)) + tuple(statistics.median(c) for c in zip(*of))))
P
pass
