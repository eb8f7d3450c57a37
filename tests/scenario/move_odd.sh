#!/bin/bash
# move_odd.sh - what is not a quiet server is moved, too, or runs on where it is: one that
# ends meanwhile, that starts programs all the time, a pipeline, one with clocks of its
# own; and a receiver without memory.
ALONE_LIMIT=${ALONE_LIMIT:-150}
. "$top_srcdir/tests/scenario/move_common.sh"
segment

move()
{
    timeout 60 "$sockmig" move "$@" 10.79.0.3 --secret secret > move.out 2> move.err
}

grows()
{
    local was
    was=$(wc -c < "$1")
    await "$1 to grow" sh -c "[ \$(wc -c < $1) -gt $was ]"
}

start()
{
    setsid "$@" > /dev/null 2>&1 < /dev/null &
    pid=$!
    disown $pid
}

receiver

echo "- one that ends while it is moved"
if grep -q move-ahead "$sockmig"; then
    start sleep 1000
    echo "move-ahead hang" > /run/bascule/fault
    move $pid &
    mover=$!
    await "move-ahead" test ! -e /run/bascule/fault
    kill -9 $pid
    await "its end" sh -c "! grep -q '^State:.[^Zt]' /proc/$pid/status"
    kill -CONT "$(sed -n "s/.*sockmig\[\([0-9]*\)\].*/\1/p" move.err | head -1)"
    wait $mover && fail "what has ended was moved"
    grep -q 'No such process' move.err || fail "it said: $(cat move.err)"
    await "nothing of it there" on_b test ! -e /proc/$pid
fi

echo "- a pipeline"
start bash -c 'while :; do date +%s.%N; read -t 0.01 < <(sleep 1) || true; done | cat > pipe.log'
await "the pipeline" test -s pipe.log
move $pid || echo "  it was not: $(cat move.err)"
grows pipe.log
[ -e /proc/$pid ] && on_b test -e /proc/$pid && fail "it is at both places"
if [ -e /proc/$pid ]; then kill -9 -$pid; else on_b kill -9 -- -$pid; fi

echo "- a program with children, at rest"
start bash -c 'echo start > rest.log; sleep 1000 & sleep 1001 & wait'
await "it" test -s rest.log
move $pid || fail "not moved: $(cat move.err)"
[ ! -e /proc/$pid ] || fail "it is here still"
on_b sh -c "grep -qx 3 <<X
\$(ps -o pid= -g $pid | wc -l)
X" || fail "not all of it is there: $(on_b ps -ef)"
on_b kill -9 -- -$pid

echo "- clocks of its own"
start unshare -T --monotonic 5000000 --boottime 5000000 --fork /usr/bin/python3 -c '
import time
last = 0
with open("clock.log", "w", 1) as log:
    while True:
        now = time.clock_gettime(time.CLOCK_MONOTONIC)
        if now < last or last and now > last + 60 or now < 5000000:
            log.write("WRONG %f after %f\n" % (now, last))
        last = now
        log.write("%f\n" % now)
        time.sleep(0.01)'
await "its clock" test -s clock.log
pid=$(pgrep -P $pid)
move $pid || fail "not moved: $(cat move.err)"
[ ! -e /proc/$pid ] || await "its end here" sh -c "grep -q '^State:.Z' /proc/$pid/status"
grows clock.log
grep WRONG clock.log && fail "the clock stepped"
on_b kill -9 $pid

echo "- a receiver without memory"
kill $receiver
on_b kill -9 "$(cat receiver.pid)" 2> /dev/null
on_b sh -c "ulimit -v 400000; exec '$sockmig' receive --secret '$dir/secret'" \
    > receive.out 2>> receive.err &
await "receiver" sh -c "ip netns exec b ss -Hltn sport = :4780 | grep -q ."
start sleep 1000
move $pid && fail "it was moved"
grep -q 'runs on here' move.err || fail "it said: $(cat move.err)"
kill -0 $pid || fail "it is gone"
kill $pid
clean env
clean on_b
echo PASS
