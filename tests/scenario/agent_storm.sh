#!/bin/bash
# agent_storm.sh - SETs of every wrong kind and many at a time, a queue of notifications
# that is full, a manager that is down, informs, a flood, an snmpd that stands still.
. "$top_srcdir/tests/scenario/agent_common.sh"

agent_scenario "storms of SETs and notifications, floods, a manager that is down"
for port in 9162 9163; do
    mkdir -p "$dir/trapd$port/kept"
    cat >"$dir/trapd$port/snmptrapd.conf" <<CONF
exactEngineID 0x80007ed905$port
createUser -e 0x80007ed905$(printf 'bascule-n1' | od -An -tx1 | tr -d ' \n') trap SHA-256 "pass phrase" AES "pass phrase"
createUser trap SHA-256 "pass phrase" AES "pass phrase"
authUser log trap authPriv
CONF
done
ip -n "$ns" addr replace 10.88.0.1/32 dev lo
start_trapd() { # PORT
    MIBS= SNMP_PERSISTENT_DIR=$dir/trapd$1/kept SNMPCONFPATH=$dir/trapd$1:$dir/trapd$1/kept ip netns exec "$ns" \
        snmptrapd -f -Lf "$dir/trapd$1.log" -On -F '%v\n' udp:10.88.0.1:$1 9>&- &
    eval "trapd$1=$!"
}
start_trapd 9162
start_trapd 9163
listens() { ip netns exec "$ns" ss -Hlun "sport = :9163" | grep -q 9163; }
wait_for 10 listens || fail "snmptrapd does not listen"
# beside the traps, the same as informs to another manager
eval "$(declare -f start_snmpd | sed 's/^start_snmpd/plain_snmpd/; s#^trapsess .* 10.88.0.1:9162#&\ntrapsess -Ci -r 1 -t 1 -v3 -u trap -l authPriv -a SHA-256 -A "pass phrase" -x AES -X "pass phrase" 10.88.0.1:9163#')"
start_snmpd() { plain_snmpd "$@"; }
start_node 1
redis=5.114.101.100.105.115
basculed=$(pgrep -f "^[^ ]*python3 [^ ]*agent_double.py $dir/n1/run/basculed.sock")
L=$cluster.6.1.0 K=$cluster.6.2.0 S=$cluster.6.3.0
lock() { get operator 1 $L | sed 's/.*INTEGER: //'; }
forwarded() { cat "$dir/n1/basculed.orders" 2>/dev/null | wc -l; }

echo "- every wrong type and range of everything that can be set"
cat >"$dir/wrong.py" <<'PY'
import subprocess, sys
cluster, node, base = sys.argv[1], sys.argv[2], sys.argv[3:]
row = ".3.97.110.110.9"  # ann, 9
numbers = [cluster + ".6.1.0", cluster + ".6.2.0", node + ".4.1.0", cluster + ".9.1.3" + row, cluster + ".9.1.12" + row]
texts = [cluster + ".6.3.0", cluster + ".6.4.0", cluster + ".6.8.0"] + [cluster + ".9.1.%d%s" % (c, row) for c in (4, 5, 6)]
tries = [(o, t, v) for o in numbers for t, v in (("u", "1"), ("t", "1"), ("a", "1.2.3.4"), ("o", ".1.3"), ("s", "1"), ("s", ""))]
tries += [(o, t, v) for o in texts for t, v in (("i", "1"), ("u", "1"), ("t", "1"), ("a", "1.2.3.4"), ("o", ".1.3"))]
tries = [(t, "wrongType") for t in tries]
tries += [((o, "i", v), "wrongValue") for o in numbers for v in ("-1", "-2147483648")]
tries += [((o, "i", v), "wrongValue") for o in numbers[1:] for v in ("0", "2147483647", "99")]
tries += [((o, "s", v), "wrongLength") for o in texts for v in ("a" * 64, "a" * 400)]
tries += [((o, "s", v), "wrongValue") for o in texts for v in ("Redis", "a b", "a\nb", "\u00e4", "../x")]
procs = []
def reap():
    what, want, p = procs.pop(0)
    said = p.communicate()[0].decode(errors="replace")
    if "Reason: " + want not in said: sys.exit("%s: not %s but: %s" % (what, want, said))
for what, want in tries:
    procs.append((what, want, subprocess.Popen(base + list(what), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)))
    if len(procs) > 3: reap()
while procs: reap()
print("%d SETs, each with its error" % len(tries))
PY
v3="-v3 -l authPriv -u operator -a SHA-256 -x AES -t 5 -r 0 -Ont"
before=$(lock)
MIBS= ip netns exec "$ns" /usr/bin/python3 "$dir/wrong.py" $cluster $node snmpset $v3 -A "pass phrase" -X "pass phrase" 10.88.0.1 ||
    fail "a wrong SET"
setvalue operator 1 $L i "$before" $K i 6 $S s redis .1.3.6.1.2.1.1.3.0 t 5 | grep -q "Reason: notWritable" ||
    fail "a message of which another agent's part fails is taken"
[ "$(lock)" = "$before" ] || fail "the lock moved"
[ "$(forwarded)" = 0 ] || fail "a wrong order was forwarded"

