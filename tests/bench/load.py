# SPDX-License-Identifier: GPL-2.0-or-later
"""load.py - what protection costs: every way of running the service in turn, round after
round, so that each figure has the unprotected one of the same minute and lab beside it.

The unprotected service is the same program, plain, on the active node's own address.  There
is a lab for each number of standbys: one more than is used would have the log, too.
"""
import json
import os
import statistics
import sys
import threading
import time

from labrun import ADDRESS, BUILD, REDIS, Failure
from labwatch import Link, inside

HERE = os.path.dirname(os.path.abspath(__file__))
PLAIN_PORT = 6380
PLAIN = "unprotected"
# name: policy, standbys, interval ms
MODES = {
    # No answer waits for a checkpoint here; they only keep the replay short.
    "replay, 1 standby": ("replay", 1, 200),
    "replay, 2 standbys": ("replay", 2, 200),
    "replay, 3 standbys": ("replay", 3, 200),
    "commit, 5 ms": ("commit", 2, 5),
    "commit, 20 ms": ("commit", 2, 20),
    "commit, 50 ms": ("commit", 2, 50),
}
# Room for what an upload brings while a checkpoint is made.
CONF = REDIS.replace("  user ", "  packet-log = 128\n  user ") % ("commit", 20, 2)
# Corosync's token: with the lab's own, 70 ms, three of them take a seventh of two processors.
TOKEN_MS = 300
FLOOD = ["10.77.1.254", ADDRESS, "9", "50000", "1"]  # SYN a second, seconds
DATAGRAMS = """
import socket, sys, time
address, per_s, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((address, 9))
begin, sent = time.monotonic(), 0
while time.monotonic() - begin < seconds:
    if sent > (time.monotonic() - begin) * per_s:
        time.sleep(0.0002)
        continue
    for i in range(8):
        try:
            s.send(bytes(64))
            sent += 1
        except ConnectionRefusedError:  # nobody is at that port, as the kernel says at times
            pass
print(sent)
"""
# How much of each kind, by policy: so that one turn takes a second or so.
AMOUNT = {
    None: {"pings": 4000, "sets": 50000, "batch": 150000, "bulk": 2000},
    "replay": {"pings": 3000, "sets": 20000, "batch": 60000, "bulk": 1000},
    "commit": {"pings": 300, "sets": 4000, "batch": 30000, "bulk": 256},
}
DAEMONS = ("corosync", "snmpd", "basculed", "bascule-agent", "bascule-poller", "sockmigd",
           "sockmig-engine")


def processes(lab, node):
    """{pid: name} of a node."""
    found, proc = {}, inside(lab.name, node, "/proc")
    for pid in filter(str.isdigit, os.listdir(proc)):
        try:
            with open("%s/%s/comm" % (proc, pid)) as f:
                found[pid] = f.read().strip()
        except OSError:
            pass
    return found


def memory(lab, node):
    """KiB that each daemon (and the service or its clone) has in memory."""
    out = {}
    for pid, name in processes(lab, node).items():
        if name not in DAEMONS and not name.startswith("redis"):
            continue
        try:
            with open(inside(lab.name, node, "/proc/%s/status" % pid)) as f:
                kib = [int(line.split()[1]) for line in f if line.startswith("VmRSS")]
        except OSError:
            continue
        out[name] = out.get(name, 0) + sum(kib)
    return out


def engine_cpu_us(lab, node):
    """Processor time that the engine has had, all its threads."""
    total = 0
    for pid, name in processes(lab, node).items():
        if name != "sockmig-engine":
            continue
        tasks = inside(lab.name, node, "/proc/%s/task" % pid)
        for task in os.listdir(tasks):
            try:
                with open("%s/%s/schedstat" % (tasks, task)) as f:
                    total += int(f.read().split()[0])
            except OSError:
                pass
    return total / 1000


