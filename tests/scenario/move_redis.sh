#!/bin/bash
# move_redis.sh - redis with connections goes to another host and back: no connection
# notices, no answer is lost or doubled, and its addresses are where it is.
. "$top_srcdir/tests/scenario/move_common.sh"
segment
megabytes=${1:-60} clients=${2:-20}
redis
redis-cli -h 10.79.0.100 debug populate $((megabytes * 1024)) key 1000 > populate.out || exit 1
clients "$clients"
receiver --once
"$sockmig" move $pid 10.79.0.3 --secret secret --address 10.79.0.100 --address fd79::100 \
    > move.out 2> move.err || fail "move: exit $?"
cat move.out
go_on "after the move"
[ ! -e /proc/$pid ] || fail "it is here still"
on_b test -e /proc/$pid || fail "it is not there"
has_address on_b || fail "the addresses are not there"
has_address env && fail "the addresses are here still"
clean env
wait $receiver || fail "receiver: exit $?"
clean on_b

"$sockmig" receive --device c0 --secret secret --once > receive.out 2> receive.err &
receiver=$!
await "receiver" sh -c "ss -Hltn sport = :4780 | grep -q ."
on_b "$sockmig" move $pid '[fd79::1]:4780' --secret "$dir/secret" --address 10.79.0.100/24 \
    --address fd79::100 > move.out 2> move.err || fail "move back: exit $?"
cat move.out
go_on "after the way back"
[ -e /proc/$pid ] || fail "it did not come back"
has_address env || fail "the addresses did not come back"
wait $receiver || fail "receiver: exit $?"
clean env
clean on_b
touch client.stop
wait $client || fail "clients: $(cat client.out)"
cat client.out
redis-cli -h 10.79.0.100 dbsize | grep -qx "$((megabytes * 1024 + clients))" ||
    fail "keys: $(redis-cli -h 10.79.0.100 dbsize)"
kill $pid
await "redis to end by a signal" test ! -e /proc/$pid
echo "PASS"
