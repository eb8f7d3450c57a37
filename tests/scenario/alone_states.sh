#!/bin/bash
# alone_states.sh - half-closed connections, unread, unsent and in-flight data, unread
# datagrams: dumped and restored, both ends go on with every one; of one process, and of
# several that have the same.
. "$top_srcdir/tests/scenario/alone_common.sh"
[ -c /dev/net/tun ] || { echo "skipped: no TUN devices"; exit 77; }
cable
states="/usr/bin/python3 $top_srcdir/tests/scenario/alone_states.py"
all_of() { # HOLDERS: processes that have them
    echo "- $1 with the sockets"
    rm -rf image moved listening ./*.ready ./*.result
    setsid $states serve 10.79.0.1 "$dir" $1 > serve.out 2> serve.err < /dev/null &
    pid=$!
    disown $pid
    peer $states peer 10.79.0.1 "$dir" > peer.out 2> peer.err < /dev/null &
    await "all states" test -e serve.ready
    "$sockmig" inspect $pid
    "$sockmig" dump $pid image > dump.out 2> dump.err || fail "dump: exit $?"
    await "its end" test ! -e /proc/$pid
    "$sockmig" restore image > restore.out 2> restore.err || fail "restore: exit $?"
    cat dump.out restore.out restore.err
    [ -z "$(rules)" ] || fail "rules are left: $(rules)"
    ip link | grep -q sockmig && fail "its device is left"
    touch moved
    for end in serve peer; do
        await "$end" test -e $end.result
    done
}
all_of 1
all_of 3
echo PASS