def keep_awake():
    """Processors do not sleep until the file is closed.  An engine that is busy sees to that
    itself, and the unprotected service has it no worse here: a sleep would be in its latency
    and not in the other's."""
    try:
        device = open("/dev/cpu_dma_latency", "wb", buffering=0)
        device.write((0).to_bytes(4, sys.byteorder))
        return device
    except OSError as e:
        print("bench: processors may sleep: %s" % e, flush=True)
        return None


class Checkpoints(threading.Thread):
    """Sees as many checkpoints as it can, with their parts."""

    def __init__(self, lab, active):
        super().__init__(daemon=True)
        self.link, self.seen, self.ending = Link(lab.name, active, "sockmigd"), [], False
        self.start()

    def run(self):
        last = None
        while not self.ending:
            answer = self.link.ask()
            if answer and answer.get("services"):
                c = answer["services"][0]["checkpoint"]
                if c["number"] != last:
                    self.seen.append(c)
                last = c["number"]
            time.sleep(0.01)

    def end(self):
        self.ending = True
        self.join()
        return self.seen


class Load:
    def __init__(self, lab, active):
        self.lab, self.active = lab, active
        self.link = Link(lab.name, active, "sockmigd")
        self.others = [n for n in lab.nodes if n != active]
        self.modes = [m for m in MODES if MODES[m][1] == len(self.others)]
        self.rows = {name: [] for name in [PLAIN] + self.modes}
        self.notes = []

    def status(self):
        answer = self.link.ask(timeout=3)
        if not answer or not answer.get("services"):
            raise Failure("the engine of %s does not answer: %s" % (self.active, answer))
        return answer["services"][0]

    def order(self, op, **fields):
        answer = self.link.ask(op, timeout=5, service="redis", **fields)
        if not answer or not answer.get("ok", True) or answer.get("error"):
            raise Failure("%s %s: %s" % (op, fields, answer))

    def plain(self):
        """Starts the unprotected one; its address."""
        out = json.loads(self.lab.exec(self.active, "ip", "-j", "-4", "addr", "show", "eth0"))
        self.lab.exec(self.active, "redis-server", "--port", str(PLAIN_PORT), "--save", "",
                      "--protected-mode", "no", "--daemonize", "yes")
        return out[0]["addr_info"][0]["local"]

    def choose(self, mode):
        policy, standbys, interval = MODES[mode]
        epoch = self.status()["epoch"]
        self.order("policy", epoch=epoch, policy=policy)
        self.order("interval", ms=interval)
        self.order("set", epoch=epoch, nodes=self.others[:standbys])

    def in_set(self):
        return sum(1 for s in self.status().get("standbys", []) if s["in_set"])

    def redis_benchmark(self, address, port, *words):
        out = self.lab.exec("client", "redis-benchmark", "-h", address, "-p", str(port), "--csv",
                            *words)
        row = [c.strip('"') for c in out.strip().splitlines()[-1].split(",")]
        return {"per_s": float(row[1]), "p50_ms": float(row[4]), "p99_ms": float(row[6])}

    def ping(self, address, port, rounds):
        with open(os.path.join(HERE, "pingpong.py")) as f:
            text = f.read()
        return json.loads(self.lab.exec("client", "/usr/bin/python3", "-c", text, address,
                                        str(port), str(rounds)))

    def bulk(self, address, port, test, times):
        """Gbit/s in one direction, in values of 256 KB."""
        r = self.redis_benchmark(address, port, "-t", test, "-d", "262144", "-c", "4",
                                 "-n", str(times))
        return r["per_s"] * 262144 * 8 / 1e9

    def packets(self):
        """Passed so far; an engine tells it once a second."""
        time.sleep(1.1)
        gate = self.status()["gate"]
        return gate["released"] + gate["delivered"]

    def flood(self):
        """Engine's time for a packet of a crowd: each SYN to a closed port is answered."""
        cpu = engine_cpu_us(self.lab, self.active)
        tool = os.path.join(os.path.abspath(BUILD), "tests/scenario/syn_flood")
        sent = int(self.lab.exec("client", tool, *FLOOD))
        return (engine_cpu_us(self.lab, self.active) - cpu) / (2 * sent)

    def datagrams(self):
        """The same of datagrams of 64 bytes that get no answer; and how many a second."""
        before, cpu = self.packets(), engine_cpu_us(self.lab, self.active)
        self.lab.exec("client", "/usr/bin/python3", "-c", DATAGRAMS, ADDRESS, "100000", "2")
        cpu = engine_cpu_us(self.lab, self.active) - cpu
        packets = self.packets() - before
        return cpu / packets, packets / 2

    def one(self, policy, address, port):
        many = AMOUNT[policy]
        row = {"ping": self.ping(address, port, many["pings"])}
        before = self.packets() if policy else 0
        cpu = engine_cpu_us(self.lab, self.active)
        row["set"] = self.redis_benchmark(address, port, "-t", "set", "-d", "100", "-r", "100000",
                                          "-c", "20", "-n", str(many["sets"]))
        cpu = engine_cpu_us(self.lab, self.active) - cpu
        if policy:
            row["cpu_us_per_packet"] = cpu / (self.packets() - before)
        row["set16"] = self.redis_benchmark(address, port, "-t", "set", "-d", "100", "-r",
                                            "100000", "-c", "20", "-P", "16", "-n",
                                            str(many["batch"]))
        row["upload_gbit"] = self.bulk(address, port, "set", many["bulk"])
        row["download_gbit"] = self.bulk(address, port, "get", many["bulk"])
        if policy == "replay":
            row["flood_cpu_us"] = self.flood()
            row["datagram_cpu_us"], row["datagrams_per_s"] = self.datagrams()
        return row

    def round(self, plain):
        self.rows[PLAIN].append(self.one(None, plain, PLAIN_PORT))
        for mode in self.modes:
            self.choose(mode)
            self.rows[mode].append(self.one(MODES[mode][0], ADDRESS, 6379))
            if self.in_set() != MODES[mode][1]:
                self.notes.append("%s: %d standbys in the set at the end of a turn"
                                  % (mode, self.in_set()))

    def run(self, rounds):
        plain = self.plain()
        for i in range(rounds):
            self.round(plain)
            print("bench: load, %d standbys, round %d of %d"
                  % (len(self.others), i + 1, rounds), flush=True)
        return self.rows


