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

from talklab import CONF, V4, V6, ReplayLab, Talk, away, need, rounds, sound, told  # finds labrun
from talk_datagrams import answered, datagrams, handed_over, one_way, segments
from talk_ends import orphans, resets
from talk_joins import holes, newcomers
from labrun import BASCULE, BUILD, Failure, need_root
from labwatch import first_reached


def on_term(signo, frame):
    """A time limit: the lab must not stay."""
    raise Failure("ended by a signal")


signal.signal(signal.SIGTERM, on_term)


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
    all_kinds(lab, ("crash", "engine", "switchover"),
              ("steady:6:" + V4, "births:3:" + V4, "fetch:2:" + V4))


def commit(lab):
    lab.policy("commit")
    all_kinds(lab, ("crash", "switchover"), ("steady:6:" + V4, "births:3:" + V4, "fetch:2:" + V4))


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


def dice(lab):
    """Large answers that are never made again: who has the begin of one gets its rest or a
    reset, never the rest of another."""
    lab.policy("replay")
    talk, diverged = Talk(lab, "dice:8:" + V4), 0
    for kind in ("crash", "engine", "crash"):
        _, status, report, _ = lab.takeover(kind, talk)
        need(not report["dice"].get("wrong"), "wrong: %s" % report["dice"])
        diverged += status["replay"]["diverged"]  # who is reset first reads what it has
    need(diverged > 0, "nothing diverged")
    talk.stop()


def same(lab):
    """Clients that always come from the same ports, one connection after the other."""
    talk = Talk(lab, "same:4:" + V4, "same:2:" + V6, "rude:2:" + V4)
    seen = list(rounds(lab, talk, ("replay", "crash"), ("replay", "engine"), ("replay", "switchover"),
                       ("commit", "crash"), ("replay", "crash")))
    need(not any(r["stalled"] for r in seen), "something was waited for in vain: %s" % seen)


def slow(lab):
    """Clients that read slowly and have little room, a few ms away."""
    seen = []
    with away(lab, 3, 0.5, 0.1):
        for kind in "narrow", "sips":
            talk = Talk(lab, kind + ":4:" + V4, kind + ":2:" + V6, "steady:2:" + V4)
            seen += rounds(lab, talk, *[("replay", "crash"), ("replay", "engine")] * 2)
    need(not any(r["stalled"] for r in seen), "something was waited for in vain: %s" % seen)


def corked(lab):
    """Answers that a timer of the service's TCP sends, after 0.2 s: no later in a clone."""
    talk = Talk(lab, "corked:4:" + V4, "corked:2:" + V6, "steady:2:" + V4)
    seen = list(rounds(lab, talk, *[("replay", "crash"), ("replay", "engine")] * 2,
                       ("replay", "switchover"), ("commit", "crash")))
    need(not any(r["stalled"] for r in seen), "something was waited for in vain: %s" % seen)


def silent(lab):
    """Connections that are not accepted before they say something."""
    talk = Talk(lab, "silent:12:" + V4, "silent:4:" + V6, "steady:2:" + V4)
    list(rounds(lab, talk, *[("replay", "switchover"), ("replay", "crash")] * 2,
                ("commit", "switchover"), ("replay", "engine"), ("replay", "switchover")))


def far(lab):
    """Clients far away: 40 ms there and back, packets that overtake each other, some are lost.
    Takes 4 minutes."""
    with away(lab, 20, 1, 0.2):
        talk = Talk(lab, "steady:4:" + V4, "births:4:" + V4, "births:2:" + V6, "upload:6:" + V4,
                    "bulk:2:" + V4, "download:2:" + V4, "udp:1:" + V4)
        list(rounds(lab, talk, ("replay", "crash"), ("replay", "engine"), ("replay", "switchover"),
                    ("commit", "crash"), ("commit", "switchover"), ("replay", "crash")))


def bare(lab):
    """Clients that lack an option of TCP."""
    for option in ("tcp_timestamps", "tcp_sack", "tcp_window_scaling"):
        lab.exec("client", "sysctl", "-qw", "net.ipv4.%s=0" % option)
        talk = Talk(lab, "steady:2:" + V4, "births:2:" + V4, "upload:1:" + V4, "bulk:1:" + V6)
        list(rounds(lab, talk, ("replay", "crash"), ("replay", "engine"), ("replay", "switchover"),
                    ("commit", "crash"), ("commit", "switchover")))
        lab.exec("client", "sysctl", "-qw", "net.ipv4.%s=1" % option)


def families(lab):
    """IPv6 and datagrams, also in fragments."""
    talk = Talk(lab, "steady:2:" + V6, "births:1:" + V6, "udp:1:" + V4, "udp:1:" + V6)
    list(rounds(lab, talk, ("replay", "crash"), ("replay", "switchover"), ("commit", "crash"),
                ("commit", "switchover")))


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
    for kind in ("engine", "switchover"):
        talk = Talk(lab, "steady:6:" + V4, "births:2:" + V4, "births:2:" + V6)
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


def paused(others, lab):
    """The standbys stand still, so that the lease ends, and go on."""
    for signo in "-STOP", "-CONT":
        for node, pid in others.items():
            lab.exec(node, "kill", signo, pid)
        time.sleep(0.4)


def leaseless(lab):
    """Without its lease the active node holds what its service sends: what the shut fence
    drops would count as sent, and come again after a timer of the service's TCP.  Each of 12
    clients waits for an answer then; one or two may be on their way when the lease ends, or
    all if the engine loses its processor between its look at the lease and the verdict:
    three times in a row that is not so."""
    def seen():
        time.sleep(1.2)  # as its engine counts by now
        s = lab.engine_status(active)
        return s["lease"]["lost"], s["gate"]["fenced_out"]
    lab.wait_protected(2)
    lab.policy("warm")  # nothing else is waited for
    active = lab.wait_protected(2)
    others = {n: lab.engine_pid(n) for n in lab.nodes if n != active}
    talk = Talk(lab, "steady:12:" + V4)
    talk.answered()
    most = []
    while len(most) < 3 and (not most or most[-1] >= 3):
        lab.wait_protected(2)
        lost, dropped = seen()
        paused(others, lab)
        sound(talk.answered()[0])
        now_lost, now_dropped = seen()
        need(lab.service()["active"] == active, "it was taken over")
        need(now_lost > lost, "the lease was not lost")
        most.append(now_dropped - dropped)
    talk.stop()
    need(most[-1] < 3, "sent into the shut fence: %s" % most)


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


CHECKS = [replay, diverge, dice, same, slow, corked, silent, far, bare, commit, families, datagrams, one_way, handed_over, answered, segments,
          resets, orphans, newcomers, holes, uploads, downloads, policies, again, lossy, awake, unhurried, leaseless, flood, alone]
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
