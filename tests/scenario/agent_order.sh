#!/bin/bash
# agent_order.sh - orders by SET: taken, forwarded, answered; every wrong one refused
# with its own error; notifications of what changed.
. "$top_srcdir/tests/scenario/agent_common.sh"

agent_scenario "orders by SET, and notifications"
mkdir -p "$dir/trapd"
cat >"$dir/trapd/snmptrapd.conf" <<CONF
createUser -e 0x80007ed905626173637 trap SHA-256 "pass phrase" AES "pass phrase"
createUser -e 0x80007ed905$(printf 'bascule-n1' | od -An -tx1 | tr -d ' \n') trap SHA-256 "pass phrase" AES "pass phrase"
authUser log trap authPriv
CONF
sed -i 1d "$dir/trapd/snmptrapd.conf"
ip -n "$ns" addr replace 10.88.0.1/32 dev lo
MIBS= SNMP_PERSISTENT_DIR=$dir/trapd SNMPCONFPATH=$dir/trapd ip netns exec "$ns" \
    snmptrapd -f -Lf "$dir/trapd.log" -On -F '%v\n' udp:10.88.0.1:9162 &
start_node 1

redis=5.114.101.100.105.115
lock() { get operator 1 $cluster.6.1.0 | sed 's/.*INTEGER: //'; }
# refused ERROR BINDINGS... - by the operator
refused() {
    want=$1; shift
    before=$(lock)
    said=$(setvalue operator 1 "$@")
    grep -q "Reason: $want" <<<"$said" || fail "$*: not $want, but: $said"
    [ "$(lock)" = "$before" ] || fail "$*: refused, but the lock moved"
    [ ! -e "$dir/n1/basculed.orders" ] || fail "$*: refused, but forwarded"
}
L=$cluster.6.1.0 K=$cluster.6.2.0 S=$cluster.6.3.0 N=$cluster.6.4.0
l=$(lock)

refused inconsistentValue $L i $((l == 0 ? 1 : l - 1)) $K i 1 $S s redis
refused inconsistentValue $K i 1 $S s redis
refused inconsistentValue $L i $l $S s redis
refused inconsistentValue $L i $l $K i 1
refused inconsistentValue $L i $l $K i 1 $S s nothing
refused inconsistentValue $L i $l $K i 1 $S s redis $N s n9
refused wrongValue $L i $l $K i 11 $S s redis
refused wrongValue $L i $l $K i 1 $S s Redis
refused wrongValue $L i -1 $K i 1 $S s redis
refused wrongLength $L i $l $K i 1 $S s a23456789012345678901234567890123
refused wrongType $L s 5
refused wrongType $L i $l $K s switchover $S s redis
refused wrongType $L i $l $K i 1 $S i 5
refused notWritable $cluster.6.5.0 i 1
refused notWritable $cluster.3.1.2.$redis i 1
refused notWritable $sockmig.2.1.2.$redis i 1
refused noCreation $cluster.6.1.1 i 1
refused notWritable $L i $l $K i 1 $S s redis $cluster.6.5.0 i 1
setvalue bascule-poller 1 $L i $l $K i 1 $S s redis | grep -qE "noAccess|authorizationError" ||
    fail "who may only read gave an order"
[ ! -e "$dir/n1/basculed.orders" ] || fail "an order of who may only read was forwarded"

setvalue operator 1 $L i $l $K i 1 $S s redis $N s n2 | grep -q "Reason" && fail "a good order is refused"
[ "$(lock)" = $((l + 1)) ] || fail "the lock did not grow by one"
wait_for 5 value 1 $cluster.6.5.0 "INTEGER: 2" || fail "the order is not accepted"
value 1 $cluster.6.6.0 "Gauge32: 41" || fail "its number is missing"
value 1 $N 'STRING: "n2"' || fail "the node does not read back"
grep -q '"node": "n2", "op": "switchover", "owner": "snmp", "service": "redis"' "$dir/n1/basculed.orders" ||
    fail "forwarded: $(cat "$dir/n1/basculed.orders")"
[ "$(wc -l <"$dir/n1/basculed.orders")" = 1 ] || fail "forwarded more than once"
setvalue operator 1 $L i $l $K i 1 $S s redis | grep -q "Reason: inconsistentValue" ||
    fail "the old lock opens again"

