#!/bin/bash
# layers.sh - every #include "..." obeys layers.txt, is from the root, and every
# third-party header that layers.txt names is included by one file only.
cd "$top_srcdir" || exit 99
git ls-files >/dev/null 2>&1 && list="git ls-files" || list="find . -type f -printf %P\n"
$list | grep -E '\.[ch]$' | grep -v '^build' | xargs grep -Hn '^#include [<"]' |
awk -v rules=tests/lint/layers.txt '
BEGIN {
    while ((getline line < rules) > 0) {
        if (line ~ /^#/ || line !~ /:/) continue
        split(line, w, /: */)
        if (w[1] ~ /^</) once[substr(w[1], 2, length(w[1]) - 2)] = w[2]
        else { may[w[1]] = w[2] " " w[1]; seen = 1 }
    }
    if (!seen) { print "no rules in " rules; bad = 1 }
}
{
    split($0, at, ":")
    file = at[1]; line = at[2]; what = $0
    sub(/^[^:]*:[^:]*:#include /, "", what)
    quoted = what ~ /^"/
    sub(/^[<"]/, "", what); sub(/[>"].*$/, "", what)
}
!quoted {
    if (what in once && !(file ~ ("^(" once[what] ")$"))) {
        printf "%s:%s: <%s> belongs to %s\n", file, line, what, once[what]; bad = 1
    }
    next
}
what ~ /^(config\.h|.*\.bpf\.h)$/ { next }
{
    unit = ""
    for (u in may) if (index(file, u "/") == 1 && length(u) > length(unit)) unit = u
    ok = 0
    n = split(may[unit], dir, " ")
    for (i = 1; i <= n; i++) {
        if (dir[i] == what) ok = 1 # one header by its name
        rest = substr(what, length(dir[i]) + 2)
        if (index(what, dir[i] "/") == 1 && (rest !~ /\// || unit == "tests")) ok = 1
    }
    if (!ok) { printf "%s:%s: %s may not include \"%s\"\n", file, line, unit, what; bad = 1 }
    n++
    count++
}
END {
    if (!count) { print "no include was looked at"; bad = 1 }
    exit bad
}' >&2
