# lab_common.sh - for scenarios with a real lab; $dir holds the conf.
#
#   lab_up NODES         returns when all services are protected
#   redis_service NAME ADDRESS [MORE]   a part of the conf; MORE are further settings
#   alone_on_the_machine a part of the conf: what others do here is no reason to move
#   bascule NODE ...     the command on that node
#   on HOST COMMAND...
#   value NODE EXPR      a python expression over its status: s, by[SERVICE]
#   is NODE EXPR VALUE;  active SERVICE;  protected (waits);  journal NODE PATTERN
#   client_begin ADDRESS, client_alive    one redis connection that must not break
#   other NODE           another one;  snmpds SIGNAL  to each node's snmpd
#   crash SERVICE        its node crashes, waits until another one has it; sets $from, $survivor
#   wait_for SECONDS CMD...
[ "$(id -u)" = 0 ] || { echo "skipped: not root"; exit 77; }
for p in corosync snmpd redis-server ebtables; do
    PATH=$PATH:/usr/sbin command -v $p > /dev/null || { echo "skipped: no $p"; exit 77; }
done
name="o$$"
lab="$top_builddir/supervisor/cli/bascule lab"
py=/usr/bin/python3
dir=$(mktemp -d)
chmod 755 "$dir"
client=
trap 'cleanup' EXIT

cleanup() {
    [ -n "$client" ] && kill "$client" 2> /dev/null
    $lab down --name "$name" 2> /dev/null
    rm -rf "$dir"
}

pass() { echo PASS; exit 0; }
fail() {
    echo "FAIL: $*"
    for n in n1 n2 n3; do
        echo "--- $n"
        on $n bascule status 2>&1
        on $n bascule journal -n 25 2>&1
        on $n tail -n 12 /var/log/bascule/basculed.log 2>&1
    done
    exit 1
}

wait_for() {
    local end=$(($(date +%s) + $1))
    shift
    until "$@" > /dev/null 2>&1; do
        [ "$(date +%s)" -lt $end ] || return 1
        sleep 0.1
    done
}

on() {
    local host=$1
    shift
    $lab exec --name "$name" "$host" -- "$@"
}

bascule() {
    local host=$1
    shift
    on "$host" bascule "$@"
}

redis_service() {
    cat << C
service "$1" {
  addresses = { "$2/24" }
  device = "eth0"
  command = { "redis-server", "--port", "6379", "--save", "", "--protected-mode", "no" }
  user = "redis"
  checkpoint-interval = 500
  checkpoint-spacing = 50
  ${3-}
}
C
}

# The nodes of a lab share the machine's load and memory.
alone_on_the_machine() {
    for shared in load pressure-memory pressure-io memory; do
        echo "reading \"$shared\" { weight = 0 }"
    done
}

lab_up() {
    $lab up --name "$name" --nodes "$1" --timeout 60 "$dir/conf" > "$dir/up" 2>&1 ||
        fail "lab up: $(cat "$dir/up")"
}

value() {
    on "$1" bascule status --json | $py -c "
import json, sys
s = json.load(sys.stdin)
by = {v['name']: v for v in s['services']}
print($2)"
}

is() { [ "$(value "$1" "$2")" = "$3" ]; }
active() { value "${2:-n2}" "by['$1']['active']"; }
all_protected() { is n2 "all(v['state'] == 'protected' for v in s['services'])" True; }
protected() { wait_for 20 all_protected || fail "not protected"; }
journal() { on "$1" bascule journal -n 200 | grep -q "$2"; }

# The service's own process, by its engine.
kill_service() {
    local pid
    pid=$(on "$1" $py -c "
import json, socket
s = socket.socket(socket.AF_UNIX)
s.connect('/run/bascule/sockmigd.sock')
s.sendall(b'{\"op\":\"status\",\"id\":1}\n')
for v in json.loads(s.makefile().readline())['services']:
    if v['name'] == '$2':
        print(v['pid'])")
    on "$1" kill -KILL "$pid"
}

other() {
    [ "$1" = n1 ] && echo n2 || echo n1
}

# A node's own: others cannot be seen from there.
snmpds() {
    for n in n1 n2 n3; do
        on $n pkill "-$1" -x snmpd || fail "no snmpd on $n"
    done
}

taken_over() {
    local now
    now=$(active "$1" "$survivor")
    [ -n "$now" ] && [ "$now" != "$from" ] && [ "$now" != None ]
}

crash() {
    from=$(active "$1")
    survivor=$(other "$from")
    $lab fault --name "$name" crash "$from" || fail "crash"
    wait_for 20 taken_over "$1" || fail "$1 is not taken over"
}

client_begin() {
    cat > "$dir/client.py" << 'P'
import socket, sys, time
s = socket.create_connection((sys.argv[1], 6379), 20)
s.settimeout(20)
n = 0
while True:
    s.sendall(b"INCR n\r\n")
    got = s.recv(64)
    n += 1
    if got != b":%d\r\n" % n:
        sys.exit("wanted %d, got %r" % (n, got))
    open(sys.argv[2], "w").write(str(n))
    time.sleep(0.1)
P
    on client $py "$dir/client.py" "$1" "$dir/count" > "$dir/client.out" 2>&1 &
    client=$!
    wait_for 10 test -s "$dir/count" || fail "the client cannot connect: $(cat "$dir/client.out")"
}

counted_on() { [ "$(cat "$dir/count")" != "$1" ]; }
client_alive() {
    wait_for 10 counted_on "$(cat "$dir/count")" && kill -0 "$client" 2> /dev/null ||
        { cat "$dir/client.out"; return 1; }
}
