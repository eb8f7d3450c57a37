#!/usr/bin/python3
"""dump_bench.py - how long redis is nobody's between sockmig dump and sockmig restore.

dump_bench.py BUILD [--mb N] [--connections N ...] [--rounds N]

One host and a client, namespaces of this machine; redis with N MB and connections that are
idle, but for one that asks all the time.  What is measured is from the stop of redis until
restore has let it go, with the end of one program and the start of the next; the client's
own wait is longer, since its kernel sends again after 200 ms at the earliest.  Needs root."""
import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ADDRESS = "10.79.0.1"
TARGET_MS = 119  # a third of what peers.md has of CRIU, with 1,000 connections

CLIENT = r"""
import resource, socket, sys, time
n = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (n + 100, n + 100))
all = [socket.create_connection(("10.79.0.1", 6379)) for _ in range(n)]
value = 0
print("ready", flush=True)
while True:
    all[0].sendall(b"INCR probe\r\n")
    value += 1
    if all[0].recv(100) != b":%d\r\n" % value:
        raise SystemExit("wrong answer")
    if value % 1000 == 0: # the others are there
        s = all[value // 1000 % n]
        s.sendall(b"PING\r\n")
        if s.recv(100) != b"+PONG\r\n":
            raise SystemExit("wrong answer")
    time.sleep(0.0005)
"""


def sh(command):
    subprocess.run(command, shell=True, check=True)


def cable():
    sh("mount -t tmpfs none /run && mkdir -p /run/netns && ip netns add peer")
    sh("ip link add c0 type veth peer name c1 netns peer; ip link set lo up")
    sh("ip address add 10.79.0.1/24 dev c0; ip link set c0 up")
    sh("ip -n peer address add 10.79.0.2/24 dev c1; ip -n peer link set c1 up")


def reap(pid):
    """At first it is a child of this program; restored, it is nobody's, and so this one's, as
    the first of the namespace."""
    while True:
        try:
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                return
        except ChildProcessError:
            return
        time.sleep(0.001)


def line(process, pattern):
    """The number in the first line of @process that matches."""
    for text in process.stdout:
        found = re.search(pattern, text)
        if found:
            return float(found.group(1))
    raise SystemExit("%s failed" % process.args[1])


def one_round(sockmig, folder, pid):
    dump = subprocess.Popen([sockmig, "dump", str(pid), folder], stdout=subprocess.PIPE,
                            text=True)
    still = line(dump, r"still for ([\d.]+) ms")
    since = time.monotonic() - still / 1000
    dump.wait()
    reap(pid)
    restore = subprocess.Popen([sockmig, "restore", folder], stdout=subprocess.PIPE, text=True)
    restored = line(restore, r"; ([\d.]+) ms")
    gone = 1000 * (time.monotonic() - since)
    if restore.wait() != 0:
        raise SystemExit("not restored")
    return still, restored, gone


def measure(args, folder, n):
    sockmig = os.path.abspath(args.build + "/sockmig/sockmig")
    redis = subprocess.Popen(
        ["setsid", "redis-server", "--bind", ADDRESS, "--protected-mode", "no", "--save", "",
         "--enable-debug-command", "yes", "--maxclients", str(n + 100), "--dir", folder],
        stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    cli = ["redis-cli", "-h", ADDRESS]
    while subprocess.run(cli + ["ping"], capture_output=True).returncode:
        time.sleep(0.05)
    subprocess.run(cli + ["debug", "populate", str(args.mb * 1000), "key", "900"], check=True,
                   stdout=subprocess.DEVNULL)
    client = subprocess.Popen(["ip", "netns", "exec", "peer", sys.executable, "-c", CLIENT, str(n)],
                              stdout=subprocess.PIPE, text=True)
    client.stdout.readline()
    gaps = []
    for i in range(args.rounds):
        time.sleep(0.5)
        image = "%s/%d-%d" % (folder, n, i) # taking an old image's place takes 20 ms
        still, restore, gap = one_round(sockmig, image, redis.pid)
        shutil.rmtree(image)
        print("%d connections: stood still %.1f ms, restored in %.1f ms, nobody's for %.1f ms"
              % (n, still, restore, gap), flush=True)
        gaps.append(gap)
    if client.poll() is not None:
        raise SystemExit("the client noticed")
    client.kill()
    client.wait()
    subprocess.run(cli + ["shutdown"], stdout=subprocess.DEVNULL)
    print("median %.1f ms with %d connections; target %d ms with 1000"
          % (statistics.median(gaps), n, TARGET_MS))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--mb", type=int, default=100)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 1000])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    if os.environ.get("DUMP_WORLD") != "yes":
        os.environ["DUMP_WORLD"] = "yes"
        os.execvp("unshare", ["unshare", "-n", "-m", "-p", "-f", "--kill-child", "--mount-proc",
                              sys.executable] + sys.argv)
    folder = tempfile.mkdtemp(prefix="sockmig-bench-")
    try:
        cable()
        for n in args.connections:
            measure(args, folder, n)
    finally:
        shutil.rmtree(folder)


main()
