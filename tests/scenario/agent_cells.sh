#!/bin/bash
# agent_cells.sh - connections of a service and probes: from within its cell and from the
# node; plugins that warn, hang, are no plugins, or are missing.
. "$top_srcdir/tests/scenario/agent_common.sh"

agent_scenario "connections, and probes in the cell and on the node"
cell=agent_cell_$$
ip netns add $cell
trap 'ip netns pids $cell | xargs -r kill -9; ip netns del $cell; cleanup' EXIT
ip -n $cell link set lo up
ip -n $cell addr add 10.99.0.1/32 dev lo
ip netns exec $cell /usr/bin/python3 -c '
import socket, time
server = socket.create_server(("10.99.0.1", 6379))
clients = []
for i in range(3):
    c = socket.socket(); c.bind(("10.99.0.1", 40000 + i)); c.connect(("10.99.0.1", 6379))
    peer = server.accept()[0]
    clients.append((c, peer))
    c.sendall(b"x" * 100)
clients[0][1].recv(100)
print("ready", flush=True)
time.sleep(1000)' >"$dir/serves" &
serving=$!
wait_for 10 grep -q ready "$dir/serves" || fail "no connections"

cat >"$dir/plugin" <<'SH'
#!/bin/sh
# says what is in the file, and where and as whom it runs
says=$(cat "$1")
printf '%s\n' "$says"
echo "net=$(readlink /proc/self/ns/net) uid=$(id -u) caps=$(sed -n 's/^CapEff:.//p' /proc/self/status)" >>"$1.seen" 2>/dev/null
case $says in WARN*) exit 1 ;; CRIT*) exit 2 ;; ODD*) exit 77 ;; HANG*) sleep 100 ;; esac
exit 0
SH
chmod 755 "$dir/plugin" "$dir"
mkdir "$dir/say"
chmod 777 "$dir/say"
# say PROBE FORMAT: all at once, since a plugin may be reading it
say() { printf "$2" >"$dir/say/new" && mv "$dir/say/new" "$dir/say/$1"; }
for p in node cell; do say $p "OK - well|'time'=0.5s;1;2 n=7"; done
cat >>"$dir/bascule.conf" <<CONF
probe "from-node" {
    service = "redis"
    command = { "$dir/plugin", "$dir/say/node" }
    period = 500
    timeout = 3000
    attempts = 2
}
probe "from-cell" {
    service = "redis"
    place = "cell"
    command = { "$dir/plugin", "$dir/say/cell" }
    period = 500
    timeout = 3000
    attempts = 1
}
probe "missing" { service = "redis" command = { "/nowhere/check_nothing" } period = 500 }
CONF
start_node 1
start_cells 1 $serving

