# agent_common.sh - a namespace with snmpd, the agent and doubles of the two programs
# that it reads; sourced by the agent's scenarios.
#
#   agent_scenario "text"      announce, check the means, set the cleanup
#   start_snmpd N / start_agent N / start_double N PROGRAM     of node N (10.88.0.N)
#   get|next|walk|setvalue USER N OID...    by SNMPv3, numeric output
#   (9 is closed in all of them: a scenario may hold a pipe open by it)
#   wait_for SECONDS CMD...    poll until CMD succeeds
#   stop PID                   end one of ours, and wait for it
#   pass / fail "why" / skip "why"

PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH

pass() { echo "PASS"; exit 0; }
fail() { echo "FAIL: $*"; tail -n 20 "$dir"/*.log >&2; exit 1; }
skip() { echo "SKIP: $*"; exit 77; }

bascule=.1.3.6.1.4.1.$(sed -n 's/^#define BSC_ENTERPRISE //p' "$top_builddir/config.h").1
cluster=$bascule.4.1 sockmig=$bascule.3.1 node=$bascule.2.1

agent_scenario() {
    echo "$*"
    [ "$(id -u)" = 0 ] || skip "needs root"
    for p in snmpd snmpget snmptrapd python3 unshare ip; do
        command -v $p >/dev/null || PATH=$PATH:/usr/sbin:/sbin
        command -v $p >/dev/null || skip "needs $p"
    done
    ns=agent_$$
    dir=$(mktemp -d /tmp/agent_test.XXXXXX)
    ip netns add "$ns" 2>/dev/null || skip "needs network namespaces"
    trap cleanup EXIT
    ip -n "$ns" link set lo up
    ip -n "$ns" link add up0 type veth peer name up1 2>/dev/null || skip "needs veth"
    ip -n "$ns" link set up0 up
    ip -n "$ns" link set up1 up
    ip -n "$ns" addr add 10.88.1.1/24 dev up0
    ip -n "$ns" neigh add 10.88.1.9 lladdr 02:00:00:00:00:09 dev up0 # a host that is off
    write_conf
}

cleanup() {
    ip netns pids "$ns" | xargs -r kill -9 2>/dev/null
    wait_for 5 empty_ns
    ip netns del "$ns"
    rm -rf "$dir"
}

empty_ns() { [ -z "$(ip netns pids "$ns")" ]; }

write_conf() {
    printf 'pass phrase of the poller\n' >"$dir/snmp-secret"
    cat >"$dir/bascule.conf" <<CONF
cluster "lab" {
    snmp-user = "bascule-poller"
    snmp-secret-file = "$dir/snmp-secret"
    poll = 250
}
node "n1" { id = 1  address = "10.88.0.1" }
node "n2" { id = 2  address = "10.88.0.2" }
node "n3" { id = 3  address = "10.88.1.9" }
service "redis" {
    addresses = { "10.99.0.1/24" }
    device = "up0"
    command = { "/bin/true" }
    user = "nobody"
}
service "mail" {
    addresses = { "10.99.0.2/24" }
    device = "nowhere0"
    command = { "/bin/true" }
    user = "nobody"
}
CONF
}

# owner_view USER - may write rows of orders below its own name, and nothing else: as
# in etc/snmpd.conf.sample
owner_view() {
    octets=$(printf %s "$1" | od -An -tu1 | tr -s ' ' . | tr -d '\n')
    echo "group $1 usm $1"
    echo "view $1 included $bascule.4.1.9.1.0.${#1}$octets $(
        /usr/bin/python3 -c 'import sys; n = int(sys.argv[1]); b = "1" * 12 + "0" + "1" * (n + 1)
b += "1" * (-len(b) % 8); print(".".join("%02X" % int(b[i:i + 8], 2) for i in range(0, len(b), 8)))' ${#1})"
    echo "access $1 \"\" usm priv exact all $1 none"
}

start_snmpd() {
    d=$dir/n$1
    mkdir -p "$d/persist" "$d/run" "$d/state"
    ip -n "$ns" addr replace "10.88.0.$1/32" dev lo
    id=$(printf 'bascule-n%s' "$1" | od -An -tx1 | tr -d ' \n')
    [ -f "$d/persist/snmpd.conf" ] || cat >"$d/persist/snmpd.conf" <<CONF
createUser bascule-poller SHA-256 "pass phrase of the poller" AES "pass phrase of the poller"
createUser operator SHA-256 "pass phrase" AES "pass phrase"
createUser ann SHA-256 "pass phrase" AES "pass phrase"
createUser bob SHA-256 "pass phrase" AES "pass phrase"
createUser trap SHA-256 "pass phrase" AES "pass phrase"
CONF
    cat >"$d/snmpd.conf" <<CONF
agentAddress udp:10.88.0.$1:161
master agentx
agentXSocket unix:$d/agentx.sock
agentXPerms 0660 0755
agentXTimeout 1
agentXRetries 1
dontLogTCPWrappersConnects yes
exactEngineID 0x80007ed905$id
rouser bascule-poller authPriv
rwuser operator authPriv
view all included .1
$(owner_view ann)
$(owner_view bob)
trapsess -v3 -u trap -l authPriv -a SHA-256 -A "pass phrase" -x AES -X "pass phrase" 10.88.0.1:9162
CONF
    MIBS= SNMP_PERSISTENT_DIR=$d/persist SNMPCONFPATH=$d:$d/persist ip netns exec "$ns" \
        snmpd -f -Lf "$d/../snmpd$1.log" -I -smux >/dev/null 2>&1 9>&- &
    eval "snmpd$1=$!"
}

start_agent() {
    ip netns exec "$ns" unshare -u sh -c 'hostname n$0; exec "$@"' "$1" \
        "$top_builddir/agent/bascule-agent" -c "$dir/bascule.conf" --user root \
        --agentx "unix:$dir/n$1/agentx.sock" --run-dir "$dir/n$1/run" \
        --state-dir "$dir/n$1/state" ${AGENT_OPTIONS-} -v 2>>"$dir/agent$1.log" 9>&- &
    eval "agent$1=$!"
}

start_double() {
    ip netns exec "$ns" python3 "$top_srcdir/tests/scenario/agent_double.py" \
        "$dir/n$1/run/$2.sock" "$dir/n$1/$2.json" "$dir/n$1/$2.orders" \
        2>>"$dir/double.log" 9>&- &
    eval "$2$1=$!"
}

# start_cells N PID - what looks into cells, for a service redis whose process is PID
start_cells() {
    ip netns exec "$ns" unshare -u sh -c 'hostname n$0; exec "$@"' "$1" \
        "$top_builddir/tests/scenario/cells_serve" "$dir/bascule.conf" "$dir/n$1/run" redis "$2" \
        2>>"$dir/cells.log" 9>&- &
    eval "cells$1=$!"
}

stop() { kill -9 "$1" 2>/dev/null; wait "$1" 2>/dev/null; }

snmp() { # TOOL USER N ARGUMENT...
    tool=$1 user=$2 n=$3
    shift 3
    phrase="pass phrase"
    [ "$user" = bascule-poller ] && phrase="pass phrase of the poller"
    MIBS= ip netns exec "$ns" "$tool" -v3 -l authPriv -u "$user" -a SHA-256 -A "$phrase" \
        -x AES -X "$phrase" -t 3 -r 0 -Ont "10.88.0.$n" "$@" 2>&1
}
get() { snmp snmpget "$@"; }
walk() { snmp snmpwalk "$@"; }
setvalue() { snmp snmpset "$@"; }

wait_for() {
    limit=$(($(date +%s) + $1)); shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$limit" ] || return 1
        sleep 0.1
    done
}

# value N OID WHAT - the object answers with just WHAT ("INTEGER: 1")
value() { get bascule-poller "$1" "$2" | grep -qF -- "$2 = $3"; }

# write_state N - what the doubles of node N say
write_state() {
    d=$dir/n$1
    mkdir -p "$d/run"
    cat >"$d/sockmigd.json.new" <<JSON
{ "status": { "node": "n$1", "services": [
  { "name": "redis", "role": "active", "state": "running", "epoch": 7, "policy": "commit",
    "pid": 17, "connections": 1000, "protected": true, "last_error": "", "last_blackout_ms": 112,
    "gate": { "open": true, "held": 3, "queued": 5000000000, "released": 4999999990, "dropped": 7,
      "held_in": 2, "delivered": 6000000000, "dropped_in": 5, "unlogged": 4, "overrun": 6,
      "passed_in": 10, "passed_out": 11, "fenced_in": 12, "fenced_out": 13 },
    "lease": { "held": true, "remaining_ms": 160, "refreshed": 900, "lost": 1 },
    "checkpoint": { "count": 321, "last_pause_us": 2100, "max_pause_us": 4200, "last_bytes": 65536,
      "last_pages": 16, "interval_ms": 20, "spacing_ms": 2, "age_ms": 5, "stable": 320 },
    "standbys": [ { "node": "n3", "state": "ready", "in_set": true, "acked": 320, "lag": 1, "log": 7000000100 },
      { "node": "n2", "state": "seeding", "in_set": false, "acked": 0, "lag": -1 } ],
    "log": { "lsn": 7000000123, "stable": 7000000100, "bytes": 23, "datagrams": 900, "repairs": 3 },
    "clone": null, "stream": { "sent_bytes": 1, "received_bytes": 2, "forged": 3, "malformed": 4 },
    "refusals": [] },
  { "name": "mail", "role": "standby", "state": "ready", "epoch": 2, "policy": "commit",
    "pid": 0, "connections": 0, "protected": false, "last_error": "", "last_blackout_ms": 0,
    "gate": { "open": false, "held": 0, "queued": 0, "released": 0, "dropped": 0,
      "passed_in": 0, "passed_out": 0, "fenced_in": 2, "fenced_out": 0 },
    "lease": { "held": false, "remaining_ms": 0, "refreshed": 0, "lost": 0 },
    "clone": { "checkpoint": 55, "age_ms": 12, "bytes": 1048576, "from": "n2" },
    "log": { "lsn": 4096, "bytes": 1024, "kept_connections": 2, "half_open": 1, "evicted": 0, "lost": 0 },
    "replay": { "epoch": 2, "duration_us": 31000, "injected": 120, "synthetic": 3, "rebuilt": 2, "half_open": 1,
      "swallowed": 130, "compared": 5000000000, "diverged": 2, "stalled": 1, "datagrams": 5, "insisted": 4, "unmade": 0, "reason": null,
      "divergences": [
        { "local": "10.99.0.2", "local_port": 25, "remote": "10.77.1.9", "remote_port": 40001,
          "sequence": 4000000001, "reason": "other bytes", "policy": "commit" },
        { "local": "fd00::2", "local_port": 25, "remote": "fd00::9", "remote_port": 40002,
          "sequence": 5, "reason": "output that does not come", "policy": "commit" } ] },
    "standbys": [],
    "refusals": [ { "process": "mail (12)", "fd": 5, "what": "io_uring", "cure": "turn it off" },
      { "process": "mail (12)", "fd": -1, "what": "a debugger is attached", "cure": "detach it" } ] } ] } }
JSON
    cat >"$d/basculed.json.new" <<JSON
{ "status": { "cluster": "lab", "node": "n$1", "quorate": true,
  "nodes": [ { "name": "n3", "id": 3, "state": "offline", "health": "unknown", "reason": "no answer" },
    { "name": "n1", "id": 1, "state": "online", "health": "ok", "reason": "" },
    { "name": "n2", "id": 2, "state": "online", "health": "degraded", "reason": "load" } ],
  "services": [ { "name": "redis", "state": "${STATE:-protected}", "active": "n1", "epoch": 7,
      "policy": "commit", "connections": 1000, "last_blackout_ms": 112, "last_pause_us": 2100,
      "addresses": [ "10.99.0.1" ], "reason": "", "set": [ "n3" ], "switchover": null,
      "last_error": "", "standbys": [ { "node": "n3", "state": "ready", "lag": 1 },
        { "node": "n2", "state": "seeding", "lag": -1 } ] },
    { "name": "mail", "state": "unprotected", "active": null, "epoch": 2, "policy": "commit",
      "connections": 0, "last_blackout_ms": 0, "last_pause_us": 0,
      "addresses": [ "10.99.0.2", "fd00::2" ], "reason": "mail (12): io_uring", "set": [],
      "switchover": { "order": 40, "step": "handover" }, "last_error": "", "standbys": [] } ],
  "poller": { "nodes": [ { "name": "n1", "answers": true, "age_ms": 20 },
    { "name": "n3", "answers": false, "age_ms": -1 } ] } },
  "orders": [ { "order": 40, "kind": "switchover", "service": "mail", "node": "n2", "owner": "root",
      "state": "running", "started_ms": 1795423000000, "finished_ms": 0, "text": "" },
    { "order": 39, "kind": "switchover", "service": "redis", "node": "n1", "owner": "root",
      "state": "failed", "started_ms": 1795422000000, "finished_ms": 1795422000500, "text": "no" } ],
  "rows": [ { "serial": 12, "time_ms": 1795422000500, "node": "n1", "service": "redis", "epoch": 7,
      "severity": "warn", "kind": "switchover", "text": "came to nothing" },
    { "serial": 9, "time_ms": 1795422000000, "node": "n1", "service": "redis", "epoch": 7,
      "severity": "info", "kind": "order", "text": "switchover" } ]${REFUSE:+, \"refuse\": \"$REFUSE\"} }
JSON
    mv "$d/sockmigd.json.new" "$d/sockmigd.json"
    mv "$d/basculed.json.new" "$d/basculed.json"
}

# start_node N - everything of a node, and wait until it says what the doubles say
start_node() {
    mkdir -p "$dir/n$1/run"
    write_state "$1"
    start_snmpd "$1"
    start_double "$1" sockmigd
    start_double "$1" basculed
    start_agent "$1"
    wait_for 10 value "$1" $cluster.1.2.0 "INTEGER: 1" || fail "n$1: basculed is not seen"
    wait_for 10 value "$1" $sockmig.1.1.0 "INTEGER: 1" || fail "n$1: sockmigd is not seen"
}
