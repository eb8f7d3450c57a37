#!/bin/bash
# translation.sh - every text of the console is in po/fr.po, translated, with the right
# format directives.
for p in xgettext msgfmt msgmerge msgattrib; do
    command -v $p >/dev/null || { echo "SKIP: needs $p (gettext)"; exit 77; }
done
dir=$(mktemp -d /tmp/translation.XXXXXX)
trap 'rm -rf "$dir"' EXIT
cd "$top_srcdir" || exit 99
xgettext --from-code=UTF-8 -k_ -kN_ -kngettext:1,2 --no-location -o "$dir/all.pot" gui/*.c ||
    exit 1
xgettext --from-code=UTF-8 -j --no-location -o "$dir/all.pot" gui/*.ui || exit 1
msgfmt -c -o "$dir/fr.mo" po/fr.po || exit 1
msgmerge -q --no-fuzzy-matching -o "$dir/fr.po" po/fr.po "$dir/all.pot" || exit 1
missing=$(msgattrib --untranslated --no-obsolete "$dir/fr.po"; msgattrib --only-fuzzy "$dir/fr.po")
[ -z "$missing" ] || { echo "$missing"; exit 1; }
n=$(grep -c '^msgid ' "$dir/fr.po")
[ "$n" -gt 150 ] || { echo "only $n texts were found"; exit 1; }
echo "$n texts"
