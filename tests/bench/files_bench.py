#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""files_bench.py - state folders: what a large file with 1 % changed ships, and what it adds to
the pause.

usage: files_bench.py [--mib 256] [--permille 10] [--rounds 8]
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from labrun import ADDRESS, BASCULE, BUILD, Failure, Lab, need_root

STATE = "/var/lib/files-bench"
CONF = """
service "files" {
  addresses = { "10.77.1.100/24" }
  device    = "eth0"
  command   = { "%s/files_writer", "7000", "%s" }
  user      = "nobody"
  policy    = "%s"
  state     = { "%s" }
  checkpoint-interval = 100
  checkpoint-spacing  = 2
}
"""
SAY = ("import socket,sys; c=socket.create_connection((sys.argv[1],7000),10); c.settimeout(100); "
       "f=c.makefile('rw'); f.write(sys.argv[2]+chr(10)); f.flush(); print(f.readline(),end='')")


def say(lab, line):
    return lab.exec("client", "/usr/bin/python3", "-c", SAY, ADDRESS, line).strip()


def one(lab, active, permille):
    """A change of so much: bytes shipped, and the worst look at the folders meanwhile."""
    before = lab.engine_status(active)["checkpoint"]
    worst = {"took_us": 0, "pause": 0}
    p = subprocess.Popen([BASCULE, "lab", "exec", "--name", lab.name, "client", "--",
                          "/usr/bin/python3", "-c", SAY, ADDRESS, "touch %d" % permille],
                         stdout=subprocess.DEVNULL)
    end = None
    while end is None or time.monotonic() < end:
        c = lab.engine_status(active)["checkpoint"]
        if c["files"]["took_us"] > worst["took_us"]:
            worst = {"took_us": c["files"]["took_us"], "pause": c["last_pause_us"]}
        if end is None and p.poll() is not None:
            end = time.monotonic() + 0.5
    after = lab.engine_status(active)["checkpoint"]
    return (after["files"]["all_shipped_bytes"] - before["files"]["all_shipped_bytes"], worst)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--name", default="files-bench")
    p.add_argument("--mib", type=int, default=256)
    p.add_argument("--permille", type=int, default=10)
    p.add_argument("--rounds", type=int, default=8)
    o = p.parse_args()
    need_root()
    folder = tempfile.mkdtemp(prefix="bascule-files.")
    os.chmod(folder, 0o755)
    shutil.copy(os.path.join(BUILD, "tests/scenario/files_writer"), folder)
    lab = None
    try:
        lab = Lab(o.name, CONF % (folder, STATE, "warm", STATE))
        active = lab.wait_protected(2)
        began = time.monotonic()
        say(lab, "big %d" % o.mib)
        made = time.monotonic() - began
        lab.wait_protected(2)
        time_idle = []
        for _ in range(20):
            c = lab.engine_status(active)["checkpoint"]
            time_idle.append(c["last_pause_us"])
        shipped, took, pauses = [], [], []
        for _ in range(o.rounds):
            n, worst = one(lab, active, o.permille)
            shipped.append(n)
            took.append(worst["took_us"])
            pauses.append(worst["pause"])
        changed = o.mib * 2**20 * o.permille // 1000
        print(json.dumps({
            "file_mib": o.mib, "changed_bytes": changed, "made_s": round(made, 1),
            "shipped_bytes": statistics.median(shipped),
            "shipped_percent": round(100 * statistics.median(shipped) / (o.mib * 2**20), 2),
            "idle_pause_us": statistics.median(time_idle),
            "look_us": statistics.median(took), "look_max_us": max(took),
            "pause_us": statistics.median(pauses)}))
    except Failure as e:
        print("FAIL: %s" % e)
        return 1
    finally:
        if lab:
            lab.down()
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
