#!/bin/bash
# snmp.sh [CONNECTIONS] - what SNMP costs and how fast it is, each figure beside what it
# is measured against: a walk of the connections beside net-snmp's own table of the same
# sockets, GETs during a walk beside an object of snmpd's own, the agent's memory and idle
# time, the time from an event to its trap, the poller with 16 nodes, one of them dead.
#
#   make snmp-bench        or, some of it: PARTS="walk trap poller" snmp.sh
. "$top_srcdir/tests/scenario/agent_common.sh"

n=${1:-10000}
PARTS=${PARTS:-walk trap poller}
snmp_walk=$top_builddir/tests/bench/snmp_walk
agent_scenario "SNMP: $PARTS"
cell=agent_cell_$$
ip netns add $cell
trap 'ip netns pids $cell | xargs -r kill -9; ip netns del $cell; cleanup' EXIT
ip -n $cell link set lo up
ip -n $cell addr add 10.99.0.1/32 dev lo

ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; } # hundredths of a second
rest() { # SECONDS: the time is what is measured
    end=$(($(date +%s) + $1))
    while [ "$(date +%s)" -lt $end ]; do sleep 0.2; done
}
ours() { ip netns exec "$ns" "$snmp_walk" "$1" 10.88.0.1 operator "pass phrase" "${@:2}"; }
own() { ip netns exec $cell "$snmp_walk" "$1" 10.99.0.1 operator "pass phrase" "${@:2}"; }