# Every kind, with its parts and no others.
V=$cluster.6.8.0
order() { # WHAT-IS-FORWARDED BINDINGS...
    want=$1; shift
    setvalue operator 1 $L i "$(lock)" "$@" | grep "Reason" && fail "$*: refused"
    wait_for 5 value 1 $cluster.6.5.0 "INTEGER: 2" || fail "$*: not accepted"
    tail -n 1 "$dir/n1/basculed.orders" | grep -qF -- "$want" ||
        fail "$*: forwarded: $(tail -n 1 "$dir/n1/basculed.orders")"
}
order '"node": "n2", "op": "drain", "owner": "snmp"}' $K i 2 $N s n2
order '"node": "n2", "op": "resume", "owner": "snmp"}' $K i 3 $N s n2
order '"on": true, "op": "maintenance", "owner": "snmp"}' $K i 4 $V s on
order '"on": false, "op": "maintenance", "owner": "snmp", "service": "redis"}' $K i 4 $V s off $S s redis
order '"op": "policy", "owner": "snmp", "policy": "warm", "service": "redis"}' $K i 5 $S s redis $V s warm
order '"op": "checkpoint", "owner": "snmp", "service": "redis"}' $K i 6 $S s redis
order '"ms": 50, "op": "interval", "owner": "snmp", "service": "redis"}' $K i 7 $S s redis $V s 50
order '"op": "clear", "owner": "snmp", "service": "redis"}' $K i 8 $S s redis
order '"op": "ack", "owner": "snmp", "serial": 12}' $K i 9 $V s 12
order '"node": "n3", "on": true, "op": "freeze", "owner": "snmp"}' $K i 10 $V s on $N s n3
for wrong in "$K i 2 $S s redis" "$K i 4 $V s maybe" "$K i 5 $S s redis $V s hot" "$K i 7 $S s redis $V s 4" \
    "$K i 9 $V s 0" "$K i 6 $S s redis $V s on" "$K i 4 $V s on $S s redis $N s n1"; do
    setvalue operator 1 $L i "$(lock)" $wrong | grep -q "Reason: inconsistentValue" || fail "taken: $wrong"
done

# Orders by row.  Ann may write below her own name: the owner is who SNMP says it is.
R=$cluster.9.1
ann=3.97.110.110 bob=3.98.111.98
row() { # USER INDEX KIND MORE...
    user=$1 index=$2 kind=$3; shift 3
    setvalue "$user" 1 $R.3.$index i $kind "$@" $R.12.$index i 4
}
row ann $ann.7 2 $R.5.$ann.7 s n2 | grep Reason && fail "a row is refused"
wait_for 5 value 1 $R.7.$ann.7 "INTEGER: 2" || fail "the row is not accepted"
value 1 $R.8.$ann.7 "Gauge32: 41" || fail "the row has no number"
value 1 $R.12.$ann.7 "INTEGER: 1" || fail "the row is not active"
tail -n 1 "$dir/n1/basculed.orders" | grep -qF '"node": "n2", "op": "drain", "owner": "ann"' ||
    fail "forwarded: $(tail -n 1 "$dir/n1/basculed.orders")"
forwarded=$(wc -l <"$dir/n1/basculed.orders")
row ann $bob.7 2 $R.5.$bob.7 s n2 | grep -q "Reason: noAccess" || fail "ann gives orders in bob's name"
row ann $ann.7 3 $R.5.$ann.7 s n2 | grep -q "Reason: inconsistentValue" || fail "a row is made twice"
setvalue ann 1 $L i "$(lock)" $K i 6 $S s redis | grep -q "Reason: noAccess" || fail "ann may set the scalars"
setvalue ann 1 $R.3.$ann.8 i 6 $R.4.$ann.8 s redis | grep -q "Reason: inconsistentName" ||
    fail "a row is made without its status"
setvalue ann 1 $R.3.$ann.8 i 6 $R.4.$ann.8 s redis $R.12.$ann.8 i 5 | grep -q "Reason: wrongValue" ||
    fail "a row may wait"
