#!/bin/bash
# lab_mapped.sh - mapped files of a state folder: two processes that share one, and a server
# with an SQLite database; file and memory of one instant after takeovers.
set -u
[ "$(id -u)" = 0 ] || { echo "skipped: not root"; exit 77; }
for p in corosync snmpd ebtables python3; do
    PATH=$PATH:/usr/sbin command -v $p > /dev/null || { echo "skipped: no $p"; exit 77; }
done
for kind in helper sqlite; do
    /usr/bin/python3 "$top_srcdir/tests/scenario/lab_files.py" --name mapped-test --with $kind || exit 1
done
