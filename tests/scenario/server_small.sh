#!/bin/bash
# server_small.sh - memcached and an MQTT broker with its subscribers, both children of one
# shell script, through an image and a move.
. "$top_srcdir/tests/scenario/server_common.sh"
needs mosquitto
needs memcached
segment

cat > mosquitto.conf <<X
listener 1883 10.79.0.100
listener 1883 fd79::100
allow_anonymous true
max_inflight_messages 0
X
cat > servers.sh <<X
mosquitto -c '$dir/mosquitto.conf' &
memcached -u nobody -l 10.79.0.100 &
coproc cat # never says anything: a pause without a process
while :; do echo \$((++i)); read -r -t 0.05 -u \${COPROC[0]} _; done |
    while read -r x; do echo "\$x" > now; done
X
setsid bash servers.sh > servers.out 2>&1 < /dev/null &
pid=$!
disown $pid
await "the servers" sh -c "ss -Hltn sport = :1883 | grep -q . && ss -Hltn sport = :11211 | grep -q ."
peer /usr/bin/python3 "$top_srcdir/tests/scenario/mqtt_client.py" 10.79.0.100 fd79::100 500 \
    "$dir/client" > client.out 2> client.err &
client=$!
await "clients" test -e client.ready
for round in 1 2; do
    through_image $round
    go_on "after round $round"
done
to_b
go_on "after the move"
was=$(cat now)
await "the script to go on" sh -c "[ \"\$(cat now)\" != '$was' ]"
touch client.stop
wait $client || fail "clients: $(cat client.out client.err)"
cat client.out
on_b kill -- -"$pid"
await "their end" on_b sh -c "! ps -o stat= -g $pid | grep -qv Z"
echo PASS
