#!/usr/bin/python3
# gui_bench.py - the console with 64 nodes, 200 services and 10,000 connections: frame
# times while it plays and scrolls, memory, the first picture.  Prints a line each.
import os, sys, time

top = os.environ.setdefault("top_srcdir", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
os.environ.setdefault("top_builddir", top + "/build")
sys.path.insert(0, top + "/tests/gui")
import desk, runs


def frames(path):
    f, gaps, first = [], [], None
    for line in open(path):
        kind, us = line.split()
        if kind == "frame":
            f.append(int(us) / 1000)
        elif kind == "gap":
            gaps.append(int(us) / 1000)
        else:
            first = int(us) / 1000
    f.sort()
    return f, gaps, first


def say(name, f, gaps):
    if not f:
        print("%-34s no frames" % name)
        return
    print("%-34s %4d frames: p50 %.1f, p95 %.1f, p99 %.1f, worst %.1f ms; main loop away longest %.0f ms"
          % (name, len(f), f[len(f) // 2], f[len(f) * 95 // 100], f[len(f) * 99 // 100], f[-1], max(gaps or [0])))


with desk.Desk() as d:
    for kind in ("small", "large"):
        path = "%s/%s.run" % (d.dir, kind)
        r = runs.Run(path)
        getattr(runs, kind)(r)
        r.f.close()
        log = d.dir + "/frames." + kind
        c = desk.Console(d, "--play", path, env={"BASCULE_FRAME_LOG": log})
        c.find(contains="protected" if kind == "small" else "large")
        time.sleep(1)
        f, gaps, first = frames(log)
        print("%-34s %.0f ms" % (kind + ": first picture", first or -1))
        if kind == "large":
            open(log, "r+").truncate(0)
            c.press("Play", "toggle button")
            time.sleep(8)
            say("large: playing, animated", *frames(log)[:2])
            d.key("alt+3")
            c.find(contains="connections")
            time.sleep(1)
            open(log, "r+").truncate(0)
            d.click(600, 500)
            for i in range(60):
                d.key("Page_Down")
            say("large: 10,000 rows, scrolling", *frames(log)[:2])
        print("%-34s %.0f MB" % (kind + ": memory", c.rss_kib() / 1024))
        c.end()