def summary(labs):
    """Medians of what Load.run() gave for each lab.  Each round has its own unprotected
    turn: a ratio is made before the median."""
    out, plain_of = {}, {}
    merged = {PLAIN: [row for rows in labs for row in rows[PLAIN]]}
    for rows in labs:
        for mode in rows:
            if mode != PLAIN:
                merged[mode], plain_of[mode] = rows[mode], rows[PLAIN]
    for mode in [PLAIN] + [m for m in MODES if m in merged]:
        one = out[mode] = {}
        for test, keys in (("ping", ("p50_us", "p99_us")), ("set", ("per_s", "p50_ms", "p99_ms")),
                           ("set16", ("per_s", "p50_ms", "p99_ms"))):
            for key in keys:
                one["%s_%s" % (test, key)] = statistics.median(r[test][key] for r in merged[mode])
        for key in ("upload_gbit", "download_gbit", "cpu_us_per_packet", "flood_cpu_us",
                    "datagram_cpu_us", "datagrams_per_s"):
            seen = [r[key] for r in merged[mode] if key in r]
            one[key] = statistics.median(seen) if seen else None
        if mode == PLAIN:
            continue
        both = list(zip(merged[mode], plain_of[mode]))
        for test in ("set", "set16"):
            one[test + "_ratio"] = statistics.median(
                r[test]["per_s"] / p[test]["per_s"] for r, p in both)
        one["added_p50_us"] = statistics.median(
            r["ping"]["p50_us"] - p["ping"]["p50_us"] for r, p in both)
    return out
