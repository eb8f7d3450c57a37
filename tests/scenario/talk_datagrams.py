# SPDX-License-Identifier: GPL-2.0-or-later
"""talk_datagrams.py - checks of lab_replay.py: datagrams, which nobody sends again."""
import subprocess
import time

from labrun import BASCULE
from talklab import V4, V6, Talk, need, rounds, sound, told

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


def datagrams(lab):
    """So many clients of datagrams, some in fragments, that they are gathered; none sees an
    answer twice or one that is not its own.  Some are answered by the device that they
    came in by, which for a clone is another one."""
    seen = list(rounds(lab, Talk(lab, "udp:60:" + V4, "pinned:5:" + V4), ("replay", "crash"),
                       ("replay", "engine"), ("replay", "switchover"), ("commit", "crash")))
    need(any(r["injected"] > 0 for r in seen), "nothing to replay: %s" % seen)
    need(not any(r["datagrams"] for r in seen), "made otherwise: %s" % seen)


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
    for policy in "replay", "commit":
        lab.wait_protected(2)
        lab.policy(policy)
        lab.wait_protected(2)
        before, lost = told(lab), overrun(lab)
        stream = subprocess.Popen([BASCULE, "lab", "exec", "--name", lab.name, "client", "--",
                                   "/usr/bin/python3", "-c", STREAM, V4, V6, "30000"])
        time.sleep(0.4)
        lab.switchover(5)
        need(stream.wait(30) == 0, "the stream was refused")
        counted, lost = told(lab) - before - 1, overrun(lab) - lost
        print("  %s: %d of 30000, no room for %d" % (policy, counted, lost), flush=True)
        need(lost > 500, "the service had room")
        need(counted + lost == 30000, "lost on the way: %d" % (30000 - counted - lost))


def answered(lab):
    """A switchover loses no answer: nobody has to ask again."""
    talk = Talk(lab, "once:20:" + V4, "once:10:" + V6, "download:4:" + V4)
    for policy in ("commit", "replay") * 3:
        lab.policy(policy)
        _, _, report, _ = lab.takeover("switchover", talk)
        sound(report)
        need(not any(r.get("again") for r in report.values()), "lost: %s" % report)
    talk.stop()


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
