#!/bin/bash
# alone_kill.sh - sockmig dump is killed at each of its steps: the process lives on with its
# connections, and nothing of the dump is left; killed at the last one, the image is whole.
. "$top_srcdir/tests/scenario/alone_common.sh"
command -v redis-server > /dev/null || { echo "skipped: needs redis-server"; exit 77; }
grep -q dump-ahead "$sockmig" || { echo "skipped: built without fault points"; exit 77; }
cable
mkdir -p /run/bascule
setsid redis-server --port 6379 --bind 10.79.0.1 fd79::1 --protected-mode no --save '' \
    --dir "$dir" > redis.out 2>&1 < /dev/null &
pid=$!
disown $pid
await "redis" redis-cli -h 10.79.0.1 ping
peer /usr/bin/python3 "$top_srcdir/tests/scenario/alone_client.py" 10.79.0.1 fd79::1 6379 8 \
    "$dir/client" > client.out 2> client.err &
client=$!
await "clients" test -e client.ready

moved()
{
    [ "$(cat client.count)" -gt $(($1 + 100)) ]
}

for point in dump-ahead take-silence take-checkpoint checkpoint-sockets checkpoint-pages; do
    echo "$point kill" > /run/bascule/fault
    "$sockmig" dump $pid image > dump.out 2>&1
    code=$?
    [ ! -e /run/bascule/fault ] || fail "$point was not reached"
    [ $code = 137 ] || fail "$point: exit $code"
    await "$point: rules taken away" sh -c "! nft list tables | grep SOCKMIG"
    await "$point: the temporary file taken away" sh -c '[ -z "$(ls -A image)" ]'
    before=$(cat client.count)
    await "$point: answers after it" moved "$before"
    kill -0 $client || fail "$point: the clients noticed: $(cat client.out client.err)"
done

for point in dump-committed take-kill; do
    echo "$point kill" > /run/bascule/fault
    "$sockmig" dump $pid image > dump.out 2>&1
    if [ $point = take-kill ]; then
        await "the end of redis" test ! -e /proc/$pid
        [ -n "$(rules)" ] || fail "$point: nothing keeps the connections silent"
        "$sockmig" restore image > restore.out 2> restore.err || fail "$point: restore"
        [ -z "$(rules)" ] || fail "$point: rules are left"
    fi
    before=$(cat client.count)
    await "$point: answers after it" moved "$before"
done
touch client.stop
wait $client || fail "clients: $(cat client.out)"
cat client.out
kill $pid
echo PASS
