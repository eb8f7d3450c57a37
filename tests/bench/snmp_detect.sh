#!/bin/bash
# snmp_detect.sh [ROUNDS] - how soon the crash of a node is noticed and taken over, with SNMP
# at work and with every snmpd standing still, in turn in one lab.
set -u
. "$top_srcdir/tests/scenario/lab_common.sh"
cat > "$dir/conf" << 'C'
service "a" {
  addresses = { "10.77.1.100/24" }
  device = "eth0"
  command = { "redis-server", "--port", "6379", "--save", "", "--protected-mode", "no" }
  user = "redis"
  checkpoint-interval = 500
  checkpoint-spacing = 50
}
C
lab_up 3
snmpds() { # SIGNAL, in each node's own pid namespace
    for n in n1 n2 n3; do
        on $n sh -c "for p in /proc/[0-9]*; do [ \"\$(cat \$p/comm)\" = snmpd ] && kill -$1 \${p#/proc/}; done" 2> /dev/null
    done
}
for round in $(seq "${1:-3}"); do
    for how in CONT STOP; do
        protected
        snmpds $how
        from=$(active a)
        for survivor in n1 n2 n3; do [ $survivor != "$from" ] && break; done
        last=$(on "$survivor" bascule journal -n 1 --json | sed -n 's/.*"serial": *\([0-9]*\).*/\1/p')
        begin=$(date +%s%3N)
        $lab fault --name "$name" crash "$from" || fail "crash"
        over() { [ "$(active a "$survivor")" != "$from" ] && [ "$(active a "$survivor")" != None ]; }
        wait_for 20 over || fail "not taken over"
        on "$survivor" bascule journal -n 60 --json | $py -c "
import json, sys
text = sys.stdin.read()
try: rows = json.loads(text)
except ValueError: rows = [json.loads(l) for l in text.splitlines() if l.strip()]
rows = rows['rows'] if isinstance(rows, dict) else rows
rows = [r for r in rows if r['serial'] > $last]
first = lambda *k: min([r['time_ms'] for r in rows if r['kind'] in k] or [0]) - $begin
print('snmpd %s: lost after %d ms, claimed after %d ms, active after %d ms' %
      ('stands still' if '$how' == 'STOP' else 'is at work  ', first('node-left'), first('claim'), first('active')))"
        snmpds CONT
        $lab fault --name "$name" restart "$from" || fail "restart"
    done
done
pass
