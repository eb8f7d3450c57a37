#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""lab_faults.py - bad input and faults in one lab, while a client goes on.

Each is looked for where an operator looks: what the command says and returns, the
journal, the MIB by SNMPv3.  After each the client's connections answer; at the end
every acknowledged write is found.

usage: lab_faults.py [--name LAB] [CHECK...]
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import time
import traceback

TOP = os.environ.get("top_srcdir", ".")
sys.path.insert(0, os.path.join(TOP, "tests/bench"))
from labrun import BASCULE, BUILD, Client, Failure, Lab, need_root  # noqa: E402

STALE = os.path.abspath(os.path.join(BUILD, "tests/scenario/stale_stream"))
ENTERPRISE = ".1.3.6.1.4.1.%s.1" % next(
    line.split()[2] for line in open(os.path.join(BUILD, "config.h"))
    if line.startswith("#define BSC_ENTERPRISE "))
CLUSTER, SOCKMIG, NODE = (ENTERPRISE + s for s in (".4.1", ".3.1", ".2.1"))
SERVICE = "store"
NAME = ".".join(str(c) for c in [len(SERVICE)] + list(SERVICE.encode()))

# Long intervals: idle services of a test must not load the machine.
CONF = """
service "store" {
  addresses = { "10.77.1.100/24" }
  device    = "eth0"
  command   = { "redis-server", "--port", "6379", "--save", "", "--protected-mode", "no" }
  user      = "redis"
  preferred = "n1"
  checkpoint-interval = 1000
}
# A disk is filled here: that is no reason to move the service in the middle of a check.
reading "disk" { weight = 0 }
"""

SEND = r"""
import socket, sys
# UDP and TCP to ADDRESS: what a scanner, a broken program or an attacker would send.
a, port = sys.argv[1], 7810
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for d in (b"", b"x", b"\0" * 24, b"bSc" * 300, bytes(range(65))):
    u.sendto(d, (a, port))
for path in sys.argv[2:]:                # captured beats: as they were, cut, one bit off
    d = open(path, "rb").read()
    for bad in (d, d, d[:-1], d[:24], d + b"x", d[:30] + bytes([d[30] ^ 1]) + d[31:],
                d[:8] + bytes(16) + d[24:]):
        u.sendto(bad, (a, port))
for d in (b"", b"x", b"\xff" * 8, b"\0" * 65536):
    t = socket.create_connection((a, port), 5)
    try:
        t.sendall(d)
        t.shutdown(socket.SHUT_WR)
        t.settimeout(5)
        while t.recv(4096):
            pass
    except OSError:
        pass
    t.close()
"""

CAPTURE = r"""
import socket, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
s.bind(("eth1", 0)); s.settimeout(5)
n, end = 0, time.time() + 10
while n < 2 and time.time() < end:
    f = s.recv(4096)
    if f[23] == 17 and f[36:38] == (7810).to_bytes(2, "big"):
        open("/tmp/%s.%d" % (sys.argv[1], n), "wb").write(f[42:14 + int.from_bytes(f[16:18], "big")])
        n += 1
sys.exit(n < 2)
"""

TWO_ORDERS = r"""
import json, socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect("/run/bascule/basculed.sock")
s.sendall(b"".join(json.dumps({"op": "switchover", "service": "store", "node": n, "id": i}).encode()
                   + b"\n" for i, n in ((1, sys.argv[1]), (2, sys.argv[2]))))
b = b""
while b.count(b"\n") < 2:
    b += s.recv(65536)
sys.stdout.write(b.decode())
"""


def on_term(signo, frame):
    """A time limit: the lab must not stay."""
    raise Failure("ended by a signal")


signal.signal(signal.SIGTERM, on_term)


def need(ok, what):
    if not ok:
        raise Failure(what)


