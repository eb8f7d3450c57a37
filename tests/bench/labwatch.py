# SPDX-License-Identifier: GPL-2.0-or-later
"""labwatch.py - a look into a lab from outside its hosts, cheap enough for a look always.

The sockets of a node's programs are reached through the root of its pid 1.
"""
import json
import os
import socket
import threading
import time

ROOT = "/var/lib/bascule-lab"
FAULT = "/run/bascule/fault"


def hosts(name):
    """{host: pid of its pid 1} as recorded; 0: not there."""
    try:
        with open("%s/%s/lab.json" % (ROOT, name)) as f:
            return {h["name"]: h["pid"] for h in json.load(f)["hosts"]}
    except (OSError, ValueError, KeyError):
        return {}


def inside(name, node, path):
    return "/proc/%d/root%s" % (hosts(name).get(node, 0), path)


def armed(name, node):
    """Its fault point was not come to; a node that is gone has none."""
    return os.path.exists(inside(name, node, FAULT))


def disarm(name, nodes):
    for node in nodes:
        try:
            os.unlink(inside(name, node, FAULT))
        except OSError:
            pass


def first_reached(name, nodes, seconds):
    """Which of @nodes, all of them armed, came to its point first; the others are disarmed.
    None: no one did in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for node in nodes:
            if not armed(name, node):
                disarm(name, nodes)
                return node
        time.sleep(0.01)
    disarm(name, nodes)
    return None


class Link:
    """Requests to one program of one node, over one connection for as long as it lasts."""

    def __init__(self, name, node, program):
        self.name, self.node, self.program, self.sock = name, node, program, None
        self.rest = b""

    def ask(self, op="status", timeout=0.5, **fields):
        """The answer, or None."""
        try:
            if not self.sock:
                self.sock, self.rest = socket.socket(socket.AF_UNIX), b""
                self.sock.settimeout(timeout)
                self.sock.connect(inside(self.name, self.node,
                                         "/run/bascule/%s.sock" % self.program))
            self.sock.sendall(json.dumps(dict(fields, op=op, id=1)).encode() + b"\n")
            while b"\n" not in self.rest:
                part = self.sock.recv(1 << 16)
                if not part:
                    raise OSError("closed")
                self.rest += part
            line, self.rest = self.rest.split(b"\n", 1)
            return json.loads(line)
        except (OSError, ValueError):
            if self.sock:
                self.sock.close()
            self.sock = None
            return None


class Gates(threading.Thread):
    """Looks all the time whether two nodes have open gates at one instant (promise P1).

    An open gate seen before and after another one was seen open was open all that time,
    or shut and opened again: at most one node may be seen so."""

    def __init__(self, name, nodes, service=0):
        super().__init__(daemon=True)
        self.links = {n: Link(name, n, "sockmigd") for n in nodes}
        self.service, self.looks, self.two, self.ending = service, 0, [], False
        self.start()

    def open(self, node):
        answer = self.links[node].ask(timeout=0.2)
        try:
            s = answer["services"][self.service]
            return (s["reign"],) if s["gate"]["open"] and s["role"] == "active" else None
        except (TypeError, KeyError, IndexError):
            return None

    def look(self):
        seen = {n: self.open(n) for n in self.links}
        self.looks += 1
        there = [n for n in seen if seen[n]]
        if len(there) < 2:
            return
        first = there[0]  # still open, after the others were seen open
        if self.open(first) == seen[first]:
            self.two.append((time.time(), {n: seen[n] for n in there}))

    def run(self):
        while not self.ending:
            self.look()
            time.sleep(0.03)

    def end(self):
        self.ending = True
        self.join()
        return self.two


class Standings(threading.Thread):
    """Looks whether a node's `status` is ever older than an event that it sent before:
    a supervisor that reads it would unlearn what the event said, for good."""

    PATIENCE_S = 1  # a status may be newer than the event: that comes at once

    def __init__(self, name, node):
        super().__init__(daemon=True)
        self.name, self.node, self.told, self.open = name, node, {}, {}
        self.events, self.old, self.ending = 0, [], False
        self.start()

    def take_event(self, msg, sock):
        who = (msg["service"], msg["epoch"], msg["node"])
        self.told[who] = msg["state"]
        if self.open.get(who, ("",))[0] == msg["state"]:
            del self.open[who]
        self.events += 1
        sock.sendall(b'{"op":"status","id":2}\n')

    def take_status(self, msg):
        for s in msg["services"]:
            for b in s.get("standbys", []):
                who = (s["name"], s["reign"], b["node"])
                is_now = b["state"].replace("connecting", "down")  # no event tells these apart
                if self.told.get(who, is_now) == is_now:
                    self.open.pop(who, None)
                else:
                    self.open.setdefault(who, (is_now, time.monotonic()))

    def judge(self):
        for who, (state, since) in list(self.open.items()):
            if time.monotonic() - since > self.PATIENCE_S:
                self.old.append("%s: %s is %s, and was told to be %s" % (
                    self.node, who, state, self.told[who]))
                del self.open[who]

    def listen(self, sock):
        rest = b""
        sock.settimeout(0.2)
        sock.connect(inside(self.name, self.node, "/run/bascule/sockmigd.sock"))
        sock.sendall(b'{"op":"events","id":1}\n')
        while not self.ending:
            self.judge()
            try:
                part = sock.recv(1 << 16)
            except TimeoutError:
                continue
            if not part:
                return
            *lines, rest = (rest + part).split(b"\n")
            for msg in map(json.loads, lines):
                if msg.get("event") == "standby":
                    self.take_event(msg, sock)
                elif msg.get("id") == 2:
                    self.take_status(msg)

    def run(self):
        while not self.ending:
            self.open.clear()
            try:
                with socket.socket(socket.AF_UNIX) as sock:
                    self.listen(sock)
            except OSError:
                time.sleep(0.2)  # its sockmigd is not there now

    def end(self):
        self.ending = True
        self.join()
        old, self.old = self.old, []
        return old
