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
# fewer watches than there are names: no harm, and it is said
for watches in 0 30; do
    rm -rf "$dir/few" && mkdir "$dir/few"
    FILES_MEANS=1 unshare -Ur sh -c "echo $watches >/proc/sys/user/max_inotify_watches 2>&1 ||
        { echo 'no own limits here'; exit 0; }
        '$top_builddir/tests/scenario/files_loop' '$dir/few' 5 20" >"$dir/out" 2>&1 || {
        cat "$dir/out"
        exit 1
    }
    grep -q 'no own limits\|all of their files are looked at' "$dir/out" || {
        cat "$dir/out"
        echo "nothing is said of $watches watches"
        exit 1
    }
done
