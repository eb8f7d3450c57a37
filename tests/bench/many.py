#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""many.py - a server with thousands of idle connections: what they cost a checkpoint, and
how long the slowest of them waits for an answer after a crash.

usage: many.py [--counts N,...] [--crashes N] [--json FILE]

redis with 100 MB, 2 % of it written between two checkpoints by one busy client; the pause
with 0, 1,000 and 10,000 other connections, in turn within one lab.  Two crashes: one
while each connection asks every twenty seconds, and one at the moment when all of them ask
at once, which this machine also takes its time for when nothing is protected.  All must
be served over the connection that they have.
"""
import argparse
import heapq
import json
import os
import random
import selectors
import socket
import statistics
import subprocess
import sys
import time

from figures import Table
from labrun import ADDRESS, BASCULE, Failure, Lab, need_root
from load import Checkpoints

CONF = """
service "redis" {
  addresses = { "10.77.1.100/24" }
  device    = "eth0"
  command   = { "/bin/sh", "-c", "ulimit -n 16000; exec redis-server --port 6379 --save '' --protected-mode no --enable-debug-command yes --maxclients 15000 --tcp-keepalive 0" }
  user      = "redis"
  checkpoint-interval = 50
  checkpoint-spacing  = 2
}
"""
TARGETS = {0: None, 1000: 3, 10000: 6}  # ms
THINK_S, STEADY_S = 20, 12  # of each client in the steady load; how long that is watched
PING, PONG = b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"


class Crowd:
    """In the client's host: so many connections to the service."""

    def __init__(self, count):
        self.socks, self.picker = [], selectors.DefaultSelector()
        for _ in range(count):
            s = socket.create_connection((ADDRESS, 6379), 20)
            s.setblocking(False)
            self.socks.append(s)
            self.picker.register(s, selectors.EVENT_READ)

    def ask_all(self):
        """All ask at once; when each had its answer, in ms, and how many broke."""
        begin, waits, broken, left = time.monotonic(), [], 0, set(self.socks)
        for s in self.socks:
            s.send(PING)
        while left and time.monotonic() < begin + 30:
            for key, _ in self.picker.select(1):
                s = key.fileobj
                try:
                    good = s.recv(100) == PONG
                except OSError:
                    good = False
                waits.append((time.monotonic() - begin) * 1000)
                broken += not good
                left.discard(s)
                if not good:
                    self.picker.unregister(s)
                    self.socks.remove(s)
        return {"longest_ms": max(waits or [0]), "median_ms": statistics.median(waits or [0]),
                "broken": broken + len(left)}


    def ask_steadily(self):
        """Each asks when it likes, for a while; how long the answers took, in ms."""
        begin = time.monotonic()
        due = [(begin + random.random() * THINK_S, i) for i in range(len(self.socks))]
        number = {s: i for i, s in enumerate(self.socks)}
        asked, longest, broken = {}, [0] * len(self.socks), 0
        heapq.heapify(due)
        while asked or time.monotonic() < begin + STEADY_S:
            now = time.monotonic()
            if now > begin + STEADY_S + 20:
                break
            while due and due[0][0] <= now < begin + STEADY_S:
                i = heapq.heappop(due)[1]
                self.socks[i].send(PING)
                asked[i] = now
            for key, _ in self.picker.select(0.005):
                i = number[key.fileobj]
                try:
                    good = key.fileobj.recv(100) == PONG
                except OSError:
                    good = False
                now = time.monotonic()
                longest[i] = max(longest[i], (now - asked.pop(i, now)) * 1000)
                broken += not good
                if good:
                    heapq.heappush(due, (now + 2 * random.random() * THINK_S, i))
                else:
                    self.picker.unregister(key.fileobj)
        self.socks = [s for s in self.socks if s in self.picker.get_map()]
        longest = longest or [0]
        return {"longest_ms": max(longest), "median_ms": statistics.median(longest),
                "broken": broken + len(asked)}


def serve(count):
    """The client's side: a line on stdin, an answer on stdout."""
    crowd = Crowd(count)
    print(json.dumps({"connected": count}), flush=True)
    for line in sys.stdin:
        steady = line.strip() == "steady"
        print(json.dumps(crowd.ask_steadily() if steady else crowd.ask_all()), flush=True)


