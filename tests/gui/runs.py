# runs.py - writes recorded runs for the tests: what agents could say, the odd included.
#
#   runs.py KIND FILE     KIND: small, failover, pair, large, odd, half, silent
import sys, time

ENTRY = {"cluster": "", "order": "", "node": ""}


def name(s):
    b = s.encode("utf-8", "surrogateescape")
    return ".".join([str(len(b))] + [str(c) for c in b])


def esc(v):
    b = v if isinstance(v, bytes) else v.encode("utf-8", "surrogateescape")
    return "".join(chr(c) if 0x21 <= c < 0x7f and c != 0x25 else "%%%02x" % c for c in b)


def date(ms):
    t = time.gmtime(ms // 1000)
    return bytes([t.tm_year >> 8, t.tm_year & 255, t.tm_mon, t.tm_mday, t.tm_hour, t.tm_min,
                  t.tm_sec, ms % 1000 // 100, ord("+"), 0, 0])


class Run:
    began = 1764115200000

    def __init__(self, path):
        self.f = open(path, "w")
        self.f.write("bascule-recording 1 %d\n" % self.began)

    def at(self, ms):
        self.f.write("@ %d\n" % ms)

    def agent(self, slot, state, address, why=""):
        self.f.write("A %d %d %s %s\n" % (slot, state, esc(address), esc(why)))

    def primary(self, slot):
        self.f.write("P %d\n" % slot)

    def table(self, slot, table, rows):
        """rows: [(index, {column: value})]; a str or bytes is text, an int a number"""
        self.f.write("T %d %s\n" % (slot, table))
        for index, columns in rows:
            for c, v in columns.items():
                if v is None:
                    continue
                if isinstance(v, int):
                    self.f.write("n %d.%s %d\n" % (c, index, v))
                else:
                    self.f.write("s %d.%s %s\n" % (c, index, esc(v)))
        self.f.write("E\n")

    def cluster(self, online=3, offline=0, protected=1, unprotected=0, name_="lab", state=1,
                quorate=1, **more):
        self.table(-1, "cluster", [("0", {1: name_, 2: state, 3: 10, 4: quorate, 5: online,
                                          6: offline, 7: protected, 8: unprotected, 9: 2,
                                          13: more.get("fencing", "none"), 15: more.get("why", ""),
                                          17: more.get("device", "none"), 18: more.get("votes", 2)})])

    def nodes(self, states, n=3, **more):
        rows = []
        for i in range(n):
            row = {2: "n%d" % (i + 1), 3: states[i], 4: 1 if states[i] == 1 else 0, 5: "", 6: 1,
                   7: 100, 8: 2, 10: 1, 13: 120 + i}
            row.update(more.get("n%d" % (i + 1), {}))
            rows.append((str(i + 1), row))
        self.table(-1, "nodes", rows)

    def node_self(self, slot, name_):
        self.table(slot, "node", [("0", {1: name_, 2: "0.1", 3: 1, 8: 8, 9: 16000,
                                         10: 9000000 + slot * 100000, 11: 50000000, 12: 30000000})])

    def service(self, svc, state, active, epoch, blackout=0, conns=12, step="", order=0, policy=1,
                reason="", addr="10.77.1.100"):
        return (name(svc), {2: state, 3: policy, 4: epoch, 5: active, 6: conns, 7: blackout,
                            8: 850, 9: reason, 10: addr, 11: "", 12: order, 13: step, 14: "",
                            15: 2, 18: 1, 28: "n2" if active == "n1" else "",
                            29: "the configuration prefers that node" if active == "n1" else
                            "no standby is ready; wait until one is"})

    def standby(self, svc, node, state=3, inset=1, lag=0):
        return ("%s.%s" % (name(svc), name(node)), {2: state, 3: inset, 4: lag})

    def event(self, serial, ms, severity, kind, text, node="", service="", epoch=0):
        return (str(serial), {2: date(self.began + ms), 3: node, 4: service, 5: epoch,
                              6: severity, 7: kind, 8: text})

    def engine(self, slot, svc, count, size=41000, pause=850, held=2, released=0, age=9):
        self.table(slot, "checkpoints", [(name(svc), {1: count, 2: pause, 3: 2700, 4: size, 5: 40,
                                                      6: 20, 7: 2, 8: age, 9: count - 1})])
        self.table(slot, "gates", [(name(svc), {1: 1, 2: held, 3: released + held, 4: released,
                                                5: 0, 10: 1, 11: 120, 12: count, 13: 0})])

    def clone(self, slot, svc, age, frm):
        self.table(slot, "clones", [(name(svc), {1: 100, 2: age, 3: 9400, 4: frm})])


def order_table(run, value=True):
    c = {1: 77, 2: 0, 3: "", 4: "", 5: 0, 6: 0, 7: ""}
    if value:
        c[8] = ""
    run.table(-1, "order", [("0", c)])


def start(run, n=3, live=3):
    run.at(0)
    for i in range(n):
        run.agent(i, 2, "10.77.1.%d" % (i + 1))
        run.node_self(i, "n%d" % (i + 1))
    run.primary(1)
    order_table(run)


def base(run, active="n1", epoch=1, blackout=0, states=(1, 1, 1), ready=None):
    run.nodes(states)
    run.table(-1, "services", [run.service("redis", 1, active, epoch, blackout)])
    run.table(-1, "standbys", [run.standby("redis", n, lag=(i % 2))
                               for i, n in enumerate(ready or [x for x in ("n1", "n2", "n3") if x != active])])


def small(run):
    start(run)
    run.cluster()
    base(run)
    run.engine(0, "redis", 100)
    run.clone(1, "redis", 14, "n1")
    run.clone(2, "redis", 11, "n1")
    run.table(-1, "events", [run.event(1, 10, 1, "node-joined", "node n1 joined", "n1"),
                             run.event(2, 20, 2, "claim", "n1 wants to be active", "n1", "redis", 1),
                             run.event(3, 40, 1, "active", "active on n1", "n1", "redis", 1),
                             run.event(4, 900, 3, "engine-down", "sockmigd of node n3 cannot be reached: start it, see its log", "n3")])
    run.at(2000)


def failover(run):
    start(run)
    run.cluster()
    base(run)
    events = [run.event(1, 10, 1, "active", "active on n1", "n1", "redis", 1),
              run.event(2, 20, 1, "order", "order 1 of root (local): checkpoint", "n1", "redis", 1),
              run.event(3, 3900, 1, "order-done", "order 1 is done: checkpoint", "n1", "redis", 1)]
    run.table(-1, "events", events)
    for t in range(0, 4000, 250):
        run.at(t)
        run.engine(0, "redis", 100 + t // 20, 41000 + (t * 37) % 9000, 700 + (t * 13) % 400, 2, t * 4, t % 20)
        run.clone(1, "redis", 8 + t % 9, "n1")
        run.clone(2, "redis", 8 + t % 7, "n1")
        run.table(-1, "services", [run.service("redis", 1, "n1", 1, conns=12 + t // 500)])
    run.at(4000)
    run.agent(0, 3, "10.77.1.1")
    run.cluster(2, 1, 0, 1)
    run.nodes((2, 1, 1))
    run.table(-1, "services", [run.service("redis", 3, "", 2, step="waking the clone")])
    run.table(-1, "standbys", [run.standby("redis", "n2"), run.standby("redis", "n3")])
    events += [run.event(4, 4000, 2, "node-left", "node n1 left", "n1"),
               run.event(5, 4020, 2, "claim", "n2 wants to be active", "n2", "redis", 2),
               run.event(6, 4090, 1, "taking", "n2 may serve from here on", "n2", "redis", 2),
               run.event(7, 4180, 1, "active", "active on n2", "n2", "redis", 2)]
    run.table(-1, "events", events)
    run.at(4300)
    run.cluster(2, 1, 0, 1)
    run.table(-1, "services", [run.service("redis", 2, "n2", 2, 182, reason="no standby is ready yet")])
    run.table(-1, "standbys", [run.standby("redis", "n1", 5, 2, -1), run.standby("redis", "n3", 2, 2, -1)])
    run.table(-1, "steps", [("%s.%d" % (name("redis"), i + 1), {2: k, 3: x, 4: date(run.began + 4000 + m), 5: d, 6: 2, 7: 2})
                            for i, (k, x, m, d) in enumerate([("claim", "n2 wants to be active", 20, 70), ("taking", "n2 may serve from here on", 90, 60), ("active", "active on n2", 150, None)])])
    run.at(5500)
    run.cluster(2, 1, 1, 0)
    run.table(-1, "services", [run.service("redis", 1, "n2", 2, 182)])
    run.table(-1, "standbys", [run.standby("redis", "n1", 5, 2, -1), run.standby("redis", "n3")])
    run.engine(1, "redis", 30, 52000, 910)
    run.clone(2, "redis", 12, "n2")
    run.at(9000)


def pair(run):
    """Two nodes and a quorum device; then the same without one."""
    for ms, more in ((0, dict(device="together")), (2000, dict(device="split")),
                     (4000, dict(device="won", votes=1)),
                     (6000, dict(fencing="refused", why="two nodes and nothing else"))):
        if ms == 0:
            start(run, 2)
        run.at(ms)
        run.cluster(2, **more)
        run.nodes((1, 1), 2)
        run.table(-1, "services", [run.service("redis", 1, "n1", 1)])
        run.table(-1, "standbys", [run.standby("redis", "n2")])
    run.at(8000)


def large(run):
    run.at(0)
    n, s = 64, 200
    for i in range(4):
        run.agent(i, 2, "10.77.1.%d" % (i + 1))
        run.node_self(i, "n%d" % (i + 1))
    run.primary(0)
    order_table(run)
    run.cluster(n, 0, s, 0, "large")
    run.nodes([1] * n, n)
    run.table(-1, "services", [run.service("svc-%03d" % i, 1, "n%d" % (i % n + 1), 1, conns=50) for i in range(s)])
    run.table(-1, "standbys", [run.standby("svc-%03d" % i, "n%d" % ((i + k) % n + 1)) for i in range(s) for k in (1, 2)])
    index = lambda i: "%s.1.4.10.77.1.100.6379.1.4.10.%d.%d.%d.%d" % (name("svc-000"), i >> 16 & 255, i >> 8 & 255, i & 255, 1024 + i)
    run.table(0, "connections", [(index(i), {7: 1, 8: i * 77, 9: i * 991, 10: i * 10, 11: i % 5000,
                                             12: 0, 13: i % 3, 14: 180 + i % 90, 15: i % 4}) for i in range(10000)])
    for t in range(200, 30000, 200):
        run.at(t)
        k = (t // 200) % s
        run.table(-1, "services", [run.service("svc-%03d" % i, 3 if i == k else 1, "n%d" % ((i + (t // 200 if i == k else 0)) % n + 1), 1, conns=50 + t // 200) for i in range(s)])


def odd(run):
    start(run)
    run.cluster(name_="x" * 300)
    run.nodes((1, 9, 77), n3={2: "n3\udcff\udcfe\x01\x1b[31m", 5: "z" * 300}, n2={2: "w" * 300, 4: 2 ** 62})
    run.table(-1, "services", [run.service("redis", 1, "n1", 2 ** 63 - 1, 2 ** 63 - 1, conns=2 ** 63 - 1),
                               run.service("svc\udcc3(", 250, "nowhere", 1, reason="r" * 300, addr="a" * 300),
                               run.service("<b>&markup;", -5, "n1", -1, -1, -1)])
    run.table(-1, "standbys", [run.standby("redis", "n2", 3, 1, 2 ** 63 - 1), run.standby("redis", "n9", 99, 99, -2 ** 63),
                               run.standby("ghost", "n1", 3, 1, 5)])
    run.table(-1, "events", [run.event(1, 10, 99, "k" * 300, "\udcff" * 200 + "<i>&", "n" * 300, "redis", 2 ** 40),
                             ("2", {2: b"\x01\x02", 6: 3, 8: "no date"})])
    run.table(0, "checkpoints", [(name("redis"), {1: 2 ** 63 - 1, 2: 2 ** 63 - 1, 4: 2 ** 63 - 1, 8: 2 ** 63 - 1})])
    run.table(0, "connections", [("1.2.3", {7: 1}), (name("redis") + ".9.3.1.2.3.70000.1.4.1.2.3.4.99999", {7: 77, 8: 2 ** 63 - 1})])
    most = 2 ** 63 - 1
    run.table(0, "node", [("0", {1: "n1", 9: most, 10: most, 11: most, 12: most})])
    run.table(1, "clones", [(name("redis"), {1: most, 2: most, 3: most, 4: "n1"})])
    run.table(-1, "steps", [(name("redis") + ".1", {2: "claim", 3: "x", 4: date(run.began), 5: most, 6: 2, 7: most}),
                            (name("redis") + ".2", {2: "taking", 3: "y", 4: date(0), 5: -most, 6: 2, 7: most})])
    run.at(1000)


def half(run):
    start(run)
    run.cluster()
    run.table(-1, "nodes", [("1", {2: "n1"}), ("2", {3: 1}), ("3", {2: "n3", 3: 1, 4: 1})])
    run.table(-1, "services", [(name("redis"), {2: 1}), (name("mail"), {5: "n3"})])
    run.table(-1, "standbys", [("%s.%s" % (name("redis"), name("n3")), {2: 3})])
    run.at(1000)


def silent(run):
    run.at(0)
    run.agent(0, 1, "10.77.1.1")
    run.at(1000)
    run.agent(0, 4, "10.77.1.1", "the agent does not know the user")
    run.at(2000)


if __name__ == "__main__":
    globals()[sys.argv[1]](Run(sys.argv[2]))
