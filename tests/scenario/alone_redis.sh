#!/bin/bash
# alone_redis.sh - redis with 100 MB and connections from another host is dumped, is gone
# for a while, and comes back: no connection notices, no answer is lost or doubled.
. "$top_srcdir/tests/scenario/alone_common.sh"
command -v redis-server > /dev/null || { echo "skipped: needs redis-server"; exit 77; }
cable
megabytes=${1:-100} clients=${2:-20} rounds=${3:-2}

setsid redis-server --port 6379 --bind 10.79.0.1 fd79::1 --protected-mode no --save '' \
    --enable-debug-command yes --daemonize no --dir "$dir" > "$dir/redis.out" 2>&1 < /dev/null &
pid=$!
disown $pid
await "redis" redis-cli -h 10.79.0.1 ping
redis-cli -h 10.79.0.1 debug populate $((megabytes * 1024)) key 1000 > "$dir/populate.out" || exit 1

peer /usr/bin/python3 "$top_srcdir/tests/scenario/alone_client.py" 10.79.0.1 fd79::1 \
    6379 "$clients" "$dir/client" > "$dir/client.out" 2> "$dir/client.err" &
client=$!
await "clients" test -e "$dir/client.ready"

# sent_again: segments that the clients' kernel has sent once more, in both families.
sent_again()
{
    peer nstat -asz TcpRetransSegs | awk '/TcpRetransSegs/ { print $2 }'
}

asked_again()
{
    [ "$(sent_again)" -ge "$1" ]
}

for ((round = 1; round <= rounds; round++)); do
    "$sockmig" dump $pid "$dir/image" > "$dir/dump.out" 2> "$dir/dump.err" ||
        fail "round $round: dump: exit $?"
    await "the end of redis" test ! -e /proc/$pid
    [ -n "$(rules)" ] || fail "round $round: nothing keeps the connections silent"
    until=$(($(sent_again) + clients)) # a reset would be the answer
    await "round $round: the clients to ask again" asked_again $until
    kill -0 $client || fail "round $round: the clients noticed the dump"
    "$sockmig" restore "$dir/image" > "$dir/restore.out" 2> "$dir/restore.err" ||
        fail "round $round: restore: exit $?"
    [ -z "$(rules)" ] || fail "round $round: rules are left: $(rules)"
    cat "$dir/dump.out" "$dir/restore.out"
    before=$(cat "$dir/client.count")
    await "answers after round $round" \
        sh -c "[ \$(cat $dir/client.count) -gt $((before + 20 * clients)) ]"
done
touch "$dir/client.stop"
wait $client || fail "clients: $(cat "$dir/client.out")"
cat "$dir/client.out"
redis-cli -h 10.79.0.1 dbsize | grep -qx "$((megabytes * 1024 + clients))" ||
    fail "keys: $(redis-cli -h 10.79.0.1 dbsize)"
kill $pid
await "redis to end by a signal" test ! -e /proc/$pid
echo "PASS"
