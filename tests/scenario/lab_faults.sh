#!/bin/bash
# lab_faults.sh - bad input and faults in one lab, while a client goes on.
set -u
[ "$(id -u)" = 0 ] || { echo "skipped: not root"; exit 77; }
for p in corosync snmpd snmpset redis-server ebtables python3; do
    PATH=$PATH:/usr/sbin command -v $p > /dev/null || { echo "skipped: no $p"; exit 77; }
done
exec python3 "$top_srcdir/tests/scenario/lab_faults.py" --name "faults-test"
