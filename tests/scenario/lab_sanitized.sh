#!/bin/bash
# lab_sanitized.sh - a lab of programs that were built with the sanitizers: load, a
# switchover, failures, an end; no log may hold a report.
set -u
grep -q '^WARN_CFLAGS = .*-fsanitize=address' "$top_builddir/Makefile" ||
    { echo "skipped: not built with --enable-sanitizers"; exit 77; }
[ "$(id -u)" = 0 ] || { echo "skipped: not root"; exit 77; }
for p in corosync snmpd redis-server ebtables python3; do
    PATH=$PATH:/usr/sbin command -v $p > /dev/null || { echo "skipped: no $p"; exit 77; }
done
exec python3 "$top_srcdir/tests/scenario/lab_sanitized.py"
