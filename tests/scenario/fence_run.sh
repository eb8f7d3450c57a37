#!/bin/bash
# fence_run.sh - fence agents for real: fence_ifmib shuts a port of a switch by SNMP, after a
# secret that all can read, a hanging agent and a failing level; fence_dummy; nothing left.
set -u
PATH=$PATH:/usr/sbin:/sbin
pass() { echo PASS; exit 0; }
fail() { echo "FAIL: $*"; cat "$dir/out" 2>/dev/null; exit 1; }
[ "$(id -u)" = 0 ] || { echo "SKIP: needs root"; exit 77; }
for p in fence_ifmib fence_dummy snmpd snmpget ip; do
    command -v $p >/dev/null || { echo "SKIP: needs $p"; exit 77; }
done
dir=$(mktemp -d)
ns=fence_$$
snmpd_pid=
trap '[ -n "$snmpd_pid" ] && kill $snmpd_pid; ip netns del $ns; rm -rf "$dir"' EXIT
ip netns add $ns || { echo "SKIP: no network namespaces"; exit 77; }
ip -n $ns link set lo up
ip -n $ns link add p1 type veth peer name h1
ip -n $ns link set h1 up
ip -n $ns link set p1 up

echo "secret-$$" >"$dir/community"
chmod 640 "$dir/community"
cp "$dir/community" "$dir/open"
chmod 644 "$dir/open"
printf 'rwcommunity %s 127.0.0.1\n' "$(cat "$dir/community")" >"$dir/snmpd.conf"
cat >"$dir/hang" <<H
#!/bin/sh
cat >"$dir/hang.in"
sleep 1000 &
echo \$! >"$dir/hang.pid"
wait
H
printf '#!/bin/sh\ncat >/dev/null\necho "no such outlet" >&2\nexit 1\n' >"$dir/no"
chmod 755 "$dir/hang" "$dir/no"
conf() { # what the fences of n1 are
    { echo 'cluster "c" { }
node "n1" { id = 1  address = "10.9.0.1" }
node "n2" { id = 2  address = "10.9.0.2" }'; cat; } >"$dir/conf"
}
fence() { ip netns exec $ns "$top_builddir/tests/scenario/fence_driver" "$dir/conf" 1 >"$dir/out" 2>&1; }
up() { ip -n $ns link show p1 | grep -q '[<,]UP[,>]'; }
ip netns exec $ns snmpd -f -Lf "$dir/snmpd.log" -C -c "$dir/snmpd.conf" -p "$dir/snmpd.run" udp:127.0.0.1:161 &
snmpd_pid=$!
end=$(($(date +%s) + 15))
until ip netns exec $ns snmpget -v2c -c "$(cat "$dir/community")" 127.0.0.1 1.3.6.1.2.1.1.5.0 >/dev/null 2>&1; do
    [ "$(date +%s)" -lt $end ] || fail "snmpd does not answer"
    sleep 0.1
done

echo "- no fence; one that fails; what it says is told"
conf </dev/null
fence && fail "off without a fence"
grep -q "no fence is configured" "$dir/out" || fail "does not say that there is none"
conf <<C
fence "a" { node = "n1"  agent = "$dir/no" }
C
fence && fail "off, says an agent that failed"
grep -q "a: no such outlet" "$dir/out" || fail "does not say why"

echo "- a secret that everybody can read is not used"
port='node = "n1"  agent = "fence_ifmib"  options = { "ip=127.0.0.1", "plug=p1", "snmp_version=2c" }  secret-option = "community"'
conf <<C
fence "a" { $port  secret-file = "$dir/open" }
C
fence && fail "an open secret is used"
grep -q "lets others read or change it" "$dir/out" || fail "the open secret is not refused"
up || fail "the port was shut all the same"

echo "- a hanging agent is killed with all it started, the next level shuts the port"
conf <<C
fence "port" { $port  level = 2  timeout = 60  secret-file = "$dir/community" }
fence "hang" { node = "n1"  agent = "$dir/hang"  timeout = 1 }
fence "no" { node = "n1"  agent = "$dir/no"  level = 2 }
C
fence || fail "not off"
grep -q "node 1: off: port" "$dir/out" || fail "not by the port"
up && fail "off, and the port is not shut"
grep -q "^action=off" "$dir/hang.in" && grep -q "^nodename=n1" "$dir/hang.in" || fail "not told what to do"
grep -q "^State:.[^Z]" "/proc/$(cat "$dir/hang.pid")/status" 2>/dev/null && fail "a child of the hanging agent is left"
grep -q "$dir/no" "$dir/out" && fail "tried on after one had succeeded"

echo "- fence_dummy"
printf on >"$dir/status"
conf <<C
fence "a" { node = "n1"  agent = "fence_dummy"  options = { "type=file", "status_file=$dir/status" } }
C
fence || fail "fence_dummy"
[ "$(cat "$dir/status")" = off ] || fail "fence_dummy did not switch off"
pass