name() { printf '%d' ${#1}; printf %s "$1" | od -An -tu1 | tr -s ' ' . | tr -d '\n'; }
redis=5.114.101.100.105.115
here=1.4.10.99.0.1
row=$redis.$here.6379.$here.4000
wait_for 15 value 1 $sockmig.9.1.7.${row}0 "INTEGER: 1" ||
    fail "no connections: $(walk bascule-poller 1 $sockmig.9 | head)"
walk bascule-poller 1 $sockmig.9 >"$dir/walk"
[ "$(grep -c "^$sockmig.9.1.7" "$dir/walk")" = 6 ] || fail "not six ends of three connections: $(cat "$dir/walk")"
there() { grep -qE -- "^$1 = $2" "$dir/walk" || fail "$1 is not $2: $(grep -F -- "$1 =" "$dir/walk")"; }
there $sockmig.9.1.8.${row}1 "Counter64: 100" # octets in
there $sockmig.9.1.12.${row}1 "Gauge32: 100"  # not read yet
there $sockmig.9.1.12.${row}0 "Gauge32: 0"    # read
there $sockmig.9.1.10.${row}1 "Gauge32: [0-9]"
older() { [ "$(get bascule-poller 1 $sockmig.9.1.10.${row}1 | sed 's/.*: //')" -ge 1500 ]; }
wait_for 10 older || fail "a connection does not grow older"

# Probes: what they say, where they run, as whom.
state() { value 1 $node.9.1.4.$(name "$1") "INTEGER: $2"; }
health() { value 1 $node.9.1.5.$(name "$1") "INTEGER: $2"; }
for p in from-node from-cell; do
    wait_for 15 state $p 1 || fail "$p: $(get bascule-poller 1 $node.9.1.4.$(name $p) $node.9.1.6.$(name $p))"
    value 1 $node.9.1.6.$(name $p) 'STRING: "OK - well"' || fail "$p: its output"
    value 1 $node.10.1.2.$(name $p).1 'STRING: "time"' || fail "$p: its data"
    value 1 $node.10.1.3.$(name $p).1 'STRING: "0.5"' || fail "$p: its value"
    value 1 $node.10.1.4.$(name $p).1 'STRING: "s"' || fail "$p: its unit"
    value 1 $node.10.1.2.$(name $p).2 'STRING: "n"' || fail "$p: its second datum"
done
grep -qF "net=$(readlink /proc/$serving/ns/net) uid=$(id -u nobody) caps=0000000000000000" "$dir/say/cell.seen" ||
    fail "the probe in the cell runs elsewhere: $(tail -n 1 "$dir/say/cell.seen")"
grep -qF "net=$(ip netns exec "$ns" readlink /proc/self/ns/net)" "$dir/say/node.seen" ||
    fail "the probe on the node runs elsewhere"
wait_for 5 state missing 0 || fail "a plugin that is missing has a result"
value 1 $node.9.1.6.$(name missing) 'STRING: "/nowhere/check_nothing: No such file or directory"' ||
    fail "the missing plugin: $(get bascule-poller 1 $node.9.1.6.$(name missing))"

for p in node cell; do
    say $p "WARN - hm"
    wait_for 10 state from-$p 2 || fail "$p: a warning is not seen"
    wait_for 10 health from-$p 2 || fail "$p: a warning does not degrade"
    say $p "CRIT - bad"
    wait_for 10 state from-$p 3 || fail "$p: a critical state is not seen"
    wait_for 10 health from-$p 3 || fail "$p: a critical state does not fail"
    say $p "ODD"
    wait_for 10 state from-$p 0 || fail "$p: status 77 is a result"
    health from-$p 3 || fail "$p: status 77 is a verdict"
    say $p "HANG"
    killed() { value 1 $node.9.1.6.$(name from-$p) 'STRING: "did not end in time and was killed"'; }
    wait_for 15 killed || fail "$p: a plugin that hangs is not killed: $(get bascule-poller 1 $node.9.1.6.$(name from-$p))"
    say $p 'OK\001|nonsense =5 ='
    wait_for 15 state from-$p 1 || fail "$p: it does not come back"
    wait_for 5 value 1 $node.9.1.6.$(name from-$p) 'STRING: "OK?"' || fail "$p: control characters pass"
done
[ -z "$(ps -eo args | grep "^sleep 10[0]$")" ] || fail "what a killed plugin started lives on"
wait_for 3 health from-cell 1 || fail "the verdict does not come back"

# What may be asked of the privileged side: names of the configuration, and no commands.
cat >"$dir/ask.py" <<'PY'
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
for bad in ({"op": "probe", "probe": "from-node"}, {"op": "probe", "probe": "none"}, {"op": "exec"},
            {"op": "probe", "command": ["/bin/sh"]}, {"op": "connections", "service": "../x"},
            {"op": "connections", "service": "mail"}):
    s.sendall(json.dumps(dict(bad, id=7)).encode() + b"\n")
    answer = json.loads(s.makefile().readline())
    assert answer["id"] == 7 and answer["ok"] is False and answer["error"], (bad, answer)
PY
/usr/bin/python3 "$dir/ask.py" "$dir/n1/run/cells.sock" || fail "something else is done within a cell"

# Without it: no rows, rather than old ones; and it is found again.
stop "$cells1"
no_rows() { ! walk bascule-poller 1 $sockmig.9 | grep -q "^$sockmig.9.1.7"; }
wait_for 10 no_rows || fail "connections of a program that is away are served"
start_cells 1 $serving
wait_for 10 value 1 $sockmig.9.1.7.${row}0 "INTEGER: 1" || fail "it is not found again"
kill -9 $serving
wait_for 10 no_rows || fail "connections of a service that ended are served"
pass
