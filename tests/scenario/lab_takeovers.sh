#!/bin/bash
# lab_takeovers.sh - a lab with redis under load: one takeover of each kind, and no client
# notices more than a wait.
set -u
[ "$(id -u)" = 0 ] || { echo "skipped: not root"; exit 77; }
for p in corosync snmpd redis-server ebtables python3; do
    PATH=$PATH:/usr/sbin command -v $p > /dev/null || { echo "skipped: no $p"; exit 77; }
done
exec python3 "$top_srcdir/tests/bench/takeovers.py" --name "takeovers-test" --takeovers 10
