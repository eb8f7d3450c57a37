#!/bin/bash
# agent_manual.sh - the sessions of the manual page bascule-mib(7), as they stand there.
. "$top_srcdir/tests/scenario/agent_common.sh"

agent_scenario "the sessions of bascule-mib(7)"
start_node 1
mkdir -p "$dir/home/.snmp"
cat >"$dir/home/.snmp/snmp.conf" <<CONF
mibs +BASCULE-NODE-MIB:BASCULE-SOCKMIG-MIB:BASCULE-CLUSTER-MIB
defVersion 3
defSecurityLevel authPriv
defAuthType SHA-256
defPrivType AES
defSecurityName operator
defPassphrase pass phrase
CONF
export MIBDIRS=$top_srcdir/mib/base:$top_srcdir/mib:$top_builddir/mib

# Each block between .nf and .fi: lines that begin with $ (and go on after \e).
/usr/bin/python3 - "$top_srcdir/doc/man/bascule-mib.7" >"$dir/commands" <<'PY'
import re, sys
text = open(sys.argv[1]).read()
for block in re.findall(r"\.nf\n(.*?)\.fi", text, re.S):
    block = block.replace("\\e\n", " ").replace("\\-", "-").replace("\\(aq", "'")
    for line in block.split("\n"):
        if line.startswith("$ snmp"):
            print(line[2:])
PY
[ "$(wc -l <"$dir/commands")" -ge 10 ] || fail "only $(wc -l <"$dir/commands") commands are in the manual"
lock=$(get operator 1 $cluster.6.1.0 | sed 's/.*: //')
while IFS= read -r command; do
    command=$(sed "s/ n1 / 10.88.0.1 /; s/351555506/$lock/; s/351555507/$((lock + 1))/" <<<"$command")
    said=$(HOME=$dir/home ip netns exec "$ns" bash -c "$command" 2>&1) || fail "$command: $said"
    grep -qE "No Such|Error in packet|^Timeout|Unknown Object|Cannot|not valid" <<<"$said" && fail "$command: $said"
    [ -n "$said" ] || fail "$command says nothing"
done <"$dir/commands"
wait_for 5 test -s "$dir/n1/basculed.orders" || fail "no order of the manual was forwarded"
pass
