#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""lab_replay.py - takeovers of a server that shows what it remembers, under each policy.

usage: lab_replay.py [--name LAB] [CHECK...]
"""
import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

TOP = os.environ.get("top_srcdir", ".")
sys.path.insert(0, os.path.join(TOP, "tests/bench"))
from labrun import BASCULE, BUILD, Failure, Lab, need_root  # noqa: E402
from labwatch import first_reached  # noqa: E402

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


STREAM = """
import socket, sys, time
s = [socket.socket(f, socket.SOCK_DGRAM) for f in (socket.AF_INET, socket.AF_INET6)]
s[0].connect((sys.argv[1], 7000))
s[1].connect((sys.argv[2], 7000))
begin = time.monotonic()
for i in range(int(sys.argv[3])):
    s[i % 2].send(b"z 40" if i % 10000 == 5000 else b"q%d" % i)
    while i > (time.monotonic() - begin) * 25000:
        time.sleep(0.001)
time.sleep(0.3)
"""


# What is sent as one: ten datagrams each.  And answers that are.
SEGMENTS = """
import socket, sys, time
for address in sys.argv[1:3]:
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((address, 7000))
    s.setsockopt(socket.IPPROTO_UDP, 103, 100)  # UDP_SEGMENT
    for i in range(200):
        s.send(b"".join(b"q%-99d" % k for k in range(10)))
        time.sleep(0.002)
    s.send(b"y")
    s.settimeout(5)
    got = sorted(int(s.recv(100)) % 10 for i in range(5))
    assert got == list(range(5)), got
"""


def on_term(signo, frame):
    """A time limit: the lab must not stay."""
    raise Failure("ended by a signal")


signal.signal(signal.SIGTERM, on_term)


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


def all_kinds(lab, strikes, talk_kinds):
    """Nobody notices any takeover, new and half-open connections least of all."""
    talk, replays = Talk(lab, *talk_kinds), []
    for kind in strikes:
        lab.settled()
        need(talk.ask("half 3 " + V4)["half"] == 3, "no half-open connections")
        need(talk.ask("deaf 2 " + V4)["deaf"] == 2, "no connections without an answer")
        _, status, report, wrongs = lab.takeover(kind, talk)
        halves = talk.ask("whole")
        need(halves["right"] == 5, "half-open connections: %s" % halves)
        sound(report)
        if kind != "switchover" and status["policy"] == "replay":
            replays.append(status.get("replay") or {})
    # One that comes right after a checkpoint has nothing to feed in.
    need(not replays or any(r.get("injected", 0) > 0 and r.get("compared", 0) > 0 for r in replays),
         "the status shows no replay: %s" % replays)
    talk.stop()


def replay(lab):
    lab.policy("replay")
    all_kinds(lab, ("crash", "engine", "switchover"), ("steady:6:" + V4, "births:3:" + V4))


def commit(lab):
    lab.policy("commit")
    all_kinds(lab, ("crash", "switchover"), ("steady:6:" + V4, "births:3:" + V4))


def diverge(lab):
    """Random replies: reset or right, never wrong; a connection beside them goes on."""
    lab.policy("replay")
    talk, named = Talk(lab, "random:5:" + V4, "steady:3:" + V4), 0
    for kind in ("crash", "engine", "crash"):
        _, status, report, _ = lab.takeover(kind, talk)
        sound(report, "steady")
        need(not report["random"].get("wrong"), "wrong: %s" % report["random"])
        need((status["replay"]["diverged"] > 0) == (report["random"].get("broken", 0) > 0),
             "a reset, or none, without its reason: %s %s" % (status["replay"], report))
        if status["replay"]["diverged"] == 0:
            continue  # right after a checkpoint there is nothing to make again
        named += 1
        need("sequence number" in (status["last_error"] or "") and V4 in status["last_error"],
             "last_error names no connection: %s" % status["last_error"])
        need("sequence number" in lab.journal(), "the journal names no connection")
    need(named > 0, "nothing diverged")
    talk.stop()


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


def families(lab):
    """IPv6 and datagrams, also in fragments."""
    talk = Talk(lab, "steady:2:" + V6, "births:1:" + V6, "udp:1:" + V4, "udp:1:" + V6)
    list(rounds(lab, talk, ("replay", "crash"), ("replay", "switchover"), ("commit", "crash"),
                ("commit", "switchover")))


def datagrams(lab):
    """So many clients of datagrams, some in fragments, that they are gathered; none sees an
    answer twice or one that is not its own.  Some are answered by the device that they
    came in by, which for a clone is another one."""
    seen = list(rounds(lab, Talk(lab, "udp:60:" + V4, "pinned:5:" + V4), ("replay", "crash"), ("replay", "engine"),
                       ("replay", "switchover"), ("commit", "crash")))
    need(any(r["injected"] > 0 for r in seen), "nothing to replay: %s" % seen)
    need(not any(r["datagrams"] for r in seen), "made otherwise: %s" % seen)


def uploads(lab):
    """Much that is sent and not answered: the service reads no faster than before."""
    talk = Talk(lab, "upload:3:" + V4, "steady:3:" + V4)
    seen = list(rounds(lab, talk, ("replay", "crash"), ("replay", "engine"), ("commit", "crash")))
    need(any(r["injected"] > 0 for r in seen), "nothing to replay: %s" % seen)


def downloads(lab):
    """A server with one thread that waits for its readers: each gets its answers in full."""
    talk = Talk(lab, "download:4:" + V4, "upload:1:" + V4, "steady:3:" + V4)
    list(rounds(lab, talk, ("replay", "crash"), ("replay", "crash"), ("replay", "engine"),
                ("commit", "crash")))


def small_log(lab):
    """Requests and answers of many times the log's size."""
    talk = Talk(lab, "upload:6:" + V4, "bulk:3:" + V4, "steady:3:" + V4)
    for kind in ("crash", "engine", "crash"):
        sound(lab.takeover(kind, talk)[2])
    lab.wait_protected(2)
    talk.stop()


