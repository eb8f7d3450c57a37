#!/usr/bin/python3
"""move_bench.py - how long clients of redis wait while sockmig moves it to another host.

move_bench.py BUILD [--mb N] [--moves N] [--clients N]

Two hosts and a client, namespaces of this machine, on one bridge; redis with N MB goes
there and back.  A client asks all the time, and tells its longest wait during each move;
others make some load.  Needs root."""
import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ADDRESS = "10.79.0.100"
TARGET_MS = 50

PROBE = r"""
import select, socket, sys, time
s = socket.create_connection(("10.79.0.100", 6379))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
longest, value = 0.0, 0
while True:
    since = time.monotonic()
    s.sendall(b"INCR probe\r\n")
    got = b""
    while not got.endswith(b"\r\n"):
        data = s.recv(100)
        if not data:
            raise SystemExit("connection ended")
        got += data
    value += 1
    if got != b":%d\r\n" % value:
        raise SystemExit("wrong answer %r" % got)
    longest = max(longest, time.monotonic() - since)
    if select.select([sys.stdin], [], [], 0.0005)[0]:
        if not sys.stdin.readline():
            raise SystemExit(0)
        print("%.3f" % (1000 * longest), flush=True)
        longest = 0.0
"""

LOAD = r"""
import socket, sys, time
conns = [socket.create_connection(("10.79.0.100", 6379)) for _ in range(int(sys.argv[1]))]
n = 0
while True:
    for c in conns:
        n += 1
        c.sendall(b"SET load:%d %d\r\n" % (n % 5000, n))
    for c in conns:
        if not c.recv(100):
            raise SystemExit("load: connection ended")
    time.sleep(0.005)
"""


def sh(command):
    subprocess.run(command, shell=True, check=True)


def segment(folder):
    sh("mount -t tmpfs none /run && mkdir -p /run/netns && ip netns add peer && ip netns add b")
    sh("ip -n peer link add br0 type bridge && ip link add c0 type veth peer name a0 netns peer")
    sh("ip -n b link add c0 type veth peer name b0 netns peer")
    for dev in ("a0 master br0", "b0 master br0"):
        sh("ip -n peer link set %s" % dev)
    for dev in ("lo", "br0", "a0", "b0"):
        sh("ip -n peer link set %s up" % dev)
    sh("ip link set lo up; ip link set c0 up; ip -n b link set lo up; ip -n b link set c0 up")
    sh("ip a add 10.79.0.1/24 dev c0; ip -n b a add 10.79.0.3/24 dev c0")
    sh("ip -n peer a add 10.79.0.2/24 dev br0; ip a add %s/24 dev c0" % ADDRESS)
    sh("head -c 64 /dev/urandom > %s/secret; chmod 600 %s/secret" % (folder, folder))
    host = subprocess.Popen(
        ["ip", "netns", "exec", "b", "unshare", "-m", "-p", "-f", "--kill-child",
         "--mount-proc", "bash", "-c", "mount -t tmpfs none /run; touch %s/b; "
         "while :; do sleep 1000 & wait; done" % folder])
    while not os.path.exists(folder + "/b"):
        time.sleep(0.01)
    sh("echo 4000 > /proc/sys/kernel/ns_last_pid")
    inner = subprocess.check_output(["pgrep", "-P", str(host.pid)], text=True).split()[0]
    return ["nsenter", "-t", inner, "-n", "-m", "-p", "--"]


def listens(enter):
    return subprocess.run(enter + ["sh", "-c", "ss -Hltn sport = :4780 | grep -q ."]).returncode == 0


def reap(pid):
    """What is killed here after a move is a child of this program, first by its start, then
    because this is the first process of the namespace: its id is in use until it is waited for."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                return
        except ChildProcessError:
            return
        time.sleep(0.005)
    raise SystemExit("process %d is left here after the move" % pid)


def one_move(sockmig, folder, source, target, address, pid):
    receiver = subprocess.Popen(target + [sockmig, "receive", "--device", "c0", "--secret",
                                          folder + "/secret", "--once"])
    while not listens(target):
        time.sleep(0.02)
    said = subprocess.run(source + [sockmig, "move", str(pid), address, "--secret",
                                    folder + "/secret", "--address", ADDRESS],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    receiver.wait()
    return (float(re.search(r"still for ([\d.]+) ms", said).group(1)),
            int(re.search(r"with (\d+) kB", said).group(1)))


def measure(args, folder):
    sockmig = os.path.abspath(args.build + "/sockmig/sockmig")
    there, here, peer = segment(folder), [], ["ip", "netns", "exec", "peer"]
    redis = subprocess.Popen(
        ["setsid", "redis-server", "--bind", ADDRESS, "--protected-mode", "no", "--save", "",
         "--enable-debug-command", "yes", "--dir", folder],
        stdout=open(folder + "/redis", "w"), stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    cli = ["redis-cli", "-h", ADDRESS]
    while subprocess.run(cli + ["ping"], capture_output=True).returncode:
        time.sleep(0.05)
    subprocess.run(cli + ["debug", "populate", str(args.mb * 1000), "key", "900"], check=True,
                   stdout=subprocess.DEVNULL)
    probe = subprocess.Popen(peer + [sys.executable, "-c", PROBE], text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    load = subprocess.Popen(peer + [sys.executable, "-c", LOAD, str(args.clients)])
    time.sleep(0.5)
    gaps = []
    for i in range(args.moves):
        source, target, address = (here, there, "10.79.0.3") if i % 2 == 0 else \
            (there, here, "10.79.0.1")
        probe.stdin.write("\n")
        probe.stdin.flush()
        idle = float(probe.stdout.readline())
        still, left = one_move(sockmig, folder, source, target, address, redis.pid)
        if source == here:
            reap(redis.pid)
        probe.stdin.write("\n")
        probe.stdin.flush()
        gap = float(probe.stdout.readline())
        print("move %d: longest wait %.1f ms (before: %.1f), stood still %.1f ms, %d kB left"
              % (i + 1, gap, idle, still, left), flush=True)
        gaps.append(gap)
    if load.poll() is not None:
        raise SystemExit("the load noticed")
    print("median %.1f ms, worst %.1f ms of %d moves with %d MB; target %d ms"
          % (statistics.median(gaps), max(gaps), len(gaps), args.mb, TARGET_MS))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--mb", type=int, default=1000)
    parser.add_argument("--moves", type=int, default=10)
    parser.add_argument("--clients", type=int, default=10)
    args = parser.parse_args()
    if os.environ.get("MOVE_WORLD") != "yes":
        os.environ["MOVE_WORLD"] = "yes"
        os.execvp("unshare", ["unshare", "-n", "-m", "-p", "-f", "--kill-child", "--mount-proc",
                              sys.executable] + sys.argv)
    folder = tempfile.mkdtemp(prefix="sockmig-bench-")
    try:
        measure(args, folder)
    finally:
        shutil.rmtree(folder)


main()
