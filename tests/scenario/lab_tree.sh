#!/bin/bash
# lab_tree.sh - services of several processes: nginx, master and workers; postgres, whose
# sessions come and go; and over each takeover their clients' connections live on.
[ "$(id -u)" = 0 ] || { echo "skipped: not root"; exit 77; }
for p in corosync snmpd ebtables nginx psql; do
    PATH=$PATH:/usr/sbin command -v $p > /dev/null || { echo "skipped: no $p"; exit 77; }
done
exec /usr/bin/python3 "$top_srcdir/tests/scenario/lab_tree.py" --name "tree$$" "$@"
