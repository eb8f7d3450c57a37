#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""takeovers.py - one takeover after the other in one lab, of all kinds.

usage: takeovers.py [--takeovers N] [--connections N] [--kinds KIND,...] [--policy P,...]
                    [--interval MS] [--keys N] [--churn N] [--json FILE]

After each: no connection broken, no wrong or lost byte, at most one node with open
gates.  Exit 0 only if all of it held.  With several policies each round of the kinds is
under another one; --churn adds N clients whose connections come and go.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time

from labrun import ADDRESS, BASCULE, Client, Failure, Lab, REDIS, need_root

KINDS = ["switchover", "crash", "engine", "hang", "supervisor", "cut", "sockmigd", "agent",
         "cut-cluster", "cut-outside"]
# Under the others connections end: that is not what is counted here.
POLICIES = ["commit", "replay"]
# Nothing is taken over by itself: the service must not even notice.
QUIET = ("supervisor", "agent")


def open_gates(lab):
    """Nodes whose gates are open now."""
    nodes = []
    for node in lab.nodes:
        s = lab.engine_status(node)
        if s and s.get("gate", {}).get("open") and s["role"] == "active":
            nodes.append(node)
    return nodes


def strike(lab, kind, active):
    if kind == "switchover":
        lab.exec(active, "bascule", "switchover", "redis")
    elif kind in ("crash", "hang"):
        lab.fault(kind, active)
    elif kind.startswith("cut"):
        lab.fault("cut", active, kind[4:] or "all")
    elif kind == "engine":
        lab.exec(active, "kill", "-KILL", lab.engine_pid(active))
    elif kind == "supervisor":
        lab.fault("kill", active, "basculed")
    elif kind == "agent":
        lab.fault("kill", active, "bascule-agent")
    elif kind == "sockmigd":
        lab.fault("kill", active, "sockmigd")


def mend(lab, kind, active):
    if kind == "crash":
        lab.fault("restart", active)
    elif kind == "hang" or kind.startswith("cut"):
        lab.fault("heal", active)


def one(lab, client, kind):
    active = lab.wait_protected(2)
    client.mark(kind)
    begin = time.monotonic()
    strike(lab, kind, active)
    if kind == "cut-outside":
        # The node is not gone from the cluster: the operator moves the service, unless the
        # health of the link has moved it before.
        time.sleep(0.5)
        lab.exec(active, "bascule", "switchover", "redis", check=False)
    if kind in QUIET:
        time.sleep(1)
    else:
        lab.wait("another node than %s is active" % active, lambda: (
            lambda s: s and s["active"] not in (None, active))(
                lab.service(avoid=active if kind != "switchover" else None)))
    time.sleep(1.5)  # whoever waits for its retransmission timer gets its answer
    report = client.wait_answered()
    now_open = open_gates(lab)
    mend(lab, kind, active)
    s = lab.service(avoid=active if kind in ("crash", "hang") else None)
    return {"kind": kind, "from": active, "to": s["active"] if s else None,
            "seconds": round(time.monotonic() - begin, 3),
            "blackout_ms": round(report["blackout_ms"], 1),
            "broken": report["connections_broken"], "wrong_bytes": report["wrong_bytes"],
            "silent": report["silent"], "open": now_open}


def set_policy(lab, policy):
    active = lab.wait_protected(2)
    if lab.engine_status(active)["policy"] != policy:
        lab.exec(active, "bascule", "policy", "redis", policy)
        lab.wait("policy %s" % policy, lambda: lab.engine_status(active)["policy"] == policy)


class Churn:
    """Connections that come and go: churn.py on the client's host."""

    def __init__(self, lab, at_once):
        here = os.path.dirname(os.path.abspath(__file__))
        self.wrong, self.end = [], {"wrong": []}
        self.p = at_once and subprocess.Popen(
            [BASCULE, "lab", "exec", "--name", lab.name, "client", "--", sys.executable,
             os.path.join(here, "churn.py"), ADDRESS, "6379", str(at_once)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        """What went wrong, line by line; at last the sum of it."""
        for line in self.p.stdout if self.p else ():
            said = json.loads(line)
            if isinstance(said, dict):
                self.end = said
                continue
            self.wrong.append(said)
            print("    came and went: %s" % said, flush=True)

    def stop(self):
        if self.p:
            self.p.stdin.close()
            self.reader.join(60)
            self.p.wait(10)
        return self.end


def bad(row):
    return row["broken"] or row["wrong_bytes"] or row["silent"] or len(row["open"]) > 1


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--takeovers", type=int, default=100)
    p.add_argument("--connections", type=int, default=20)
    p.add_argument("--kinds", default=",".join(KINDS))
    p.add_argument("--name", default="takeovers")
    p.add_argument("--policy", default="commit", help="several: in turn")
    p.add_argument("--churn", type=int, default=0, help="clients that connect again and again")
    p.add_argument("--interval", type=int, default=20, help="ms between checkpoints")
    p.add_argument("--keys", type=int, default=100000, help="of 900 bytes, in the server")
    p.add_argument("--json")
    o = p.parse_args()
    kinds, rows, end = o.kinds.split(","), [], None
    policies, churned = o.policy.split(","), {"wrong": []}
    for given, allowed in ((kinds, KINDS), (policies, POLICIES)):
        unknown = sorted(set(given) - set(allowed))
        if unknown:
            p.error("not known: %s; there are %s" % (" ".join(unknown), " ".join(allowed)))
    need_root()
    lab = Lab(o.name, REDIS % (policies[0], o.interval, 2))
    try:
        lab.redis("debug", "populate", str(o.keys), "key", "900")
        client, churn = Client(lab, o.connections), Churn(lab, o.churn)
        time.sleep(1)
        for i in range(o.takeovers):
            # a round of the kinds is under one policy, or each would see but one of them
            set_policy(lab, policies[i // len(kinds) % len(policies)])
            row = one(lab, client, kinds[i % len(kinds)])
            rows.append(row)
            print("%s %3d %-12s %s -> %s  longest gap %6.0f ms, %d broken, %d wrong bytes, open: %s%s"
                  % (time.strftime("%H:%M:%S"), i + 1, row["kind"], row["from"], row["to"], row["blackout_ms"],
                     row["broken"], row["wrong_bytes"], " ".join(row["open"]),
                     "  <-- BAD" if bad(row) else ""), flush=True)
        churned = churn.stop()
        end = client.stop()
    except Failure as e:
        print("FAIL: %s" % e)
        for node in lab.nodes:
            print(lab.exec(node, "bascule", "journal", "-n", "40", check=False))
    finally:
        lab.down()
    wrong = [r for r in rows if bad(r)]
    ok = end is not None and not wrong and end["lost_writes"] == 0 and \
        end["connections_broken"] == 0 and end["wrong_bytes"] == 0 and not churned["wrong"]
    for kind in kinds:
        gaps = [r["blackout_ms"] for r in rows if r["kind"] == kind]
        if gaps:
            print("%-12s %3d times, longest gap: median %6.0f ms, worst %6.0f ms"
                  % (kind, len(gaps), statistics.median(gaps), max(gaps)))
    if o.churn:
        print("connections that came and went: %s" % json.dumps(churned))
    print("%d takeovers, %d bad; end: %s" % (len(rows), len(wrong), json.dumps(end)))
    if o.json:
        with open(o.json, "w") as f:
            json.dump({"takeovers": rows, "end": end, "churn": churned, "ok": ok}, f, indent=1)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
