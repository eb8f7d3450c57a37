#!/bin/bash
# alone_multicast.sh - a server in multicast groups, of both families, goes through an image
# and to another host, and is in them there.
. "$top_srcdir/tests/scenario/server_common.sh"
segment

cat > server.py <<'X'
import selectors, socket, struct, sys
every = selectors.DefaultSelector()
for family, group, level, join in (
        (socket.AF_INET, "239.7.7.7", socket.IPPROTO_IP, 35),
        (socket.AF_INET6, "ff15::7:7", socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP)):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((group, 7007))
    index = socket.if_nametoindex("c0")
    raw = socket.inet_pton(family, group)
    if family == socket.AF_INET:
        sock.setsockopt(level, join, struct.pack("4s4si", raw, b"\0" * 4, index))
        sock.setsockopt(level, socket.IP_MULTICAST_TTL, 9)
        sock.setsockopt(level, socket.IP_MULTICAST_LOOP, 0)
    else:
        sock.setsockopt(level, join, struct.pack("16si", raw, index))
    every.register(sock, selectors.EVENT_READ)
open("ready", "w").close()
heard = 0
while True:
    for key, _ in every.select():
        data, peer = key.fileobj.recvfrom(100)
        heard += 1
        options = ""
        if key.fileobj.family == socket.AF_INET:
            options = " ttl %d loop %d" % (
                key.fileobj.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL),
                key.fileobj.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP))
        key.fileobj.sendto(data + b" heard" + options.encode(), peer)
X
cat > asks.py <<'X'
import socket, struct, sys, time
for family, group, level, option, options in (
        (socket.AF_INET, "239.7.7.7", socket.IPPROTO_IP, socket.IP_MULTICAST_IF, " ttl 9 loop 0"),
        (socket.AF_INET6, "ff15::7:7", socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, "")):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    index = socket.if_nametoindex("br0")
    sock.setsockopt(level, option, struct.pack("4s4si", b"\0" * 4, b"\0" * 4, index)
                    if family == socket.AF_INET else index)
    sock.settimeout(0.5)
    for attempt in range(20):
        sock.sendto(b"%d" % attempt, (group, 7007))
        try:
            answer = sock.recvfrom(100)[0].decode()
        except socket.timeout:
            continue
        if not answer.endswith(" heard" + options):
            raise SystemExit("%s: %r" % (group, answer))
        break
    else:
        raise SystemExit("%s: no answer" % group)
X
setsid /usr/bin/python3 server.py > server.out 2>&1 < /dev/null &
pid=$!
disown $pid
await "the server" test -e ready
ask()
{
    peer /usr/bin/python3 asks.py > asks.out 2>&1 || fail "$1: $(cat asks.out server.out)"
}
ask "before"
through_image 1
ask "after the image"
receiver --once
"$sockmig" move "$pid" 10.79.0.3 --secret secret > move.out 2> move.err || fail "move: exit $?"
wait $receiver || fail "receiver: exit $?"
grep -q 0707EF /proc/net/igmp && fail "it is in its group here still"
ask "after the move"
on_b kill "$pid"
echo PASS