class Far:
    def __init__(self, lab, count):
        self.p = subprocess.Popen(
            [BASCULE, "lab", "exec", "--name", lab.name, "client", "--", "/bin/sh", "-c",
             "ulimit -n 20000; exec /usr/bin/python3 %s --serve %d" % (os.path.abspath(__file__), count)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.read()

    def read(self):
        line = self.p.stdout.readline()
        if not line:
            raise Failure("the client's side ended: exit %s" % self.p.wait())
        return json.loads(line)

    def begin(self, how):
        self.p.stdin.write(how + "\n")
        self.p.stdin.flush()

    def ask(self, how):
        self.begin(how)
        return self.read()

    def end(self):
        self.p.stdin.close()
        self.p.wait()


def pause(lab, seconds=8):
    """Medians while one client writes 2 % of the memory between two checkpoints."""
    active = lab.wait_protected(2)
    busy = subprocess.Popen([BASCULE, "lab", "exec", "--name", lab.name, "client", "--", "timeout",
                             str(seconds), "redis-benchmark", "-h", ADDRESS, "-c", "1", "-q", "-l",
                             "-t", "set", "-r", "100000", "-d", "900", "-P", "64"],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    watch = Checkpoints(lab, active)
    busy.wait()
    seen = watch.end()
    if not seen:
        raise Failure("no checkpoint was seen")
    return {key: statistics.median([c[key] for c in seen if key in c])
            for key in ("last_pause_us", "stop_us", "sockets_us", "last_pages", "last_bytes")}


def policy(lab, active, wanted):
    lab.exec(active, "bascule", "policy", "redis", wanted)
    lab.wait("policy %s" % wanted, lambda: lab.engine_status(active)["policy"] == wanted)


def unprotected(lab, far):
    """The same without a checkpoint, and nothing held: what this machine can do."""
    active = lab.wait_protected(2)
    policy(lab, active, "cold")
    row = far.ask("at once")
    policy(lab, active, "commit")
    return row


def crash(lab, far, how):
    active = lab.wait_protected(2)
    far.begin(how)
    if how == "steady":
        time.sleep(STEADY_S / 3)
    lab.fault("crash", active)
    row = far.read()
    lab.fault("restart", active)
    s = lab.engine_status(lab.wait_protected(2)) or {}
    row["phases"] = (s.get("takeover") or {}).get("phases")
    return row


def measure(lab, counts, crashes):
    out = {}
    lab.redis("debug", "populate", "100000", "key", "900")
    for count in counts:
        far = Far(lab, count)
        lab.wait_protected(2)
        time.sleep(2)  # each connection is looked at in full while it is young
        times = range(crashes if count else 0)
        out[count] = {"pause": pause(lab), "calm": far.ask("at once"), "free": unprotected(lab, far),
                      "steadily": far.ask("steady"),
                      "steady": [crash(lab, far, "steady") for _ in times],
                      "crash": [crash(lab, far, "at once") for _ in times]}
        far.end()
    return out


def show(out):
    t = Table()
    t.title("pause with idle connections, redis 100 MB, one client writing")
    for count, r in out.items():
        t.add("%d idle" % count, r["pause"]["last_pause_us"] / 1000, "ms", TARGETS.get(count), digits=2)
        t.add("  of that sockets", r["pause"]["sockets_us"] / 1000, "ms", digits=2)
        t.add("  pages written", r["pause"]["last_pages"], "")
    t.title("a crash while each of them asks every %d s" % THINK_S)
    for count, r in out.items():
        if not r["steady"]:
            continue
        t.add("%d: longest wait of any" % count, statistics.median(c["longest_ms"] for c in r["steady"]),
              "ms", 1000 if count == 10000 else None)
        t.add("  without a crash", r["steadily"]["longest_ms"], "ms")
        t.add("  broken", sum(c["broken"] for c in r["steady"]), "", 0)
    t.title("a crash while all of them ask at once")
    for count, r in out.items():
        if not r["crash"]:
            continue
        t.add("%d: longest wait" % count, statistics.median(c["longest_ms"] for c in r["crash"]), "ms")
        t.add("  without a crash", r["calm"]["longest_ms"], "ms")
        t.add("  without protection", r["free"]["longest_ms"], "ms")
        t.add("  broken", sum(c["broken"] for c in r["crash"]), "", 0)
        us = [c["phases"]["sockets_us"] for c in r["crash"] if c["phases"]]
        if us:
            t.add("  sockets made again", count * 1e6 / statistics.median(us), "/s", 60000, most=False)
    t.show()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--counts", default="0,1000,10000")
    p.add_argument("--crashes", type=int, default=3)
    p.add_argument("--json")
    p.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    o = p.parse_args()
    if o.serve is not None:
        return serve(o.serve)
    need_root()
    lab = Lab("many", CONF)
    try:
        out = measure(lab, [int(n) for n in o.counts.split(",")], o.crashes)
    finally:
        lab.down()
    if o.json:
        with open(o.json, "w") as f:
            json.dump(out, f, indent=1)
    show(out)


if __name__ == "__main__":
    main()
