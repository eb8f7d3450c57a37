#!/bin/bash
# files_told.sh - what is told of writes to files of state folders.
set -u
[ "$(id -u)" = 0 ] || { echo "skipped: not root"; exit 77; }
dir=$(mktemp -d /var/tmp/files-told.XXXXXX)
trap 'rm -rf "$dir"' EXIT
"$top_builddir/tests/scenario/files_told" "$dir"
