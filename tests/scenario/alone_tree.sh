#!/bin/bash
# alone_tree.sh - trees of processes: a shell with a pipeline, whose children are born and
# end all the time, then processes with shared memory, a zombie, a stopped one, sessions.
. "$top_srcdir/tests/scenario/alone_common.sh"

move()
{
    "$sockmig" dump "$1" image > dump.out 2> dump.err || fail "$2: dump: exit $?"
    await "$2: the end of it" test ! -e "/proc/$1"
    "$sockmig" restore image > restore.out 2> restore.err || fail "$2: restore: exit $?"
    cat dump.out restore.out
    grep -Eq '(^| )([0-9]+) of \2 connections' restore.out || fail "$2: connections are lost"
}

lines()
{
    [ "$(wc -l < pipe.out)" -gt "$1" ]
}

echo "- a pipeline"
setsid bash -c '(i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done) |
    while read x; do echo "got $x"; done > pipe.out' < /dev/null > sh.out 2>&1 &
root=$!
disown $root
await "lines" lines 20
for round in 1 2; do
    move $root "pipeline, round $round"
    before=$(wc -l < pipe.out)
    await "more lines" lines $((before + 20))
done
awk '$2 != NR { print "line " NR " is " $0; bad = 1 } END { exit bad }' pipe.out ||
    fail "the pipeline lost or doubled something"
[ ! -s sh.out ] || fail "the shell says: $(cat sh.out)"
kill -KILL -- -$root

echo "- a family"
setsid /usr/bin/python3 "$top_srcdir/tests/scenario/alone_family.py" "$dir" < /dev/null \
    > family.out 2> family.err &
root=$!
disown $root
checked()
{
    rm -f result
    touch "$1"
    await "$2: the family's check" test -e result
    [ "$(cat result)" = ok ] || fail "$2: $(cat result)"
}
ip link set lo up
await "the family" test -e ready
checked check "before"
"$sockmig" inspect $root > inspect.out || fail "inspect: exit $?: $(cat inspect.out)"
for round in 1 2; do
    move $root "family, round $round"
    checked check "round $round"
done
checked last "at last"
[ ! -s family.err ] || fail "the family says something"
echo PASS