setvalue ann 1 $R.3.$ann.8 i 6 $R.4.$ann.8 s redis $R.12.$ann.8 i 4 $R.12.$ann.9 i 4 |
    grep -q "Reason: inconsistentValue" || fail "two orders in one message"
setvalue operator 1 $L i "$(lock)" $R.3.$bob.8 i 6 $R.4.$bob.8 s nothing $R.12.$bob.8 i 4 |
    grep -q "Reason: inconsistentValue" || fail "an unknown service is taken by row"
get ann 1 $R.12.$ann.8 | grep -q "No Such Instance" || fail "a row that was refused is there"
[ "$(wc -l <"$dir/n1/basculed.orders")" = "$forwarded" ] || fail "a refused order was forwarded"
setvalue ann 1 $R.12.$ann.7 i 6 | grep Reason && fail "a row cannot be destroyed"
get ann 1 $R.12.$ann.7 | grep -q "No Such Instance" || fail "a destroyed row is there"
l=$(($(lock) - 1))

REFUSE="not quorate; start another node" write_state 1
setvalue operator 1 $L i $((l + 1)) $K i 1 $S s redis | grep -q "Reason" && fail "not answered at once"
wait_for 5 value 1 $cluster.6.5.0 "INTEGER: 3" || fail "the refusal is not shown"
value 1 $cluster.6.7.0 'STRING: "not quorate; start another node"' || fail "nor why"
tail -n 1 "$dir/n1/basculed.orders" | grep -q node && fail "a node was made up"

# A supervisor that hangs: the order is taken while it is believed to answer, and given up.
kill -STOP "$basculed1"
setvalue operator 1 $L i $((l + 2)) $K i 1 $S s redis >/dev/null
value 1 $cluster.6.5.0 "INTEGER: 1" || fail "the order is not pending"
setvalue operator 1 $L i $((l + 3)) $K i 1 $S s redis | grep -q "Reason: resourceUnavailable" ||
    fail "a second order is taken while the first is pending"
wait_for 10 value 1 $cluster.6.5.0 "INTEGER: 4" || fail "the order is not given up"
kill -CONT "$basculed1"
wait_for 8 value 1 $cluster.1.2.0 "INTEGER: 1" || fail "basculed is not heard again"
stop "$basculed1"
wait_for 8 value 1 $cluster.1.2.0 "INTEGER: 3" || fail "an absent basculed is not noticed"
setvalue operator 1 $L i "$(lock)" $K i 1 $S s redis | grep -q "Reason: resourceUnavailable" ||
    fail "an order without a supervisor is taken"

# What changed was notified, once each, with the state before and after.
notified() { # PREVIOUS NOW
    grep "$cluster.3.1.2.$redis = INTEGER: $2" "$dir/trapd.log" |
        grep -F "$cluster.8.1.0 = INTEGER: $1" | grep -qF ".1.4.0.1"
}
wait_for 5 notified 1 0 || fail "the service's unknown state is not notified: $(cat "$dir/trapd.log")"
STATE=failed write_state 1
start_double 1 basculed
wait_for 8 notified 0 5 || fail "the new state is not notified: $(cat "$dir/trapd.log")"
# 0: the state was read before the journal of a supervisor that has just come back.
tail -n 200 "$dir/trapd.log" | grep "$cluster.3.1.2.$redis = INTEGER: 5" | grep -F "$cluster.8.4.0 = INTEGER: 3" |
    grep -qE "$cluster.8.5.0 = Gauge32: (0|12)\b" || fail "the notice has no severity, or does not name its event"
sent=$(get operator 1 $node.4.2.0 | sed 's/.*: //')
[ "$sent" -gt 2 ] || fail "notifications sent: $sent"
setvalue operator 1 $node.4.1.0 i 2 | grep -q Reason && fail "notifications cannot be switched off"
# what was on its way before that counts
sent=$(get operator 1 $node.4.2.0 | sed 's/.*: //')
STATE=stopped write_state 1
kill -USR1 "$(pgrep -f "$dir/n1/run/basculed.sock" | tail -n 1)"
wait_for 5 value 1 $cluster.3.1.2.$redis "INTEGER: 4" || fail "the state is not read"
value 1 $node.4.2.0 "Counter32: $sent" || fail "notified though switched off"
pass
