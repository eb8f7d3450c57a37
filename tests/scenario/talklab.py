# SPDX-License-Identifier: GPL-2.0-or-later
"""talklab.py - a lab with talk_server, and its clients."""
import contextlib
import json
import os
import subprocess
import sys
import time

TOP = os.environ.get("top_srcdir", ".")
sys.path.insert(0, os.path.join(TOP, "tests/bench"))
from labrun import BASCULE, Failure, Lab  # noqa: E402

V4, V6 = "10.77.1.100", "fd77:1::100"
CLIENT = os.path.join(os.path.abspath(TOP), "tests/scenario/talk_client.py")

CONF = """
service "talk" {
  addresses = { "10.77.1.100/24", "fd77:1::100/64" }
  device    = "eth0"
  command   = { "%s/talk_server", "7000" }
  user      = "nobody"
  policy    = "%s"
  checkpoint-interval = 100
  checkpoint-spacing  = 2
  %s
}
"""

# What a new connection and a new datagram are answered.
ASK = r"""
import socket, sys
s = socket.create_connection((sys.argv[1], 7000))
s.sendall(b"e hello\n")
assert s.recv(100) == b"1 hello\n"
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.connect((sys.argv[1], 7000))
u.send(b"x")
print(u.recv(100).split()[0].decode())
"""


def need(ok, what):
    if not ok:
        raise Failure(what)


