#!/bin/bash
# lab_takeovers.sh - a lab with redis under load: one takeover of each kind under policy
# commit and of the hard kinds under replay, and no client notices more than a wait.
set -u
[ "$(id -u)" = 0 ] || { echo "skipped: not root"; exit 77; }
for p in corosync snmpd redis-server ebtables python3; do
    PATH=$PATH:/usr/sbin command -v $p > /dev/null || { echo "skipped: no $p"; exit 77; }
done
takeovers() { python3 "$top_srcdir/tests/bench/takeovers.py" --name "takeovers-test" "$@" || exit; }
takeovers --takeovers 10
takeovers --takeovers 5 --policy replay --interval 100 --kinds crash,engine,hang,switchover,cut
