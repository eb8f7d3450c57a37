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

echo "- a daemon, and a job of a session that is over, in a cell"
cat > service.sh <<'END'
(setsid bash -c '(while :; do echo tick >> daemon.out; sleep 0.05; done) &' &)
(setsid bash -m -c '(while :; do echo tick >> job.out; sleep 0.05; done) &' &)
while :; do sleep 0.1; done
END
root=$("$sockmig" run --directory "$PWD" bash service.sh) || fail "run: exit $?"
grown()
{
    [ "$(wc -l < "$1")" -gt "$2" ]
}
kin() # each that has bash for a program: id, parent, group, session
{
    local init

    init=$(awk '/^PPid/ { print $2 }' "/proc/$root/status")
    for p in $(cat "/proc/$init/task/$init/children"); do
        grep -q '^Name:.bash' "/proc/$p/status" &&
            awk '/^NSpid|^NSpgid|^NSsid/ { print $1, $NF }' "/proc/$p/status" | tr '\n' ' ' &&
            echo
    done | sort
}
await "a daemon" test -s daemon.out
await "a job" test -s job.out
before=$(kin)
echo "$before"
[ "$(echo "$before" | wc -l)" = 3 ] || fail "not three children of the cell's first process"
"$sockmig" dump "$root" image > dump.out 2> dump.err || fail "orphans: dump: exit $?"
await "the end of them" test ! -e "/proc/$root"
# by itself, in a cell of its own: the ids are those of the image
inner=$(echo "$before" | awk 'NR == 1 { print $2 }')
unshare --pid --fork --mount-proc --kill-child bash -c \
    'echo 30000 > /proc/sys/kernel/ns_last_pid
    "$0" restore image > restore.out 2> restore.err; echo $? > restored; sleep 60' "$sockmig" &
cell=$!
await "the restoring" test -s restored
[ "$(cat restored)" = 0 ] || fail "orphans: restore: $(cat restore.err)"
for name in daemon job; do
    await "the $name goes on" grown $name.out "$(($(wc -l < $name.out) + 3))"
done
init=$(pgrep -P "$cell")
root=$(for p in $(cat "/proc/$init/task/$init/children"); do
    [ "$(awk '/^NSpid/ { print $NF }' "/proc/$p/status")" = "$inner" ] && echo "$p"
done)
[ -n "$root" ] || fail "the root is not there"
after=$(kin)
[ "$after" = "$before" ] || fail "they are not as they were: $after"
kill -KILL "$cell"

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
