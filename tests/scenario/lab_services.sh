#!/bin/bash
# lab_services.sh - services that do not run, or cannot be protected, beside one that is.
set -u
[ "$(id -u)" = 0 ] || { echo "skipped: not root"; exit 77; }
for p in corosync snmpd snmpset redis-server ebtables python3; do
    PATH=$PATH:/usr/sbin command -v $p > /dev/null || { echo "skipped: no $p"; exit 77; }
done
exec python3 "$top_srcdir/tests/scenario/lab_services.py" --name "services-test"
