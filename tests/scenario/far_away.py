# SPDX-License-Identifier: GPL-2.0-or-later
"""far_away.py - all that this host sends and is sent is late, and some of it lost.

usage: far_away.py PORT MS JITTER_MS PERCENT

Packets of TCP and UDP from and to PORT wait in a queue of the kernel, MS in each direction and
up to JITTER_MS longer, so that they overtake each other.  Ends with its stdin."""
import heapq
import random
import select
import socket
import struct
import subprocess
import sys
import time

PORT, DELAY, JITTER = sys.argv[1], float(sys.argv[2]) / 1000, float(sys.argv[3]) / 1000
LOST = float(sys.argv[4]) / 100
QUEUE = 7
# linux/netfilter/nfnetlink_queue.h
VERDICT, CONFIG = 3 << 8 | 1, 3 << 8 | 2
CFG_CMD, CFG_PARAMS, CFG_MAXLEN = 1, 2, 3
PACKET_HDR, VERDICT_HDR = 1, 2
BIND, COPY_META, DROP, ACCEPT = 1, 1, 0, 1


def message(kind, attribute, value):
    attr = struct.pack("=HH", 4 + len(value), attribute) + value.ljust((len(value) + 3) & ~3, b"\0")
    body = struct.pack(">BBH", 0, 0, QUEUE) + attr
    return struct.pack("=LHHLL", 16 + len(body), kind, 1, 0, 0) + body


def packet_id(data):
    """Of the packet that message @data tells; None: it tells none."""
    at = 20
    while at + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, at)
        if kind & 0x7fff == PACKET_HDR:
            return struct.unpack_from(">L", data, at + 4)[0]
        at += max(4, size + 3 & ~3)
    return None


def rules(how):
    for tables in ("iptables", "ip6tables"):
        for chain, end in (("INPUT", "--sport"), ("OUTPUT", "--dport")):
            for protocol in ("tcp", "udp"):
                subprocess.run([tables, "-w", how, chain, "-p", protocol, end, PORT, "-j", "NFQUEUE",
                                "--queue-num", str(QUEUE), "--queue-bypass"], check=True)


def main():
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    for attribute, value in ((CFG_CMD, struct.pack(">BBH", BIND, 0, 0)),
                             (CFG_PARAMS, struct.pack(">LB", 0, COPY_META)),
                             (CFG_MAXLEN, struct.pack(">L", 65536))):
        s.send(message(CONFIG, attribute, value))
    rules("-A")
    print("ready", flush=True)
    waiting, going = [], True
    while going:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            number = heapq.heappop(waiting)[1]
            what = DROP if random.random() < LOST else ACCEPT
            s.send(message(VERDICT, VERDICT_HDR, struct.pack(">LL", what, number)))
        left = max(0, waiting[0][0] - now) if waiting else None
        ready = select.select([s, sys.stdin], [], [], left)[0]
        if s in ready:
            number = packet_id(s.recv(65536))
            if number is not None:
                due = time.monotonic() + DELAY + random.random() * JITTER
                heapq.heappush(waiting, (due, number))
        going = sys.stdin not in ready
    rules("-D")


main()
