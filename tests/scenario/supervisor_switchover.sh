#!/bin/bash
# supervisor_switchover.sh - orders: done, refused, the target fails, the supervisor hangs.
. "$top_srcdir/tests/scenario/supervisor_common.sh"

order() { ask $1 "{\"op\":\"switchover\",\"service\":\"echo\"$2}"; }
order_state() { ask 2 "{\"op\":\"orders\",\"order\":$1}" | grep -o '"state": *"[a-z]*"' | grep -o '[a-z]*"$' | tr -d '"'; }
order_is() { [ "$(order_state $1)" = "$2" ]; }
ready() { is 1 "v['active']" "$1" && is 1 "len(v['set'])" 2; }

scenario "three supervisors: switchovers"
start_all
wait_for 15 is 1 "v['active']" n1 || fail "the service does not start on the lowest node"
order 2 ',"node":"n9"' | grep -q '"ok":false' || fail "a node that does not exist is accepted"
wait_for 10 ready n1 || fail "the standbys do not get into the set"
order 2 ',"node":"n1"' | grep -q 'active there already' || fail "to where it is: not refused"

mark
order 2 ',"node":"n3"' | grep -q '"order":' || fail "the order is not accepted"
wait_for 10 is 2 "v['active']" n3 || fail "it is not active on n3"
told 1 "handover epoch 1" || fail "n1 was not told to hand over"
told 3 "takeover epoch 2" || fail "n3 was not told to take over"
wait_for 5 told 1 "follow epoch 2" || fail "n1 was not told to follow"
wait_for 5 order_is 1 done || fail "the order is not done"

wait_for 10 ready n3 || fail "no set after the switchover"
mark
kill_of 2 double USR2
order 1 ',"node":"n2"' | grep -q '"order":' || fail "the second order is not accepted"
wait_for 10 told 3 "resume" || fail "the target failed, and n3 is not told to resume"
wait_for 10 is 1 "v['active']" n3 || fail "it does not run where it ran before"
ask 1 '{"op":"orders"}' | grep -q 'runs where it ran before' || fail "the order does not say why it failed"

wait_for 10 ready n3 || fail "no set after the failed switchover"
mark
kill_of 3 basculed STOP
wait_for 5 is 1 "[n['reason'] for n in s['nodes'] if n['name'] == 'n3'][0]" \
    "its supervisor does not answer" || fail "the hung supervisor is not noticed"
order 1 ',"node":"n2"' | grep -q 'does not answer' || fail "an order to a hung supervisor is accepted"
is 1 "v['active']" n3 || fail "a hung supervisor cost the service its node"
told 2 "fence" && fail "a hung supervisor led to a claim"
kill_of 3 basculed CONT
wait_for 5 is 1 "[n['reason'] for n in s['nodes'] if n['name'] == 'n3'][0]" "" || fail "it is still thought to hang"
order 1 '' | grep -q '"order":' || fail "an order without a target is not accepted"
wait_for 10 is 1 "v['active'] in ('n1', 'n2')" True || fail "it did not move"
pass
