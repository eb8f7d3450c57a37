#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""lab_files.py - state folders: after a takeover the files are of the memory's instant.

usage: lab_files.py [--name LAB] [--with helper | --with sqlite]

--with: only takeovers are tried, of two processes that share a mapped file, or of a server
with a database.

The service changes files all the time and knows in its memory what must be in them.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../bench"))
from labrun import ADDRESS, BASCULE, BUILD, Failure, Lab, need_root  # noqa: E402

STATE = "/var/lib/files-test"
CONF = """
service "files" {
  addresses = { "10.77.1.100/24" }
  device    = "eth0"
  command   = { %s, "7000", "%s" }
  user      = "nobody"
  state     = { "%s" }
  checkpoint-interval = 50
  checkpoint-spacing  = 20
}
"""

TALK = r"""
import socket, sys
c = socket.create_connection((sys.argv[1], 7000), 10)
c.settimeout(30)
f = c.makefile("rw")
for line in sys.stdin:
    f.write(line)
    f.flush()
    got = f.readline()
    if not got:
        sys.exit("closed")
    print(got, end="", flush=True)
"""


class Talk:
    """One connection for the whole test, and changes without an end in between."""
    def __init__(self, lab):
        self.p = subprocess.Popen([BASCULE, "lab", "exec", "--name", lab.name, "client", "--",
                                   "/usr/bin/python3", "-c", TALK, ADDRESS],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lock = threading.Lock()
        self.made, self.ends = 0, False
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def say(self, line):
        with self.lock:
            self.p.stdin.write(line + "\n")
            self.p.stdin.flush()
            got = self.p.stdout.readline().strip()
        if not got:
            raise Failure("the connection broke")
        return got

    def work(self):
        try:
            while not self.ends:
                made = int(self.say("work 7"))
                if made <= self.made:
                    raise Failure("changes went back from %d to %d" % (self.made, made))
                self.made = made
        except (Failure, ValueError, OSError) as e:
            print("work ends: %s" % e)

    def more(self, lab, n):
        was = self.made
        lab.wait("%d more changes" % n, lambda: self.made >= was + n, 30)

    def check(self, what):
        got = self.say("check")
        if not got.startswith("right"):
            raise Failure("%s: %s" % (what, got))
        print("%s: %s" % (what, got), flush=True)

    def end(self):
        self.ends = True
        self.thread.join(35)
        self.p.stdin.close()
        self.p.wait(10)


def crash(lab, talk):
    """The active node crashes; the one that has it then."""
    active = lab.service()["active"]
    talk.more(lab, 200)
    lab.fault("crash", active)
    lab.wait("another node has it", lambda: (lab.service(avoid=active) or {}).get("active")
             not in (active, None))
    talk.check("after the crash of %s" % active)
    talk.more(lab, 200)
    talk.check("and some changes later")
    return active


def killed(lab, talk, point):
    """A standby's engine dies in the middle of it; then the service runs there."""
    active = lab.service()["active"]
    victim = next(n for n in lab.nodes if n != active)
    lab.fault("arm", victim, point, "kill")
    lab.wait("the engine of %s ends at %s" % (victim, point), lambda: "there" not in lab.exec(
        victim, "sh", "-c", "test ! -e /run/bascule/fault || echo there", check=False), 20)
    lab.wait("it is out of the set", lambda: victim not in (
        lab.service() or {"set": [victim]})["set"], 20)
    lab.wait("%s is a standby again" % victim,
             lambda: victim in (lab.service() or {"set": []})["set"] and
             len(lab.service()["set"]) == 2, 30)
    out = lab.exec(active, "bascule", "switchover", "files", victim)
    lab.wait("%s runs it: %s" % (victim, out), lambda: lab.service()["active"] == victim)
    talk.check("on %s, whose engine was killed at %s" % (victim, point))
    lab.wait_protected(2)


def standby(lab, node):
    s = lab.service()
    return next((v for v in s["standbys"] if v["node"] == node), {}) if s else {}


def says(lab, node, text):
    return text in lab.exec(node, "bascule", "journal", "-n", "60", check=False)


def full(lab, talk):
    """No room on a standby: it is named, the service goes on, and with room it is back."""
    active = lab.service()["active"]
    victim = next(n for n in lab.nodes if n != active)
    lab.exec(victim, "mount", "-t", "tmpfs", "-o", "size=8m", "full", STATE)
    lab.fault("kill", victim, "sockmig-engine")  # its engine sees the folder of now
    lab.wait("%s says that it is full" % active, lambda: says(
        lab, active, "standby %s is behind: no room for the state folders" % victim), 30)
    if victim in lab.service()["set"]:
        raise Failure("a standby without room is in the set")
    talk.more(lab, 100)
    lab.exec(victim, "umount", "-l", STATE)
    lab.fault("kill", victim, "sockmig-engine")
    lab.wait_protected(2)
    print("full: named and back", flush=True)


def unfit(lab, talk):
    """What cannot be kept is named, and the service goes on without protection."""
    active = lab.service()["active"]
    for what, do, undo, text in (
            ("a socket", 'import socket; socket.socket(socket.AF_UNIX).bind("%s/sock")',
             'import os; os.unlink("%s/sock")', "sock: a socket is no state"),
            ("a folder that is gone", 'import os; os.rename("%s", "/var/lib/away")',
             'import os; os.rename("/var/lib/away", "%s")', "was removed or replaced")):
        lab.exec(active, "/usr/bin/python3", "-c", do % STATE)
        lab.wait("%s is named" % what, lambda: lab.service()["state"] == "unprotected" and
                 text in str(lab.service()), 20)
        talk.more(lab, 50)
        lab.exec(active, "/usr/bin/python3", "-c", undo % STATE)
        lab.wait_protected(2)
        print("%s: named and back" % what, flush=True)
    out = lab.exec(active, "bascule", "policy", "files", "cold", check=False)
    if "use warm" not in out:
        raise Failure("policy cold is not refused: " + out)


def command(kind, folder):
    here = os.path.dirname(os.path.abspath(__file__))
    shutil.copy(os.path.join(BUILD, "tests/scenario/files_writer"), folder)
    shutil.copy(os.path.join(here, "sqlite_server.py"), folder)
    if kind == "sqlite":
        return '"/usr/bin/python3", "%s/sqlite_server.py"' % folder
    return '"%s/files_writer"%s' % (folder, ', "-h"' if kind else "")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--name", default="files-test")
    p.add_argument("--with", dest="kind", choices=("helper", "sqlite"))
    o = p.parse_args()
    need_root()
    folder = tempfile.mkdtemp(prefix="bascule-files.")
    os.chmod(folder, 0o755)
    lab, bad = None, 1
    try:
        lab = Lab(o.name, CONF % (command(o.kind, folder), STATE, STATE))
        talk = Talk(lab)
        lab.wait_protected(2)
        talk.more(lab, 100)
        talk.check("at the beginning")
        if not o.kind:
            killed(lab, talk, "files-half-applied")
            full(lab, talk)
            unfit(lab, talk)
        gone = crash(lab, talk)
        lab.fault("restart", gone)
        lab.wait_protected(2, not_on=gone)
        crash(lab, talk)
        lab.wait_protected(1)
        talk.check("before it ends")
        talk.end()
        bad = 0
    except (Failure, OSError) as e:
        print("FAIL: %s" % e)
        for node in lab.nodes if lab else []:
            print(lab.exec(node, "find", STATE, "-name", "f*", "-printf", "%p %i %n %s %t\\n",
                           check=False))
            print(node, lab.exec(node, "bascule", "journal", "-n", "40", check=False),
                  lab.exec(node, "tail", "-n", "40", "/var/log/bascule/sockmigd.log", check=False),
                  lab.exec(node, "tail", "-n", "5", "/var/log/bascule/files.log", check=False))
    finally:
        if lab:
            lab.down()
        shutil.rmtree(folder)
    print("PASS" if not bad else "FAIL")
    return bad


if __name__ == "__main__":
    sys.exit(main())
