#!/bin/bash
# move_faults.sh - moves that do not come to their end: whichever program is killed, at
# whatever step, redis runs on at one of the two places, with its connections.
ALONE_LIMIT=${ALONE_LIMIT:-300}
. "$top_srcdir/tests/scenario/move_common.sh"
grep -q move-attached "$sockmig" || { echo "skipped: built without fault points"; exit 77; }
segment
redis
clients 8

# arm HOST POINT: who comes there is killed.
arm_here()
{
    echo "$1 kill" > /run/bascule/fault
}

arm_there()
{
    on_b sh -c "echo '$1 kill' > /run/bascule/fault"
}

reached()
{
    [ ! -e /run/bascule/fault ] || fail "$1 was not reached"
    on_b test ! -e /run/bascule/fault || fail "$1 was not reached"
}

move()
{
    timeout 30 "$sockmig" move $pid 10.79.0.3 --secret secret --address 10.79.0.100 \
        --address fd79::100 "$@" > move.out 2> move.err
}

# stays WHEN: it runs on here, nothing is left there.
stays()
{
    go_on "$1"
    [ -e /proc/$pid ] || fail "$1: it is gone"
    has_address env || fail "$1: the addresses are gone"
    await "$1: nothing of it there" on_b test ! -e /proc/$pid
    await "$1: rules taken away" sh -c "! nft list tables | grep SOCKMIG"
    clean env
    await "$1: rules taken away there" \
        sh -c "! ip netns exec b nft list tables | grep SOCKMIG"
    has_address on_b && fail "$1: the addresses are there"
    true
}

# bring_back: it is there, and comes back.
bring_back()
{
    go_on "$1"
    await "$1: nothing of it here" test ! -e /proc/$pid
    on_b test -e /proc/$pid || fail "$1: it is not there"
    has_address on_b || fail "$1: the addresses are not there"
    "$sockmig" receive --device c0 --secret secret --once > back.out 2>&1 &
    back=$!
    await "receiver here" sh -c "ss -Hltn sport = :4780 | grep -q ."
    on_b "$sockmig" move $pid 10.79.0.1 --secret "$dir/secret" --address 10.79.0.100 \
        --address fd79::100 > move.out 2> move.err || fail "$1: the way back: exit $?"
    go_on "$1: back"
    [ -e /proc/$pid ] || fail "$1: it did not come back"
    wait $back
}

receiver

# The receiver says why.
chmod 644 secret
move && fail "a secret that others can read was used"
grep -q 'chmod 0600' move.err || fail "mode of the secret: $(cat move.err)"
chmod 600 secret
head -c 64 /dev/urandom > other
chmod 600 other
timeout 30 "$sockmig" move $pid 10.79.0.3 --secret other > move.out 2> move.err &&
    fail "it was moved with another secret"
grep -q 'the secret must be the same' move.err || fail "other secret: $(cat move.err)"
timeout 30 "$sockmig" move $pid 10.79.0.3 --secret secret --address 10.79.0.100 > move.out \
    2> move.err && fail "it was moved without one of its addresses"
grep -q -- '--address fd79::100' move.err || fail "no address: $(cat move.err)"
stays "after refusals"

for point in move-attached move-built move-ahead take-silence take-checkpoint \
    checkpoint-sockets move-sent move-ready move-addresses; do
    arm_here $point
    move
    code=$?
    reached $point
    [ $code = 137 ] || fail "$point: exit $code: $(cat move.err)"
    stays "$point"
done

for point in arrive-stubs arrive-renewed arrive-addresses restore-registers \
    restore-held arrive-heir; do
    arm_there $point
    move && fail "$point: moved"
    reached $point
    grep -q 'was ended' move.err || fail "$point: $(cat move.err)"
    stays "$point"
done

# From GO on the other end has it, whatever becomes of the source.
for point in move-final move-go; do
    arm_here $point
    move
    reached $point
    bring_back "$point"
done
# From its decision on they run there, whoever is killed.
for point in restore-decided restore-free arrive-dismissed; do
    arm_there $point
    move || fail "$point: exit $?: $(cat move.err)"
    reached $point
    await "$point: rules taken away there" \
        sh -c "! ip netns exec b nft list tables | grep SOCKMIG"
    bring_back "$point"
done
# nobody heard that the source of the last one knows: it is remembered until a reboot
on_b sh -c '[ $(ls /run/sockmig | wc -l) = 1 ] && rm /run/sockmig/*' ||
    fail "remembered there: $(on_b ls /run/sockmig)"
arm_there_hang()
{
    on_b sh -c "echo '$1 hang' > /run/bascule/fault"
}
arm_there_hang restore-decided
move &
mover=$!
await "restore-decided" on_b test ! -e /run/bascule/fault
on_b kill -9 "$(cat receiver.pid)"
wait $mover || fail "listener and worker killed: $(cat move.err)"
receiver
bring_back "listener and worker killed"

# The receiver is gone altogether after GO: they stand still until another one answers.
# hung POINT: the process that hangs there.
hung()
{
    sed -n "s/.*sockmig\[\([0-9]*\)\].*fault point $1: hang.*/\1/p" receive.err | tail -1
}

cut_off()
{
    arm_there_hang "$1"
    "$sockmig" move $pid 10.79.0.3 --secret secret --address 10.79.0.100 \
        --address fd79::100 > move.out 2> move.err &
    mover=$!
    await "$1" on_b test ! -e /run/bascule/fault
    on_b kill -9 "$(cat receiver.pid)"
    await "$1: it says that it cannot know" grep -q 'stand still here until' move.err
    [ -e /proc/$pid ] || fail "$1: it is gone"
    receiver
}

cut_off arrive-go
wait $mover && fail "arrive-go: moved"
grep -q 'do not run there' move.err || fail "arrive-go: $(cat move.err)"
stays "a lost receiver"
# The heir, too: the next receiver finishes it.
arm_there_hang restore-decided
"$sockmig" move $pid 10.79.0.3 --secret secret --address 10.79.0.100 \
    --address fd79::100 > move.out 2> move.err &
mover=$!
await "restore-decided" on_b test ! -e /run/bascule/fault
arm_there_hang restore-released
on_b kill -9 "$(hung restore-decided)"
await "restore-released" on_b test ! -e /run/bascule/fault
on_b kill -9 "$(cat receiver.pid)" "$(hung restore-released)"
await "it says that it cannot know" grep -q 'stand still here until' move.err
receiver
wait $mover || fail "nobody left: $(cat move.err)"
bring_back "another receiver's word"
await "nothing remembered there" on_b sh -c "! ls /run/sockmig | grep ."
[ -z "$(ls /run/sockmig)" ] || fail "remembered here: $(ls /run/sockmig)"
await "a freezer is left" sh -c "! find /sys/fs/cgroup -name 'sockmig-*' 2> /dev/null | grep ."

touch client.stop
wait $client || fail "clients: $(cat client.out)"
cat client.out
echo PASS