class Faults(Lab):
    def cli(self, node, *words):
        """(exit code, output) of `bascule WORDS` on the node."""
        r = subprocess.run([BASCULE, "lab", "exec", "--name", self.name, node, "--", "bascule"] +
                           list(words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           timeout=90)
        return r.returncode, r.stdout

    def refused(self, node, code, text, *words):
        got, out = self.cli(node, *words)
        need(got == code and text in out,
             "bascule %s: exit %d, not %d, or not \"%s\": %s" % (" ".join(words), got, code, text, out))

    def secret(self, user):
        path = "operator-secret" if user == "operator" else "snmp-secret"
        return self.exec("n1", "cat", "/etc/bascule/" + path).strip()

    def snmp(self, tool, node, *words, user="bascule", phrase=None):
        phrase = phrase or self.secret(user)
        return self.exec("client", "env", "MIBS=", tool, "-v3", "-l", "authPriv", "-u", user, "-a",
                         "SHA-256", "-A", phrase, "-x", "AES", "-X", phrase, "-t", "2", "-r", "1",
                         "-Ont", "10.77.1." + node[1:], *words, check=False)

    def mib(self, node, oid):
        """The value of one object, without its type."""
        out = self.snmp("snmpget", node, oid).strip()
        if ": " not in out:  # an empty text has no type
            return "" if out.endswith('= ""') else out
        return out.split(": ", 1)[1].removeprefix('"').removesuffix('"').replace('\\"', '"')

    def number(self, node, oid):
        try:
            return int(self.mib(node, oid))
        except ValueError:
            return -1

    def rows(self, node):
        code, out = self.cli(node, "journal", "--json", "-n", "200")
        return [json.loads(line) for line in out.splitlines()] if code == 0 else []

    def newest(self, node):
        return max([r["serial"] for r in self.rows(node)] + [0])

    def told(self, node, text, since, seconds=20):
        """A row of the node's journal says so, and the same row is in its MIB."""
        found = []

        def in_journal():
            found[:] = [r for r in self.rows(node) if r["serial"] > since and text in r["text"]]
            return found
        self.wait("%s's journal says \"%s\"" % (node, text), in_journal, seconds)
        serial = found[0]["serial"]
        self.wait("%s's MIB has row %d: %s" % (node, serial, text), lambda: text[:200] in self.mib(
            node, "%s.5.1.8.%d" % (CLUSTER, serial)), seconds)

    def of_mib(self, node, what, oid, test, seconds=20):
        self.wait("%s's MIB: %s" % (node, what), lambda: test(self.mib(node, oid)), seconds)


# --- the checks: (lab) -> None, or Failure ---

def unknown_names(lab):
    since = lab.newest("n1")
    lab.refused("n1", 4, 'no such service: "nothing"', "switchover", "nothing")
    lab.told("n1", 'no such service: "nothing"', since)
    lab.refused("n1", 4, 'no such node: "n9"', "switchover", SERVICE, "n9")
    lab.told("n1", 'no such node: "n9"', since)
    lab.refused("n1", 4, "active there already", "switchover", SERVICE, "n1")
    lab.told("n1", "active there already", since)


def wrong_sets(lab):
    since = lab.newest("n1")
    L, K, S, N = (CLUSTER + ".6.%d.0" % i for i in (1, 2, 3, 4))
    lock = lab.mib("n1", L)

    def refused(error, *words, **who):
        out = lab.snmp("snmpset", "n1", *words, **dict({"user": "operator"}, **who))
        need(error in out, "SET %s: not %s: %s" % (" ".join(words), error, out))
    refused("wrongValue", L, "i", lock, K, "i", "99", S, "s", SERVICE)
    lab.told("n1", "SET: wrongValue", since)
    refused("inconsistentValue", L, "i", lock, K, "i", "1", S, "s", "nothing")
    lab.told("n1", "SET: inconsistentValue", since)
    refused("inconsistentValue", L, "i", str((int(lock) + 1) % 2 ** 31), K, "i", "1", S, "s", SERVICE)
    refused("wrongType", L, "i", lock, K, "s", "switchover", S, "s", SERVICE)
    refused("wrongLength", L, "i", lock, K, "i", "1", S, "s", "a" * 32)
    refused("inconsistentValue", L, "i", lock, K, "i", "1", S, "s", SERVICE, N, "s", "n9")
    # without rights: the master agent says no, and counts
    refused("noAccess", L, "i", lock, K, "i", "1", S, "s", SERVICE, user="bascule")
    usm = ".1.3.6.1.6.3.15.1.1"
    before = lab.number("n1", usm + ".5.0"), lab.number("n1", usm + ".3.0")
    refused("uthentication failure", L, "i", lock, user="operator", phrase="not the pass phrase")
    refused("nknown user name", L, "i", lock, user="nobody", phrase="not the pass phrase")
    need(lab.number("n1", usm + ".5.0") > before[0], "usmStatsWrongDigests did not grow")
    need(lab.number("n1", usm + ".3.0") > before[1], "usmStatsUnknownUserNames did not grow")
    need(lab.mib("n1", L) == lock, "the lock moved")
    need(lab.number("n1", CLUSTER + ".6.6.0") == 0, "an order was given")


def second_order(lab):
    """Two at once in one write: the second comes while the first runs, for sure."""
    since = lab.newest("n1")
    out = lab.exec("n1", "/usr/bin/python3", "-c", TWO_ORDERS, "n2", "n3")
    answers = {a["id"]: a for a in map(json.loads, out.splitlines())}
    need(answers[1]["ok"], "the first order is refused: " + out)
    need(not answers[2]["ok"] and "is running" in answers[2]["error"],
         "the second order is not refused: " + out)
    lab.told("n1", "an order for this service is running", since)
    lab.wait("the first order is done", lambda: (lambda s: s and s["active"] == "n2")(lab.service()))
    lab.of_mib("n1", "the order is done", CLUSTER + ".7.1.6.%d" % answers[1]["order"],
               lambda v: v == "2")
    lab.wait_protected(2)
    code, out = lab.cli("n1", "switchover", SERVICE, "n1")
    need(code == 0, "back to n1: " + out)
    lab.wait_protected(2)


def unreachable_standby(lab):
    since = lab.newest("n1")
    lab.fault("cut", "n3", "cluster")
    lab.told("n1", "node n3 left", since)
    lab.wait("n3 is out of the set", lambda: (lambda s: s and s["set"] == ["n2"])(
        lab.service(avoid="n3")))
    lab.refused("n1", 4, "has no complete clone", "switchover", SERVICE, "n3")
    lab.told("n1", "has no complete clone", since)
    lab.of_mib("n1", "n3 is no standby of the set", "%s.4.1.3.%s.2.110.51" % (CLUSTER, NAME),
               lambda v: v == "2")
    code, out = lab.cli("n3", "status")
    need(code == 0 and "WITHOUT QUORUM" in out, "n3 does not say that it is alone: " + out)
    lab.fault("heal", "n3")
    lab.wait_protected(2)


def strangers(lab):
    """Garbage, truncated, replayed and forged, to the standby's and the active's engine."""
    for node in ("n1", "n2"):
        since, name = lab.newest(node), lab.name + "." + node
        oid = SOCKMIG + ".6.1.%d." + NAME
        was = [lab.number(node, oid % c) for c in (3, 4)]
        lab.exec(node, "/usr/bin/python3", "-c", CAPTURE, name)
        lab.exec("n3", "/usr/bin/python3", "-c", SEND, "10.77.2." + node[1:],
                 "/tmp/%s.0" % name, "/tmp/%s.1" % name)
        lab.told(node, "refused from the cluster network", since)
        lab.of_mib(node, "forged are counted", oid % 3, lambda v: int(v) > was[0])
        lab.of_mib(node, "malformed are counted", oid % 4, lambda v: int(v) > was[1])
        code, out = lab.cli(node, "services")
        need(code == 0 and "refused by this node from the network" in out, "services: " + out)
        for n in (0, 1):
            os.unlink("/tmp/%s.%d" % (name, n))
    need(len(lab.service()["set"]) == 2, "a standby was lost by it")


def stale_stream(lab):
    """An active node of another epoch offers its image, with the right secret."""
    epoch, oid = lab.service()["epoch"], "%s.6.1.5.%s" % (SOCKMIG, NAME)
    for other in (0, epoch - 1):
        was = lab.number("n2", oid)
        lab.exec("n3", STALE, "/etc/bascule/secret", SERVICE, "1", "2", "10.77.2.2", "7810",
                 str(other))
        lab.of_mib("n2", "a stale stream is counted", oid, lambda v: int(v) == was + 1)
    lab.told("n2", "of another epoch", 0, 30)
    need(len(lab.service()["set"]) == 2, "a standby was lost by it")


def full_disk(lab):
    """Under the journal of the active node."""
    lab.exec("n1", "sh", "-c", "mount -t tmpfs -o size=1m,mode=0750,uid=$(id -u bascule),"
             "gid=$(id -g bascule) small /var/lib/bascule")
    lab.fault("kill", "n1", "basculed")
    lab.wait("basculed is back", lambda: lab.cli("n1", "status")[0] == 0)
    lab.wait_protected(2)
    lab.exec("n1", "sh", "-c", "dd if=/dev/zero of=/var/lib/bascule/fill bs=1k; true")
    for i in range(200):
        lab.cli("n1", "switchover", "fill-%d" % i)
        if lab.status()["journal_error"]:
            break
    code, out = lab.cli("n1", "status")
    need(code == 0 and "CANNOT BE WRITTEN" in out and "full" in out, "status says nothing: " + out)
    lab.of_mib("n1", "the journal's error", CLUSTER + ".1.16.0", lambda v: "full" in v)
    # what needs no record goes on, and what is decided too
    code, out = lab.cli("n1", "switchover", SERVICE, "n2")
    need(code == 0, "no switchover with a full disk: " + out)
    lab.wait_protected(2)
    lab.exec("n1", "rm", "/var/lib/bascule/fill")
    lab.cli("n1", "switchover", "room-again")
    lab.told("n1", "journal is written again; rows lost: 0", 0)
    lab.told("n1", 'no such service: "fill-0"', 0)  # and so is what happened meanwhile
    lab.told("n1", "is done: switchover to n2", 0)
    lab.of_mib("n1", "no error any more", CLUSTER + ".1.16.0", lambda v: v == "")
    code, out = lab.cli("n1", "switchover", SERVICE, "n1")
    need(code == 0, "back to n1: " + out)
    lab.wait_protected(2)
    lab.exec("n1", "umount", "-l", "/var/lib/bascule")
    lab.fault("kill", "n1", "basculed")
    lab.wait("basculed is back", lambda: lab.cli("n1", "status")[0] == 0)


def bad_configuration(lab):
    """Of a node whose supervisor and agent start again with it."""
    conf, active = "/etc/bascule/bascule.conf", lab.service()["active"]
    lab.exec("n3", "cp", conf, "/run/good.conf")
    lab.exec("n3", "sh", "-c", "echo 'service \"x\" { colour = 1 }' >> " + conf)
    lines = lab.exec("n3", "sh", "-c", "wc -l < " + conf).strip()
    where = "%s:%s: " % (conf, lines)
    got, out = lab.cli("n3", "check", conf)
    need(got == 1 and where in out and "colour" in out, "check: exit %d: %s" % (got, out))
    for program in ("basculed", "bascule-agent"):
        lab.fault("kill", "n3", program)
    lab.wait("the log of basculed names it", lambda: where in lab.exec(
        "n3", "cat", "/var/log/bascule/basculed.log"))
    lab.refused("n3", 3, "its log says why", "status")
    lab.of_mib("n3", "why its health failed", NODE + ".1.4.0", lambda v: where in v)
    lab.wait("n1 says why n3 is away", lambda: where in lab.cli("n1", "nodes")[1])
    lab.of_mib("n1", "why n3 is away", CLUSTER + ".2.1.5.3", lambda v: where in v)
    need(lab.service(avoid="n3")["active"] == active, "the service moved")
    lab.exec("n3", "cp", "/run/good.conf", conf)
    lab.wait("n3 is back", lambda: lab.cli("n3", "status")[0] == 0)
    lab.told("n3", where, 0)
    lab.of_mib("n3", "it is in health", NODE + ".1.3.0", lambda v: v == "1")
    lab.wait_protected(2)


CHECKS = [unknown_names, wrong_sets, second_order, unreachable_standby, strangers, stale_stream,
          full_disk, bad_configuration]


def run(lab, checks, client):
    """Whatever one finds, the next is tried: a lab is dear."""
    bad = 0
    for check in checks:
        begin = time.monotonic()
        client.mark(check.__name__)
        try:
            check(lab)
            report = client.wait_answered()
            need(not report["connections_broken"] and not report["wrong_bytes"] and
                 not report["silent"], "the client: %s" % report)
            word = "ok"
        except (Failure, subprocess.TimeoutExpired, ValueError, KeyError, TypeError) as e:
            bad += 1
            word = "FAIL: %s" % e
            if not isinstance(e, Failure):
                traceback.print_exc()
        print("%-20s %5.1f s  %s" % (check.__name__, time.monotonic() - begin, word), flush=True)
    return bad


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--name", default="faults-test")
    p.add_argument("checks", nargs="*")
    o = p.parse_args()
    need_root()
    checks = [c for c in CHECKS if not o.checks or c.__name__ in o.checks]
    bad, end = len(checks), None
    lab = Faults(o.name, CONF)
    try:
        if lab.wait_protected(2) != "n1":  # it was not there yet when the service was started
            lab.cli("n1", "switchover", SERVICE, "n1")
            lab.wait_protected(2)
        client = Client(lab, 3, 50)
        bad = run(lab, checks, client)
        end = client.stop()
        print("at the end: %s" % json.dumps(end))
        if bad:
            for node in lab.nodes:
                print(node, lab.exec(node, "bascule", "journal", "-n", "60", check=False))
    except Failure as e:
        print("FAIL: %s" % e)
    finally:
        lab.down()
    ok = not bad and end and not end["lost_writes"] and not end["connections_broken"] and \
        not end["wrong_bytes"]
    print("%d of %d wrong" % (bad, len(checks)))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
