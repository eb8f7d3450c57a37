#!/bin/bash
# alone_full.sh - the disk is full while an image is written, at any point of it: it is
# said, the processes run on with their connections, and no half of an image is left.
. "$top_srcdir/tests/scenario/alone_common.sh" || exit 1
cable
cat > app.py << 'X'
import os, socket, threading
memory = bytearray(os.urandom(1 << 20) * 24)
s = socket.create_server(("10.79.0.1", 7001))
print("ready", flush=True)
c, _ = s.accept()
n = 0
while True:
    data = c.recv(1)
    n += 1
    memory[(n * 4096 * 7) % len(memory)] = n & 255
    c.sendall(data)
X
setsid /usr/bin/python3 app.py > app.out 2> app.err < /dev/null &
pid=$!
await "the program" grep -q ready app.out
cat > ask.py << 'X'
import os, socket, time
c = socket.create_connection(("10.79.0.1", 7001))
n = 0
while not os.path.exists("stop"):
    c.sendall(bytes([n & 255]))
    if c.recv(1) != bytes([n & 255]):
        raise SystemExit("wrong answer")
    n += 1
    if n % 20 == 0:
        with open("count.new", "w") as f:
            f.write("%d" % n)
        os.rename("count.new", "count")
    time.sleep(0.001)
print(n, "answers")
X
peer /usr/bin/python3 ask.py > ask.out 2> ask.err &
client=$!
await "answers" test -s count

goes_on()
{
    local was
    was=$(cat count)
    await "answers $1" sh -c "[ \$(cat count) -gt $was ]"
    kill -0 $client || fail "$1: the client noticed: $(cat ask.out ask.err)"
    [ -z "$(rules)" ] || fail "$1: rules are left: $(rules)"
}

# full KILOBYTES: a dump to a disk of that size; its exit status.
full()
{
    mkdir -p disk
    mount -t tmpfs -o size="$1k" none disk || exit 1
    mkdir disk/image && echo "an old one" > disk/image/image
    "$sockmig" dump $pid disk/image "${@:2}" > dump.out 2> dump.err
    code=$?
    left=$(ls -A disk/image)
    content=$(head -c 10 disk/image/image | tr -d "\0")
    umount disk
    return $code
}

size=64 tries=0 # to where it fits: first in the middle, then near the end of it
while ! full $size --keep-running; do
    [ $code = 1 ] || fail "$size kB: exit $code: $(cat dump.err)"
    grep -q 'disk/image, after [0-9]* MB: No space left on device: make room' dump.err ||
        fail "$size kB: it said $(cat dump.err)"
    [ "$left" = image ] || fail "$size kB: left: $left"
    [ "$content" = "an old one" ] || fail "$size kB: the image that was there is not"
    goes_on "after $size kB"
    tries=$((tries + 1))
    if [ $size -lt 16384 ]; then size=$((size * 4)); else size=$((size + 1300)); fi
    [ $tries -lt 40 ] || fail "$size kB are not enough?"
done
[ $tries -ge 8 ] || fail "only $tries sizes were too small"
goes_on "after an image that fits"
echo "  $tries sizes were too small, $size kB is enough"

(ulimit -f 4000; "$sockmig" dump $pid limited > dump.out 2> dump.err) && fail "ulimit -f"
grep -q 'File too large: raise the limit' dump.err || fail "it said $(cat dump.err)"
[ -z "$(ls -A limited)" ] || fail "left: $(ls -A limited)"
goes_on "after a limit"
touch stop
wait $client || fail "client: $(cat ask.out ask.err)"
cat ask.out
echo PASS
