#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bench.py - what protection costs and what a takeover takes, measured in one run.

usage: bench.py [--quick] [--parts PART,...] [--json FILE]   (`make bench` from a build folder)

Parts: load, switchover, crash, replay, keepalived; all of them take less than 10 minutes.
All nodes of the lab share this machine's processors: figures are medians, and the
unprotected service is measured in the same run, in turn, as the ratio's other side.
Nothing is asserted: each figure stands beside its target.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from figures import show
from labrun import Client, Failure, Lab, REDIS, need_root
from labwatch import Link
from load import CONF, MODES, TOKEN_MS, Checkpoints, Load, keep_awake, memory, summary
from takeovers import mend, strike

HERE = os.path.dirname(os.path.abspath(__file__))
PARTS = ("load", "switchover", "crash", "replay", "keepalived")
CALM_S = 2  # the longest wait without a takeover is measured for so long
PAGES = 100 * 1024 * 1024 // 4096  # of redis with 100 MB


def say(text):
    print("bench: " + text, flush=True)


def median(values):
    return statistics.median(values) if values else None


def pauses(seen):
    """Of all checkpoints, and of those with 1 to 4 % of the pages written."""
    out = {}
    for name, low, high in (("all", 0, 1 << 40), ("2 % dirty", PAGES // 100, PAGES // 25)):
        some = [c for c in seen if low <= c["last_pages"] <= high]
        out[name] = {"n": len(some), "pages": median([c["last_pages"] for c in some]),
                     "bytes": median([c["last_bytes"] for c in some])}
        for key in ("last_pause_us", "stop_us", "sockets_us", "scan_us", "read_us"):
            out[name][key] = median([c[key] for c in some if key in c])
    return out


def pages_and_memory(lab, active, rounds):
    """The load of a lab, and what its checkpoints were like meanwhile."""
    work = Load(lab, active)

    def sample():
        return {"checkpoints": work.status()["checkpoint"]["count"],
                "active": memory(lab, active), "standby": memory(lab, work.others[0])}
    first, watch = sample(), Checkpoints(lab, active)
    rows = work.run(rounds)
    work.choose("commit, 20 ms")
    lab.wait("1,000 checkpoints",
             lambda: work.status()["checkpoint"]["count"] - first["checkpoints"] > 1000)
    return rows, {"pause": pauses(watch.end()), "memory": [first, sample()], "notes": work.notes}


def load(quick):
    labs, out, rounds = [], {}, 1 if quick else 3
    awake = keep_awake()
    for standbys in sorted({standbys for _, standbys, _ in MODES.values()}):
        lab = Lab("load", CONF, nodes=standbys + 1, token=TOKEN_MS)
        try:
            active = lab.wait_protected(standbys)
            lab.redis("debug", "populate", "100000", "key", "900")
            if any(p == "commit" and n == standbys for p, n, _ in MODES.values()):
                rows, out = pages_and_memory(lab, active, rounds)
            else:
                rows = Load(lab, active).run(rounds)
            labs.append(rows)
        finally:
            lab.down()
    if awake:
        awake.close()
    return dict(out, modes=summary(labs))


def after(lab, node):
    """What the new active node says about its takeover."""
    answer = Link(lab.name, node, "sockmigd").ask(timeout=3)
    s = answer["services"][0] if answer and answer.get("services") else {}
    return {"takeover": s.get("takeover"), "replay": s.get("replay"),
            "engine_blackout_ms": s.get("last_blackout_ms")}


def one(lab, client, kind, interval):
    active = lab.wait_protected(2)
    if interval:
        lab.engine(active, op="interval", service="redis", ms=interval)
        time.sleep(1)  # so that there is something to replay
    client.mark("calm")
    time.sleep(CALM_S)
    calm = client.wait_answered()["blackout_ms"]
    client.mark(kind)
    strike(lab, kind, active)
    seen = {}

    def moved():
        seen["s"] = lab.service(avoid=active if kind != "switchover" else None)
        return seen["s"] and seen["s"]["active"] not in (None, active)
    lab.wait("another active node", moved)
    # until whoever waits for its retransmission timer has its answer; after a switchover
    # until the standbys get the memory anew, which is half a second later
    time.sleep(0.2 if kind == "switchover" else 1.5)
    r = client.wait_answered()
    row = dict(after(lab, seen["s"]["active"]), blackout_ms=r["blackout_ms"], calm_ms=calm,
               half_ms=r["median_blackout_ms"],
               kept=r["connections_kept"], broken=r["connections_broken"],
               wrong_bytes=r["wrong_bytes"])
    if kind == "switchover":
        client.mark("seeding")
        time.sleep(1.5)
        row["seeding_ms"] = client.wait_answered()["blackout_ms"]
    mend(lab, kind, active)
    return row


def takeovers(lab, kind, times, connections, interval=None, think_ms=None):
    client, rows = Client(lab, connections, think_ms), []
    time.sleep(1)
    for i in range(times):
        rows.append(one(lab, client, kind, interval))
        say("%s %d of %d: %.0f ms, %d of %d connections kept"
            % (kind, i + 1, times, rows[-1]["blackout_ms"], rows[-1]["kept"], connections))
    lab.wait_protected(2)
    end = client.stop()
    gaps = [r["blackout_ms"] for r in rows]
    phases = [r["takeover"]["phases"] for r in rows if r["takeover"]]
    rates = [(r["replay"]["injected"], r["replay"]["duration_us"]) for r in rows
             if r["replay"] and r["replay"]["injected"] and r["replay"]["duration_us"]]
    return {"times": times, "connections": connections, "kept": rows[-1]["kept"],
            "median_ms": round(median(gaps), 1), "worst_ms": round(max(gaps), 1),
            "calm_ms": median([r["calm_ms"] for r in rows]),
            "half_ms": median([r["half_ms"] for r in rows]),
            "seeding_ms": median([r["seeding_ms"] for r in rows if "seeding_ms" in r]),
            "broken": end["connections_broken"], "wrong_bytes": end["wrong_bytes"],
            "lost_writes": end["lost_writes"],
            "request_p50_ms": end["median_latency_ms"],
            "phases_us": {k: median([p[k] for p in phases]) for k in phases[0]} if phases
            else {},
            "replay_packets": median([n for n, _ in rates]),
            "replay_per_s": median([n * 1e6 / us for n, us in rates]), "rows": rows}


def keepalived(times):
    r = subprocess.run([sys.executable, os.path.join(HERE, "keepalived.py"), "--times",
                        str(times)], stdout=subprocess.PIPE, text=True)
    if r.returncode != 0:
        return {"skipped": r.stdout.strip() or "exit %d" % r.returncode}
    return json.loads(r.stdout)


def lab_parts(lab, parts, quick, result):
    times = 2 if quick else 5
    lab.wait_protected(2)
    lab.redis("debug", "populate", "100000", "key", "900")
    if "switchover" in parts:
        result["switchover"] = takeovers(lab, "switchover", times, 100, think_ms=100)
    if "crash" in parts:
        result["crash"] = takeovers(lab, "crash", times, 20)
    if "replay" in parts:
        active = lab.wait_protected(2)
        lab.exec(active, "bascule", "policy", "redis", "replay")
        lab.wait("policy replay", lambda: lab.engine_status(active)["policy"] == "replay")
        result["replay"] = takeovers(lab, "crash", times, 200, interval=500, think_ms=10)


def measure(o, result):
    parts = o.parts.split(",")
    if "keepalived" in parts:
        result["keepalived"] = keepalived(2 if o.quick else 5)
        say("keepalived: %s" % json.dumps(result["keepalived"]))
    if "load" in parts:
        result["load"] = load(o.quick)
    if set(parts) - {"keepalived", "load"}:
        lab = None
        try:
            lab = Lab("bench", REDIS % ("commit", 20, 2))
            lab_parts(lab, parts, o.quick, result)
        except Failure:
            for node in lab.nodes if lab else []:
                print(lab.exec(node, "bascule", "journal", "-n", "30", check=False))
            raise
        finally:
            if lab:
                lab.down()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--quick", action="store_true", help="fewer repetitions")
    p.add_argument("--parts", default=",".join(PARTS))
    p.add_argument("--json", default="bench.json")
    o = p.parse_args()
    need_root()
    unknown = set(o.parts.split(",")) - set(PARTS)
    if unknown:
        p.error("no such part: %s; there are %s" % (" ".join(unknown), " ".join(PARTS)))
    result, failed, begin = {}, None, time.monotonic()
    try:
        measure(o, result)
    except Failure as e:
        failed = result["failed"] = str(e)
    result["seconds"] = round(time.monotonic() - begin)
    show(result)
    with open(o.json, "w") as f:
        json.dump(result, f, indent=1)
    if failed:
        print("bench: not finished: %s" % failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