walk_part() {
    ulimit -n $((n + 1000))
    # half of the sockets are clients' ends: n rows are n / 2 connections
    ip netns exec $cell /usr/bin/python3 -c '
import socket, sys, time
server = socket.create_server(("10.99.0.1", 6379), backlog=1000)
ends = []
for i in range(int(sys.argv[1]) // 2):
    c = socket.socket(); c.connect(("10.99.0.1", 6379)); ends += [c, server.accept()[0]]
print("ready", flush=True)
time.sleep(10000)' "$n" >"$dir/serves" &
    serving=$!
    wait_for 60 grep -q ready "$dir/serves" || fail "no connections"
    start_cells 1 $serving
    columns=
    for c in 7 8 9 10 11 12 13 14; do columns="$columns $sockmig.9.1.$c"; done
    filled() { ours walk 20 $sockmig.9.1.7 | grep -q "^$n rows"; }
    wait_for 60 filled || fail "the connections are not served: $(ours walk 20 $sockmig.9.1.7)"
    mkdir -p "$dir/own"
    # the same security on both sides
    printf '%s\n' 'createUser operator SHA-256 "pass phrase" AES "pass phrase"' 'rwuser operator authPriv' \
        'rwcommunity public 10.99.0.1' >"$dir/own/snmpd.conf"
    MIBS= SNMP_PERSISTENT_DIR=$dir/own SNMPCONFPATH=$dir/own ip netns exec $cell snmpd -f -Lf "$dir/own/log" -I -smux \
        udp:10.99.0.1:161 >/dev/null 2>&1 &
    theirs=.1.3.6.1.2.1.6.19
    answers() { own walk 1 $theirs.1.7; }
    wait_for 20 answers || fail "net-snmp's own table is not served"
    for r in 1 2 3; do
        echo "agent's table, 8 columns: $(ours walk 20 $columns)"
        # its cache is kept for 60 s, ours is 5 s old at the most: read anew, and as kept
        MIBS= ip netns exec $cell snmpset -v2c -c public 10.99.0.1 .1.3.6.1.4.1.8072.1.5.3.1.2.1.3.6.1.2.1.6.19 i 1 >/dev/null ||
            fail "the cache of net-snmp's table cannot be set"
        rest 2
        echo "net-snmp's table, read anew: $(own walk 20 $theirs.1.7 $theirs.1.8)"
        MIBS= ip netns exec $cell snmpset -v2c -c public 10.99.0.1 .1.3.6.1.4.1.8072.1.5.3.1.2.1.3.6.1.2.1.6.19 i 60 >/dev/null
        answers >/dev/null
        echo "net-snmp's table, as kept:   $(own walk 20 $theirs.1.7 $theirs.1.8)"
    done
    for what in "an object of the agent's $node.1.1.0" "an object of snmpd's own .1.3.6.1.2.1.1.3.0"; do
        (while ours walk 20 $columns; do :; done) >/dev/null 2>&1 &
        walking=$!
        echo "${what% *} during a walk: $(ours get 5 "${what##* }")"
        kill $walking; wait $walking 2>/dev/null
    done
    echo "an object of snmpd's own, nothing else: $(ours get 5 .1.3.6.1.2.1.1.3.0)"
    echo "agent's memory with $n rows: $(awk '/VmRSS/ { r = $2 } /VmHWM/ { h = $2 } END { printf "%.1f MiB, %.1f at most", r / 1024, h / 1024 }' /proc/$agent1/status)"
    before=$(ticks $agent1)
    rest 10
    echo "agent's processor time, nobody asking: $(awk -v a="$before" -v b="$(ticks $agent1)" 'BEGIN { printf "%.1f %%", (b - a) / 10 }')"
    kill -9 $serving
}

# From the event to the datagram: 100 changes, a trap each.
trap_part() {
    double=$(pgrep -f "^[^ ]*python3 [^ ]*agent_double.py $dir/n1/run/basculed.sock")
    ip netns exec "$ns" /usr/bin/python3 - "$dir/n1/basculed.json" "$double" <<'PY'
import json, os, signal, socket, sys, time
path, pid = sys.argv[1], int(sys.argv[2])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.88.0.1", 9162))
state = json.load(open(path))
took, lost = [], 0
for i in range(101):
    state["status"]["services"][0]["state"] = "failed" if i % 2 else "unprotected"
    json.dump(state, open(path + ".new", "w")); os.rename(path + ".new", path)
    s.settimeout(0.001)
    try:
        while s.recv(65536): pass
    except OSError: pass
    begin = time.time()
    os.kill(pid, signal.SIGUSR1)
    s.settimeout(3)
    try: s.recv(65536); took.append((time.time() - begin) * 1e3)
    except OSError: lost += 1
    time.sleep(0.45)  # five in a row may come at once, then five a second
took = sorted(took[1:])
print("from an event to its trap: %d changes, p50 %.1f ms, p95 %.1f ms, max %.1f ms, none came %d times" %
      (len(took), took[len(took) // 2], took[len(took) * 95 // 100], took[-1], lost))
PY
}

# The poller: what it costs, and what a dead node costs the others.  With four services
# it reads 50 objects of a node and more.
poller_part() {
    for i in 3 4; do
        echo "service \"s$i\" { addresses = { \"10.99.0.$i/24\" } device = \"nowhere0\" command = { \"/bin/true\" } user = \"nobody\" }"
    done >>"$dir/bascule.conf"
    for i in $(seq 2 16); do
        [ $i = 2 ] || [ $i = 3 ] || echo "node \"n$i\" { id = $i  address = \"10.88.0.$i\" }" >>"$dir/bascule.conf"
        [ $i = 3 ] && sed -i 's/address = "10.88.1.9"/address = "10.88.0.3"/' "$dir/bascule.conf"
        start_snmpd $i
        start_agent $i
    done
    ip netns exec "$ns" /usr/bin/python3 - "$top_builddir/agent/bascule-poller" "$dir/bascule.conf" "$snmpd16" <<'PY'
import json, os, signal, subprocess, sys, threading, time
program, conf, snmpd16 = sys.argv[1:3] + [int(sys.argv[3])]
p = subprocess.Popen([program, "-c", conf], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
lines, cpu = [], lambda: int(open("/proc/%d/schedstat" % p.pid).read().split()[0]) / 1e7
def read():
    for line in p.stdout: lines.append((time.time(), json.loads(line)))
threading.Thread(target=read, daemon=True).start()
def phase(seconds):
    del lines[:]
    begin = cpu()
    time.sleep(seconds)
    got, ticks = list(lines), cpu() - begin
    gaps, last = [], {}
    for t, l in got:
        if not l["answers"]: continue
        if l["node"] in last and l["node"] != "n16": gaps.append((t - last[l["node"]]) * 1e3)
        last[l["node"]] = t
    gaps.sort()
    return ticks / seconds, len(last), len(gaps), gaps
deadline = time.time() + 60
while time.time() < deadline and len({l["node"] for t, l in lines if l["answers"]}) < 16: time.sleep(0.5)
a = phase(15)
print("poller, 16 nodes every 250 ms: %.2f %% of a processor; %d nodes answer; from one reading of a node to the next p50 %.0f ms, p99 %.0f ms"
      % (a[0], a[1], a[3][a[2] // 2], a[3][a[2] * 99 // 100]))
os.kill(snmpd16, signal.SIGKILL)
time.sleep(2)
b = phase(15)
print("           one of them dead: %.2f %% of a processor; %d nodes answer; p50 %.0f ms, p99 %.0f ms: later by %.0f and %.0f ms"
      % (b[0], b[1], b[3][b[2] // 2], b[3][b[2] * 99 // 100], b[3][b[2] // 2] - a[3][a[2] // 2], b[3][b[2] * 99 // 100] - a[3][a[2] * 99 // 100]))
p.stdin.close()
PY
}

start_node 1
for part in $PARTS; do
    "${part}_part"
done
pass
