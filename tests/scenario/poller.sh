#!/bin/bash
# poller.sh - the poller reads all nodes; one that is dead holds up no other; what failed
# is told apart.
. "$top_srcdir/tests/scenario/agent_common.sh"

agent_scenario "the poller reads every node, whoever is dead"
mkfifo "$dir/stdin"
start_poller() {
    ip netns exec "$ns" "$top_builddir/agent/bascule-poller" -c "$dir/bascule.conf" \
        <"$dir/stdin" >"$dir/lines" 2>>"$dir/poller.log" &
    poller=$!
    exec 9>"$dir/stdin"
}
says() { tail -n 12 "$dir/lines" | grep "^{\"node\":\"$1\"" | tail -n 1 | grep -qF -- "$2"; }
start_node 1
start_snmpd 2
start_poller

wait_for 10 says n1 '"answers":true,"health":"failed"' || fail "n1: $(cat "$dir/lines")"
wait_for 10 says n1 '"name":"redis"' &&
    wait_for 10 says n1 '"role":"active","state":"running","epoch":7,"connections":1000,"protected":true' &&
    wait_for 10 says n1 '{"node":"n3","state":"ready","in_set":true,"lag":1}' &&
    wait_for 10 says n1 '"released":4999999990' ||
    fail "n1's services: $(grep n1 "$dir/lines" | tail -n 1)"
wait_for 10 says n1 '{"name":"memory","state":"' || fail "n1's drivers are not read: $(grep n1 "$dir/lines" | tail -n 1)"
grep -q '"state":"\(warning\|critical\)","text":""' "$dir/lines" &&
    fail "a driver is not ok, and nobody says why: $(grep -m 1 '"text":""' "$dir/lines")"
wait_for 10 says n1 '"load_permille":' || fail "n1's load is not read"
wait_for 10 says n2 '"answers":false,"health":"unknown","reason":"snmpd answers, but no bascule-agent' ||
    fail "n2 without an agent: $(grep n2 "$dir/lines" | tail -n 1)"
wait_for 10 says n3 '"answers":false,"health":"unknown","reason":"no answer: the host or its snmpd is down"' ||
    fail "n3 is off: $(grep n3 "$dir/lines" | tail -n 1)"
# n3 is off all the time: n1 is read in every round all the same.
n=$(grep -c '"n1".*"answers":true' "$dir/lines")
more() { [ "$(grep -c '"n1".*"answers":true' "$dir/lines")" -ge $((n + 8)) ]; }
wait_for 8 more || fail "8 rounds of n1 take more than 8 s: the dead node holds them up"

write_state 2
start_double 2 sockmigd
start_double 2 basculed
start_agent 2
wait_for 10 says n2 '"answers":true' || fail "n2's agent is not seen: $(tail -n 3 "$dir/lines")"
# The same builds on both (it is one host): no files are read.
wait_for 70 says n2 '"builds":{"digest":"' || fail "builds are not read: $(tail -n 1 "$dir/lines")"
says n2 '"files"' && fail "files are read though nothing differs"
# Nothing of n2 changes, and its digest is all that is asked for: a change is seen at once.
mail() { sed -i "/\"name\": \"mail\"/s/\"epoch\": [0-9]*/\"epoch\": $1/; /\"name\": \"redis\"/s/\"role\": \"active\"/\"role\": \"standby\"/" "$dir/n2/sockmigd.json"; }
for epoch in 77 78; do
    mail $epoch
    wait_for 5 says n2 "\"state\":\"ready\",\"epoch\":$epoch" || fail "n2 is at epoch $epoch, and is read as $(grep n2 "$dir/lines" | tail -n 1)"
    n=$(grep -c '"n2".*"answers":true' "$dir/lines")
    calm() { [ "$(grep -c '"n2".*"answers":true' "$dir/lines")" -ge $((n + 6)) ]; }
    wait_for 8 calm || fail "n2 is no longer read"
done
stop "$snmpd1" # a restart is another boot count: the poller finds the time anew
wait_for 10 says n1 '"answers":false' || fail "n1's snmpd is gone and nobody says so"
start_snmpd 1
wait_for 15 says n1 '"answers":true' || fail "n1 is not read again after snmpd's restart"
kill -STOP "$agent2"
wait_for 10 says n2 '"answers":false' || fail "n2's hung agent is believed"
kill -CONT "$agent2"
wait_for 20 says n2 '"answers":true' || fail "n2 is not read again"

exec 9>&-
gone() { ! kill -0 "$poller"; }
wait_for 5 gone || fail "it does not end with its standard input"

# A reading that is worse is confirmed out of turn: the next turn is a minute off.
sed -i 's/poll = 250/poll = 60000/' "$dir/bascule.conf"
start_poller
lines_of() { [ "$(grep -c "^{\"node\":\"$1\"" "$dir/lines")" = "$2" ]; }
wait_for 20 lines_of n1 2 || fail "n1 is ill, and that is not confirmed: $(cat "$dir/lines")"
wait_for 20 lines_of n3 1 || fail "n3 is not asked once: $(cat "$dir/lines")"
wait_for 2 lines_of n1 3 && fail "n1 is asked all the time"
exec 9>&-
wait_for 5 gone || fail "it does not end with its standard input"
sed -i 's/poll = 60000/poll = 250/' "$dir/bascule.conf"

echo "another pass phrase" >"$dir/snmp-secret"
start_poller
wait_for 10 says n1 'wrong pass phrase' || fail "a wrong pass phrase: $(tail -n 3 "$dir/lines")"
exec 9>&-
wait_for 5 gone || fail "it does not end"
[ ! -s "$dir/poller.log" ] || fail "it complains: $(cat "$dir/poller.log")"
pass
