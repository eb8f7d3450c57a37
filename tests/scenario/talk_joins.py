# SPDX-License-Identifier: GPL-2.0-or-later
"""talk_joins.py - checks of lab_replay.py: standbys that join while connections wait to be
accepted, or have sent something after a hole, of which they have seen nothing."""
import subprocess

from labrun import BASCULE
from talklab import V4, V6, need

# The service reads nothing for so many ms: connections wait, with a request or without.
WAIT = """
import socket, sys, time
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.sendto(b"z " + sys.argv[3].encode(), (sys.argv[1], 7000))
time.sleep(0.1)
waits = []
for i in range(12):
    s = socket.create_connection((sys.argv[1 + i % 2], 7000))
    if i % 3:
        s.sendall(b"e hello\\n")
    waits.append(s)
print("wait", flush=True)
sys.stdin.readline()
well = 0
for i, s in enumerate(waits):
    s.settimeout(20)
    try:
        if i % 3 == 0:
            s.sendall(b"e hello\\n")
        well += s.recv(100) == b"1 hello\\n"
    except OSError as e:
        print(i, e, file=sys.stderr)
print(well, flush=True)
"""


class Waiters:
    def __init__(self, lab, ms):
        self.p = subprocess.Popen(
            [BASCULE, "lab", "exec", "--name", lab.name, "client", "--", "/usr/bin/python3", "-c",
             WAIT, V4, V6, str(ms)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        need(self.p.stdout.readline() == "wait\n", "the clients failed")

    def served(self, how):
        print("go", file=self.p.stdin, flush=True)
        well = int(self.p.stdout.readline())
        print("  %s: %d of 12" % (how, well), flush=True)
        self.p.wait()
        return well


def newcomers(lab):
    """What waits is served by a node that came later, and by the second one that takes over."""
    bad = 0
    for policy in ("replay", "commit"):
        lab.wait_protected(2)
        lab.policy(policy)
        active = lab.wait_protected(2)
        new = [n for n in lab.nodes if n != active][0]
        lab.fault("crash", new)
        lab.wait("%s is missed" % new, lambda: len(lab.service(avoid=new)["set"]) == 1)
        waiters = Waiters(lab, 8000)
        lab.wait("their packets are kept on %s" % active,
                 lambda: lab.engine_status(active)["log"]["kept_connections"] >= 12)
        lab.fault("restart", new)
        lab.wait_protected(2)
        lab.exec(active, "bascule", "switchover", "talk", new)
        bad += waiters.served(policy + ", to a newcomer") != 12

        waiters = Waiters(lab, 10000)
        for i in range(2):
            active = lab.wait_protected(2)
            lab.fault("crash", active)
            lab.taken_over(active)
            lab.fault("restart", active)
        bad += waiters.served(policy + ", two crashes") != 12
    need(bad == 0, "connections that waited are lost")


# Of three requests the second is lost, again and again, until told to go on.  A packet that is
# dropped here is not sent in the eyes of TCP, and nothing is after it: in repair mode it is.
HOLE = """
import socket, subprocess, sys
def drop(how):
    for tables in "iptables", "ip6tables":
        subprocess.run([tables, "-w", how, "OUTPUT", "-p", "tcp", "--dport", "7000", "-m", "length",
                        "--length", "400:1400", "-j", "DROP"], check=True)
def ask(s, what):
    s.sendall(b"e " + what + b"\\n")
def lose(s, what):
    s.setsockopt(socket.IPPROTO_TCP, 19, 1)  # TCP_REPAIR
    s.setsockopt(socket.IPPROTO_TCP, 20, 2)  # TCP_REPAIR_QUEUE: what is sent
    ask(s, what)
    s.setsockopt(socket.IPPROTO_TCP, 19, -1)
def hears(s, *lines):
    try:
        return all(files[s].readline() == line for line in lines)
    except OSError as e:
        print(e, file=sys.stderr)
        return False
drop("-A")
files = {}
for i in range(8):
    s = socket.create_connection((sys.argv[1 + i % 2], 7000), 30)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    files[s] = s.makefile("rb")
    ask(s, b"one")
    assert hears(s, b"1 one\\n")
    lose(s, b"2" * 500)
    ask(s, b"three")
print("wait", flush=True)
sys.stdin.readline()
drop("-D")
print(sum(hears(s, b"2 " + b"2" * 500 + b"\\n", b"3 three\\n") for s in files), flush=True)
sys.stdin.readline()
for s in files:
    ask(s, b"four")
print(sum(hears(s, b"4 four\\n") for s in files), flush=True)
"""


class Holes:
    def __init__(self, lab):
        self.p = subprocess.Popen(
            [BASCULE, "lab", "exec", "--name", lab.name, "client", "--", "/usr/bin/python3", "-c",
             HOLE, V4, V6], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        need(self.p.stdout.readline() == "wait\n", "the clients failed")

    def go_on(self, how):
        print("go", file=self.p.stdin, flush=True)
        well = int(self.p.stdout.readline() or 0)
        print("  %s: %d of 8" % (how, well), flush=True)
        need(well == 8, "%s: connections are lost" % how)


def holes(lab):
    """What came after a hole that is filled later is kept by who joined in between, too, also
    after a takeover.  No image has it: none is taken after the hole is filled."""
    lab.policy("replay")
    for crashes in (0, 1):
        active = lab.wait_protected(2)
        others = [n for n in lab.nodes if n != active]
        clients = Holes(lab)
        lab.wait("their packets are kept on %s" % active,
                 lambda: lab.engine_status(active)["log"]["kept_connections"] >= 8)
        for node in [active] * crashes or others:
            lab.fault("crash", node)
            lab.wait("another node than %s is active" % node,
                     lambda: (lab.service(avoid=node) or {}).get("active") not in (None, node))
            lab.wait("%s is missed" % node, lambda: len(lab.service(avoid=node)["set"]) == 1)
            lab.fault("restart", node)
            lab.wait_protected(2)
        active = lab.wait_protected(2)
        lab.engine(active, op="interval", service="talk", ms=60000)
        clients.go_on("the hole is filled on %s" % active)
        lab.fault("crash", active)
        lab.taken_over(active)
        clients.go_on("after a crash")
        clients.p.wait()
        lab.fault("restart", active)
