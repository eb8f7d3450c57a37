#!/bin/bash
# lab_place.sh - placement with real engines: apart, a degraded disk, failback, balance, and
# what `bascule simulate` says of it beforehand.
set -u
[ "$(id -u)" = 0 ] || { echo "skipped: not root"; exit 77; }
for p in corosync snmpd redis-server ebtables; do
    PATH=$PATH:/usr/sbin command -v $p > /dev/null || { echo "skipped: no $p"; exit 77; }
done
. "$top_srcdir/tests/scenario/lab_common.sh"

service() { # NAME ADDRESS MORE
    cat << C
service "$1" {
  addresses = { "$2/24" }
  device = "eth0"
  command = { "redis-server", "--port", "6379", "--save", "", "--protected-mode", "no" }
  user = "redis"
  checkpoint-interval = 500
  checkpoint-spacing = 50
  $3
}
C
}
{
    echo 'cluster "lab" { lease = 140  heartbeat = 20  balance-interval = 3 }'
    service a 10.77.1.100 'preferred = "n1" failback = "auto" failback-delay = 2'
    service b 10.77.1.101 'apart = { "a" } load = 300 placement = "balance"'
    service c 10.77.1.102 'apart = { "a" } load = 300 placement = "balance"'
} > "$dir/conf"
lab_up 3

apart() { [ "$(active a)" != "$(active b)" ] && [ "$(active a)" != "$(active c)" ]; }
even() { apart && [ "$(active b)" != "$(active c)" ]; }
left() { [ "$(active a)" != n1 ]; }
back() { [ "$(active a)" = n1 ]; }

echo "- apart: nobody shares a node with a; balance: b and c do not share one either"
wait_for 30 apart || fail "not apart"
wait_for 40 even || fail "load is not evened out"

echo "- simulate"
bascule n2 simulate fail n1 | grep -q "a: is taken over by n[23]" || fail "$(bascule n2 simulate fail n1)"
bascule n2 simulate drain n1 --json | grep -q '"why": *"drain"' || fail "simulate drain"
[ "$(active a)" = n1 ] || fail "a simulation has an effect"

echo "- the disk of n1 runs full: a leaves it before it fails"
on n1 mount -t tmpfs -o size=1m tmpfs /var/lib/bascule || fail "mount"
on n1 sh -c 'head -c 1030000 /dev/zero > /var/lib/bascule/fill' 2> /dev/null
wait_for 40 left || fail "a stays on the node with the full disk"
journal n2 "planner (n1 is \(degraded\|failed\): .*): switchover" || fail "not for its health"

echo "- the disk is repaired: a falls back"
on n1 umount /var/lib/bascule || fail "umount"
wait_for 40 back || fail "a does not fall back"
journal n2 "planner (n1 is preferred): switchover" || fail "not to fall back"
pass
