# SPDX-License-Identifier: GPL-2.0-or-later
"""talk_ends.py - checks of lab_replay.py: ends of connections; clients that ask and are gone before
they are read, and a service that answers and hangs up."""
import subprocess
import time

from labrun import BASCULE
from talklab import V4, V6, need

# While the service reads nothing: some ask on a connection that it has, some on a new one; and
# then they reset it, close it, or wait.
LEAVE = """
import socket, struct, sys, time
def new(i):
    return socket.create_connection((sys.argv[1 + i % 2], 7000))
def leave(s, how):
    s.sendall(b"c x\\nc y\\n")
    if how != "wait":
        if how == "reset":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
had = []
for i in range(12):
    s = new(i)
    s.sendall(b"e hello\\n")
    assert s.recv(100) == b"1 hello\\n"
    had.append(s)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.sendto(b"z 1000", (sys.argv[1], 7000))
time.sleep(float(sys.argv[3]))
waits, hows = [], sys.argv[4:]
for i, s in enumerate(had):
    waits.append(s)
    leave(s, hows[i % len(hows)])
for i in range(12):
    waits.append(new(i))
    leave(waits[-1], hows[i % len(hows)])
print("left", flush=True)
time.sleep(3)
"""

# Connections that the service has closed long before their clients read what it wrote.
SLOW = """
import socket, sys, time
clients = []
for i in range(10):
    s = socket.socket(socket.AF_INET6 if i % 2 else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect((sys.argv[1 + i % 2], 7000))
    s.sendall(b"b 8\\n")
    if i >= 5:
        s.shutdown(socket.SHUT_WR)
    clients.append(s)
print("asked", flush=True)
time.sleep(2.5)
whole = 0
for s in clients:
    got = b""
    s.settimeout(8)
    try:
        while True:
            more = s.recv(65536)
            if not more:
                break
            got += more
        lines = got.split(b"\\n")
        whole += len(lines) == 9 and all(
            lines[k] == b"1 " + bytes([97 + (1 + k) %% 26]) * 4000 for k in range(8))
    except OSError as e:
        print(e, len(got), file=sys.stderr)
print(whole, flush=True)
""".replace("%%", "%")

COUNT = """
import socket, sys
s = socket.create_connection((sys.argv[1], 7000))
s.sendall(b"v\\n")
print(s.recv(100).split()[1].decode())
"""


def counted(lab):
    return int(lab.exec("client", "timeout", "10", "/usr/bin/python3", "-c", COUNT, V4))


def left_and_crash(lab, wait, after, *hows):
    """How many lines the service has counted of 48, after a crash."""
    active = lab.wait_protected(2)
    before = counted(lab)
    client = subprocess.Popen(
        [BASCULE, "lab", "exec", "--name", lab.name, "client", "--", "/usr/bin/python3", "-c", LEAVE,
         V4, V6, str(wait), *hows], stdout=subprocess.PIPE, text=True)
    need(client.stdout.readline() == "left\n", "the clients failed")
    time.sleep(after)
    lab.fault("crash", active)
    lab.taken_over(active)
    time.sleep(1)
    got = counted(lab) - before
    lab.fault("restart", active)
    client.wait(10)
    return got


def resets(lab):
    """What was sent before a connection was reset or closed is read, wherever the checkpoint was:
    before it all, or after it."""
    bad = 0
    for policy, ways in (("replay", (("reset",), ("close", "wait"), ("reset", "wait"))),
                         ("commit", (("reset", "close", "wait"),))):
        lab.wait_protected(2)
        lab.policy(policy)
        for hows in ways:
            for after in (0, 0.25):
                got = left_and_crash(lab, 0.05, after, *hows)
                print("  %s, %s, %.2f s: %d of 48" % (policy, hows, after, got), flush=True)
                bad += got != 48
    need(bad == 0, "lost, or done twice")


def orphans(lab):
    """What a service has written before it closed a connection comes, and its end: the kernel of
    the node that has gone was the only one that had it."""
    for policy, kind in (("replay", "crash"), ("replay", "switchover"), ("commit", "crash")):
        active = lab.wait_protected(2)
        lab.policy(policy)
        active = lab.wait_protected(2)
        client = subprocess.Popen(
            [BASCULE, "lab", "exec", "--name", lab.name, "client", "--", "/usr/bin/python3", "-c",
             SLOW, V4, V6], stdout=subprocess.PIPE, text=True)
        need(client.stdout.readline() == "asked\n", "the clients failed")
        time.sleep(0.7)
        if kind == "crash":
            lab.fault("crash", active)
            lab.taken_over(active)
        else:
            lab.switchover(5)
        whole = int(client.stdout.readline())
        if kind == "crash":
            lab.fault("restart", active)
        print("  %s, %s: %d of 10 whole" % (policy, kind, whole), flush=True)
        need(whole == 10, "answers are lost")
