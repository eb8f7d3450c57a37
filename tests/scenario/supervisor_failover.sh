#!/bin/bash
# supervisor_failover.sh - start; the active node's corosync dies; the service; the engine.
. "$top_srcdir/tests/scenario/supervisor_common.sh"

scenario "three supervisors: start, failover, and back"
start_all
wait_for 15 is 1 "v['active']" n1 || fail "the service does not start on the lowest node"
wait_for 10 is 2 "sorted(v['set'])" "['n2', 'n3']" || fail "the standbys do not get into the set"
is 1 "v['state']" protected || fail "it is not called protected"
told_all() { for i in 2 3; do grep -q "follow epoch 1" "$dir/n$i/double.log" || return 1; done; }
wait_for 5 told_all || fail "the standbys were not told to follow"

mark
kill_of 1 corosync
wait_for 10 told 2 "takeover epoch 2" || fail "n2 is not told to take over"
wait_for 10 is 2 "v['active']" n2 || fail "n2 is not active"
told 3 "takeover" && fail "n3 was told to take over too"
is 1 "s['quorate']" False || fail "n1 without corosync calls itself quorate"
wait_for 10 is 3 "v['set']" "['n3']" || fail "the set of the new epoch is not n3 alone"

mark
corosync_on 1
wait_for 15 told 1 "follow epoch 2" || fail "n1 is back and is not told to follow"
wait_for 10 is 1 "v['active']" n2 || fail "n1 does not learn who is active"

mark
kill_of 2 double USR1
wait_for 10 told 3 "takeover epoch 3" || fail "the service ended, and n3 is not told to take over"
wait_for 10 is 1 "v['active']" n3 || fail "n1 does not see n3 active"

mark
kill_of 3 double
wait_for 10 is 1 "v['active'] in ('n1', 'n2')" True || fail "sockmigd of n3 died, and nobody took over"

rows=$(ask 1 '{"op":"journal","limit":1000}')
case $rows in
*'"kind":"claim"'*'"kind":"active"'* | *'"kind": "claim"'*) ;;
*) fail "the journal of n1 does not tell the story: $rows" ;;
esac
case $rows in *context-lost*) fail "the context was lost although standbys were ready" ;; esac
[ "$(stat -c %U "$dir/n1/state/journal.db")" = nobody ] || fail "basculed did not drop root"
pass
