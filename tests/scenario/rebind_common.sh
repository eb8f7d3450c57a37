# rebind_common.sh - a host with two cables, for tests of sockmig rebind; see
# alone_common.sh.  Servers and clients that know each byte, and what the kernel refused.
. "$top_srcdir/tests/scenario/alone_common.sh" || exit 1

# wire DEVICE FAR NAMESPACE: a cable of this host.
wire()
{
    ip link add "$1" type veth peer name "$2" netns "$3" || exit 1
    ip -n "$3" link set "$2" up
    ip link set "$1" up
}

serve()
{
    setsid /usr/bin/python3 "$top_srcdir/tests/scenario/rebind_client.py" serve "$@" 7000 \
        > serve.out 2> serve.err < /dev/null &
    await "server" grep -q ready serve.out
}

# clients NAMESPACE NUMBER ADDRESS...
clients()
{
    local ns=$1 n=$2
    shift 2
    ip netns exec "$ns" /usr/bin/python3 "$top_srcdir/tests/scenario/rebind_client.py" ask \
        "$dir/client" "$n" "$@" 7000 > client.out 2> client.err &
    client=$!
    await "clients" test -e client.ready
    resets=$(count_resets)
}

# Resets and "unreachable" that this host has sent.
count_resets()
{
    awk '/^Tcp: [0-9]/ { print $15 } /^Icmp: [0-9]/ { print $17 }' /proc/net/snmp
    grep -h Icmp6OutDestUnreachs /proc/net/snmp6
}

answered()
{
    [ "$(cat client.count)" -gt "$1" ]
}

# go_on WHEN: all clients get answers, right to the byte, and the kernel refused nothing.
go_on()
{
    local before
    before=$(cat client.count)
    await "answers $1" answered $((before + 3))
    kill -0 $client || fail "the clients noticed $1: $(cat client.out client.err)"
    [ "$(count_resets)" = "$resets" ] ||
        fail "$1: the kernel refused packets: $(echo $resets) -> $(echo $(count_resets))"
}

finish()
{
    touch client.stop
    wait $client || fail "clients: $(cat client.out client.err)"
    cat client.out
}

rebind()
{
    { timeout 20 "$sockmig" rebind "$@" > rebind.out 2> rebind.err; } 2> /dev/null
}

# refused TEXT ARGUMENT...: exit 4, TEXT, and nothing has changed.
refused()
{
    local text=$1 was code
    shift
    was=$(tables)
    rebind "$@"
    code=$?
    [ $code = 4 ] || fail "rebind $*: exit $code, not 4"
    grep -qF -- "$text" rebind.err || fail "rebind $*: no \"$text\": $(cat rebind.err)"
    [ "$(tables)" = "$was" ] ||
        fail "rebind $*: refused, but changed: $(diff <(echo "$was") <(tables))"
}

# tables: all that a rebind may change; link-local addresses come by themselves.
tables()
{
    { ip -o address; ip route show table all; } | grep -v 'fe80:\|multicast ff00::' | sort
    { ip rule; ip -6 rule; } | sort
}

as_before()
{
    [ "$(tables)" = "$1" ]
}

# speak NAMESPACE|- NAME NUMBER NEIGHBOUR [learn]: BGP between two hosts of segment 2,
# 10.81.2.0/24; who learns announces the host routes of sockmig and nothing else.
speak()
{
    local enter="ip netns exec $1" learn="" out=none in=all
    [ "$1" = - ] && enter=
    [ "${5:-}" = learn ] && learn="learn;" in=none &&
        out="where source = RTS_INHERIT && krt_source = 78"
    cat > "$2.conf" << X
router id 10.81.2.$3;
protocol device { scan time 1; }
protocol kernel four { $learn scan time 1; ipv4 { import all; export all; }; }
protocol kernel six { $learn scan time 1; ipv6 { import all; export all; }; }
template bgp both { local as 65000; connect delay time 1; connect retry time 1; }
protocol bgp b4 from both { local 10.81.2.$3; neighbor 10.81.2.$4 as 65000; direct;
    ipv4 { import $in; export $out; next hop self; }; }
protocol bgp b6 from both { local fd81:2::$3; neighbor fd81:2::$4 as 65000; direct;
    ipv6 { import $in; export $out; next hop self; }; }
X
    $enter bird -c "$2.conf" -s "$dir/$2.ctl" -P "$dir/$2.pid" || fail "bird: $2"
}

speaking()
{
    for d in "$@"; do
        await "BGP of $d" \
            sh -c "birdc -s $d.ctl show protocols | grep -c Established | grep -q 2"
    done
}

# neighbour_knows NAMESPACE ADDRESS DEVICE: who has asked for it knows that it is there.
neighbour_knows()
{
    ip -n "$1" neigh show "$2" |
        grep -q "$(ip -o link show "$3" | sed 's|.*link/ether \([0-9a-f:]*\) .*|\1|')"
}

is_on()
{
    ip -o address show dev "$2" | grep -qF " $1 "
}
