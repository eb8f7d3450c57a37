#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""keepalived.py - the same crash with keepalived (VRRP, its default second), to compare.

usage: keepalived.py [--times N]

Two hosts and a client in namespaces of their own; the active host's cable is cut.  The
time is that to the first answer on a connection opened after the cut; what becomes of one
that was open is told beside it.  Ends with 77 where keepalived is not installed.
"""
import argparse
import json
import os
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

VIP, PORT = "10.88.0.100", 7000
HOSTS = {"A": ("10.88.0.1", 150, "MASTER"), "B": ("10.88.0.2", 100, "BACKUP")}
SERVER = """
import socket, sys, threading
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", int(sys.argv[2])))
s.listen(1024)
def serve(c):
    try:
        c.sendall(sys.argv[1].encode())
        while c.recv(64):
            c.sendall(sys.argv[1].encode())
    except OSError:
        pass
    c.close()
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""
CONF = """
global_defs {
  router_id %s
}
vrrp_instance V {
  state %s
  interface eth0
  virtual_router_id 51
  priority %d
  virtual_ipaddress { %s/24 }
}
"""


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def start(host, log, *cmd):
    subprocess.Popen(["ip", "netns", "exec", host, *cmd], stdin=subprocess.DEVNULL, stdout=log,
                     stderr=log)


def build(work):
    """This namespace is the switch and the client."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    ip("link", "set", "lo", "up")
    ip("link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
    ip("addr", "add", "10.88.0.3/24", "dev", "br0")
    ip("link", "set", "br0", "up")
    for host, (address, priority, state) in HOSTS.items():
        ip("netns", "add", host)
        ip("link", "add", "p" + host, "type", "veth", "peer", "name", "eth0", "netns", host)
        ip("link", "set", "p" + host, "master", "br0", "up")
        ip("-n", host, "link", "set", "lo", "up")
        ip("-n", host, "addr", "add", address + "/24", "dev", "eth0")
        ip("-n", host, "link", "set", "eth0", "up")
        conf = "%s/%s.conf" % (work, host)
        with open(conf, "w") as f:
            f.write(CONF % (host, state, priority, VIP))
        log = open("%s/%s.log" % (work, host), "ab")
        start(host, log, "python3", "-c", SERVER, host, str(PORT))
        start(host, log, "keepalived", "-n", "-l", "-P", "-f", conf, "-p",
              "%s/%s.pid" % (work, host), "-r", "%s/%s.vrrp.pid" % (work, host))


def connect(timeout):
    s = socket.socket()
    s.settimeout(timeout)
    try:
        s.connect((VIP, PORT))
        return s, s.recv(1).decode()
    except OSError:
        s.close()
        return None, None


def wait_for(host, seconds=40):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        s, name = connect(0.2)
        if s:
            s.close()
        if name == host:
            return
        time.sleep(0.05)
    sys.exit("keepalived: the address never came to host %s" % host)


def answer_by(host, begin, seconds=15):
    """A new connection every 2 ms; ms from `begin` to the first that `host` answers."""
    poll, trying, due = select.poll(), {}, begin
    try:
        while time.monotonic() - begin < seconds:
            if time.monotonic() >= due and len(trying) < 800:
                s = socket.socket()
                s.setblocking(False)
                s.connect_ex((VIP, PORT))
                trying[s.fileno()] = s
                poll.register(s, select.POLLIN)
                due = time.monotonic() + 0.002
            for fd, _ in poll.poll(1):
                s = trying.pop(fd)
                poll.unregister(fd)
                try:
                    name = s.recv(1).decode()
                except OSError:
                    name = ""
                s.close()
                if name == host:
                    return (time.monotonic() - begin) * 1000
    finally:
        for s in trying.values():
            s.close()
    return None


def fate(s):
    """What becomes of a connection that was open."""
    s.settimeout(10)
    try:
        s.sendall(b"x")
        return "kept" if s.recv(1) else "closed"
    except OSError as e:
        return e.strerror or str(e)
    finally:
        s.close()


def measure(times):
    gaps, fates = [], []
    with tempfile.TemporaryDirectory() as work:
        build(work)
        wait_for("A")
        for _ in range(times):
            wait_for("A")
            time.sleep(1.5)  # advertisements are heard again by both
            old, _ = connect(1)
            begin = time.monotonic()
            ip("link", "set", "pA", "down")
            gaps.append(answer_by("B", begin))
            fates.append(fate(old) if old else "none")
            ip("link", "set", "pA", "up")
    seen = [g for g in gaps if g is not None]
    return {"times": times, "answered": len(seen),
            "median_ms": round(statistics.median(seen), 1) if seen else None,
            "worst_ms": round(max(seen), 1) if seen else None,
            "kept": fates.count("kept"), "fates": sorted(set(fates))}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--times", type=int, default=5)
    p.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    o = p.parse_args()
    if os.geteuid() != 0:
        print("skipped: not root")
        return 77
    if not shutil.which("keepalived"):
        print("skipped: keepalived is not installed (apt-get install keepalived)")
        return 77
    if not o.inside:
        return subprocess.call(["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child",
                                "--mount-proc", "--propagation", "private", sys.executable,
                                os.path.abspath(__file__), "--inside", "--times",
                                str(o.times)])
    print(json.dumps(measure(o.times)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
