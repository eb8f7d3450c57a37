# SPDX-License-Identifier: GPL-2.0-or-later
"""talk_joins.py - checks of lab_replay.py: standbys that join while connections wait to be
accepted, of which they have seen nothing."""
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
