#!/bin/bash
# lab_test.sh - the lab itself: what it makes, its faults, and that it leaves nothing.
# The cluster in it is corosync alone: sleeping doubles stand for the rest.
set -u
name="t$$"
lab="$top_builddir/supervisor/cli/bascule lab"
dir=$(mktemp -d)
trap '$lab down --name "$name"; $lab down --name "${name}b"; rm -rf "$dir"' EXIT

fail()
{
    echo "FAIL: $*" >&2
    exit 1
}

skip()
{
    echo "skipped: $*"
    exit 77
}

# wait_for SECONDS COMMAND...
wait_for()
{
    local end=$((SECONDS + $1))
    shift
    until "$@" > /dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}

on() # HOST COMMAND...
{
    local host=$1
    shift
    $lab exec --name "$name" "$host" -- "$@"
}

fault()
{
    $lab fault --name "$name" "$@" || fail "fault $*"
}

nodes_seen() # NODE COUNT
{
    [ "$(on "$1" corosync-quorumtool -s | sed -n 's/^Nodes: *//p')" = "$2" ]
}

reaches() # HOST ADDRESS
{
    on "$1" ping -c1 -W1 "$2" > /dev/null
}

[ "$(id -u)" = 0 ] || skip "not root"
for p in /usr/sbin/corosync /usr/sbin/snmpd /usr/sbin/ebtables; do
    [ -x $p ] || skip "$p is not installed"
done
mkdir "$dir/bin"
for p in sockmigd basculed bascule-agent; do
    printf '#!/bin/sh\nexec sleep 1000000\n' > "$dir/bin/$p"
    chmod 755 "$dir/bin/$p"
done
chmod 755 "$dir"
cat > "$dir/conf" << 'CONF'
service "s" {
  addresses = { "10.77.1.100/24" }
  device = "eth0"
  command = { "sleep", "1" }
  user = "nobody"
}
CONF
before=$(ip -o link | wc -l)

echo "- nobody answers for the service: up says so, returns 1, leaves the lab up"
out=$($lab up --name "$name" --bindir "$dir/bin" --timeout 1 "$dir/conf" 2>&1)
[ $? = 1 ] || fail "up returned another code than 1: $out"
grep -q "waiting: no basculed answers" <<< "$out" || fail "up does not say what it waits for: $out"
[ "$(ip -o link | wc -l)" = "$before" ] || fail "an interface appeared outside"
$lab up --name "$name" --bindir "$dir/bin" "$dir/conf" 2> /dev/null && fail "up twice"

echo "- three nodes, two networks, names, users, secrets"
wait_for 15 nodes_seen n1 3 || fail "no cluster of three"
reaches client 10.77.1.2 && reaches client fd77:1::3 || fail "the client reaches no node"
[ "$(on n2 hostname)" = n2 ] || fail "host name"
reaches client 10.77.2.1 && fail "the client reaches the cluster network"
[ "$(on n1 stat -c %a:%U /etc/bascule/secret)" = 600:root ] || fail "mode of the secret"
[ "$(on n1 stat -c %a:%G /etc/bascule/snmp-secret)" = 640:bascule ] || fail "snmp secret"
[ -e /etc/bascule/secret ] && [ /etc/bascule/secret -nt "$dir" ] && fail "wrote outside"
pass=$(on n1 cat /etc/bascule/snmp-secret)
snmp()
{
    on client snmpget -v3 -l authPriv -a SHA-256 -A "$pass" -x AES -X "$pass" \
        -u bascule -Oqv 10.77.1.2 1.3.6.1.2.1.1.5.0
}
wait_for 10 snmp || fail "no SNMPv3"
[ "$(snmp)" = '"n2"' ] || fail "sysName"

