#!/bin/bash
# move_run.sh - redis is started in a cell, goes to another host where its process ids are
# in use, and back.
. "$top_srcdir/tests/scenario/move_common.sh"
segment
ip address del 10.79.0.100/24 dev c0
ip -6 address del fd79::100/64 dev c0
"$sockmig" run --address 10.79.0.100/24 --address fd79::100/64 --device c0 --name shop \
    --log "$dir/redis.log" --directory "$dir" -- redis-server --bind 10.79.0.100 fd79::100 \
    --protected-mode no --save '' > run.out 2> run.err || fail "run: exit $?"
pid=$(cat run.out)
await "redis" redis-cli -h 10.79.0.100 ping
has_address env || fail "run did not put the addresses there"
[ "$(nsenter -t $pid -u hostname)" = shop ] || fail "its host name"
inner=$(sed -n 's/^NSpid:.*\t//p' /proc/$pid/status)
on_b sh -c "echo $((inner - 1)) > /proc/sys/kernel/ns_last_pid; sleep 1000 > /dev/null & true"
on_b test -e /proc/$inner || fail "process $inner is not in use there: no test"
clients 8
receiver --once
"$sockmig" move $pid 10.79.0.3 --secret secret --address 10.79.0.100 --address fd79::100 \
    > move.out 2> move.err || fail "move: exit $?"
cat move.out
go_on "after the move"
await "its end here" test ! -e /proc/$pid
has_address on_b || fail "the addresses are not there"
wait $receiver || fail "receiver: exit $?"
clean env
clean on_b
there=$(on_b pgrep -x redis-server)
on_b sh -c "grep -q '^NSpid:.*	$inner\$' /proc/$there/status" || fail "another process id"
[ "$(on_b nsenter -t "$there" -u hostname)" = shop ] || fail "its host name there"

"$sockmig" receive --device c0 --secret secret --once > receive.out 2> receive.err &
receiver=$!
await "receiver" sh -c "ss -Hltn sport = :4780 | grep -q ."
on_b "$sockmig" move "$there" 10.79.0.1 --secret "$dir/secret" --address 10.79.0.100 \
    --address fd79::100 > move.out 2> move.err || fail "move back: exit $?"
go_on "after the way back"
wait $receiver || fail "receiver: exit $?"
clean env
touch client.stop
wait $client || fail "clients: $(cat client.out)"
cat client.out
redis-cli -h 10.79.0.100 shutdown nosave 2> /dev/null
"$sockmig" run nonexistent-command 2> run.err && fail "ran what is not there"
grep -q 'cannot run the command: install it' run.err || fail "it said: $(cat run.err)"
echo PASS
