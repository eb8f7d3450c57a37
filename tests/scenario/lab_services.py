#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""lab_services.py - services that do not run, or cannot be protected, beside one that is.

usage: lab_services.py [--name LAB] [CHECK...]
"""
import argparse
import json
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lab_faults import (BUILD, CLUSTER, CONF, SOCKMIG, Client, Failure, Faults, need,  # noqa: E402
                        need_root, run)

SERVICE = """
service "%s" {
  addresses = { "10.77.1.%d/24" }
  device    = "eth0"
  command   = { %s }
  user      = "nobody"
  preferred = "n1"
  checkpoint-interval = 1000
}
"""

ECHO = r"""
import socket, sys
c = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
print("connected", flush=True)
for line in sys.stdin:
    c.sendall(line.encode())
    got = b""
    while not got.endswith(b"\n"):
        part = c.recv(4096)
        if not part:
            sys.exit("closed")
        got += part
    print("right" if got == line.encode() else "wrong", flush=True)
"""


def index(name):
    return ".".join(str(c) for c in [len(name)] + list(name.encode()))


class Services(Faults):
    def named(self, name):
        for s in (self.status() or {}).get("services", []):
            if s["name"] == name:
                return s
        return {"state": None, "reason": "", "last_error": "", "standbys": []}

    def answers(self, address, port):
        """A connection that is served."""
        import subprocess
        r = subprocess.run(["timeout", "20", os.path.join(BUILD, "supervisor/cli/bascule"), "lab",
                            "exec", "--name", self.name, "client", "--", "/usr/bin/python3", "-c",
                            ECHO, address, str(port)], input="hello\nagain\n", text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return r.stdout.split() == ["connected", "right", "right"]


def says(lab, name, texts, state):
    """Status, journal of some node, MIB of n1."""
    lab.wait("%s is %s and says why" % (name, "/".join(state)), lambda: (lambda s: (
        s["state"] in state and all(t in s["reason"] + s["last_error"] for t in texts)))(
            lab.named(name)), 40)
    lab.wait("a journal says %s" % texts, lambda: any(
        r["service"] == name and all(t in r["text"] for t in texts)
        for n in lab.nodes for r in lab.rows(n)))
    lab.wait("the MIB says %s" % texts, lambda: any(
        all(t in lab.mib(n, "%s.3.1.%d.%s" % (CLUSTER, c, index(name))) for t in texts)
        for n in lab.nodes for c in (9, 14)))


def no_such_command(lab):
    says(lab, "ghost", ["/nonexistent/server", "No such file"], ("failed", "taking-over"))


def dies_at_once(lab):
    before = lab.named("store")["epoch"]
    says(lab, "dies", ["ended by itself", "/var/log/bascule/dies.log"], ("failed", "taking-over"))
    # It is tried again and again, on other nodes too, and says so each time.
    lab.wait("it is tried again", lambda: lab.named("dies").get("epoch", 0) >= 4, 40)
    says(lab, "dies", ["ended by itself", "/var/log/bascule/dies.log"], ("failed", "taking-over"))
    need(lab.named("store")["epoch"] == before, "the other service was moved by it")


def cannot_be_protected(lab):
    lab.wait("odd is active", lambda: lab.named("odd")["active"])
    says(lab, "odd", ["process ", "descriptor ", "io_uring"], ("unprotected",))
    active = lab.named("odd")["active"]
    row = SOCKMIG + ".8.1.%d." + index("odd") + ".1"
    lab.of_mib(active, "what is refused", row % 4, lambda v: "io_uring" in v)
    lab.of_mib(active, "the descriptor", row % 3, lambda v: int(v) >= 3)
    lab.of_mib(active, "the process", row % 2, lambda v: v.isdigit() and int(v) > 0)
    lab.of_mib(active, "the cure", row % 5, lambda v: len(v) > 10)
    code, out = lab.cli(active, "status")
    need(code == 0 and "descriptor" in out and lab.mib(active, row % 5) in out,
         "status does not name descriptor and cure: " + out)
    lab.wait("it is served all the same", lambda: lab.answers("10.77.1.103", 7000))
    lab.refused(active, 4, "no standby is ready", "switchover", "odd")


def other_build(lab):
    """On one standby the program of the service is another one."""
    server = os.path.join(lab.folder, "server")
    lab.wait("twice is protected", lambda: len(lab.named("twice").get("set", [])) == 2)
    other, odd = sorted(lab.named("twice")["set"])
    lab.exec(odd, "mount", "--bind", os.path.join(lab.folder, "server2"), server)
    lab.fault("kill", odd, "sockmig-engine")
    lab.wait("%s says why it is no standby" % odd, lambda: any(
        s["node"] == odd and s["state"] != "ready" and server in s["reason"]
        for s in lab.named("twice")["standbys"]), 40)
    twice = lab.named("twice")
    need(twice["set"] == [other], "the set is %s" % twice["set"])
    active = twice["active"]
    lab.wait("the active node's status says it, too",
             lambda: server in lab.cli(active, "status")[1])
    lab.told(odd, server, 0)
    lab.of_mib(active, "the standby's reason", "%s.4.1.5.%s.%s" % (
        CLUSTER, index("twice"), index(odd)), lambda v: server in v)
    need(lab.answers("10.77.1.104", 7000), "it is not served")
    lab.refused(active, 4, "has no complete clone", "switchover", "twice", odd)
    code, out = lab.cli(active, "switchover", "twice", other)
    need(code == 0, "no switchover to the node with the same build: " + out)
    need(lab.answers("10.77.1.104", 7000), "it is not served on " + other)


# A lab each: more engines than these are too much for two processors.
LABS = [(no_such_command, cannot_be_protected), (dies_at_once, other_build)]


def conf_of(checks, folder):
    server = '"%s/server", "7000"' % folder
    services = {no_such_command: ("ghost", 101, '"/nonexistent/server"'),
                dies_at_once: ("dies", 102, '"false"'),
                cannot_be_protected: ("odd", 103, server + ', "uring"'),
                other_build: ("twice", 104, server + ', "plain"')}
    return CONF + "".join(SERVICE % services[c] for c in checks)


def one_lab(name, checks, folder):
    """How many were wrong."""
    lab = Services(name, conf_of(checks, folder), up=False)
    lab.folder, bad, end = folder, len(checks), None
    try:
        lab.run("up", "--timeout", "1", lab.path, check=False)
        lab.wait_protected(2)
        client = Client(lab, 3, 50)
        bad = run(lab, checks, client)
        end = client.stop()
        print("at the end: %s" % json.dumps(end))
        for node in lab.nodes if bad else []:
            print(node, lab.exec(node, "bascule", "status", check=False),
                  lab.exec(node, "bascule", "journal", "-n", "60", check=False))
    except Failure as e:
        print("FAIL: %s" % e)
    finally:
        lab.down()
    if end and (end["lost_writes"] or end["connections_broken"] or end["wrong_bytes"]):
        bad += 1
    return bad


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--name", default="services-test")
    p.add_argument("checks", nargs="*")
    o = p.parse_args()
    need_root()
    folder = tempfile.mkdtemp(prefix="bascule-services.")
    os.chmod(folder, 0o755)
    for to, what in (("server", "odd_server"), ("server2", "odd_server2")):
        shutil.copy(os.path.join(BUILD, "tests/scenario", what), os.path.join(folder, to))
    bad = 0
    for checks in LABS:
        checks = [c for c in checks if not o.checks or c.__name__ in o.checks]
        bad += one_lab(o.name, checks, folder) if checks else 0
    shutil.rmtree(folder)
    print("%d wrong" % bad)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