def seeded_anew(lab):
    """The log goes past a standby that stands still: it is given up, and seeded anew."""
    def stopped():
        return any(line.split() == ["T", "sockmig-engine"] for line in lab.exec(
            node, "ps", "-e", "-o", "s=,comm=").splitlines())
    talk = Talk(lab, "upload:6:" + V4)
    active = lab.wait_protected(2)
    node = next(n for n in lab.nodes if n != active)
    lab.fault("arm", node, "clone-begun", "hang")
    lab.exec(node, "kill", "-KILL", lab.engine_pid(node))
    lab.wait("an engine in the middle of a seeding", stopped, 20)
    lab.wait("%s to be given up" % node, lambda: not any(
        s["node"] == node and s["state"] in ("seeding", "ready")
        for s in (lab.engine_status(active) or {}).get("standbys", [])), 20)
    lab.exec(node, "kill", "-CONT", lab.engine_pid(node))
    lab.wait_protected(2)
    sound(talk.answered()[0])
    talk.stop()


def told(lab, seconds=10):
    """What a new datagram and a new connection are answered: how many there were."""
    code = subprocess.run(
        [BASCULE, "lab", "exec", "--name", lab.name, "client", "--", "timeout", str(seconds),
         "/usr/bin/python3", "-c", ASK, V4], stdout=subprocess.PIPE, text=True)
    need(code.returncode == 0, "a new connection is not served")
    return int(code.stdout)


def one_way(lab):
    """A stream of datagrams that nobody answers: a replay does not outrun the service,
    and does not give it what its socket had no room for."""
    lab.wait_protected(2)
    lab.policy("replay")
    active = lab.wait_protected(2)
    lab.engine(active, op="interval", service="talk", ms=60000)
    time.sleep(0.5)
    before = told(lab)
    lab.exec("client", "/usr/bin/python3", "-c", STREAM, V4, V6, "30000")
    need(overrun(lab) > 500, "the service had room")
    counted = told(lab)
    need(counted > before + 20000, "the stream was lost: %d, %d" % (before, counted))
    lab.fault("crash", active)
    lab.taken_over(active)
    again = told(lab)
    new = lab.service(avoid=active)["active"]
    replay = lab.engine_status(new)["replay"]
    print("  %d datagrams, %d after the crash, %s" % (counted, again, replay), flush=True)
    lab.fault("restart", active)
    need(replay["injected"] > 20000, "little to replay: %s" % replay)
    need(again == counted + 1, "memory is lost: %d after %d" % (again, counted))


