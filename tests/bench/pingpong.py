#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""pingpong.py - round trips of 64 bytes on one connection to a redis server.

usage: pingpong.py ADDRESS PORT ROUNDS      prints JSON: p50_us, p99_us, n
"""
import json
import socket
import sys
import time


def main():
    address, port, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    s = socket.create_connection((address, port), 10)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ask = b"*2\r\n$4\r\nECHO\r\n$64\r\n" + b"x" * 64 + b"\r\n"
    answer = len(b"$64\r\n") + 64 + 2
    seen = []
    for i in range(rounds + rounds // 10):
        begin, left = time.perf_counter_ns(), answer
        s.sendall(ask)
        while left:
            part = s.recv(left)
            if not part:
                sys.exit("the connection ended")
            left -= len(part)
        if i >= rounds // 10:  # the first ones warm caches up
            seen.append((time.perf_counter_ns() - begin) / 1000)
    seen.sort()
    print(json.dumps({"p50_us": seen[len(seen) // 2], "p99_us": seen[int(len(seen) * 0.99)],
                      "n": len(seen)}))


if __name__ == "__main__":
    main()
