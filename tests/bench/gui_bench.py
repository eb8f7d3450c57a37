#!/usr/bin/python3
# gui_bench.py - the console with 64 nodes, 200 services and 10,000 connections: the first
# picture, frame times while it plays and scrolls, memory.  Prints a line each.  Changes on
# screen and the loss of the polled node are measured by tests/gui/lab_orders.py.
import os, sys, time

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


def first_picture(d, path):
    """Nobody looks at it over AT-SPI meanwhile: that costs."""
    log = d.dir + "/first"
    ms = []
    for i in range(5):
        p = d.start([desk.TOP + "/gui/bascule-console", "--play", path],
                    env=dict(d.env, BASCULE_FRAME_LOG=log))
        d.wait(lambda: times(log)["first"], "the first picture", 20)
        ms += times(log)["first"]
        p.terminate()
        p.wait()
        os.unlink(log)
    print("%-34s %.0f ms cold, then %.0f to %.0f ms" % ("first picture", ms[0], min(ms[1:]), max(ms[1:])))


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
