#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""lab_sanitized.py - a lab whose programs run under the sanitizers.

usage: lab_sanitized.py [--name LAB]

Clients under load, a switchover, the death of an engine, the crash of a node; then every
program looks for leaks and ends.  Any report of a sanitizer in any log is a failure.

An overflow and a leak are planted besides, where the fault points are: that these are not
reported is a failure too, or the look into the logs would be worth nothing.
"""
import argparse
import glob
import json
import os
import re
import sys
import time

TOP = os.environ.get("top_srcdir", ".")
sys.path.insert(0, os.path.join(TOP, "tests/bench"))
from labrun import Client, Failure, Lab, REDIS, need_root  # noqa: E402

# Everything takes some times longer, and what must be in time gets so much more.
CONF = """
cluster "sanitized" {
  operator      = "operator"
  lease         = 600
  heartbeat     = 50
  standby-limit = 1000
}
""" + (REDIS % ("commit", 50, 5)).replace("policy", "packet-log = 4\n  policy")
REPORT = re.compile(r"ERROR: \w+Sanitizer|Sanitizer has encountered|Sanitizer:DEADLYSIGNAL|"
                    r"runtime error: |irect leak of \d+ byte")
PLANTED = "lib/fault.c"
DAEMONS = ("sockmigd", "basculed", "bascule-agent")


def reports(lab):
    """Each as (file, first line, is it a planted one); a leak counts by itself."""
    root, found = "/var/lib/bascule-lab/%s/" % lab.name, []
    for path in glob.glob(root + "*/host.log") + glob.glob(root + "*/var/log/bascule/*"):
        with open(path, errors="replace") as f:
            lines = f.read().splitlines()
        begins = [i for i, line in enumerate(lines) if REPORT.search(line)]
        for i, end in zip(begins, begins[1:] + [len(lines)]):
            stack = lines[i:min(end, i + 30)]
            if stack[0].endswith("LeakSanitizer: detected memory leaks"):
                continue  # its leaks follow
            found.append((path[len(root):], "\n    ".join(stack[:12]),
                          any(PLANTED in line for line in stack)))
    return found


def text(lab, node, program):
    """Its log, as it lies outside of the node: also of one that is gone."""
    with open("/var/lib/bascule-lab/%s/%s/%s" % (
            lab.name, node, "host.log" if program == "host" else
            "var/log/bascule/%s.log" % program), errors="replace") as f:
        return f.read()


def step(name, began=[time.monotonic()]):
    now = time.monotonic()
    print("%5.1f s  %s" % (now - began[0], name), flush=True)
    began[0] = now


def moved(lab, client, what, active, act):
    """@act takes the service away from @active, and its clients follow."""
    client.mark(what)
    act()
    lab.wait("%s: another node is active" % what, lambda: (
        lambda s: s and s["active"] not in (None, active))(lab.service(avoid=active)))
    r = client.wait_answered()
    if r["connections_broken"] or r["wrong_bytes"] or r["silent"]:
        raise Failure("%s: the client: %s" % (what, r))
    step(what)


def engine_looks(lab, node, point):
    """The engine does not end by itself: it looks for its leaks at a point."""
    lab.fault("arm", node, point, "leaks")
    lab.wait("%s's engine has looked for leaks" % node, lambda: (
        lambda log: "no leaks" in log or REPORT.search(log))(text(lab, node, "sockmigd")))


def plant(lab, node):
    lab.fault("arm", node, "say-order-done", "leak")
    lab.exec(node, "bascule", "checkpoint", "redis")
    lab.fault("arm", node, "checkpoint-resumed", "overflow")
    # with its report whole: the engine ends sooner when its daemon does
    lab.wait("the overflow ends the engine", lambda: "ABORTING" in text(lab, node, "sockmigd"))


def end(lab, nodes):
    """By SIGTERM, as a service manager does."""
    for node in nodes:
        lab.exec(node, "sh", "-c", "; ".join("kill -TERM $(pgrep -o -x %s)" % p for p in DAEMONS))
    for node in nodes:
        for program in DAEMONS:
            lab.wait("%s on %s ends" % (program, node), lambda: re.search(
                r"\b%s (ended|was killed)" % program, text(lab, node, "host")))


def scenario(lab):
    active = lab.wait_protected(2)
    step("up")
    client = Client(lab, 5, 10)
    moved(lab, client, "switchover", active,
          lambda: lab.exec(active, "bascule", "switchover", "redis"))
    active = lab.wait_protected(2)
    moved(lab, client, "engine killed", active,
          lambda: lab.exec(active, "kill", "-KILL", lab.engine_pid(active)))
    crashed = lab.wait_protected(2)
    moved(lab, client, "crash", crashed, lambda: lab.fault("crash", crashed))
    active = lab.wait_protected(1, not_on=crashed)
    standby = next(n for n in lab.nodes if n not in (active, crashed))
    engine_looks(lab, active, "checkpoint-resumed")
    engine_looks(lab, standby, "standby-applied")
    last = client.stop()
    if last["lost_writes"] or last["connections_broken"] or last["wrong_bytes"] or \
            client.p.returncode != 0:
        raise Failure("at the end: exit %s: %s" % (client.p.returncode, json.dumps(last)))
    step("looks for leaks")
    plant(lab, active)
    end(lab, (active, standby))
    step("the end")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--name", default="sanitized-test")
    o = p.parse_args()
    need_root()
    lab, bad = Lab(o.name, CONF), []
    try:
        scenario(lab)
        planted = " ".join(name + what for name, what, is_planted in reports(lab) if is_planted)
        bad += ["a planted %s is not reported" % what for what in (
            "heap-buffer-overflow", "leak of 16 byte") if what not in planted]
    except Failure as e:
        bad.append(str(e))
        for node in lab.nodes:
            print(node, lab.exec(node, "bascule", "journal", "-n", "30", check=False))
    finally:
        bad += ["%s: %s" % r[:2] for r in reports(lab) if not r[2]]
        lab.down()
    for what in bad:
        print("FAIL: " + what)
    print("%d wrong" % len(bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