def overrun(lab):
    """Datagrams that found no room, on all nodes; as their engines count by now."""
    time.sleep(1.2)
    return sum((lab.engine_status(n) or {}).get("gate", {}).get("overrun", 0) for n in lab.nodes)


def handed_over(lab):
    """A switchover in the middle of such a stream loses nothing of it."""
    lab.wait_protected(2)
    lab.policy("replay")
    lab.wait_protected(2)
    before, lost = told(lab), overrun(lab)
    stream = subprocess.Popen([BASCULE, "lab", "exec", "--name", lab.name, "client", "--",
                               "/usr/bin/python3", "-c", STREAM, V4, V6, "30000"])
    time.sleep(0.4)
    lab.switchover(5)
    need(stream.wait(30) == 0, "the stream was refused")
    counted, lost = told(lab) - before - 1, overrun(lab) - lost
    print("  %d of 30000, no room for %d" % (counted, lost), flush=True)
    need(lost > 500, "the service had room")
    need(counted + lost == 30000, "lost on the way: %d" % (30000 - counted - lost))


def segments(lab):
    """Datagrams that are sent as one, by clients and by the service, are what they are."""
    lab.wait_protected(2)
    lab.policy("replay")
    active = lab.wait_protected(2)
    lab.engine(active, op="interval", service="talk", ms=60000)
    time.sleep(0.5)
    before, lost = told(lab), overrun(lab)
    queued = lab.engine_status(active)["gate"]["queued"]
    lab.exec("client", "/usr/bin/python3", "-c", SEGMENTS, V4, V6)
    lost = overrun(lab) - lost
    queued = lab.engine_status(active)["gate"]["queued"] - queued
    counted = told(lab)
    need(counted - before - 1 + lost == 4002, "%d and %d of 4002" % (counted - before - 1, lost))
    need(queued >= 10, "not one by one in the gate: %d" % queued)
    lab.fault("crash", active)
    lab.taken_over(active)
    again = told(lab)
    lab.fault("restart", active)
    need(again == counted + 1, "memory is lost: %d after %d" % (again, counted))


def policies(lab):
    """A running service's policy is changed; a takeover after each change."""
    for _ in range(20):
        before = told(lab)
    for policy in ("commit", "replay", "warm", "commit", "cold", "commit"):
        lab.policy(policy)
        talk = Talk(lab, "steady:3:" + V4)
        kind = {"warm": "engine", "cold": "crash"}.get(policy, "switchover")
        _, _, report, _ = lab.takeover(kind, talk, cold=policy == "cold")
        after = told(lab)
        print("  %s: datagrams %d -> %d" % (policy, before, after), flush=True)
        if policy == "cold":
            need(after < 3, "the command was not started afresh: %d" % after)
        else:
            need(after == before + 1, "memory is lost: %d after %d" % (after, before))
        if policy in ("warm", "cold"):
            need(report["steady"].get("broken") == 3, "not reset: %s" % report)
            need(not report["steady"].get("wrong"), "wrong: %s" % report)
        else:
            sound(report)
        talk.stop()
        before = after
    there_and_back(lab)
    remembered(lab)


def there_and_back(lab):
    """By the command, and nothing happens meanwhile."""
    active = lab.wait_protected(2)
    for policy in ("cold", "commit", "warm", "cold", "replay", "commit"):
        lab.exec(active, "bascule", "policy", "talk", policy)
        lab.wait("policy %s on %s" % (policy, active),
                 lambda: lab.engine_status(active)["policy"] == policy)
    talk = Talk(lab, "steady:3:" + V4)
    before = told(lab)
    _, _, report, _ = lab.takeover("switchover", talk)
    after = told(lab)
    need(after == before + 1, "memory is lost: %d after %d" % (after, before))
    sound(report)
    talk.stop()


def remembered(lab):
    """An engine that is killed comes back as configured (replay): it is told once more."""
    active, killed = lab.wait_protected(2), set()
    lab.wait("policy commit on " + active, lambda: lab.engine_status(active)["policy"] == "commit")
    while active not in killed:  # until one of them serves again
        lab.exec(active, "kill", "-KILL", lab.engine_pid(active))
        killed.add(active)
        active = lab.wait_protected(2, not_on=active)
    lab.wait("policy commit on %s again" % active,
             lambda: lab.engine_status(active)["policy"] == "commit", 10)


