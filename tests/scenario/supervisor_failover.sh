#!/bin/bash
# supervisor_failover.sh - start; the active node's corosync dies; the service; the engine.
. "$top_srcdir/tests/scenario/supervisor_common.sh"

scenario "three supervisors: start, failover, and back"
start_all
wait_for 15 is 1 "v['active']" n1 || fail "the service does not start on the lowest node"
wait_for 10 is 2 "sorted(v['set'])" "['n2', 'n3']" || fail "the standbys do not get into the set"
is 1 "v['epoch']" 1 || fail "a status from before the start was taken for its end"
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
taken_from_2() { told 1 "takeover epoch 3" || told 3 "takeover epoch 3"; }
wait_for 10 taken_from_2 || fail "the service ended, and no standby is told to take over"
wait_for 10 is 2 "v['active'] in ('n1', 'n3') and len(v['set'])" 2 || fail "n2 does not see who is active, and a new set"

mark
a=$(field 2 "v['active'][1]")
kill_of $a double
elsewhere="v['active'] not in (None, 'n$a')"
wait_for 10 is 2 "$elsewhere" True || fail "sockmigd of n$a died, and nobody took over"

rows=$(ask 1 '{"op":"journal","limit":1000}')
case $rows in
*'"kind":"active"'*'"kind":"claim"'*) ;; # newest first
*) fail "the journal of n1 does not tell the story: $rows" ;;
esac
case $rows in *context-lost*) fail "the context was lost although standbys were ready" ;; esac
[ "$(stat -c %U "$dir/n1/state/journal.db")" = nobody ] || fail "basculed did not drop root"
pass
