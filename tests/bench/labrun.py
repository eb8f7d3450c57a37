# SPDX-License-Identifier: GPL-2.0-or-later
"""labrun.py - a lab and its clients, for the tests and measurements in Python.

Lab      `bascule lab` with its status and faults
Client   bascule-demo-client: every reply compared with the connection's own history
"""
import json
import os
import subprocess
import sys
import time

BUILD = os.environ.get("top_builddir", "build")
BASCULE = os.path.join(BUILD, "supervisor/cli/bascule")
CLIENT = os.path.abspath(os.path.join(BUILD, "supervisor/cli/bascule-demo-client"))
ADDRESS = "10.77.1.100"

REDIS = """
service "redis" {
  addresses = { "10.77.1.100/24" }
  device    = "eth0"
  command   = { "redis-server", "--port", "6379", "--save", "", "--protected-mode", "no",
                "--enable-debug-command", "yes" }
  user      = "redis"
  policy    = "%s"
  checkpoint-interval = %d
  checkpoint-spacing  = %d
}
"""

ENGINE_STATUS = """
import socket, json, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(3); s.connect("/run/bascule/sockmigd.sock")
s.sendall(json.dumps(json.loads(sys.argv[1])).encode() + b"\\n")
b = b""
while not b.endswith(b"\\n"):
    part = s.recv(65536)
    if not part: break
    b += part
sys.stdout.write(b.decode())
"""


class Failure(Exception):
    pass


def need_root():
    if os.geteuid() != 0:
        print("skipped: not root")
        sys.exit(77)


class Lab:
    def __init__(self, name, conf=REDIS % ("commit", 20, 2), nodes=3, up=True, token=None):
        self.name = name
        self.nodes = ["n%d" % (i + 1) for i in range(nodes)]
        self.path = "/tmp/%s.%d.conf" % (name, os.getpid())
        with open(self.path, "w") as f:
            f.write(conf)
        self.run("down", check=False)
        if up:
            self.run("up", "--nodes", str(nodes), *(["--token", str(token)] if token else []),
                     self.path)

    def run(self, verb, *args, check=True):
        words = verb.split()
        cmd = [BASCULE, "lab"] + words[:1] + ["--name", self.name] + words[1:] + list(args)
        r = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           timeout=180)
        if check and r.returncode != 0:
            raise Failure("%s: exit %d: %s" % (" ".join(cmd), r.returncode, r.stdout))
        return r.stdout

    def exec(self, host, *cmd, check=True):
        return self.run("exec", host, "--", *cmd, check=check)

    def fault(self, *args):
        return self.run("fault", *args)

    def down(self):
        self.run("down", check=False)
        os.unlink(self.path)

    def status(self, avoid=None):
        """bascule status of the first node that answers and is quorate."""
        for node in self.nodes:
            if node == avoid:
                continue
            r = subprocess.run([BASCULE, "lab", "exec", "--name", self.name, node, "--",
                                "bascule", "--json", "status"], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
            if r.returncode == 0:
                st = json.loads(r.stdout)
                if st["quorate"]:
                    return st
        return None

    def service(self, avoid=None):
        st = self.status(avoid)
        return st["services"][0] if st else None

    def engine(self, node, **request):
        """One request to a node's sockmigd; None if it does not answer."""
        r = subprocess.run([BASCULE, "lab", "exec", "--name", self.name, node, "--", "python3",
                            "-c", ENGINE_STATUS, json.dumps(dict(request, id=1))],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            return json.loads(r.stdout)
        except ValueError:
            return None

    def engine_status(self, node):
        answer = self.engine(node, op="status")
        return answer["services"][0] if answer and answer.get("services") else None

    def wait(self, what, test, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if test():
                return
            time.sleep(0.05)
        raise Failure("waited %d s: %s; status: %s" % (seconds, what, self.service()))

    def wait_protected(self, standbys=2, not_on=None, seconds=60):
        """Protected by so many ready standbys; the active node's name."""
        seen = {}

        def ready():
            s = self.service(avoid=not_on)
            seen["s"] = s
            return (s and s["state"] == "protected" and s["active"] != not_on and
                    len(s["set"]) >= standbys)
        self.wait("protected by %d standbys" % standbys, ready, seconds)
        return seen["s"]["active"]

    def engine_pid(self, node, name="sockmig-engine"):
        """pid (in the node) of its engine."""
        for pid in self.exec(node, "ps", "-e", "-o", "pid=,comm=").splitlines():
            words = pid.split()
            if len(words) == 2 and words[1].startswith(name[:15]):
                return words[0]
        raise Failure("%s runs no %s" % (node, name))

    def redis(self, *args):
        return self.exec("client", "redis-cli", "-h", ADDRESS, *args)


class Client:
    def __init__(self, lab, connections, think_ms=None):
        cmd = [BASCULE, "lab", "exec", "--name", lab.name, "client", "--", CLIENT, ADDRESS,
               "6379", str(connections)] + ([str(think_ms)] if think_ms is not None else [])
        self.p = subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.connections = connections
        self._read()  # all are connected

    def _say(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()

    def mark(self, name):
        self._say("mark " + name)

    def report(self):
        self._say("report")
        return self._read()

    def _read(self):
        line = self.p.stdout.readline()
        if not line:
            raise Failure("the client ended: exit %s" % self.p.wait())
        return json.loads(line)

    def wait_answered(self, seconds=20):
        """Until every connection was answered since the mark; the report then."""
        end = time.monotonic() + seconds
        while True:
            r = self.report()
            if r["silent"] == 0 or time.monotonic() > end:
                return r
            time.sleep(0.05)

    def stop(self):
        self._say("stop")
        r = self._read()
        while not r.get("final"):
            r = self._read()
        self.p.wait()
        return r
