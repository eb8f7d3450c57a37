#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bench.py - what protection costs and what a takeover takes, measured in one run.

usage: bench.py [--quick] [--json FILE]        (`make bench` from a build folder)

All nodes of the lab share this machine's processors: figures are medians, and the
unprotected service is measured in the same run, in turn, as the ratio's other side.
"""
import argparse
import json
import statistics
import sys
import time

from labrun import ADDRESS, Client, Failure, Lab, need_root
from takeovers import mend, strike


def median(values):
    return statistics.median(values) if values else float("nan")


def p99(values):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * 0.99))] if values else float("nan")


def benchmark(lab, connections, requests, pipeline=1):
    """redis-benchmark SET: (requests a second, p50 ms, p99 ms)."""
    out = lab.exec("client", "redis-benchmark", "-h", ADDRESS, "-c", str(connections), "-n",
                   str(requests), "-P", str(pipeline), "-t", "set", "-d", "100", "-r", "100000",
                   "--csv")
    row = [c.strip('"') for c in out.strip().splitlines()[-1].split(",")]
    return float(row[1]), float(row[4]), float(row[6])


def pauses(lab, active, seconds):
    """Pauses (us) of the checkpoints seen while looking for so long, with their parts."""
    seen, last, end = [], None, time.monotonic() + seconds
    while time.monotonic() < end:
        s = lab.engine_status(active)
        if s and s["checkpoint"]["number"] != last:
            last = s["checkpoint"]["number"]
            seen.append(s["checkpoint"])
    return seen


def memory(lab, node):
    out = {}
    for line in lab.exec(node, "ps", "-e", "-o", "comm=,rss=").splitlines():
        name, rss = line.split()[0], line.split()[-1]
        if name in ("corosync", "snmpd", "basculed", "bascule-agent", "sockmigd",
                    "sockmig-engine", "bascule-poller"):
            out[name] = out.get(name, 0) + int(rss)
    return out


def takeovers(lab, kind, times, connections):
    client, gaps, kept = Client(lab, connections), [], 0
    time.sleep(1)
    for _ in range(times):
        active = lab.wait_protected(2)
        client.mark(kind)
        strike(lab, kind, active)
        lab.wait("another active node", lambda: (
            lambda s: s and s["active"] not in (None, active))(lab.service(
                avoid=active if kind != "switchover" else None)))
        time.sleep(1.5)
        r = client.wait_answered()
        gaps.append(r["blackout_ms"])
        kept = r["connections_kept"]
        mend(lab, kind, active)
    end = client.stop()
    return {"times": times, "connections": connections, "kept": kept,
            "median_ms": round(median(gaps), 1), "worst_ms": round(max(gaps), 1),
            "broken": end["connections_broken"], "wrong_bytes": end["wrong_bytes"],
            "lost_writes": end["lost_writes"]}


def measure(o):
    result, times = {}, 3 if o.quick else 10
    lab = Lab("bench")
    try:
        lab.redis("debug", "populate", "100000", "key", "900")
        active = lab.wait_protected(2)
        idle = pauses(lab, active, 2 if o.quick else 5)
        before = memory(lab, active)
        protected, unprotected = [], []
        for _ in range(2 if o.quick else 3):
            s = lab.engine_status(active)
            names = [n for n in lab.nodes if n != active]
            # With an empty set nothing is held: the same service, unprotected.
            lab.engine(active, op="set", service="redis", epoch=s["epoch"], nodes=[])
            unprotected.append(benchmark(lab, 20, 20000))
            lab.engine(active, op="set", service="redis", epoch=s["epoch"], nodes=names)
            protected.append(benchmark(lab, 20, 5000))
        client = Client(lab, 20)
        dirty = pauses(lab, active, 3 if o.quick else 6)
        latency = client.stop()["median_latency_ms"]
        s = lab.engine_status(active)
        result["checkpoints"] = s["checkpoint"]["count"]
        result["memory_kib"] = {"before": before, "after": memory(lab, active)}
        result["pause_us"] = {
            "idle": {"median": median([c["last_pause_us"] for c in idle]),
                     "p99": p99([c["last_pause_us"] for c in idle]), "n": len(idle)},
            "20 clients": {"median": median([c["last_pause_us"] for c in dirty]),
                           "p99": p99([c["last_pause_us"] for c in dirty]), "n": len(dirty),
                           "pages": median([c["last_pages"] for c in dirty])}}
        result["latency_ms"] = {
            "20 clients with think times": latency,
            "redis-benchmark c20": median([r[1] for r in protected]),
            "unprotected": median([r[1] for r in unprotected])}
        result["throughput"] = {
            "protected": median([r[0] for r in protected]),
            "unprotected": median([r[0] for r in unprotected]),
            "ratio": median([p[0] / u[0] for p, u in zip(protected, unprotected)])}
        result["takeover"] = {}
        for kind, n in (("switchover", 100), ("crash", 20), ("hang", 20), ("cut", 20)):
            result["takeover"][kind] = takeovers(lab, kind, times, n)
    finally:
        lab.down()
    return result


def show(r):
    print("\npause of a checkpoint, redis with 100 MB (us)")
    for name, p in r["pause_us"].items():
        print("  %-12s median %6.0f   p99 %6.0f   (%d seen)"
              % (name, p["median"], p["p99"], p["n"]))
    print("request latency, 20 connections (ms): protected %.2f, unprotected %.2f; "
          "with think times %.2f" % (r["latency_ms"]["redis-benchmark c20"],
                                     r["latency_ms"]["unprotected"],
                                     r["latency_ms"]["20 clients with think times"]))
    print("SET, 20 connections: protected %.0f/s, unprotected %.0f/s, ratio %.3f"
          % (r["throughput"]["protected"], r["throughput"]["unprotected"],
             r["throughput"]["ratio"]))
    print("longest wait of any client (ms)")
    for kind, t in r["takeover"].items():
        print("  %-12s median %6.0f   worst %6.0f   %d times, %d of %d connections kept, "
              "%d wrong bytes, %d lost writes"
              % (kind, t["median_ms"], t["worst_ms"], t["times"], t["kept"], t["connections"],
                 t["wrong_bytes"], t["lost_writes"]))
    print("memory of the active node's programs (KiB) before and after %d checkpoints"
          % r["checkpoints"])
    for name, kib in r["memory_kib"]["after"].items():
        print("  %-16s %8d -> %8d" % (name, r["memory_kib"]["before"].get(name, 0), kib))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--quick", action="store_true", help="fewer repetitions")
    p.add_argument("--json", default="bench.json")
    o = p.parse_args()
    need_root()
    try:
        result = measure(o)
    except Failure as e:
        print("bench: %s" % e)
        return 1
    show(result)
    with open(o.json, "w") as f:
        json.dump(result, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
