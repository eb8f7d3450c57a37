#!/bin/bash
# lab_points.sh - a program ends in the middle of its work, at one named point after the
# other, under load: no client loses more than time.
#
# BASCULE_ALL_POINTS=1 walks through all of them, in every way they can end (an hour).
set -u
[ "$(id -u)" = 0 ] || { echo "skipped: not root"; exit 77; }
for p in corosync snmpd redis-server ebtables python3; do
    PATH=$PATH:/usr/sbin command -v $p > /dev/null || { echo "skipped: no $p"; exit 77; }
done
"$top_builddir/supervisor/cli/bascule" lab points --built > /dev/null ||
    { echo "skipped: built without --enable-fault-points"; exit 77; }
walk="python3 $top_srcdir/tests/bench/points.py --name points-test"
[ -n "${BASCULE_ALL_POINTS-}" ] &&
    exec $walk --actions kill,hang,crash --stages unrecorded,recorded,done

points=slow-seed:kill
# a checkpoint, on the active node and on a standby
for p in marked half-sent acked stable; do points+=,checkpoint-$p:kill; done
points+=,checkpoint-released:crash,checkpoint-sent:hang
for p in before-ack half-applied; do points+=,standby-$p:kill; done
points+=,clone-made:kill
# a switchover: who hands over, who takes over
for p in frozen shut; do points+=,handover-$p:kill; done
for p in connections open; do points+=,takeover-$p:kill; done
# the supervisor, with a step on record and not done
for p in order-handover say-claim say-taking say-confirm order-takeover say-active \
    order-set; do
    points+=,$p-recorded:kill
done
exec $walk --points "$points"
