#!/bin/bash
# snmp.sh [CONNECTIONS] - what the agent costs and how fast it is: a walk of all columns of
# the connections in parallel beside net-snmp's own tcpConnectionTable of the same
# sockets, GETs during a walk, memory, processor time when idle.
#
#   make snmp-bench
. "$top_srcdir/tests/scenario/agent_common.sh"

n=${1:-10000}
agent_scenario "$n connections by SNMP"
cell=agent_cell_$$
ip netns add $cell
trap 'ip netns pids $cell | xargs -r kill -9; ip netns del $cell; cleanup' EXIT
ip -n $cell link set lo up
ip -n $cell addr add 10.99.0.1/32 dev lo
ulimit -n $((n + 1000))
# half of the sockets are clients' ends: n rows are n / 2 connections
ip netns exec $cell /usr/bin/python3 -c '
import socket, sys, time
server = socket.create_server(("10.99.0.1", 6379), backlog=1000)
ends = []
for i in range(int(sys.argv[1]) // 2):
    c = socket.socket(); c.connect(("10.99.0.1", 6379)); ends += [c, server.accept()[0]]
print("ready", flush=True)
time.sleep(10000)' "$n" >"$dir/serves" &
serving=$!
wait_for 60 grep -q ready "$dir/serves" || fail "no connections"
start_node 1
start_cells 1 $serving
filled() { value 1 $sockmig.9.1.7.5.114.101.100.105.115.1.4.10.99.0.1.6379.1.4.10.99.0.1.$port "INTEGER: 1"; }
port=$(ip netns exec $cell ss -Htn state established sport = :6379 | awk 'NR == 1 { sub(/.*:/, "", $4); print $4 }')
wait_for 60 filled || fail "the connections are not served"

# net-snmp's own table, by an snmpd in the cell
mkdir -p "$dir/own"
echo 'rocommunity public 10.99.0.1' >"$dir/own/snmpd.conf"
MIBS= SNMP_PERSISTENT_DIR=$dir/own SNMPCONFPATH=$dir/own ip netns exec $cell snmpd -f -Lf "$dir/own/log" -I -smux \
    udp:10.99.0.1:161 >/dev/null 2>&1 &
# the columns side by side; prints varbinds a second
cat >"$dir/walk.py" <<'PY'
import subprocess, sys, time
columns, command = int(sys.argv[1]), sys.argv[2:]
begin = time.time()
lines = subprocess.run(command, stdout=subprocess.PIPE).stdout.decode(errors="replace").splitlines()
rows = sum(1 for l in lines if l.count(",") >= columns - 1)
print("%d rows x %d columns in %.2f s: %.0f varbinds/s" % (rows, columns, time.time() - begin, rows * columns / (time.time() - begin)))
PY
mibs="-M $top_srcdir/mib/base:$top_srcdir/mib:$top_builddir/mib -m BASCULE-SOCKMIG-MIB"
for round in 1 2 3; do
    echo "agent:      $(ip netns exec "$ns" /usr/bin/python3 "$dir/walk.py" 9 snmptable -v3 -l authPriv -u operator -a SHA-256 \
        -A "pass phrase" -x AES -X "pass phrase" -t 5 $mibs -CH -Cf , -Cr 20 10.88.0.1 BASCULE-SOCKMIG-MIB::basculeConnectionTable)"
    cat >"$dir/TCP-MIB" <<'MIB'
TCP-MIB DEFINITIONS ::= BEGIN
IMPORTS mib-2, Integer32, Unsigned32 FROM SNMPv2-SMI;
tcp OBJECT IDENTIFIER ::= { mib-2 6 }
tcpConnectionTable OBJECT-TYPE SYNTAX SEQUENCE OF TcpConnectionEntry MAX-ACCESS not-accessible STATUS current DESCRIPTION "" ::= { tcp 19 }
tcpConnectionEntry OBJECT-TYPE SYNTAX TcpConnectionEntry MAX-ACCESS not-accessible STATUS current DESCRIPTION "" INDEX { tcpConnectionState } ::= { tcpConnectionTable 1 }
TcpConnectionEntry ::= SEQUENCE { tcpConnectionState INTEGER, tcpConnectionProcess Unsigned32 }
tcpConnectionState OBJECT-TYPE SYNTAX INTEGER MAX-ACCESS read-only STATUS current DESCRIPTION "" ::= { tcpConnectionEntry 7 }
tcpConnectionProcess OBJECT-TYPE SYNTAX Unsigned32 MAX-ACCESS read-only STATUS current DESCRIPTION "" ::= { tcpConnectionEntry 8 }
END
MIB
    echo "net-snmp's: $(ip netns exec $cell /usr/bin/python3 "$dir/walk.py" 2 snmptable -v2c -c public -t 20 \
        -M "$top_srcdir/mib/base:$dir" -m TCP-MIB -CH -Cf , -Cr 20 10.99.0.1 TCP-MIB::tcpConnectionTable)"
done
echo "agent's memory: $(awk '/VmRSS/ { print $2 / 1024 " MiB" }' /proc/$agent1/status)"
cpu() { awk '{ print $14 + $15 }' /proc/$agent1/stat; }
before=$(cpu)
end=$(($(date +%s) + 10))
while [ "$(date +%s)" -lt $end ]; do sleep 0.5; done # the time is what is measured
echo "agent's processor time with $n connections, nobody asking: $(awk -v a="$before" -v b="$(cpu)" 'BEGIN { printf "%.1f %%", (b - a) / 10 }')"
pass
