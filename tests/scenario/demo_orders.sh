#!/bin/bash
# demo_orders.sh - the demo's client takes orders line by line, in whatever parts they come,
# and says what it does not know.
client=$top_builddir/supervisor/cli/bascule-demo-client
command -v redis-server > /dev/null || { echo "skipped: needs redis-server"; exit 77; }
dir=$(mktemp -d)
redis-server --port 0 --save "" --bind 127.0.0.1 --unixsocket "$dir/s" > /dev/null 2>&1 &
redis=$!
trap 'kill $redis 2> /dev/null; rm -rf "$dir"' EXIT
for port in $(seq 7390 7399) none; do
    [ -S "$dir/s" ] || sleep 0.3
    redis-cli -s "$dir/s" config set port "$port" | grep -q OK && break
done
[ "$port" = none ] && { echo "FAIL: no port is free"; exit 1; }
(
    printf 'mar'; sleep 0.3
    printf 'k cut\nrep'; sleep 0.3
    printf 'ort\nbogus\n'; head -c 1000 /dev/zero | tr '\0' x; sleep 0.3
    printf '\nmark late\nreport\nstop\n'; sleep 0.5
) | "$client" 127.0.0.1 "$port" 3 > "$dir/out" 2> "$dir/err" || { echo "FAIL: exit $?"; exit 1; }
cat "$dir/out" "$dir/err" | cut -c1-120
for event in start cut late end; do
    [ "$(grep -c "\"event\":\"$event\"" "$dir/out")" = 1 ] || { echo "FAIL: not one $event"; exit 1; }
done
grep -q '^unknown order "bogus": mark NAME' "$dir/err" || { echo "FAIL: bogus"; exit 1; }
echo PASS
