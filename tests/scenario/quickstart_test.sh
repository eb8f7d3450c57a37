#!/bin/bash
# quickstart_test.sh - a check that cannot build, or not even begin, still counts and
# closes with "N passed, N failed": a gate reads that line.
[ "$(id -u)" = 0 ] || { echo "skipped: not root"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "FAIL: $*"; exit 1; }

# Nothing of the machine may be asked or changed: it has all packages, and the user.
mkdir "$dir/bin" "$dir/tree"
printf '#!/bin/sh\nprintf "install ok installed"\n' > "$dir/bin/dpkg-query"
printf '#!/bin/sh\nexit 0\n' > "$dir/bin/getent"
printf '#!/bin/sh\necho "configure.ac is broken" >&2\nexit 1\n' > "$dir/bin/autoreconf"
chmod 755 "$dir"/bin/*
cp "$top_srcdir/quickstart" "$dir/tree"
touch "$dir/tree/configure.ac"

out=$(PATH=$dir/bin:$PATH "$dir/tree/quickstart" check 2>&1) && fail "a failed build passed: $out"
[ "$(tail -n 1 <<< "$out")" = "0 passed, 3 failed" ] || fail "builds that fail: $out"
grep -q "configure.ac is broken" <<< "$out" || fail "the reason is not shown: $out"

printf '#!/bin/sh\nexit 1\n' > "$dir/bin/getent"
printf '#!/bin/sh\nexit 1\n' > "$dir/bin/groupadd"
chmod 755 "$dir"/bin/*
out=$(PATH=$dir/bin:$PATH "$dir/tree/quickstart" check 2>&1) && fail "no user, and passed: $out"
[ "$(tail -n 1 <<< "$out")" = "0 passed, 1 failed" ] || fail "what cannot begin: $out"
exit 0
