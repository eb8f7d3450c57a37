#!/bin/bash
# lab_health.sh - from a reading to a decision: a probe says that the service is ill, it is
# moved and the journal says why; a node with another build of the program is
# named; none of SNMP is needed for a takeover.
set -u
. "$top_srcdir/tests/scenario/lab_common.sh"

cp "$(PATH=$PATH:/usr/sbin command -v redis-server)" "$dir/server"
# another build: one octet of its build identifier
$py - "$dir/server" "$dir/other" << 'P' || fail "the program has no build identifier"
import sys
b = bytearray(open(sys.argv[1], "rb").read())
at = b.index(b"\x03\x00\x00\x00GNU\x00") + 8
b[at] ^= 0xff
open(sys.argv[2], "wb").write(b)
P
cat > "$dir/plugin" << 'P'
#!/bin/sh
# ill where the file says so: each node has a /run of its own
[ -e /run/ill ] && { echo "CRITICAL - says that it is ill"; exit 2; }
echo "OK"
P
chmod 755 "$dir/server" "$dir/other" "$dir/plugin"
cat > "$dir/conf" << C
service "a" {
  addresses = { "10.77.1.100/24" }
  device = "eth0"
  command = { "$dir/server", "--port", "6379", "--save", "", "--protected-mode", "no" }
  user = "redis"
  preferred = "n1"
  checkpoint-interval = 500
  checkpoint-spacing = 50
}
probe "well" {
  service = "a"
  command = { "$dir/plugin" }
  period = 500
  timeout = 5000
  attempts = 1
}
C
lab_up 3
client_begin 10.77.1.100

echo "- a probe says that the service is ill: verdict, switchover, reason"
from=$(active a)
wait_for 20 is n2 "by['a']['health']" ok || fail "no verdict of the service: $(value n2 "by['a']['health'], s['poller']")"
on "$from" touch /run/ill || fail "the file"
left() { [ "$(active a)" != "$from" ]; }
wait_for 30 left || fail "a stays where it is ill: $(value n2 "by['a']['health_reason']")"
told() { journal n2 "planner (the service is failed on $from: well: CRITICAL - says that it is ill): switchover"; }
wait_for 10 told || fail "the journal does not say why it was moved"
client_alive || fail "the client lost its connection"
on "$from" rm /run/ill
wait_for 20 is n2 "by['a']['health']" ok || fail "it is not well where it is now"
protected

echo "- a node with another build of the program"
other=$(other "$(active a)")
on "$other" mount --bind "$dir/other" "$dir/server" || fail "mount"
$lab fault --name "$name" kill "$other" bascule-agent || fail "kill" # it reads the builds when it begins
differs() { is "$other" "by['a']['builds']['differ']" "['$other']"; }
wait_for 30 differs || fail "that $other has another build is not seen: $(value "$other" "by['a']['builds']")"
journal "$other" "$dir/server on $other is build .*no clone of it lives on $other; install the same packages" ||
    fail "the journal does not name the file"
on "$other" umount "$dir/server" || fail "umount"
$lab fault --name "$name" kill "$other" bascule-agent || fail "kill"
wait_for 30 is "$other" "by['a']['builds']['differ']" "[]" || fail "that it has the same build again is not seen"

echo "- every snmpd stands still: a crash is detected and taken over all the same"
protected
snmpds STOP
crash a
client_alive || fail "the client lost its connection"
pass
