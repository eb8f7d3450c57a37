# SPDX-License-Identifier: GPL-2.0-or-later
"""figures.py - the table of bench.py: each figure beside its target."""


class Table:
    def __init__(self):
        self.rows = []

    def add(self, what, value, unit, target=None, most=True, digits=0):
        """`most`: the target is an upper bound, otherwise a lower one."""
        if value is None:
            self.rows.append((what, "-", "", "", "not seen"))
            return
        bound, verdict = "", ""
        if target is not None:
            bound = "%s %g" % ("<=" if most else ">=", target)
            met = value <= target if most else value >= target
            verdict = "met" if met else "SHORT"
        self.rows.append((what, "%.*f" % (digits, value), unit, bound, verdict))

    def title(self, text):
        self.rows.append((text,))

    def show(self):
        for row in self.rows:
            if len(row) == 1:
                print("\n" + row[0])
            else:
                print("  %-46s %12s %-10s %-12s %s" % row)


def show_modes(t, modes):
    t.title("64 B ping-pong on one connection")
    for mode, m in modes.items():
        t.add(mode + ", p50", m["ping_p50_us"], "us")
        t.add(mode + ", p99", m["ping_p99_us"], "us")
    for mode, m in modes.items():
        if mode != "unprotected":
            t.add(mode + ", added to p50", m["added_p50_us"], "us",
                  150 if mode == "replay, 2 standbys" else None)
    one, three = (modes["replay, %s" % n]["added_p50_us"] for n in ("1 standby", "3 standbys"))
    t.add("added with 3 standbys, of that with 1", 100 * three / one, "%", 150)
    t.title("redis-benchmark SET, 20 connections (share of unprotected, same round)")
    for mode, m in modes.items():
        t.add(mode, m["set_per_s"], "/s")
        if mode != "unprotected":
            t.add(mode + ", share", 100 * m["set_ratio"], "%",
                  50 if mode == "replay, 2 standbys" else None, most=False, digits=1)
        t.add(mode + ", p50", m["set_p50_ms"], "ms", 5 if mode == "commit, 20 ms" else None,
              digits=2)
    t.title("the same with 16 requests under way on each (-P 16)")
    for mode, m in modes.items():
        t.add(mode, m["set16_per_s"], "/s")
        if mode != "unprotected":
            t.add(mode + ", share", 100 * m["set16_ratio"], "%", digits=1)
    t.title("values of 256 KB, 4 connections")
    for mode, m in modes.items():
        t.add(mode + ", up", m["upload_gbit"], "Gbit/s",
              5 if mode == "replay, 1 standby" else None, most=False, digits=2)
        t.add(mode + ", down", m["download_gbit"], "Gbit/s", digits=2)
    t.title("engine of the active node, processor time per packet, the way through its host's "
            "network included")
    for mode, m in modes.items():
        if mode != "unprotected":
            t.add(mode + ", SET, 20 connections", m["cpu_us_per_packet"], "us",
                  5 if mode.startswith("replay") else None, digits=1)
        if m["flood_cpu_us"] is not None:
            t.add(mode + ", 50,000 SYN/s, answered", m["flood_cpu_us"], "us", 5, digits=1)
            t.add(mode + ", datagrams, %.0f/s" % m["datagrams_per_s"], m["datagram_cpu_us"], "us",
                  5, digits=1)


def show_load(t, r):
    show_modes(t, r["modes"])
    t.title("pause of a checkpoint, redis with 100 MB")
    for name, p in r["pause"].items():
        t.add("%s, median of %d" % (name, p["n"]), p["last_pause_us"], "us",
              3000 if name == "2 % dirty" else None)
        t.add("%s, pages" % name, p["pages"], "")
        t.add("%s, bytes to each standby" % name, p["bytes"], "")
    first, last = r["memory"]
    t.title("memory after %d -> after %d checkpoints" % (first["checkpoints"],
                                                         last["checkpoints"]))
    for node in ("active", "standby"):
        for name, kib in sorted(last[node].items()):
            t.rows.append(("%s, %s" % (node, name),
                           "%d" % first[node].get(name, 0), "->", "%d KiB" % kib, ""))
    for note in r["notes"]:
        t.title("note: " + note)


def show_takeover(t, title, r, target, slow=None, half=None):
    t.title("%s, %d times, %d connections" % (title, r["times"], r["connections"]))
    t.add("longest wait of half of the connections, at most", r["half_ms"], "ms", half, digits=1)
    t.add("longest wait of any connection, median", r["median_ms"], "ms", target, digits=1)
    t.add("longest wait of any connection, worst", r["worst_ms"], "ms", digits=1)
    t.add("  in 2 s without one, median", r["calm_ms"], "ms", digits=1)
    if r["seeding_ms"] is not None:
        t.add("  while standbys get the memory anew", r["seeding_ms"], "ms", digits=1)
    t.add("connections kept at the end", r["kept"], "", r["connections"], most=False)
    t.add("wrong bytes and lost writes", r["wrong_bytes"] + r["lost_writes"], "", 0)
    for name, us in r["phases_us"].items():
        total = name == "total_us"
        t.add("activation of the clone, " + name[:-3], us, "us", 3000 if total else None)
    if r["replay_per_s"] and slow is not None:
        t.add("replay, packets", r["replay_packets"], "")
        t.add("replay, packets a second", r["replay_per_s"], "/s", slow, most=False)


def show_keepalived(t, r):
    t.title("a crash with keepalived as it comes")
    if "skipped" in r:
        t.title("  " + r["skipped"])
        return
    t.add("first answer on a NEW connection, median", r["median_ms"], "ms", digits=1)
    t.add("of %d open connections kept" % r["times"], r["kept"], "")


def show(result):
    t = Table()
    if "load" in result:
        show_load(t, result["load"])
    if "switchover" in result:
        show_takeover(t, "switchover under commit", result["switchover"], None, half=30)
    if "crash" in result:
        show_takeover(t, "crash under commit", result["crash"], 600)
        t.add("request p50, random think times", result["crash"]["request_p50_ms"], "ms",
              digits=2)
    if "replay" in result:
        show_takeover(t, "crash under replay", result["replay"], 450, 40000)
    if "keepalived" in result:
        show_keepalived(t, result["keepalived"])
    t.show()
    print("\n%d s in all; no figure is a test: SHORT means to look for the cause"
          % result["seconds"])
