#!/bin/bash
# alone_terminal.sh - sessions on pseudo-terminals: script(1) with a shell and job control,
# under a program that types; then the same with vi.  What was typed ahead and what was
# shown and not read yet is there after each move.
. "$top_srcdir/tests/scenario/alone_common.sh"
command -v script > /dev/null || { echo "skipped: needs script"; exit 77; }

start()
{
    rm -rf ready result
    setsid /usr/bin/python3 "$top_srcdir/tests/scenario/alone_typist.py" "$dir" "$@" \
        < /dev/null > typist.out 2> typist.err &
    root=$!
    disown $root
    await "the typist of $*" test -e ready
}

move()
{
    "$sockmig" inspect "$root" > inspect.out 2>&1 || fail "$1: inspect: $(cat inspect.out)"
    "$sockmig" dump "$root" image > dump.out 2> dump.err || fail "$1: dump: exit $?"
    await "$1: the end of it" test ! -e "/proc/$root"
    "$sockmig" show image | grep -q 'terminal, master' || fail "$1: no terminal in the image"
    "$sockmig" restore image > restore.out 2> restore.err || fail "$1: restore: exit $?"
    cat dump.out restore.out
}

# checked WHAT: the typist's check of itself.
checked()
{
    rm -f result
    touch "$1"
    ALONE_AWAIT=25 await "$2: the typist's check" test -e result
    [ "$(cat result)" = ok ] || fail "$2: $(cat result)"
}

for program in shell jobs vi; do
    echo "- $program"
    start $program
    for round in 1 2; do
        move "$program, round $round"
        checked check "$program, round $round"
    done
    checked last "$program, at last"
    [ ! -s typist.err ] || fail "the typist says something"
    await "$program: nothing is left" sh -c "! grep -qs . /dev/pts/[0-9]* < /dev/null"
done

echo "- a terminal of somebody else"
python3() { /usr/bin/python3 "$@"; }
python3 -c '
import pty, os, time
pid, master = pty.fork()
if pid == 0:
    time.sleep(1000)
open("child.pid", "w").write(str(pid))
time.sleep(1000)' &
outer=$!
await "it" test -s child.pid
"$sockmig" dump "$(cat child.pid)" image > dump.out 2> dump.err && fail "it was dumped"
grep -q 'other side is in another process' dump.err || fail "it said: $(cat dump.err)"
: > dump.err
kill -0 "$(cat child.pid)" || fail "it is gone"
kill $outer
echo PASS
