#!/bin/bash
# files_loop.sh - folders that change at random, followed, seeded and rolled forward: alike
# after every round.
set -u
[ "$(id -u)" = 0 ] || { echo "skipped: not root"; exit 77; }
dir=$(mktemp -d /var/tmp/files-loop.XXXXXX)
trap 'rm -rf "$dir"' EXIT
for seed in ${FILES_SEEDS-1 2 3 4}; do
    rm -rf "$dir/$seed" && mkdir "$dir/$seed"
    # nobody tells, inotify does, BPF does, both
    FILES_MEANS=$((seed - 1 & 3)) "$top_builddir/tests/scenario/files_loop" "$dir/$seed" "$seed" "${FILES_ROUNDS-60}" || exit 1
done
