#!/bin/bash
# fence_agents.sh - two supervisors on real corosyncs, with doubles of sockmigd: a lost node
# is fenced with fence_ifmib (an snmpd of the switch shuts its port) before it is succeeded;
# fence_dummy, levels, a hanging agent and a secret that everybody can read.
. "$top_srcdir/tests/scenario/supervisor_common.sh"
for p in fence_ifmib fence_dummy snmpd; do
    PATH=$PATH:/usr/sbin command -v $p >/dev/null || skip "needs $p"
done

write_conf() {
    cp "$top_srcdir/tests/scenario/fence_agents.sh" "$dir/secret.bad"
    chmod 644 "$dir/secret.bad"
    echo "fencing-$$" >"$dir/community"
    chmod 640 "$dir/community"
    chgrp nogroup "$dir/community"
    printf '#!/bin/sh\ncat >"%s/hung.in"\nsleep 1000 & echo $! >"%s/hung.pid"; wait\n' "$dir" "$dir" >"$dir/hang"
    chmod 755 "$dir/hang"
    mkfifo -m 666 "$dir/none"
    : >"$dir/hung.in"; : >"$dir/hung.pid"; chmod 666 "$dir/hung.in" "$dir/hung.pid"
    {
        echo "cluster \"test\" { secret-file = \"$dir/secret\"  lease = 200 }"
        for k in 1 2; do
            echo "node \"n$k\" { id = $k  address = \"10.78.0.$k\" }"
            echo "fence \"bad$k\" { node = \"n$k\"  agent = \"fence_ifmib\"  secret-file = \"$dir/secret.bad\" }"
            echo "fence \"hang$k\" { node = \"n$k\"  agent = \"$dir/hang\"  timeout = 1 }"
            echo "fence \"port$k\" { node = \"n$k\"  agent = \"fence_ifmib\"  level = 2  timeout = 20
                options = { \"ip=10.78.0.254\", \"plug=p$k\", \"snmp_version=2c\" }
                secret-file = \"$dir/community\"  secret-option = \"community\" }"
        done
        cat <<C
service "echo" {
    addresses = { "10.99.0.1/24" }
    device = "br0"
    command = { "/bin/cat" }
    user = "nobody"
}
C
    } >"$dir/bascule.conf"
}

# two nodes, as corosync wants to be told
eval "three_nodes$(declare -f corosync_conf | sed 1s/corosync_conf//)"
corosync_conf() {
    three_nodes | sed '/^  node {$/{N;/name: n3$/{N;N;N;d}}; s/provider: corosync_votequorum/&\n  two_node: 1/'
}

# the switch: its address, and an snmpd that may shut its ports
switch_on() {
    ip -n "${run}_hub" addr add 10.78.0.254/24 dev br0
    ip -n "${run}_hub" link set lo up
    echo "rwcommunity $(cat "$dir/community") 10.78.0.0/24" >"$dir/snmpd.conf"
    ip netns exec "${run}_hub" /usr/sbin/snmpd -f -Lf "$dir/snmpd.log" -C -c "$dir/snmpd.conf" \
        -p "$dir/snmpd.pid" udp:10.78.0.254:161 &
    wait_for 10 ip netns exec "${run}_1" snmpget -v2c -c "$(cat "$dir/community")" 10.78.0.254 \
        1.3.6.1.2.1.1.5.0 || fail "the switch's snmpd does not answer"
}

off() { ip -n "${run}_hub" link show "p$1" | grep -q "state DOWN\|,UP" && ! ip -n "${run}_hub" link show "p$1" | grep -q '[<,]UP[,>]'; }
said() { grep -q "$2" "$dir/n$1/basculed.log"; }

scenario "two supervisors that fence each other"
switch_on
for i in 1 2; do corosync_on $i; double_on $i; done
for i in 1 2; do basculed_on $i; done
wait_for 20 is 1 "v['active']" n1 || fail "the service does not start"
is 2 "s['automatic'], s['fencing']" "True ready" || fail "no automatic takeover"
wait_for 10 is 1 "v['set']" "['n2']" || fail "no standby"

echo "- n1 is lost: n2 tries its fences, level by level, and takes over when one has succeeded"
mark
for p in basculed corosync double; do kill_of 1 $p STOP; done
wait_for 60 is 2 "v['active']" n2 || fail "not taken over"
off 1 || fail "taken over, and the port of n1 is not shut"
said 2 "others read or change it: chown" || fail "the secret that all can read is not refused"
said 2 "fence hang1: agent ended with status .*too late" || fail "the hanging agent is not killed"
grep -q "^action=off" "$dir/hung.in" || fail "the agent was not told what to do"
grep -q "^State:.[^Z]" "/proc/$(cat "$dir/hung.pid")/status" 2>/dev/null && fail "a process of the hanging agent is left"
rows=$(ask 2 '{"op":"journal","after":0,"limit":1000}')
python3 - "$rows" <<'P' || fail "the journal's order is wrong: $rows"
import json, sys
kinds = [r["kind"] for r in json.loads(sys.argv[1])["rows"]]
a, b, c = kinds.index("fence"), kinds.index("fenced"), max(i for i, k in enumerate(kinds) if k == "claim")
sys.exit(not a < b < c)
P
is 2 "[n['fenced'] for n in s['nodes'] if n['name'] == 'n1'][0]" done || fail "not said to be fenced"

echo "- fence_dummy speaks the same language"
printf 'action=off\nstatus_file=%s/dummy\ntype=file\n' "$dir" | fence_dummy || fail "fence_dummy"
pass
