#!/usr/bin/python3
# gui_bench.py - the console with 64 nodes, 200 services and 10,000 connections: the first
# picture, frame times while it plays and scrolls, memory; as root the first picture of a
# lab, too.  Prints a line each.  Changes on screen and the loss of the polled node are
# measured by tests/gui/lab_orders.py.
import os, statistics, subprocess, sys, time

top = os.environ.setdefault("top_srcdir", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
os.environ.setdefault("top_builddir", top + "/build")
sys.path.insert(0, top + "/tests/gui")
import desk, runs


def times(path):
    """The log of frames: a dict of lists of ms."""
    seen = {"frame": [], "gap": [], "first": []}
    for line in open(path):
        kind, us = line.split()
        seen[kind].append(int(us) / 1000)
    return seen


def first(d, *command, **env):
    """Nobody looks at it over AT-SPI meanwhile: that costs."""
    log = d.dir + "/first"
    p = d.start(command, env=dict(d.env, BASCULE_FRAME_LOG=log, **env))
    d.wait(lambda: os.path.exists(log) and times(log)["first"], "the first picture", 20)
    ms = times(log)["first"][0]
    p.terminate()
    p.wait()
    os.unlink(log)
    return ms


def first_picture(d, path):
    ms = [first(d, desk.TOP + "/gui/bascule-console", "--play", path) for i in range(5)]
    print("%-34s %.0f ms cold, then %.0f to %.0f ms" % ("first picture", ms[0], min(ms[1:]), max(ms[1:])))


def first_of_lab():
    """Three agents by SNMPv3; cold: the first window of an X server."""
    name, b = "gb%d" % os.getpid(), desk.TOP + "/supervisor/cli/bascule"
    command = [b, "lab", "exec", "--name", name, "client", "--", desk.TOP + "/gui/bascule-console",
               "-u", "operator", "10.77.1.1", "10.77.1.2", "10.77.1.3"]
    cold, warm = [], []
    try:
        subprocess.run([b, "lab", "up", "--name", name, desk.SRC + "/etc/lab.conf"], check=True,
                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=90)
        secret = open("/var/lib/bascule-lab/%s/operator-secret" % name).read().strip()
        for i in range(5):
            with desk.Desk() as d:
                ms = [first(d, *command, BASCULE_AUTH_SECRET=secret) for k in range(4)]
            cold, warm = cold + ms[:1], warm + ms[1:]
    finally:
        subprocess.run([b, "lab", "down", "--name", name], stdin=subprocess.DEVNULL, timeout=90)
    for word, ms in (("cold", cold), ("warm", warm)):
        print("%-34s p50 %.0f ms, %.0f to %.0f" % ("first picture of a lab, " + word,
              statistics.median(ms), min(ms), max(ms)), flush=True)


def say(name, log, before):
    now = times(log)
    f = sorted(now["frame"][len(before["frame"]):])
    print("%-34s %4d frames: p50 %.1f, p95 %.1f, p99 %.1f, worst %.1f ms; main loop away longest %.0f ms"
          % (name, len(f), f[len(f) // 2], f[len(f) * 95 // 100], f[len(f) * 99 // 100], f[-1],
             max(now["gap"][len(before["gap"]):] or [0])))


with desk.Desk() as d:
    path = {}
    for kind in ("small", "large"):
        path[kind] = "%s/%s.run" % (d.dir, kind)
        r = runs.Run(path[kind])
        getattr(runs, kind)(r)
        r.f.close()
    first_picture(d, path["small"])
    log = d.dir + "/frames"
    c = desk.Console(d, "--play", path["large"], env={"BASCULE_FRAME_LOG": log})
    c.find(contains="large")
    time.sleep(1)
    before = times(log)
    c.press("Play", "toggle button")
    time.sleep(8)
    say("large: playing, animated", log, before)
    d.key("alt+3")
    c.find(contains="connections")
    time.sleep(1)
    before = times(log)
    d.click(600, 500)
    for i in range(60):
        d.key("Page_Down")
    say("large: 10,000 rows, scrolling", log, before)
    print("%-34s %.0f MB" % ("large: memory", c.rss_kib() / 1024))
    c.end()
if os.getuid() == 0:  # last: what looks over AT-SPI knows the first desk only
    first_of_lab()
