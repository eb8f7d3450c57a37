#!/bin/bash
# lab_files.sh - state folders in a lab: files and memory of one instant after a takeover.
set -u
[ "$(id -u)" = 0 ] || { echo "skipped: not root"; exit 77; }
for p in corosync snmpd ebtables python3; do
    PATH=$PATH:/usr/sbin command -v $p > /dev/null || { echo "skipped: no $p"; exit 77; }
done
exec /usr/bin/python3 "$top_srcdir/tests/scenario/lab_files.py" --name "files-test"
