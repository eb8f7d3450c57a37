#!/bin/bash
# lab_place.sh - placement with real engines: apart, balance, a node that clients do not
# reach, failback; what `bascule simulate` says of it beforehand.
set -u
. "$top_srcdir/tests/scenario/lab_common.sh"

{
    echo 'cluster "lab" { lease = 140  heartbeat = 20  balance-interval = 3
      health-fall = 1  health-rise = 1 }'
    alone_on_the_machine
    redis_service a 10.77.1.100 'preferred = "n1" failback = "auto" failback-delay = 2'
    redis_service b 10.77.1.101 'apart = { "a" } load = 300 placement = "balance"'
    redis_service c 10.77.1.102 'apart = { "a" } load = 300 placement = "balance"'
} > "$dir/conf"
lab_up 3

apart() { is n2 "by['a']['active'] not in (None, by['b']['active'], by['c']['active'])" True; }
even() { apart && is n2 "by['b']['active'] != by['c']['active']" True; }
left() { is n2 "by['a']['active'] in ('n2', 'n3')" True; }
back() { is n2 "by['a']['active']" n1; }

echo "- a runs where it prefers to, also if another node was up first"
wait_for 30 back || fail "a is not on n1"

echo "- apart: nobody shares a node with a; balance: b and c do not share one either"
wait_for 20 apart || fail "not apart"
wait_for 40 even || fail "load is not evened out"
protected

echo "- simulate"
bascule n2 simulate fail n1 | grep -q "a: is taken over by n[23]" || fail "$(bascule n2 simulate fail n1)"
bascule n2 simulate drain n1 --json | grep -q '"why": *"drain"' || fail "simulate drain"
[ "$(active a)" = n1 ] || fail "a simulation has an effect"

echo "- n1 loses the network of its clients: a leaves it, no member was lost"
$lab fault --name "$name" cut n1 outside || fail "cut"
wait_for 20 left || fail "a stays on a node that no client reaches"
journal n2 "planner (n1 is failed: link: devices of services down.*): switchover" || fail "not for its health"

echo "- the cable is back: a falls back"
$lab fault --name "$name" heal n1 || fail "heal"
wait_for 30 back || fail "a does not fall back"
journal n2 "planner (n1 is preferred): switchover" || fail "not to fall back"
pass
