#!/bin/bash
# agent_serve.sh - the MIB by SNMP: values, the order of a walk, sources that go away.
. "$top_srcdir/tests/scenario/agent_common.sh"

agent_scenario "the agent serves what the programs say, in order, and nothing stale"
start_node 1

# Everything there is, by GETNEXT: snmpwalk itself stops at an OID that does not grow.
# The same objects by GETBULK, several at a time; a load may come to be between the two.
same() {
    walk bascule-poller 1 $bascule >"$dir/walk"
    snmp snmpbulkwalk bascule-poller 1 -Cr7 $bascule | sed 's/=.*//' >"$dir/bulk"
    sed 's/=.*//' "$dir/walk" | diff - "$dir/bulk"
}
wait_for 15 same || fail "GETBULK sees other objects: $(same)"
grep -q "not increasing" "$dir/walk" && fail "the walk runs back"
[ "$(wc -l <"$dir/walk")" -gt 180 ] || fail "the walk has $(wc -l <"$dir/walk") objects"
python3 - "$dir/walk" <<'PY' || fail "the walk is not strictly increasing"
import sys
last = ()
for line in open(sys.argv[1]):
    oid = tuple(int(a) for a in line.split(" =")[0].strip(".").split("."))
    assert oid > last, line
    last = oid
PY

redis=5.114.101.100.105.115 mail=4.109.97.105.108
while read -r oid what; do
    grep -qF -- "$oid = $what" "$dir/walk" || fail "$oid is not $what: $(grep -F "$oid =" "$dir/walk")"
done <<ROWS
$node.1.1.0 STRING: "n1"
$node.2.1.2.8.115.111.99.107.109.105.103.100 INTEGER: 1
$node.3.1.2.3.117.112.48 INTEGER: 1
$node.3.1.2.8.110.111.119.104.101.114.101.48 INTEGER: 3
$sockmig.2.1.2.$redis INTEGER: 3
$sockmig.2.1.3.$mail INTEGER: 6
$sockmig.2.1.4.$redis Gauge32: 7
$sockmig.3.1.3.$redis Counter64: 5000000000
$sockmig.3.1.8.$redis Counter64: 12
$sockmig.3.1.14.$redis Gauge32: 2
$sockmig.3.1.15.$redis Counter64: 6000000000
$sockmig.4.1.3.$redis Gauge32: 4200
$sockmig.11.1.1.$redis Counter64: 7000000123
$sockmig.11.1.2.$redis Counter64: 7000000100
$sockmig.11.1.8.$redis Counter64: 4
$sockmig.7.1.6.$redis.2.110.51 Counter64: 7000000100
$sockmig.11.1.3.$mail Gauge32: 1024
$sockmig.12.1.1.$mail Gauge32: 2
$sockmig.12.1.5.$mail Gauge32: 2
$sockmig.12.1.9.$mail Counter64: 5000000000
$sockmig.12.1.12.$mail ""
$sockmig.12.1.14.$mail Gauge32: 4
$sockmig.13.1.2.$mail.1 STRING: "10.99.0.2:25"
$sockmig.13.1.3.$mail.2 STRING: "[fd00::9]:40002"
$sockmig.13.1.4.$mail.1 Gauge32: 4000000001
$sockmig.13.1.5.$mail.2 STRING: "output that does not come"
$sockmig.13.1.6.$mail.1 INTEGER: 1
$sockmig.5.1.1.$mail Counter64: 55
$sockmig.5.1.3.$mail Gauge32: 1024
$sockmig.7.1.5.$redis.2.110.50 INTEGER: -1
$sockmig.8.1.4.$mail.1 STRING: "io_uring"
$sockmig.8.1.3.$mail.2 INTEGER: -1
$cluster.1.4.0 INTEGER: 1
$cluster.1.5.0 Gauge32: 2
$cluster.2.1.3.3 INTEGER: 2
$cluster.2.1.6.3 INTEGER: 2
$cluster.3.1.2.$redis INTEGER: 1
$cluster.3.1.5.$mail ""
$cluster.3.1.10.$mail STRING: "10.99.0.2 fd00::2"
$cluster.3.1.12.$mail Gauge32: 40
$cluster.4.1.3.$redis.2.110.51 INTEGER: 1
$cluster.5.1.2.12 Hex-STRING: 07 EA 0B 17 08 14 00 05 2B 00 00
$cluster.5.1.8.9 STRING: "switchover"
$cluster.7.1.6.39 INTEGER: 3
$cluster.7.1.8.40 Hex-STRING: 00 00 00 00 00 00 00 00
ROWS

grep -q "^$sockmig.11.1.2.$mail \|^$sockmig.12.1.1.$redis \|^$sockmig.7.1.6.$redis.2.110.50 " "$dir/walk" &&
    fail "what is not known of the log is served"
get bascule-poller 1 $cluster.3.1.99.$redis | grep -q "No Such Object" || fail "column 99 is there"
get bascule-poller 1 $cluster.3.1.2.1.120 | grep -q "No Such Instance" || fail "service x is there"

# An event makes the agent read at once, not only when the second is over.
STATE=taking-over write_state 1
kill -USR1 "$basculed1"
wait_for 5 value 1 $cluster.3.1.2.$redis "INTEGER: 3" || fail "the new state is not read"

# Counters that start again say so.
first=$(get bascule-poller 1 $sockmig.2.1.11.$redis)
sed -i 's/5000000000/7/' "$dir/n1/sockmigd.json"
kill -USR1 "$sockmigd1"
wait_for 5 value 1 $sockmig.3.1.3.$redis "Counter64: 7" || fail "the counter is not read"
[ "$first" != "$(get bascule-poller 1 $sockmig.2.1.11.$redis)" ] || fail "no discontinuity is shown"

# A program that hangs, then one that is gone: unknown, never the old value.
kill -STOP "$basculed1"
wait_for 8 value 1 $cluster.1.2.0 "INTEGER: 2" || fail "a silent basculed is not noticed"
value 1 $cluster.3.1.2.$redis "INTEGER: 0" || fail "the service's state is not unknown"
get bascule-poller 1 $cluster.3.1.4.$redis | grep -q "No Such Instance" || fail "an old epoch is served"
value 1 $sockmig.2.1.2.$redis "INTEGER: 3" || fail "the engine's rows went with basculed"
kill -CONT "$basculed1"
wait_for 8 value 1 $cluster.3.1.2.$redis "INTEGER: 3" || fail "basculed is not heard again"
stop "$sockmigd1"
wait_for 8 value 1 $sockmig.1.1.0 "INTEGER: 3" || fail "an absent sockmigd is not noticed"
value 1 $sockmig.2.1.2.$redis "INTEGER: 0" || fail "the role is not unknown"
get bascule-poller 1 $sockmig.3.1.3.$redis | grep -q "No Such Instance" || fail "old counters are served"
get bascule-poller 1 $node.1.4.0 | grep -q "sockmigd does not answer" || fail "the reason does not say so"
start_double 1 sockmigd
wait_for 8 value 1 $sockmig.2.1.2.$redis "INTEGER: 3" || fail "sockmigd is not found again"
pass