echo "- exit codes of exec"
on n1 false && fail "false"
on n1 sh -c 'exit 7'; [ $? = 7 ] || fail "exit 7"
on n1 sh -c 'kill -9 $$'; [ $? = 137 ] || fail "killed"
on n1 no-such-program 2> /dev/null; [ $? = 127 ] || fail "not found"
on n9 true 2> /dev/null; [ $? = 2 ] || fail "no such host"
sleeper_gone() { ! on n1 pgrep -xf 'sleep 98765' > /dev/null; }
$lab exec --name "$name" n1 -- sleep 98765 &
wait_for 5 on n1 pgrep -xf 'sleep 98765' > /dev/null || fail "the command does not run"
kill $! # not its group, as timeout would
wait_for 5 sleeper_gone || fail "the command went on when exec was ended"

echo "- crash and restart: the disk stays, the processes do not"
on n1 sh -c 'echo kept > /var/lib/bascule/x; echo gone > /run/x'
fault crash n1
on n1 true 2> /dev/null; [ $? = 3 ] || fail "exec on a crashed node"
wait_for 10 nodes_seen n2 2 || fail "the crash was not seen"
fault restart n1
[ "$(on n1 cat /var/lib/bascule/x)" = kept ] || fail "the disk is lost"
on n1 test -e /run/x && fail "/run survived"
wait_for 15 nodes_seen n2 3 || fail "n1 did not come back"

echo "- hang and heal"
fault hang n3
on n3 true 2> /dev/null; [ $? = 3 ] || fail "exec on a hung node"
wait_for 10 nodes_seen n1 2 || fail "the hang was not seen"
fault heal n3
wait_for 15 nodes_seen n1 3 || fail "n3 did not go on"

echo "- cuts"
fault cut n2 outside
reaches client 10.77.1.2 && fail "outside is not cut"
nodes_seen n1 3 || fail "the cluster network was cut too"
fault heal n2
wait_for 5 reaches client 10.77.1.2 || fail "outside is not healed"
fault cut n1 n2
reaches n1 10.77.2.2 && fail "n1 reaches n2"
reaches n1 10.77.2.3 || fail "n1 does not reach n3"
fault heal all
wait_for 5 reaches n1 10.77.2.2 || fail "n1 and n2 are not healed"

echo "- a killed program comes back"
was=$(on n1 pidof snmpd)
fault kill n1 snmpd
wait_for 5 on n1 pidof snmpd || fail "snmpd did not come back"
[ "$(on n1 pidof snmpd)" != "$was" ] || fail "snmpd was not killed"
$lab fault --name "$name" kill n1 nothing 2> /dev/null && fail "killed what is not there"

echo "- a second lab beside it; one switch killed; down leaves nothing"
$lab up --name "${name}b" --nodes 2 --token 200 --bindir "$dir/bin" --timeout 1 "$dir/conf" \
    > /dev/null 2>&1
$lab exec --name "${name}b" client -- ping -c1 -W2 10.77.1.2 > /dev/null || fail "second lab"
$lab exec --name "${name}b" n2 -- grep -q 'token: 200' /etc/corosync/corosync.conf \
    || fail "its token is another"
on n1 grep -q 'token: 70' /etc/corosync/corosync.conf || fail "the first one's token"
switch=$(grep -A2 '"name": "outside"' "/var/lib/bascule-lab/$name/lab.json" |
    sed -n 's/.*"pid": \([0-9]*\).*/\1/p')
kill -9 "$switch" || fail "the switch cannot be killed"
$lab down --name "$name" || fail "down"
$lab down --name "${name}b" || fail "down of the second"
$lab down --name "$name" || fail "down twice"
[ -e "/var/lib/bascule-lab/$name" ] && fail "files"
pgrep -f "lab-host $name" > /dev/null && fail "processes are left"
[ "$(ip -o link | wc -l)" = "$before" ] || fail "interfaces are left"
grep -q "bascule-lab.$name" /proc/self/mounts && fail "mounts are left"
ls -d /sys/fs/cgroup/*/bascule-lab."$name"* 2> /dev/null && fail "control groups are left"
exit 0
