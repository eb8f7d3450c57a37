#!/bin/bash
# cli_test.sh - bascule with wrong arguments, without a supervisor, without rights: what
# it says, and the exit codes of bascule(8).
set -u
bascule="$top_builddir/supervisor/cli/bascule"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"
bad=0

# expect CODE TEXT ARGUMENT...: returns CODE, and TEXT is in what it says.  Whatever is
# wrong is said on standard error, and no word of it on standard output.
expect()
{
    local code=$1 text=$2 got
    shift 2
    "$bascule" "$@" > "$dir/out" 2> "$dir/err" < /dev/null
    got=$?
    [ $got = "$code" ] || { echo "FAIL: bascule $*: exit $got, not $code: $(cat "$dir/err")"; bad=1; }
    grep -qF -- "$text" "$dir/err" || { echo "FAIL: bascule $*: no \"$text\": $(cat "$dir/err")"; bad=1; }
    [ ! -s "$dir/out" ] || [ "$code" = 1 ] || { echo "FAIL: bascule $*: prints $(cat "$dir/out")"; bad=1; }
}

echo "- wrong usage"
expect 2 "usage: bascule COMMAND"
expect 2 'no command "statsu"' statsu
expect 2 "--bogus" --bogus status
expect 2 "--run-dir" --run-dir
for c in status services nodes; do
    expect 2 "usage: bascule $c [--json]" $c extra
    expect 2 "usage: bascule $c [--json]" $c --bogus
    expect 2 "usage: bascule $c [--json]" $c --json=5
done
expect 2 "usage: bascule switchover SERVICE [NODE]" switchover
expect 2 "usage: bascule switchover SERVICE [NODE]" switchover a b c
expect 2 "usage: bascule switchover SERVICE [NODE]" switchover a --bogus
for t in 0 -1 x 1x 99999999999; do
    expect 2 "usage: bascule switchover SERVICE [NODE]" switchover a --timeout $t
    expect 2 "usage: bascule journal [-n" journal -n $t
done
expect 2 "usage: bascule journal [-n" journal 5
expect 2 "usage: bascule journal [-n" journal --bogus
expect 2 "usage: bascule check [--json] [CONF]" check a b
expect 2 "usage: bascule check [--json] [CONF]" check --bogus
expect 2 "usage: bascule demo" demo extra
expect 2 "usage: bascule demo" demo --bogus
expect 2 "usage: bascule lab up|down|exec|status|fault" lab
expect 2 "usage: bascule lab up|down|exec|status|fault" lab bogus
expect 2 "usage: bascule lab up" lab up
expect 2 "usage: bascule lab up" lab up a b
expect 2 "--nodes wants 1 to" lab up --nodes 0 x
expect 2 "--nodes wants 1 to" lab up --timeout x x
expect 2 "the name of a lab" lab up --name "../x" x
expect 2 "is not the name of a lab" lab down --name "A b"
expect 2 "usage: bascule lab down" lab down x
expect 2 "is not the name of a lab" lab status --name ""
expect 2 "usage: bascule lab status" lab status x
expect 2 "usage: bascule lab exec" lab exec
expect 2 "usage: bascule lab exec" lab exec n1
expect 2 "usage: bascule lab exec" lab exec n1 --
expect 2 "usage: bascule lab fault" lab fault
expect 2 "--bogus" lab fault --bogus

echo "- nobody answers"
mkdir "$dir/run"
for c in status services nodes journal "switchover redis"; do
    # shellcheck disable=SC2086
    expect 3 "basculed does not answer at $dir/run/basculed.sock" --run-dir "$dir/run" $c
    # shellcheck disable=SC2086
    expect 3 "basculed does not answer at $dir/none/basculed.sock" --run-dir "$dir/none" --json $c
