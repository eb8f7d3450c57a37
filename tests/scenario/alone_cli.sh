#!/bin/bash
# alone_cli.sh - sockmig: usage, exit codes, inspect with everything that is refused, show,
# images that are not whole, control groups.
. "$top_srcdir/tests/scenario/alone_common.sh"
bad=0

# expect CODE TEXT ARGUMENT...
expect()
{
    local code=$1 text=$2 got
    shift 2
    "$sockmig" "$@" > out 2> err < /dev/null
    got=$?
    [ $got = "$code" ] || { echo "FAIL: sockmig $*: exit $got, not $code: $(cat err)"; bad=1; }
    cat out err | grep -qF -- "$text" ||
        { echo "FAIL: sockmig $*: no \"$text\": $(cat out err)"; bad=1; }
}

echo "- usage"
(umask 077; head -c 64 /dev/urandom > secret)
many=
expect 2 "Usage: sockmig"
expect 2 'there is no command "bogus"' bogus
expect 0 "Usage: sockmig" --help
for c in inspect run dump restore move receive rebind show; do
    [ $c = receive ] || expect 2 "usage: sockmig $c" $c # that one needs nothing
    expect 2 "usage: sockmig $c" $c --bogus
    expect 0 "Usage: sockmig $c" $c --help
done
expect 2 "0x1: not a process id" inspect 0x1
expect 2 "PID is missing" inspect
expect 2 "DIR is missing" dump 1
expect 2 "-5: not a process id" dump -- -5 image
expect 2 "more: one argument too many" show image more
expect 2 "HOST is missing" move 4000000
expect 2 "0: not a number from 1" move 4000000 host --limit-ms 0
expect 2 "70000: not a number from 1 to 65535" receive --port 70000
expect 2 "nowhere: not an address to listen at" receive --listen nowhere
expect 2 "extra: one argument too many" receive extra
expect 2 "--table is for" receive --table 7
expect 2 "DEVICE is missing" rebind 192.0.2.7
expect 2 "write 192.0.2.7" rebind 192.0.2 lo
expect 2 "not the address of a gateway" rebind 192.0.2.7 lo --via 192.0.2.1/24
expect 2 "--table is for" rebind 192.0.2.7 lo --table 7
expect 2 "255 is the kernel's own" rebind 192.0.2.7 lo --route --table 255
expect 2 "-1: not a number from 0" rebind 192.0.2.7 lo --wait -1
expect 2 "COMMAND is missing" run
expect 2 "--address needs --device" run --address 192.0.2.7/24 true
expect 3 "No such process; see" inspect 4000000
expect 3 "No such process" dump 4000000 image
expect 1 "name the folder that" restore nowhere
expect 1 "no image of sockmig" show /bin/true
expect 2 "write 192.0.2.7" move 4000000 host --address bogus
expect 2 "write 192.0.2.7" run --device lo --address 192.0.2.7/33 true
for i in $(seq 17); do many+=" --address 192.0.2.$i"; done
expect 2 "16 addresses are the most" move 4000000 host $many
expect 1 "urandom > nowhere/secret)" move 4000000 host --secret nowhere/secret
expect 1 "no such network device" receive --device nowhere --secret secret

echo "- what is refused is named, with its cure"
/usr/bin/python3 "$top_srcdir/tests/scenario/alone_odd.py" > odd.out 2> odd.err < /dev/null &
odd=$!
await "the odd process" grep -q ready odd.out
expect 4 "cannot be moved" inspect $odd
for word in $(grep -v ready odd.out); do
    grep -q "^refused: process $odd.*$word" out ||
        { echo "FAIL: inspect: no word of $word"; cat out; bad=1; }
done
expect 4 '"movable": false' inspect $odd --json
/usr/bin/python3 -c 'import json, sys
r = json.load(open("out"))["refusals"]
assert all(x["pid"] and x["what"] and x["cure"] for x in r) and len(r) >= 6, r' || bad=1
expect 4 "cure:" dump $odd image
[ ! -e image/image ] || { echo "FAIL: a refused dump left an image"; bad=1; }
[ "$(ls -A image)" = "" ] || { echo "FAIL: left: $(ls -A image)"; bad=1; }
kill -0 $odd || { echo "FAIL: the refused process is gone"; bad=1; }
kill $odd

