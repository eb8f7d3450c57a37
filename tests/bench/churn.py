#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""churn.py - connections that come and go: each asks a redis server some times and ends.

usage: churn.py ADDRESS PORT AT_ONCE

Until standard input ends.  A line for each that went wrong, when it does: it was reset,
closed, silent for 20 s, or answered wrongly.  Then JSON: connections, requests, and those
lines.  Each counts up a key of its own, so every answer is known beforehand.
"""
import json
import os
import random
import socket
import sys
import threading
import time

SILENT_S = 20


class Churn:
    def __init__(self, address, port):
        self.address, self.port = address, port
        self.lock = threading.Lock()
        self.connections = self.requests = 0
        self.wrong = []
        self.stopping = threading.Event()

    def one(self, key, at):
        at.update(doing="connect", port=0, since=time.time())
        with socket.create_connection((self.address, self.port), SILENT_S) as s:
            at.update(port=s.getsockname()[1])
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            f = s.makefile("rb")
            times = random.randint(1, 20)
            for i in range(times):
                at.update(doing="request %d of %d" % (i + 1, times), since=time.time())
                s.sendall(b"INCR %s\r\n" % key)
                answer = f.readline()
                if answer != b":%d\r\n" % (i + 1):
                    raise ValueError("%r instead of %d" % (answer, i + 1))
                self.stopping.wait(random.random() * 0.05)
            at.update(doing="last request", since=time.time())
            s.sendall(b"DEL %s\r\n" % key)
            if f.readline() != b":1\r\n":
                raise ValueError("its key is gone")
        with self.lock:
            self.connections += 1
            self.requests += times + 1

    def work(self, number):
        turn, at = 0, {}
        while not self.stopping.is_set():
            turn += 1
            try:
                self.one(b"churn:%d:%d:%d" % (os.getpid(), number, turn), at)
            except (OSError, ValueError) as e:
                self.note("port %d, %s at %s: %s" % (
                    at["port"], at["doing"], clock(at["since"]), e))

    def note(self, text):
        with self.lock:
            self.wrong.append(text)
            print(json.dumps(text), flush=True)


def clock(t):
    """As logs have it."""
    return time.strftime("%H:%M:%S", time.gmtime(t)) + ("%.3f" % (t % 1))[1:]


def main():
    if len(sys.argv) != 4 or not (sys.argv[2] + sys.argv[3]).isdigit():
        sys.exit("usage: churn.py ADDRESS PORT AT_ONCE, the last two numbers")
    churn = Churn(sys.argv[1], int(sys.argv[2]))
    threads = [threading.Thread(target=churn.work, args=(i,)) for i in range(int(sys.argv[3]))]
    for t in threads:
        t.start()
    sys.stdin.read()
    churn.stopping.set()
    for t in threads:
        t.join()
    print(json.dumps({"connections": churn.connections, "requests": churn.requests,
                      "wrong": churn.wrong}))


if __name__ == "__main__":
    main()
