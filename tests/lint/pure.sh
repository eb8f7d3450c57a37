#!/bin/bash
# pure.sh - a core archive may call nothing but itself, the shared core and memory
# functions.
#
# The linker knows what code can reach: an undefined symbol outside the list is a
# clock, a socket, a file, an allocation or a log line that got into a core.
allowed='^(mem(cpy|set|cmp|move|chr)|bcmp|__mem(cpy|set|move)_chk|strn?len|strn?cmp|strchr|abort|__assert_fail|__stack_chk_fail|__popcount[sd]i2|_GLOBAL_OFFSET_TABLE_)$'
# What only turns values into text and back, into the caller's storage.
allowed="$allowed"'|^(__)?(v?snprintf|strtoul|strtoull|strtol|strtoll)(_chk)?$'
archives=$(find "$top_builddir" -path '*/core/*.a')
[ -n "$archives" ] || { echo "no core archive in $top_builddir" >&2; exit 99; }
if ${NM:-nm} -u $archives | grep -qE ' __(asan|ubsan)_'; then
    echo "built with sanitizers: their calls would hide others"
    exit 77
fi
own=$(${NM:-nm} --defined-only $archives | awk 'NF == 3 {print $3}' | sort -u)
bad=0
for a in $archives; do
    for s in $(${NM:-nm} -u "$a" | awk 'NF == 2 {print $2}' | sort -u); do
        printf '%s\n' "$own" | grep -qxF -- "$s" && continue
        printf '%s\n' "$s" | grep -Eq "$allowed" && continue
        echo "${a#"$top_builddir"/} reaches $s" >&2
        bad=1
    done
done
exit $bad