def standbys_of(lab):
    active = lab.wait_protected(2)
    return active, [n for n in lab.nodes if n != active]


def again(lab):
    """The node that takes over dies in the middle of its replay; the third one goes on."""
    for point in ("takeover-replay", "takeover-replayed"):
        lab.wait_protected(2)
        lab.policy("replay")
        _, standbys = standbys_of(lab)
        talk = Talk(lab, "steady:6:" + V4, "births:2:" + V4)
        for n in standbys:  # whoever is elected, and only that one
            lab.fault("arm", n, point)
        died = []
        watch = threading.Thread(target=lambda: died.append(
            first_reached(lab.name, standbys, 20)))
        watch.start()
        new, _, report, _ = lab.takeover("crash", talk)
        watch.join()
        print("  %s killed on %s, %s is active" % (point, died[0], new))
        need(died[0] and died[0] != new, "nobody came to %s" % point)
        sound(report)
        talk.stop()


def lossy(lab):
    """A tenth of what the nodes and the client are sent is lost."""
    lab.policy("replay")
    for host in lab.nodes + ["client"]:
        lab.fault("loss", host, "10")
    # That births survive a lossy switchover, too, is not shown: once one was reset.
    for kind, births in (("engine", ["births:2:" + V4]), ("switchover", [])):
        talk = Talk(lab, "steady:6:" + V4, *births)
        _, _, report, _ = lab.takeover(kind, talk, patience=60)
        sound(report)
        talk.stop()
    lab.fault("heal", "all")


