#!/bin/bash
# mib.sh - the MIB modules pass smilint at its strictest without a word, and what the
# agent serves is what they say.
#
# smilint's exit status is 0 even with errors: only its silence counts.  Its one
# warning that cannot be met is kept from the module of textual conventions: that a
# convention is not used in the module that defines it.
command -v smilint >/dev/null || { echo "SKIP: needs smilint (smitools)"; exit 77; }
command -v snmptranslate >/dev/null || { echo "SKIP: needs snmptranslate (snmp)"; exit 77; }
modules="BASCULE-SMI-MIB BASCULE-TC-MIB BASCULE-NODE-MIB BASCULE-SOCKMIG-MIB BASCULE-CLUSTER-MIB"
dir=$(mktemp -d /tmp/mib_lint.XXXXXX)
trap 'rm -rf "$dir"' EXIT
bad=0

echo "path $top_srcdir/mib/base:$top_srcdir/mib:$top_builddir/mib" >"$dir/smi.conf"
for m in $modules; do
    ignore=
    [ $m = BASCULE-TC-MIB ] && ignore="-i type-unref"
    said=$(smilint -c "$dir/smi.conf" -l 6 -m $ignore $m 2>&1)
    [ -z "$said" ] || { echo "$said"; bad=1; }
done

export MIBDIRS=$top_srcdir/mib/base:$top_srcdir/mib:$top_builddir/mib
export MIBS=BASCULE-CLUSTER-MIB:BASCULE-SOCKMIG-MIB:BASCULE-NODE-MIB
snmptranslate -Tp -IR bascule >"$dir/tree" 2>&1 || bad=1
grep -q basculeServiceStateChanged "$dir/tree" || { cat "$dir/tree"; bad=1; }

# Every object of the modules is a column of the agent, with its type and access, and
# the other way round.
awk '
{ depth = index($0, "+--"); if (!depth) next
  number = $0; sub(/.*\(/, "", number); sub(/\).*/, "", number)
  while (n && at[n] >= depth) n--
  at[++n] = depth; arc[n] = number
  line = $0; sub(/^.*\+-- ?/, "", line); split(line, word, / +/)
  access = word[1]; type = word[2]
  if (access !~ /R/ || access ~ /\(/) next
  sub(/EnumVal|INTEGER|Integer32/, "Integer", type); sub(/Unsigned(32)?/, "Gauge", type)
  oid = ""; for (i = 2; i <= n; i++) oid = oid (i > 2 ? "." : "") arc[i]
  print oid, type, (access ~ /[WC]/ ? "rw" : "ro") }' "$dir/tree" | sort >"$dir/modules"
"$top_builddir/tests/unit/mib_columns" | sort >"$dir/agent"
[ -s "$dir/modules" ] || { echo "no objects were found in the modules"; bad=1; }
diff "$dir/modules" "$dir/agent" || { echo "< modules, > agent"; bad=1; }
# The reference pages are those of these modules: make mib-pages writes them.
for m in TC NODE SOCKMIG CLUSTER; do
    python3 "$top_srcdir/mib/mib_page.py" "$top_srcdir/mib/BASCULE-$m-MIB" |
        diff - "$top_srcdir/doc/mib/BASCULE-$m-MIB.md" >/dev/null ||
        { echo "doc/mib/BASCULE-$m-MIB.md is not of this module: make mib-pages"; bad=1; }
done
exit $bad