echo "- an image that is not whole"
setsid /usr/bin/python3 -c 'import time
while True: time.sleep(0.01)' < /dev/null > sleeper.out 2>&1 &
sleeper=$!
await "a process that sleeps" grep -q "sleep\|python3" /proc/$sleeper/cmdline
sleep 0.2
expect 0 "can be moved" inspect $sleeper
expect 0 "they run on" dump $sleeper image --keep-running
kill -0 $sleeper || { echo "FAIL: --keep-running ended it"; bad=1; }
expect 0 "python3" show image
expect 0 '"version": 6' show image --json
expect 1 "id is in use here" restore image
kill $sleeper
wait $sleeper
head -c 5000 image/image > cut
expect 1 "truncated" restore cut
/usr/bin/python3 -c 'b = bytearray(open("image/image", "rb").read()); b[len(b) // 2] ^= 4
open("flipped", "wb").write(b)'
expect 1 "changed" restore flipped
/usr/bin/python3 - "$sockmig" <<'X' || bad=1
import random, re, subprocess, sys
whole, bad = open("image/image", "rb").read(), 0
random.seed(7)
for i in range(100):
    if i % 2:
        broken = whole[:random.randrange(len(whole))]
    else:
        at = random.randrange(len(whole)) if i % 4 else random.randrange(4096)
        broken = bytearray(whole)
        broken[at] ^= 1 << random.randrange(8)
    open("broken", "wb").write(broken)
    for command in ("show", "restore"):
        r = subprocess.run([sys.argv[1], command, "broken"], capture_output=True, text=True)
        if r.returncode != 1 or not re.search("truncated|changed|no image|version", r.stderr):
            print("FAIL: %s of broken image %d: %d: %s" % (command, i, r.returncode, r.stderr))
            bad = 1
sys.exit(bad)
X
expect 0 "1 process" restore image
kill $sleeper || { echo "FAIL: it was not restored"; bad=1; }

echo "- a lock that somebody else has taken meanwhile"
for by in flock lockf; do
    setsid /usr/bin/python3 -c "import fcntl, time
f = open('locked', 'w')
fcntl.$by(f, fcntl.LOCK_EX)
open('$by.ready', 'w')
while True: time.sleep(0.01)" < /dev/null > locker.out 2>&1 &
    locker=$!
    await "its lock" test -e $by.ready
    expect 0 "1 process" dump $locker $by
    wait $locker
    rm -f other.out
    /usr/bin/python3 -c "import fcntl, sys
f = open('locked', 'w')
fcntl.$by(f, fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()" < <(sleep 30) > other.out &
    other=$!
    await "the other's lock" test -s other.out
    expect 1 "somebody else holds a lock" restore $by
    kill $other
    wait $other
    expect 0 "1 process" restore $by
    kill $locker || { echo "FAIL: with its lock free it was not restored"; bad=1; }
    await "its end" test ! -e /proc/$locker
done

echo "- control groups"
groups=$(sed -n 's/^[^ ]* \([^ ]*\) cgroup2 .*/\1/p' /proc/mounts | head -1)
group=sockmig-test-$$
if [ -n "$groups" ] && mkdir "$groups/$group" 2> /dev/null; then
    await "the end of the process" test ! -e /proc/$sleeper
    setsid /usr/bin/python3 -c 'import time
while True: time.sleep(0.01)' < /dev/null > sleeper.out 2>&1 &
    sleeper=$!
    await "another one" grep -q python3 /proc/$sleeper/cmdline
    echo $sleeper > "$groups/$group/cgroup.procs"
    sleep 0.2
    expect 0 "1 process" dump $sleeper grouped
    wait $sleeper
    expect 0 "/$group\"," show grouped --json
    expect 0 "1 process" restore grouped
    grep -q "^0::.*/$group\$" /proc/$sleeper/cgroup ||
        { echo "FAIL: not in its group: $(cat /proc/$sleeper/cgroup)"; bad=1; }
    kill $sleeper
    await "an empty group" rmdir "$groups/$group"
    await "its end" test ! -e /proc/$sleeper
    expect 0 "/$group: No such file" restore grouped
    kill $sleeper || { echo "FAIL: without its group it was not restored"; bad=1; }
else
    echo "skipped: no cgroup2 that may be changed"
fi
[ $bad = 0 ] && echo PASS
exit $bad
