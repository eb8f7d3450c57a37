#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""points.py - a program ends at each of its fault points (lib/fault.h), under load.

usage: points.py [--points PATTERN,...] [--actions kill,hang,crash] [--stages recorded,...]
       points.py --points POINT:ACTION,...

One lab, one point after the other: a point is armed on the node that will come there, the
occasion is brought about, and when the program has ended there: every connection is kept
and answered, no byte is wrong, no acknowledged write lost, never two nodes' gates open,
and the cluster is protected again, by two standbys.
"""
import argparse
import fnmatch
import signal
import subprocess
import sys
import time

from labrun import BASCULE, Client, Failure, Lab, need_root
from labwatch import ROOT, Gates, Link, Standings, armed, disarm, first_reached

REACH_S = 15
PROTECT_S = 30


def listed():
    """(name, program, occasion) of every point of this build."""
    out = subprocess.run([BASCULE, "lab", "points"], stdout=subprocess.PIPE, text=True,
                         check=True).stdout
    return [tuple(line.split()) for line in out.splitlines()]


class Walk:
    def __init__(self, name, connections):
        self.lab = Lab(name)
        self.name, self.connections = name, connections
        self.links = {n: Link(name, n, "basculed") for n in self.lab.nodes}
        self.gates = Gates(name, self.lab.nodes)
        self.standings = [Standings(name, n) for n in self.lab.nodes]
        self.client = None
        self.bad = []

    def service(self):
        """The service as the first quorate node sees it."""
        for node in self.lab.nodes:
            a = self.links[node].ask()
            st = (a or {}).get("status", a or {})
            if st.get("quorate"):
                return st["services"][0]
        return None

    def protected(self, not_on=None):
        end = time.monotonic() + PROTECT_S
        while time.monotonic() < end:
            s = self.service()
            if (s and s["state"] == "protected" and len(s["set"]) == 2 and
                    s["active"] != not_on):
                return s["active"]
            time.sleep(0.05)
        raise Failure("not protected after %d s: %s" % (PROTECT_S, s))

    def say(self, node, *words):
        """A command on a node whose end may not come: the program it talks to dies."""
        return subprocess.Popen([BASCULE, "lab", "exec", "--name", self.name, node, "--"] +
                                list(words), stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    def starts(self, node):
        """How often sockmigd was started there: it must outlive its engines."""
        with open("%s/%s/%s/var/log/bascule/sockmigd.log" % (ROOT, self.name, node)) as f:
            return sum("] info: ready: " in line and " sockmigd[" in line for line in f)

    def kill_engine(self, node):
        self.lab.fault("kill", node, "sockmig-engine")

    def occasion(self, when, active, others, arm):
        """Arms the point where the occasion leads, and brings it about; the node's name."""
        if when == "checkpoint":
            arm(active)
            return active
        if when == "standby":
            arm(others[0])
            return others[0]
        if when in ("seed", "set"):
            arm(active)
            self.kill_engine(others[0])
            return active
        if when == "seeded":
            arm(others[0])
            self.kill_engine(others[0])
            return others[0]
        if when == "failed":
            arm(active)
            self.kill_engine(active)
            return active
        if when == "election":  # whoever goes first, and only that one
            for n in others:
                arm(n)
            self.kill_engine(active)
            return first_reached(self.name, others, REACH_S) or others[0]
        where = {"handover": active, "hold": others[0], "takeover": others[0],
                 "follow": others[1], "resume": active}[when]
        arm(where)
        if when == "resume":  # the successor loses its clone: the stopped process goes on
            self.lab.fault("arm", others[0], "hold-open", "kill")
        self.order = (active, "bascule", "switchover", "redis", others[0])
        self.started = self.say(*self.order)
        return where

    def reached(self, node):
        end = time.monotonic() + REACH_S
        while time.monotonic() < end:
            if not armed(self.name, node):  # removed, or the node with it
                return True
            if self.started and self.started.poll():  # refused: not all are ready again
                self.started = self.say(*self.order)
            time.sleep(0.01)
        return False

    def acted(self):
        """Until the cluster has noticed; if it does not within a second, it need not."""
        end = time.monotonic() + 1
        while time.monotonic() < end:
            s = self.service()
            if not s or s["state"] != "protected" or len(s["set"]) < 2:
                return
            time.sleep(0.02)

    def slow_seed(self):
        """A standby that takes long to make its clone: the service's clock goes on."""
        active = self.protected()
        node = [n for n in self.lab.nodes if n != active][0]
        self.lab.fault("arm", node, "clone-begun", "hang")
        self.kill_engine(node)
        if not self.reached(node):
            raise Failure("no standby was seeded")
        time.sleep(2.5)  # beyond the margin of its clocks
        self.lab.exec(node, "kill", "-CONT", self.lab.engine_pid(node))
        self.protected()
        log = self.lab.exec(node, "cat", "/var/log/bascule/sockmigd.log")
        if "Stale file handle" in log:
            self.bad.append(("slow-seed", "", ["the clone's clock was behind"]))
            self.journals()
        print("a clone that took long: %s" % ("BAD" if "Stale" in log else "ok"))

    def mend(self, node, program, action):
        if action == "crash":
            time.sleep(0.5)  # long enough to be seen by the others
            self.lab.fault("restart", node)
        elif action == "hang":
            time.sleep(1)  # not killed before the others have acted on it
            self.lab.fault("kill", node, program)

    def one(self, name, program, when, action):
        active = self.protected()
        others = [n for n in self.lab.nodes if n != active]
        self.started = None
        if not self.client:
            self.client = Client(self.lab, self.connections, 10)
        self.client.mark(name)
        begin = time.monotonic()
        sockmigd = {n: self.starts(n) for n in self.lab.nodes}
        node = self.occasion(when, active, others,
                             lambda n: self.lab.fault("arm", n, name, action))
        why = []
        if not self.reached(node):
            why.append("never reached")
        else:
            self.acted()
            self.mend(node, program, action)
        disarm(self.name, self.lab.nodes)
        try:
            # its engine ended: what others still believe of it does not count
            moved = node == active and (program != "basculed" or when == "failed")
            now = self.protected(active if moved and not why else None)
        except Failure as e:
            why.append(str(e))
            now = "?"
        why += ["sockmigd of %s ended too" % n for n in self.lab.nodes
                if action != "crash" and sockmigd[n] != self.starts(n)]
        r = self.client.wait_answered(30)
        for what in ("connections_broken", "wrong_bytes", "silent"):
            if r[what]:
                why.append("%d %s" % (r[what], what))
        if self.gates.two:
            why.append("two open gates: %s" % self.gates.two)
            self.gates.two = []
        if self.started:
            self.started.kill()
            self.started.wait()
        print("%-28s %-5s on %s  %s -> %s  gap %6.0f ms  %5.1f s  %s"
              % (name, action, node, active, now, r["blackout_ms"], time.monotonic() - begin,
                 "BAD: " + "; ".join(why) if why else "ok"), flush=True)
        if why:
            self.bad.append((name, action, why))
            self.journals()
            if r["connections_broken"] or r["silent"]:
                self.end_client()
        if now == "?":
            raise Failure("%s %s: the cluster does not come back" % (name, action))

    def end_client(self):
        if not self.client:
            return
        end, self.client = self.client.stop(), None
        if end["lost_writes"]:
            self.bad.append(("end", "", ["%d lost writes" % end["lost_writes"]]))
            print("BAD: %d acknowledged writes are lost" % end["lost_writes"])

    def end_watch(self):
        """Once it has ended, to end it again changes nothing."""
        self.gates.end()
        self.bad += [("status", "", ["older than an event: " + old])
                     for s in self.standings for old in s.end()]

    def journals(self):
        for node in self.lab.nodes:
            print("---- %s" % node)
            print(self.lab.exec(node, "bascule", "journal", "-n", "40", check=False))
            print(self.lab.exec(node, "tail", "-n", "30", "/var/log/bascule/sockmigd.log",
                                check=False))


