#!/bin/bash
# agent_faults.sh - snmpd killed, hung and restarted; the agent killed and restarted: each
# finds the other again.
. "$top_srcdir/tests/scenario/agent_common.sh"

agent_scenario "snmpd and the agent fail, and find each other again"
redis=5.114.101.100.105.115
start_node 1
serves() { value 1 $cluster.3.1.2.$redis "INTEGER: 1"; }
serves || fail "it does not serve"

for i in 1 2 3; do
    stop "$snmpd1"
    start_snmpd 1
    wait_for 10 serves || fail "not registered again after snmpd was killed ($i)"
done
# Served at once again, not only when the keep-alive wakes the agent: 40 GETs in a row.
for i in $(seq 40); do
    get bascule-poller 1 $node.1.1.0 | grep -q n1 || fail "GET $i after the restart is not answered"
done

kill -STOP "$snmpd1"
STATE=failed write_state 1
wait_for 3 false # it hangs for 3 s while the state changes
kill -CONT "$snmpd1"
wait_for 15 value 1 $cluster.3.1.2.$redis "INTEGER: 5" || fail "not served after snmpd hung"
kill -0 "$agent1" || fail "the agent died of it"

stop "$agent1"
get bascule-poller 1 $node.1.1.0 | grep -q "No Such Object" || fail "objects of a dead agent are served"
get bascule-poller 1 .1.3.6.1.2.1.1.3.0 | grep -q "= [0-9]" || fail "snmpd went with the agent"
start_agent 1
wait_for 10 value 1 $cluster.3.1.2.$redis "INTEGER: 5" || fail "the new agent does not serve"

# A hung agent takes only its own objects away.
kill -STOP "$agent1"
get bascule-poller 1 $node.1.1.0 | grep -qE "genError|No Such" || fail "a hung agent answers"
get bascule-poller 1 .1.3.6.1.2.1.1.3.0 | grep -q "= [0-9]" || fail "snmpd hangs with the agent"
kill -CONT "$agent1"
wait_for 20 value 1 $cluster.3.1.2.$redis "INTEGER: 5" || fail "not served after the agent hung"

# And it ends when it is told to.
pid=$agent1
kill -TERM "$pid"
gone() { ! kill -0 "$pid"; }
wait_for 5 gone || fail "SIGTERM does not end it"
wait "$pid" || fail "it ended with status $?"
pass