class Talk:
    """talk_client.py in the lab's client."""

    def __init__(self, lab, *kinds):
        self.p = subprocess.Popen(
            [BASCULE, "lab", "exec", "--name", lab.name, "client", "--", "/usr/bin/python3", CLIENT,
             "7000"] + list(kinds), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        lab.talks.add(self)
        self.lab, self.kinds = lab, [k.split(":")[0] + ("6" if ":" in k.split(":", 2)[2] else "")
                                     for k in kinds]

    def ask(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        answer = self.p.stdout.readline()
        need(answer, "the client ended after %r" % line)
        return json.loads(answer)

    def answered(self):
        """Until each kind was answered again; all reports since, added up."""
        total, wrongs = {}, []

        def all_kinds():
            r = self.ask("report")
            wrongs.extend(r["wrongs"])
            for kind, what in r["counts"].items():
                for k, n in what.items():
                    total.setdefault(kind, {}).setdefault(k, 0)
                    total[kind][k] += n
            return all(total.get(k, {}).get("answers", 0) > 5 for k in self.kinds)
        try:
            self.lab.wait("answers to all of %s" % self.kinds, all_kinds, 30)
        except Failure as e:
            raise Failure("%s; reported: %s %s" % (e, total, wrongs))
        return total, wrongs

    def stop(self):
        self.lab.talks.discard(self)
        self.p.stdin.close()
        self.p.wait()


class ReplayLab(Lab):
    def __init__(self, *args):
        self.talks = set()  # not stopped yet
        super().__init__(*args)

    def wait_active(self):
        """Where it runs, protected or not."""
        self.wait("an active node", lambda: (lambda s: s and s["active"])(self.service()))
        return self.service()["active"]

    def switchover(self, patience):
        """Ordered until it is carried out, or for @patience seconds: where packets are lost it
        may be refused, with a reason.  Where the service ran before."""
        end = time.monotonic() + patience
        while True:
            active = self.wait_protected(2)
            try:
                self.exec(active, "bascule", "switchover", "talk")
                return active
            except Failure as e:
                if time.monotonic() > end:
                    raise
                print("  again, since %s" % str(e).splitlines()[-1], flush=True)
                time.sleep(0.5)

    def takeover(self, kind, talk, cold=False, patience=0):
        """One takeover; (the new active node, its engine's status, report, what was wrong).
        @patience: for a switchover, in seconds."""
        active = self.wait_active() if cold else self.wait_protected(2)
        talk.answered()
        if kind == "switchover":
            active = self.switchover(patience)
        elif kind == "engine":
            self.exec(active, "kill", "-KILL", self.engine_pid(active))
        else:
            self.fault(kind, active)
        self.wait("another node than %s is active" % active, lambda: (
            lambda s: s and s["active"] not in (None, active) and s["state"] != "taking-over")(
                self.service(avoid=active if kind != "switchover" else None)))
        avoid = active if kind != "switchover" else None
        self.wait("one active node", lambda: (lambda s: s and s["active"])(self.service(avoid)))
        new = self.service(avoid)["active"]
        first, wrongs = talk.answered()
        second, more = talk.answered()
        for k, what in second.items():
            for w, n in what.items():
                first.setdefault(k, {})[w] = first.get(k, {}).get(w, 0) + n
        status = self.engine_status(new)
        if kind == "crash":
            self.fault("restart", active)
        elif kind in ("hang", "cut"):
            self.fault("heal", active)
        print("  %-10s %s -> %s: %s\n      replay %s" % (
            kind, active, new, json.dumps(first), json.dumps(status.get("replay"))), flush=True)
        for w in (wrongs + more)[:12]:
            print("      ! " + w, flush=True)
        return new, status, first, wrongs + more

    def taken_over(self, active):
        self.wait("another node is active", lambda: (
            lambda s: s and s["active"] not in (None, active) and s["state"] != "taking-over")(
                self.service(avoid=active)))

    def settled(self):
        """One that left the set for a moment has no half-open connection of that time."""
        times = 0
        while times < 10:
            self.wait_protected(2)
            time.sleep(0.1)
            times = times + 1 if len((self.service() or {"set": []})["set"]) == 2 else 0

    def told_policy(self, node, policy):
        """False: a newer epoch reached the engine of a node that came back meanwhile."""
        epoch = (self.engine_status(node) or {}).get("epoch", 0)
        a = self.engine(node, op="policy", service="talk", epoch=epoch, policy=policy) or {}
        need(a.get("ok") or a.get("stale"), "policy %s on %s: %s" % (policy, node, a))
        return a.get("ok")

    def policy(self, policy):
        """As the command does: every node is told."""
        self.wait("engines everywhere", lambda: all(
            "epoch" in (self.engine_status(n) or {}) for n in self.nodes))
        for node in self.nodes:
            self.wait("policy %s is taken on %s" % (policy, node),
                      lambda: self.told_policy(node, policy), 10)
        self.wait("all have policy " + policy, lambda: all(
            self.engine_status(n)["policy"] == policy for n in self.nodes))

    def journal(self):
        return "\n".join(self.exec(n, "bascule", "journal", "-n", "60", check=False)
                         for n in self.nodes)


def sound(report, *kinds):
    for kind in kinds or report:
        for what in ("broken", "wrong"):
            need(not report.get(kind, {}).get(what), "%s: %s" % (kind, report[kind]))


@contextlib.contextmanager
def away(lab, ms, jitter_ms, percent):
    """The client is @ms away, some of its packets are lost or overtake others."""
    tool = os.path.join(os.path.dirname(CLIENT), "far_away.py")
    way = subprocess.Popen(
        [BASCULE, "lab", "exec", "--name", lab.name, "client", "--", "/usr/bin/python3", tool, "7000",
         str(ms), str(jitter_ms), str(percent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        need(way.stdout.readline() == b"ready\n", "no way to be far away")
        yield
    finally:
        way.stdin.close()
        way.wait()


def rounds(lab, talk, *wanted):
    """A takeover for each (policy, kind), which no client notices; yields what those by a
    replay say of it."""
    for policy, kind in wanted:
        lab.wait_protected(2)
        lab.policy(policy)
        _, status, report, _ = lab.takeover(kind, talk)
        sound(report)
        if policy == "replay" and kind != "switchover":
            yield status["replay"]
    talk.stop()


def told(lab, seconds=10):
    """What a new datagram and a new connection are answered: how many there were."""
    code = subprocess.run(
        [BASCULE, "lab", "exec", "--name", lab.name, "client", "--", "timeout", str(seconds),
         "/usr/bin/python3", "-c", ASK, V4], stdout=subprocess.PIPE, text=True)
    need(code.returncode == 0, "a new connection is not served")
    return int(code.stdout)