echo "- many at a time: each that is taken is forwarded once, and moves the lock by one"
cat >"$dir/storm.py" <<'PY'
import re, subprocess, sys
lock, kind, service, base = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
taken = 0
for i in range(15):
    said = subprocess.run(["snmpget"] + base + [lock], stdout=subprocess.PIPE).stdout.decode()
    m = re.search(r"INTEGER: (\d+)", said)
    if not m: continue
    said = subprocess.run(["snmpset"] + base + [lock, "i", m[1], kind, "i", "6", service, "s", "redis"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.decode()
    if "Timeout" in said: sys.exit("unsure: " + said)
    taken += "Reason" not in said
print(taken)
PY
storms=
for i in 1 2 3; do
    MIBS= ip netns exec "$ns" /usr/bin/python3 "$dir/storm.py" $L $K $S $v3 -A "pass phrase" -X "pass phrase" 10.88.0.1 \
        >"$dir/taken$i" &
    storms="$storms $!"
done
for p in $storms; do wait $p || fail "a storm: $(cat "$dir"/taken*)"; done
taken=$(awk '{ n += $1 } END { print n }' "$dir"/taken[123])
[ "$taken" -ge 5 ] || fail "only $taken orders were taken"
all_forwarded() { [ "$(forwarded)" = "$taken" ]; }
wait_for 5 all_forwarded || fail "$taken orders taken, $(forwarded) forwarded"
[ "$(lock)" = $((before + taken)) ] || fail "$taken orders taken, the lock moved from $before to $(lock)"

echo "- more events than the queue holds: counted, and the receivers see the gap"
more_events() { # FROM TO
    /usr/bin/python3 - "$dir/n1/basculed.json" "$1" "$2" <<'PY'
import json, os, sys
path, first, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
s = json.load(open(path))
s["rows"] = [dict(s["rows"][0], serial=i, severity="error", kind="diverged", text="storm") for i in range(last, first - 1, -1)]
json.dump(s, open(path + ".new", "w")); os.rename(path + ".new", path)
PY
    kill -USR1 "$basculed"
}
number() { get operator 1 $1 | sed 's/.*: //'; }
sent0=$(number $node.4.2.0)
more_events 13 252
dropped() { [ "$(number $node.4.3.0)" -gt 100 ]; }
wait_for 10 dropped || fail "nothing was dropped of 240 events: $(number $node.4.3.0)"
of_event() { grep -c "$cluster.5.1.7.*diverged" "$dir/trapd$1.log"; }
all_sent() { [ "$(number $node.4.2.0)" = $((sent0 + 240 - $(number $node.4.3.0))) ]; }
wait_for 20 all_sent || fail "sent $(number $node.4.2.0), dropped $(number $node.4.3.0)"
some() { [ "$(of_event $1)" -ge 64 ]; }
for port in 9162 9163; do
    wait_for 20 some $port || fail "$port received $(of_event $port) of $(number $node.4.2.0)"
done
grep "diverged" "$dir/trapd9162.log" | grep "$cluster.8.4.0 = INTEGER: 3" | grep -qF "$cluster.5.1.8.13 = STRING: \"storm\"" ||
    fail "an event's notification does not carry its row: $(grep diverged "$dir/trapd9162.log" | head -n 1)"
more_events 14 253
newest() { grep -q "$cluster.8.5.0 = Gauge32: 253" "$dir/trapd9162.log"; }
wait_for 10 newest || fail "nothing is notified after the queue was full"
adds_up() { # the counters are of the last second
    last=$(grep -o "$cluster.8.3.0 = Gauge32: [0-9]*" "$dir/trapd9162.log" | tail -n 1 | sed 's/.*: //')
    [ "$last" = $(($(number $node.4.2.0) + $(number $node.4.3.0))) ]
}
wait_for 5 adds_up || fail "the numbers show no gap: $last"

echo "- managers that are down hold up nothing; an inform comes again when one is back"
kill "$trapd9162" "$trapd9163"
wait "$trapd9162" "$trapd9163"
more_events 15 258
STATE=failed write_state 1
kill -USR1 "$basculed"
wait_for 10 value 1 $cluster.3.1.2.$redis "INTEGER: 5" || fail "not served while the managers are down"
rm "$dir/trapd9163.log"
start_trapd 9163
wait_for 10 listens || fail "snmptrapd does not listen"
again() { STATE=$state write_state 1; kill -USR1 "$basculed"; state=$([ $state = failed ] && echo protected || echo failed)
    grep -q "$cluster.3.1.2.$redis" "$dir/trapd9163.log"; }
state=protected
wait_for 20 again || fail "no inform to a manager that is back"

echo "- a flood of what is no SNMP"
ip netns exec "$ns" /usr/bin/python3 -c '
import os, random, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
r = random.Random(1)
good = bytes.fromhex("302602010104067075626c6963a019020101020100020100300e300c06082b060102010101000500")
for i in range(20000):
    b = bytearray(good if i % 2 else r.randbytes(r.randrange(1, 200)))
    b[r.randrange(len(b))] = r.randrange(256)
    s.sendto(bytes(b), ("10.88.0.1", 161))'
STATE=stopped write_state 1
kill -USR1 "$basculed"
wait_for 15 value 1 $cluster.3.1.2.$redis "INTEGER: 4" || fail "not served after a flood"

echo "- snmpd stands still for 12 s"
kill -STOP "$snmpd1"
STATE=protected write_state 1
wait_for 12 false # the time is what is tried
kill -CONT "$snmpd1"
wait_for 15 value 1 $cluster.3.1.2.$redis "INTEGER: 1" || fail "not served after snmpd stood still"
kill -0 "$agent1" || fail "the agent died of it"
pass