done
expect 3 "No such file" --run-dir "$dir/run" status
long=$(printf '%0200d' 0)
expect 2 "too long" --run-dir "/$long" status
for c in status "exec n1 true" "fault crash n1"; do
    # shellcheck disable=SC2086
    expect 3 'there is no lab "none-such"' lab ${c%% *} --name none-such $([ "$c" = "${c#* }" ] || echo ${c#* })
done

echo "- what is there is no supervisor"
socket_of()
{
    rm -f "$dir/run/basculed.sock" "$dir/ready" # or the last one's word would count
    python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(4)
print("ready", flush=True)
while True:
    c, _ = s.accept(); c.recv(4096); c.sendall(sys.argv[2].encode()); c.close()' \
        "$dir/run/basculed.sock" "$1" > "$dir/ready" &
    pid=$!
    until grep -qs ready "$dir/ready"; do kill -0 $pid || exit 99; sleep 0.02; done
}
for answer in "" "what?" '{"id":1}
' '[]
'; do
    socket_of "$answer"
    "$bascule" --run-dir "$dir/run" status > "$dir/out" 2> "$dir/err"
    got=$?
    [ $got = 3 ] || [ $got = 4 ] || { echo "FAIL: exit $got on the answer \"$answer\""; bad=1; }
    grep -q '^bascule: ' "$dir/err" || { echo "FAIL: no word on the answer \"$answer\""; bad=1; }
    kill $pid
    wait $pid 2> /dev/null
done
rm -f "$dir/run/basculed.sock"

echo "- a configuration that is wrong: file, line, and what is allowed"
cat > "$dir/conf" << 'CONF'
service "redis" {
  addresses = { "10.77.1.100/24" }
  device = "eth0"
  command = { "redis-server" }
  user = "nobody"
  colour = "red"
}
CONF
wrong() # TEXT
{
    for how in "" --json; do
        # shellcheck disable=SC2086
        "$bascule" check $how "$dir/conf" > "$dir/out" 2>&1
        got=$?
        [ $got = 1 ] || { echo "FAIL: check returned $got, not 1"; bad=1; }
        grep -qF "$1" "$dir/out" || { echo "FAIL: check says no \"$1\": $(head -3 "$dir/out")"; bad=1; }
    done
    python3 -m json.tool "$dir/out" > /dev/null || { echo "FAIL: check --json is not JSON"; bad=1; }
}
wrong "$dir/conf:6: "
sed -i 's/colour = "red"/checkpoint-interval = 3/' "$dir/conf"
wrong "$dir/conf:6: checkpoint-interval"
wrong "allowed: 5 to 60000"
sed -i '6d' "$dir/conf"
sed -i 's/device = .*//' "$dir/conf"
wrong "device is missing in this service section; allowed: the name of a bridge"
rm "$dir/conf"
wrong "$dir/conf: No such file"
if [ "$(id -u)" = 0 ]; then
    echo "- lab up refuses it before anything is made"
    printf 'service "x" {\n  user = "root"\n}\n' > "$dir/conf"
    expect 1 "$dir/conf:2: user" lab up --name cli-test "$dir/conf"
    expect 1 "$dir/none: No such file" lab up --name cli-test "$dir/none"
    printf '# nothing\n' > "$dir/conf"
    expect 1 "no service section" lab up --name cli-test "$dir/conf"
    [ -e /var/lib/bascule-lab/cli-test ] && { echo "FAIL: something was made"; bad=1; }

    echo "- not root"
    cp "$bascule" "$dir/bascule"
    chmod 755 "$dir/bascule"
    bascule="$dir/as-nobody"
    printf '#!/bin/sh\nexec setpriv --reuid 65534 --regid 65534 --clear-groups %s "$@"\n' \
        "$dir/bascule" > "$bascule"
    chmod 755 "$bascule"
    expect 1 "run it as root" lab up "$dir/conf"
    expect 1 "run it as root" demo
    socket_of '{"id":1,"ok":true}
'
    chmod 600 "$dir/run/basculed.sock"
    expect 3 "be root, or a member of the group bascule" --run-dir "$dir/run" status
    kill $pid
fi
echo "- help and version"
for c in --help --version; do
    "$top_builddir/supervisor/cli/bascule" $c > "$dir/out" 2>&1 || { echo "FAIL: $c"; bad=1; }
    [ -s "$dir/out" ] || { echo "FAIL: $c prints nothing"; bad=1; }
done
exit $bad
