#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""divergence.py - how often replay cannot give a connection back, by its cause.

usage: divergence.py [--takeovers N] [--causes CAUSE,...] [--json FILE]

A redis under policy replay loses its engine again and again while 50 connections use it in
one way; a connection whose answers come out differently is reset (promise P4), never
corrupted.  What is counted are those resets, per 1,000 takeovers and of 50 connections.
"""
import argparse
import json
import subprocess
import sys

from labrun import ADDRESS, BASCULE, Failure, Lab, REDIS, need_root

CONNECTIONS = 50
CAUSES = {
    "own": "each connection writes and reads keys of its own",
    "shared": "INCR on one key by all: the order in which requests are read",
    "pipelined": "16 requests on their way on each connection",
    "deferred": "answers that come later: BLPOP, and a push by another connection",
    "clock": "TIME: the server's clock is in the reply",
    "random": "SRANDMEMBER: the server's random numbers are in the reply",
}

# In the lab's client: CONNECTIONS threads; prints how many were reset when told to end.
CLIENT = r"""
import random, socket, sys, threading, time
address, cause, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
resets, stop, lock = [0], threading.Event(), threading.Lock()

def say(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)

class Redis:
    def __init__(self):
        self.s = socket.create_connection((address, 6379), 30)
        self.f = self.s.makefile("rb")
    def line(self):
        got = self.f.readline()
        if not got:
            raise ConnectionResetError("closed")
        return got.rstrip()
    def reply(self):
        got = self.line()
        if got[:1] == b"$":
            return self.f.read(int(got[1:]) + 2)[:-2] if got != b"$-1" else None
        if got[:1] == b"*":
            return [self.reply() for _ in range(int(got[1:]))] if got != b"*-1" else None
        return got
    def ask(self, *words):
        self.s.sendall(say(*words))
        return self.reply()

def turn(r, i, n):
    me = b"k%d" % i
    if cause == "own":
        r.ask(b"SET", me, b"%d" % n)
        assert r.ask(b"GET", me) == b"%d" % n, "a write is lost"
    elif cause == "shared":
        r.ask(b"INCR", b"all")
    elif cause == "pipelined":
        r.s.sendall(b"".join(say(b"INCR", me) for _ in range(16)))
        for _ in range(16):
            r.reply()
    elif cause == "deferred":
        if i % 2:
            r.ask(b"RPUSH", b"q%d" % (i // 2), b"%d" % n)
        else:
            r.ask(b"BLPOP", b"q%d" % (i // 2), b"1")
    elif cause == "clock":
        r.ask(b"TIME")
    elif cause == "random":
        r.ask(b"SRANDMEMBER", b"set")

def work(i):
    r, n = None, 0
    while not stop.is_set():
        try:
            r = r or Redis()
            n += 1
            turn(r, i, n)
            time.sleep(random.uniform(0, 0.02))
        except OSError:
            r, n = None, 0
            with lock:
                resets[0] += 1
            time.sleep(0.05)

first = Redis()
first.ask(b"SADD", b"set", *[b"%d" % i for i in range(1000)])
for i in range(count):
    threading.Thread(target=work, args=(i,), daemon=True).start()
print("ready", flush=True)
for line in sys.stdin:
    with lock:
        print(resets[0], flush=True)
stop.set()
"""


class Talk:
    def __init__(self, lab, cause):
        self.p = subprocess.Popen(
            [BASCULE, "lab", "exec", "--name", lab.name, "client", "--", "/usr/bin/python3", "-c",
             CLIENT, ADDRESS, cause, str(CONNECTIONS)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.line()

    def line(self):
        got = self.p.stdout.readline()
        if not got:
            raise Failure("the client ended")
        return got.strip()

    def resets(self):
        self.p.stdin.write("\n")
        self.p.stdin.flush()
        return int(self.line())

    def stop(self):
        self.p.stdin.close()
        self.p.wait()


def one(lab):
    """One takeover; what the replay says of itself."""
    active = lab.wait_protected(2)
    lab.exec(active, "kill", "-KILL", lab.engine_pid(active))
    lab.wait("another active node", lambda: (lambda s: s and s["active"] not in (None, active))(
        lab.service(avoid=active)))
    status = lab.engine_status(lab.service(avoid=active)["active"])
    return status.get("replay") or {}


def measure(lab, cause, times):
    talk = Talk(lab, cause)
    seen = [one(lab) for _ in range(times)]
    lab.wait_protected(2)
    resets = talk.resets()
    talk.stop()
    return {"takeovers": times, "resets": resets,
            "injected": sum(r.get("injected", 0) for r in seen),
            "diverged": sum(r.get("diverged", 0) for r in seen),
            "stalled": sum(r.get("stalled", 0) for r in seen),
            "per_1000": 1000 * resets / times}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--takeovers", type=int, default=10, help="of each cause")
    p.add_argument("--causes", default=",".join(CAUSES))
    p.add_argument("--interval", type=int, default=200, help="ms between checkpoints")
    p.add_argument("--json")
    o = p.parse_args()
    need_root()
    unknown = set(o.causes.split(",")) - set(CAUSES)
    if unknown:
        p.error("no such cause: %s; there are %s" % (" ".join(unknown), " ".join(CAUSES)))
    result, lab = {}, None
    try:
        lab = Lab("divergence", REDIS % ("replay", o.interval, 2))
        for cause in o.causes.split(","):
            r = result[cause] = measure(lab, cause, o.takeovers)
            print("%-10s %4d resets in %d takeovers of %d connections (%.0f per 1,000 takeovers); "
                  "%d packets fed, %d diverged, %d stalled  (%s)" % (
                      cause, r["resets"], r["takeovers"], CONNECTIONS, r["per_1000"],
                      r["injected"], r["diverged"], r["stalled"], CAUSES[cause]), flush=True)
    except Failure as e:
        print("FAIL: %s" % e)
        return 1
    finally:
        if lab:
            lab.down()
    if o.json:
        with open(o.json, "w") as f:
            json.dump(result, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
