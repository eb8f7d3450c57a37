#!/bin/bash
# lab_replay.sh - a server that shows what it remembers, through takeovers in a lab.  The
# rest of lab_replay.py's checks (commit, IPv6 and UDP, ...) is run by name.
set -u
[ "$(id -u)" = 0 ] || { echo "skipped: not root"; exit 77; }
for p in corosync snmpd ebtables iptables python3; do
    PATH=$PATH:/usr/sbin command -v $p > /dev/null || { echo "skipped: no $p"; exit 77; }
done
exec python3 "$top_srcdir/tests/scenario/lab_replay.py" --name "replay-test" ${LAB_REPLAY-replay diverge dice same slow corked silent policies again lossy awake unhurried leaseless datagrams one_way handed_over segments resets orphans newcomers holes uploads downloads small_log seeded_anew alone}
