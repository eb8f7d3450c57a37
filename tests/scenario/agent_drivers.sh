#!/bin/bash
# agent_drivers.sh - the drivers read the node; what changes is seen, a driver that hangs
# is named and holds up nothing.
. "$top_srcdir/tests/scenario/agent_common.sh"

agent_scenario "drivers: readings, events, an alarm, one that hangs"
chip=$dir/sys/class/hwmon/hwmon0
mkdir -p "$chip"
ln -s /sys/class/net "$dir/sys/class/net"
echo board >"$chip/name"
echo "CPU" >"$chip/temp1_label"
echo 45000 >"$chip/temp1_input"
echo 90000 >"$chip/temp1_crit"
echo 1200 >"$chip/fan1_input"
AGENT_OPTIONS="--sys $dir/sys"
start_node 1

name() { printf '%d' ${#1}; printf %s "$1" | od -An -tu1 | tr -s ' ' . | tr -d '\n'; }
driver() { value 1 $node.8.1.2.$(name "$1") "INTEGER: $2"; }
for d in load cpu memory disk sensor clock socket process link build; do
    wait_for 10 driver $d 1 || fail "driver $d: $(get bascule-poller 1 $node.8.1.2.$(name $d) $node.8.1.4.$(name $d))"
done
walk bascule-poller 1 $node >"$dir/walk"
there() { grep -qE -- "^$1 = $2" "$dir/walk" || fail "$1 is not $2: $(grep -F -- "$1 =" "$dir/walk")"; }
there $node.1.9.0 "Gauge32: [1-9]"                       # memory
there $node.5.20.0 "Gauge32: [0-9]"                      # TCP buffers
there $node.5.13.0 "INTEGER: [12]"                       # clock
there $node.6.1.5.1 "Gauge32: [1-9]"                     # the journal's disk
there $node.6.1.9.1 "INTEGER: 2"                         # is not read-only
there $node.7.1.5.1 "INTEGER: 1200"                      # fan
there $node.7.1.3.2 'STRING: "CPU"'
there $node.7.1.6.2 "INTEGER: 90000"
there $node.13.1.3.$(name redis).1 'STRING: "/bin/true"' # the program of the service
there $node.13.1.4.$(name redis).1 'STRING: "[0-9a-f]{40}"'
there $node.13.1.3.$(name redis).2 'STRING: ".*libc.so.6"'
there $node.12.1.4.$(name up0) "INTEGER: 1"
there $node.12.1.9.$(name up0) 'STRING: "service"'
there $node.12.1.9.$(name lo) 'STRING: "cluster"'
[ "$(get bascule-poller 1 $node.14.1.1.$(name redis) | sed 's/.*= //')" = \
    "$(get bascule-poller 1 $node.14.1.1.$(name mail) | sed 's/.*= //')" ] ||
    fail "the same program has two digests"

# An interface goes down and up: seen by the event, long before its period.
before=$(get bascule-poller 1 $node.12.1.16.$(name up0) | sed 's/.*: //')
ip -n "$ns" link set up1 down
wait_for 3 value 1 $node.12.1.4.$(name up0) "INTEGER: 2" || fail "a carrier that is gone is not seen"
wait_for 3 value 1 $node.3.1.2.$(name up0) "INTEGER: 2" || fail "the service's device neither"
ip -n "$ns" link set up1 up
wait_for 3 value 1 $node.12.1.4.$(name up0) "INTEGER: 1" || fail "the carrier is not back"
[ "$(get bascule-poller 1 $node.12.1.16.$(name up0) | sed 's/.*: //')" -ge $((before + 2)) ] ||
    fail "the changes are not counted"

# The device is a bridge, as on a real host: a service's gate keeps it running when no
# cable is left.
link() { ip -n "$ns" link "$@" || fail "ip link $*"; }
link set up0 down
link set up0 name cable
link add up0 type bridge
link add bsc0000000a type veth peer name gate
for port in cable bsc0000000a; do link set $port master up0; done
for l in up0 cable bsc0000000a gate; do link set $l up; done
wait_for 5 value 1 $node.3.1.2.$(name up0) "INTEGER: 1" || fail "the bridge is not up"
link set up1 down
wait_for 3 value 1 $node.3.1.2.$(name up0) "INTEGER: 2" || fail "a bridge that leads nowhere is called up"
lost() { value 1 $node.8.1.4.$(name link) "STRING: \"devices of services down or missing: $1\""; }
wait_for 3 lost 2 || fail "and does not count" # the other one is missing anyway
link set up1 up
wait_for 5 lost 1 || fail "the cable is not back"

# Processes of a service: what the engine says runs here is looked at.
sleep 1000 &
pid=$!
sed -i "s/\"pid\": 17/\"pid\": $pid/" "$dir/n1/sockmigd.json"
wait_for 10 value 1 $node.11.1.3.$(name redis).$pid 'STRING: "sleep"' || fail "the process is not there"
walk bascule-poller 1 $node.11 >"$dir/walk"
there $node.11.1.5.$(name redis).$pid "Gauge32: 1"
there $node.11.1.9.$(name redis).$pid "Gauge32: [1-9]"
kill $pid
gone() { get bascule-poller 1 $node.11.1.3.$(name redis).$pid | grep -q "No Such"; }
wait_for 10 gone || fail "a process that ended is still there"

# A reading beyond the limit is an alarm, after the second one that says so.
echo 95000 >"$chip/temp1_input"
wait_for 20 value 1 $node.8.1.3.$(name sensor) "INTEGER: 2" || fail "the alarm is not seen"
value 1 $node.8.1.4.$(name sensor) 'STRING: "alarms of sensors: 1"' || fail "it does not say why"
echo 45000 >"$chip/temp1_input"
wait_for 20 value 1 $node.8.1.3.$(name sensor) "INTEGER: 1" || fail "the alarm does not end"

# A sensor that never answers: the driver is named, its rows go, everything else goes on.
rm "$chip/fan1_input"
mkfifo "$chip/fan1_input" # whoever reads it waits
wait_for 20 driver sensor 3 || fail "the driver that hangs is not named"
get bascule-poller 1 $node.7.1.5.1 | grep -q "No Such" || fail "an old reading is served"
value 1 $node.8.1.4.$(name sensor) 'STRING: "has not come back in time"' || fail "it does not say so"
runs=$(get bascule-poller 1 $node.8.1.9.$(name load) | sed 's/.*: //')
more() { [ "$(get bascule-poller 1 $node.8.1.9.$(name load) | sed 's/.*: //')" -gt $((runs + 1)) ]; }
wait_for 8 more || fail "the other drivers wait for it"
value 1 $node.8.1.11.$(name sensor) "Counter32: 1" || fail "the time-out is not counted once"
echo 1200 >"$chip/fan1_input" # lets the reader go
rm "$chip/fan1_input"
wait_for 20 driver sensor 1 || fail "it does not come back"

# The agent ends while drivers run: one reads slowly, again and again, and later one hangs.
# Under the sanitizers it is seen whether one uses what is freed already.
ended() { [ ! -e "/proc/$agent1" ] || grep -q '^State:.Z' "/proc/$agent1/status"; }
end_agent() {
    kill -TERM "$agent1"
    wait_for 10 ended || fail "the agent does not end: $*"
    wait "$agent1" || fail "the agent ends with $?: $*"
}
rm "$dir/sys/class/net"
mkdir -p "$dir/sys/class/net/up0"
mkfifo "$dir/sys/class/net/up0/speed"
flapping=
(
    trap '' PIPE # of an agent that has just ended
    while :; do { sleep 0.03; echo 1000; } >"$dir/sys/class/net/up0/speed"; done 2>/dev/null
) &
slow=$!
trap 'kill $slow $flapping 2>/dev/null; cleanup' EXIT
while ip -n "$ns" link set up1 down && ip -n "$ns" link set up1 up; do sleep 0.01; done &
flapping=$!
for i in 1 2 3; do
    end_agent "an interface flaps"
    start_agent 1
    wait_for 10 driver link 1 || fail "the agent is not back"
done
stop $flapping
stop $slow
rm -r "$dir/sys/class/net"
mkfifo "$chip/fan1_input"
wait_for 20 driver sensor 3 || fail "the driver does not hang"
end_agent "a driver hangs"
pass