def chosen(o):
    """Points and actions to walk: a program without rights cannot end its node."""
    stages = o.stages.split(",")
    for name, program, when in listed():
        if ":" in o.points:  # POINT:ACTION one by one
            yield from ((name, program, when, p.split(":")[1]) for p in o.points.split(",")
                        if p.split(":")[0] == name)
            continue
        if not any(fnmatch.fnmatch(name, p) for p in o.points.split(",")):
            continue
        if program == "basculed" and name.rsplit("-", 1)[1] not in stages:
            continue
        if when == "twice":  # a second failure before any standby is seeded: nobody has it
            continue
        if when == "files":  # of a service with state folders: tests/scenario/lab_files.py
            continue
        for action in o.actions.split(","):
            if action != "crash" or program != "basculed":
                yield name, program, when, action


def ended(signo, frame):
    raise Failure("ended by signal %d" % signo)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--points", default="*")
    p.add_argument("--actions", default="kill")
    p.add_argument("--stages", default="recorded")
    p.add_argument("--connections", type=int, default=20)
    p.add_argument("--name", default="points")
    p.add_argument("--keep", action="store_true", help="leave the lab up after a failure")
    o = p.parse_args()
    need_root()
    signal.signal(signal.SIGTERM, ended)
    walk, n, ok = None, 0, False
    try:
        walk = Walk(o.name, o.connections)
        for point in chosen(o):
            walk.one(*point)
            n += 1
        if any(fnmatch.fnmatch("slow-seed", p.split(":")[0]) for p in o.points.split(",")):
            walk.slow_seed()
        walk.end_client()
        walk.end_watch()
        ok = not walk.bad and n > 0
    except Failure as e:
        print("FAIL: %s" % e)
        if walk:
            walk.journals()
    finally:
        if walk:
            walk.end_watch()
            if ok or not o.keep:
                walk.lab.down()
    print("%d points, %d bad, %d looks at the gates, %d events of standbys" % (
        n, len(walk.bad) if walk else 0, walk.gates.looks if walk else 0,
        sum(s.events for s in walk.standings) if walk else 0))
    for name, action, why in walk.bad if walk else []:
        print("BAD %s %s: %s" % (name, action, "; ".join(why)))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
