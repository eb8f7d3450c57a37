# server_common.sh - a server with its processes is dumped and restored, then moved to
# another host, while clients on a third one talk to it.
. "$top_srcdir/tests/scenario/move_common.sh"

needs()
{
    command -v "$1" > /dev/null || { echo "skipped: needs $1"; exit 77; }
}

# through_image ROUND: $pid and its descendants end, and come back from an image.
through_image()
{
    "$sockmig" dump "$pid" image > dump.out 2> dump.err || fail "round $1: dump: exit $?"
    await "round $1: the end of it" test ! -e "/proc/$pid"
    "$sockmig" restore image > restore.out 2> restore.err || fail "round $1: restore: exit $?"
    [ -z "$(rules)" ] || fail "round $1: rules are left: $(rules)"
    cat dump.out restore.out
}

# to_b: they go to host b, with the addresses.
to_b()
{
    receiver --once
    "$sockmig" move "$pid" 10.79.0.3 --secret secret --address 10.79.0.100 \
        --address fd79::100 > move.out 2> move.err || fail "move: exit $?"
    cat move.out
    wait $receiver || fail "receiver: exit $?"
    await "its end here" test ! -e "/proc/$pid"
    on_b test -e "/proc/$pid" || fail "it is not there"
    clean env
    clean on_b
}
