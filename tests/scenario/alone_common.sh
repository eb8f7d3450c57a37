# alone_common.sh - a world for tests of sockmig: network, processes, mounts of its own.
#
# Source it first: the test runs once more inside, as the first process of a pid
# namespace, in a folder that goes away with it.  $sockmig, $dir; `peer CMD...` runs on
# the other end of a cable (10.79.0.2; we are 10.79.0.1).
set -u
if [ "${ALONE_WORLD:-}" != yes ]; then
    [ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
    if ! unshare -n -m -p -i -f --kill-child --mount-proc true 2> /dev/null; then
        echo "skipped: no namespaces here"
        exit 77
    fi
    command -v nft > /dev/null || { echo "skipped: needs nft (package nftables)"; exit 77; }
    ALONE_DIR=$(mktemp -d /tmp/sockmig-test-XXXXXX)
    export ALONE_WORLD=yes ALONE_DIR
    timeout -s KILL "${ALONE_LIMIT:-60}" \
        unshare -n -m -p -i -f --kill-child --mount-proc bash "$0" "$@"
    code=$?
    rm -rf "$ALONE_DIR"
    exit $code
fi
dir=$ALONE_DIR
mount -t devpts -o newinstance,ptmxmode=0666 devpts /dev/pts 2> /dev/null
sockmig=$top_builddir/sockmig/sockmig
cd "$dir" || exit 1

fail()
{
    echo "FAIL: $*"
    for f in "$dir"/*.err; do [ -s "$f" ] && sed "s|^|  ${f##*/}: |" "$f"; done
    exit 1
}

# await WHAT CMD...: until CMD succeeds, 10 s at most, or $ALONE_AWAIT.
await()
{
    local what=$1 end=$((SECONDS + ${ALONE_AWAIT:-10}))
    shift
    until "$@" > /dev/null 2>&1; do
        [ $SECONDS -lt $end ] || fail "$what: not within ${ALONE_AWAIT:-10} s"
        sleep 0.02
    done
}

cable()
{
    mount -t tmpfs none /run && mkdir -p /run/netns || exit 1
    ip netns add peer || { echo "skipped: no network namespaces"; exit 77; }
    ip link add c0 type veth peer name c1 netns peer || exit 1
    ip link set lo up
    ip address add 10.79.0.1/24 dev c0
    ip -6 address add fd79::1/64 dev c0 nodad
    ip link set c0 up
    ip -n peer link set lo up
    ip -n peer address add 10.79.0.2/24 dev c1
    ip -n peer -6 address add fd79::2/64 dev c1 nodad
    ip -n peer link set c1 up
}

peer()
{
    ip netns exec peer "$@"
}

# rules: what sockmig left in the packet filter.
rules()
{
    nft list tables | grep SOCKMIG
}
