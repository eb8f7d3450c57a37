#!/bin/bash
# agent_large.sh - the largest cluster that a configuration allows: every row is served,
# and the poller reads all of its services.
. "$top_srcdir/tests/scenario/agent_common.sh"

agent_scenario "64 services, 16 nodes, a long journal"
mkdir -p "$dir/n1/run"
python3 - "$dir" <<'PY' || fail "the states cannot be written"
import json, sys
d = sys.argv[1]
nodes = ["node-with-a-rather-long-name-%02d" % i for i in range(16)]
services = ["service-with-a-long-name-as-%03d" % i for i in range(64)]
standbys = [{"node": n, "state": "ready", "in_set": True, "acked": 5, "lag": 0} for n in nodes[1:]]
refusals = [{"process": "p (%d)" % i, "fd": i, "what": "w" * 300, "cure": "c" * 100} for i in range(8)]
engine = [{"name": s, "role": "active", "state": "running", "epoch": 4000000000, "policy": "commit",
           "connections": 100000, "standbys": standbys, "refusals": refusals,
           "last_error": "e" * 400} for s in services]
cluster = [{"name": s, "state": "protected", "active": nodes[0], "epoch": 4000000000,
            "policy": "commit", "addresses": ["10.1.2.3"], "set": nodes[1:], "reason": "r" * 400,
            "standbys": standbys} for s in services]
rows = [{"serial": 100000 - i, "time_ms": 1795422000500, "node": nodes[0], "service": services[0],
         "epoch": 1, "severity": "info", "kind": "k", "text": "t" * 255} for i in range(1000)]
orders = [{"order": i + 1, "kind": "switchover", "service": services[0], "node": nodes[0],
           "owner": "root", "state": "done", "started_ms": 1, "finished_ms": 2, "text": ""}
          for i in range(300)]
json.dump({"status": {"node": nodes[0], "services": engine}}, open(d + "/n1/sockmigd.json", "w"))
json.dump({"status": {"cluster": "lab", "quorate": True, "services": cluster,
                      "nodes": [{"name": n, "id": i + 1, "state": "online", "health": "ok", "reason": ""}
                                for i, n in enumerate(nodes)], "poller": {"nodes": []}},
           "rows": rows, "orders": orders}, open(d + "/n1/basculed.json", "w"))
with open(d + "/bascule.conf", "a") as f:
    for s in services[2:]:
        f.write('service "%s" { addresses = { "10.99.%d.9/24" } device = "up0" command = { "/bin/true" } '
                'user = "nobody" }\n' % (s, services.index(s)))
PY
start_snmpd 1
start_double 1 sockmigd
start_double 1 basculed
start_agent 1
wait_for 15 value 1 $cluster.1.2.0 "INTEGER: 1" || fail "basculed is not seen"
wait_for 15 value 1 $sockmig.1.1.0 "INTEGER: 1" || fail "sockmigd is not seen"

snmp snmpbulkwalk bascule-poller 1 -Cr10 $bascule >"$dir/walk"
grep -qE "not increasing|Timeout|Error" "$dir/walk" && fail "the walk: $(grep -E 'not incr|Timeout|Error' "$dir/walk")"
rows_of() { grep -c "^$1\." "$dir/walk"; }
for claim in "$cluster.2.1.3 16" "$cluster.4.1.2 930" "$sockmig.7.1.4 930" "$sockmig.8.1.3 496" \
    "$cluster.5.1.2 256" "$cluster.7.1.6 256"; do
    [ "$(rows_of "${claim% *}")" = "${claim#* }" ] || fail "$claim rows: there are $(rows_of "${claim% *}")"
done
grep -q "^$cluster.5.1.2.100000 " "$dir/walk" || fail "the newest event is missing"
grep -q "^$cluster.7.1.6.300 " "$dir/walk" || fail "the newest order is missing"
# redis and mail of the configuration make 66 services where there is room for 64: two are
# left out with their standbys, and that is counted.
value 1 $node.1.13.0 "Gauge32: 0" && fail "rows were dropped and nobody says so"

ip netns exec "$ns" "$top_builddir/agent/bascule-poller" -c "$dir/bascule.conf" \
    < <(wait_for 3 grep -q '"answers":true' "$dir/lines") >"$dir/lines"
line=$(grep '"node":"n1","answers":true' "$dir/lines" | head -n 1)
[ -n "$line" ] || fail "the poller: $(grep n1 "$dir/lines" | head -n 1)"
[ "$(grep -o '"role":"active"' <<<"$line" | wc -l)" -ge 61 ] || fail "the poller misses services: $line"
pass