def flood(lab):
    """50,000 SYN a second that nobody means; their sender keeps its resets to itself."""
    mute = ["iptables", "-w", "-A", "OUTPUT", "-p", "tcp", "--tcp-flags", "RST", "RST", "-d", V4,
            "-j", "DROP"]
    tool = os.path.join(os.path.abspath(BUILD), "tests/scenario/syn_flood")
    lab.policy("replay")
    lab.exec("client", *mute)
    talk = Talk(lab, "steady:6:" + V4)
    talk.answered()
    sent = int(lab.exec("client", tool, "10.77.1.254", V4, "7000", "50000", "5"))
    report, _ = talk.answered()
    print("  %d a second; %s" % (sent // 5, json.dumps(report)), flush=True)
    sound(report)
    _, _, report, _ = lab.takeover("crash", talk)
    sound(report)
    talk.stop()
    mute[2] = "-D"
    lab.exec("client", *mute)


def wish():
    """How long a processor of this host may need to wake, in us."""
    with open("/dev/cpu_dma_latency", "rb") as f:
        return int.from_bytes(f.read(4), sys.byteorder)


def awake(lab):
    """Processors are kept awake on every node while packets keep coming, and no longer."""
    def all_are(on):
        return all(lab.engine_status(n)["awake"] == on for n in lab.nodes)

    tool = os.path.join(os.path.abspath(BUILD), "tests/scenario/syn_flood")
    lab.policy("replay")
    lab.wait("nodes whose processors may sleep", lambda: all_are(False), 10)
    before = wish()
    packets = subprocess.Popen([BASCULE, "lab", "exec", "--name", lab.name, "client", "--", tool,
                                "10.77.1.254", V4, "7000", "10000", "5"], stdout=subprocess.DEVNULL)
    try:
        lab.wait("nodes that are kept awake", lambda: all_are(True), 5)
        need(before > 0 and wish() == 0, "the kernel was not told: %d, %d" % (before, wish()))
    finally:
        packets.wait()
    lab.wait("their sleep again", lambda: all_are(False), 10)
    need(wish() == before, "the wish stays: %d, not %d" % (wish(), before))


SCHEDULING = "ps -L -o class=,comm= -p %s | sed -n 's/ *shipper$//p'"


def unhurried(lab):
    """A checkpoint is shipped in real time if output waits for it, and else not."""
    for policy, wanted in (("commit", "FF"), ("replay", "TS")):
        lab.wait_protected(2)
        lab.policy(policy)
        active = lab.wait_protected(2)
        pid = lab.engine_pid(active)
        lab.fault("arm", active, "checkpoint-half-sent", "hang")
        lab.wait("an engine in the middle of a checkpoint", lambda: lab.exec(
            active, "ps", "-o", "s=", "-p", pid).strip() == "T", 10)
        seen = lab.exec(active, "sh", "-c", SCHEDULING % pid).strip()
        lab.exec(active, "kill", "-KILL", pid)
        lab.wait("a takeover", lambda: (
            lab.service() or {}).get("active") not in (None, active), 10)
        need(seen == wanted, "%s: shipped by class %r, not %s" % (policy, seen, wanted))
    lab.wait_protected(2)


def deaf(lab, node, how):
    """A standby hears neither log nor checkpoints; the beats of the lease still arrive."""
    for words in ("tcp --dport 7810", "tcp --sport 7810", "udp --dport 7811"):
        lab.exec(node, "iptables", "-w", how, "INPUT", "-p", *words.split(), "-j", "DROP")


def alone(lab, stops=False):
    """Both standbys do not answer: the service's rule decides.  Then they do."""
    active, standbys = standbys_of(lab)
    talk = Talk(lab, "steady:6:" + V4)
    talk.answered()
    for n in standbys:
        deaf(lab, n, "-A")
    try:
        lab.wait("nobody is in the set", lambda: (
            lambda s: s and not s["set"])(lab.service()))
        talk.ask("report")
        if stops:
            time.sleep(1)  # so long nothing must come
            report = talk.ask("report")
            need(not report["counts"], "alone, and served: %s" % report)
        else:
            sound(talk.answered()[0])
            need(lab.service()["state"] == "unprotected", "not told: %s" % lab.service())
    finally:
        for n in standbys:
            deaf(lab, n, "-D")
    lab.wait_protected(2)
    sound(talk.answered()[0])
    talk.stop()


def alone_stops(lab):
    alone(lab, True)


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

CHECKS = [replay, diverge, commit, families, datagrams, one_way, handed_over, segments, uploads, downloads, policies,
          again, lossy, awake, unhurried, flood, alone]
STOPS = [alone_stops]
SMALL = [small_log, seeded_anew]


def mend(lab):
    for talk in list(lab.talks):
        talk.stop()
    for n in lab.nodes:
        lab.run("fault", "restart", n, check=False)
        lab.run("fault", "heal", n, check=False)


def one_lab(name, policy, checks, folder, extra=""):
    lab, bad = None, []
    try:
        lab = ReplayLab(name, CONF % (folder, policy, extra))
        for check in checks:
            print("%s:" % check.__name__, flush=True)
            try:
                lab.wait_protected(2)
                check(lab)
                print("%s: ok" % check.__name__, flush=True)
            except (Failure, LookupError, TypeError, ValueError, OSError,
                    subprocess.SubprocessError) as e:
                bad.append("%s: %s" % (check.__name__, e))
                print("FAIL: %s" % bad[-1], flush=True)
                if not isinstance(e, Failure):
                    traceback.print_exc()
                print(lab.journal(), flush=True)
                mend(lab)
    except Failure as e:
        print("FAIL: %s" % e)
        bad.append("%s" % e)
    finally:
        if lab:
            lab.down()
    return bad


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--name", default="replay-test")
    p.add_argument("checks", nargs="*")
    o = p.parse_args()
    need_root()
    folder = tempfile.mkdtemp(prefix="bascule-replay.")
    os.chmod(folder, 0o755)
    shutil.copy(os.path.join(BUILD, "tests/scenario/talk_server"), folder)
    checks = [c for c in CHECKS if not o.checks or c.__name__ in o.checks]
    bad = one_lab(o.name, "replay", checks, folder) if checks else []
    for special, line in ((STOPS, 'when-alone = "stop"'), (SMALL, "packet-log = 4")):
        checks = [c for c in special if not o.checks or c.__name__ in o.checks]
        bad += one_lab(o.name, "replay", checks, folder, line) if checks else []
    shutil.rmtree(folder)
    print("\n".join(bad + ["%d wrong" % len(bad)])) # the end of a log is what is shown
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
