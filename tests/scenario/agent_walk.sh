#!/bin/bash
# agent_walk.sh - walks of every table, its columns side by side in any order, while rows
# come and go: no identifier that does not grow, no request that fails.
. "$top_srcdir/tests/scenario/agent_common.sh"

agent_scenario "walks of every table while rows come and go"
cell=agent_cell_$$
ip netns add $cell
trap 'ip netns pids $cell | xargs -r kill -9; ip netns del $cell; cleanup' EXIT
ip -n $cell link set lo up
ip -n $cell addr add 10.99.0.1/32 dev lo
ip netns exec $cell /usr/bin/python3 -c '
import random, socket, time
server = socket.create_server(("10.99.0.1", 6379), backlog=1000)
ends = []
while True:
    for i in range(50 if len(ends) < 200 else 20):
        c = socket.socket(); c.connect(("10.99.0.1", 6379)); ends.append((c, server.accept()[0]))
    random.shuffle(ends)
    for c, p in ends[200:]:
        c.close(); p.close()
    del ends[200:]
    if len(ends) == 200: print("ready", flush=True)
    time.sleep(0.05)' >"$dir/serves" &
serving=$!
wait_for 20 grep -q ready "$dir/serves" || fail "no connections"
start_node 1
start_cells 1 $serving
some() { walk bascule-poller 1 $sockmig.9.1.7 | grep -q "INTEGER: 1"; }
wait_for 20 some || fail "the connections are not served"

# What the doubles say changes all the time: standbys, refusals, events, orders, failures,
# constraints, divergences; services go and come back.
cat >"$dir/churn.py" <<'PY'
import json, os, random, signal, sys, time
d, pids = sys.argv[1], [int(p) for p in sys.argv[2:]]
r = random.Random(1)
first = {n: json.load(open("%s/%s.json" % (d, n))) for n in ("sockmigd", "basculed")}
some = lambda l: [x for x in l if r.random() < 0.6]
serial = 100
while True:
    e = json.loads(json.dumps(first["sockmigd"]))
    for s in e["status"]["services"]:
        s["standbys"] = some([{"node": n, "state": "ready", "in_set": True, "acked": 3, "lag": 0, "log": 9} for n in ("n2", "n3", "n9", "a", "zz")])
        s["refusals"] = [{"process": "p", "fd": i, "what": "w", "cure": "c"} for i in range(r.randrange(9))]
        if r.random() < 0.5: s.pop("replay", None); s.pop("clone", None)
        elif "replay" in s: s["replay"]["divergences"] = s["replay"]["divergences"] * r.randrange(5)
        s["takeover"] = {"epoch": 1, "phases": {k: 1 for k in some(["listeners_us", "sockets_us", "total_us"])}}
    e["status"]["services"] = [s for s in e["status"]["services"] if s["name"] == "redis" or r.random() < 0.6]
    c = json.loads(json.dumps(first["basculed"]))
    for s in c["status"]["services"]:
        s["standbys"] = some(s["standbys"])
        s["fails"] = some([{"node": n, "count": 1, "held": False} for n in ("n1", "n2", "n3")])
        s["placement"] = {"preferred": "n1", "never": some(["n1", "n2", "n3"]), "apart": some(["mail", "redis"])}
    c["status"]["nodes"] = some(c["status"]["nodes"])
    serial += r.randrange(40)
    c["rows"] = [dict(c["rows"][0], serial=serial - i, kind=r.choice(["order", "claim", "taking", "active", "step"])) for i in range(r.randrange(200))]
    c["orders"] = [dict(c["orders"][0], order=serial - i) for i in range(r.randrange(60))]
    for n, v in (("sockmigd", e), ("basculed", c)):
        json.dump(v, open("%s/%s.new" % (d, n), "w")); os.rename("%s/%s.new" % (d, n), "%s/%s.json" % (d, n))
    for p in pids: os.kill(p, signal.SIGUSR1)
    time.sleep(0.1)
PY
doubles=$(pgrep -f "^[^ ]*python3 [^ ]*agent_double.py $dir/n1/run")
[ "$(wc -w <<<"$doubles")" = 2 ] || fail "the doubles are not found: $doubles"
/usr/bin/python3 "$dir/churn.py" "$dir/n1" $doubles &
churn=$!

"$top_builddir/tests/unit/mib_columns" >"$dir/columns"
cat >"$dir/walks.py" <<'PY'
import collections, random, subprocess, sys
root, walker, columns, seconds = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
import time
r = random.Random(2)
tables = collections.defaultdict(list)
for line in open(columns):
    oid = line.split()[0]
    tables[oid.rsplit(".", 1)[0]].append(root + "." + oid)
end, n, rows, seen = time.time() + seconds, 0, 0, 0
assert len(tables) > 35, len(tables)
order = list(tables)
while time.time() < end or n < len(order):
    if n % len(order) == 0: r.shuffle(order)
    of = list(tables[order[n % len(order)]])
    r.shuffle(of)
    p = subprocess.run([walker, "walk", "10.88.0.1", "operator", "pass phrase", str(r.randrange(1, 30))] + of[:16],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if p.returncode: sys.exit("walk of %s: %s" % (of[:16], p.stdout.decode()))
    counts = p.stdout.split()
    rows += int(counts[0]) * int(counts[3]); n += 1
    seen = max(seen, int(counts[0]))
print("%d walks, %d objects" % (n, rows))
assert seen > 100, "the longest table had %d rows" % seen
PY
ip netns exec "$ns" /usr/bin/python3 "$dir/walks.py" "${bascule%.1}" "$top_builddir/tests/bench/snmp_walk" "$dir/columns" 5 ||
    fail "a walk fails"
# And all of it in one go: the tool stops where an identifier does not grow.
snmp snmpbulkwalk bascule-poller 1 -Cr20 $bascule >"$dir/walk"
grep -E "not increasing|Error|Timeout" "$dir/walk" && fail "the walk of everything"
[ "$(wc -l <"$dir/walk")" -gt 1000 ] || fail "the walk of everything: only $(wc -l <"$dir/walk") objects"
kill -0 $churn || fail "nothing came or went"
kill $churn
pass
