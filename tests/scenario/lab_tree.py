#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""lab_tree.py - services of several processes survive, with their clients' connections.

usage: lab_tree.py [--name LAB] [--rounds N] [nginx] [postgres] [ssh] [brokers]

Each round is a switchover and a crash.
"""
import argparse
import glob
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../bench"))
from labrun import ADDRESS, BASCULE, Failure, Lab, need_root  # noqa: E402

NGINX = """
worker_processes 2;
pid /tmp/nginx.pid;
error_log stderr notice;
daemon off;
events { worker_connections 256; }
http {
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path %(dir)s/tmp/body; proxy_temp_path %(dir)s/tmp/proxy;
    fastcgi_temp_path %(dir)s/tmp/fastcgi; uwsgi_temp_path %(dir)s/tmp/uwsgi;
    scgi_temp_path %(dir)s/tmp/scgi;
    limit_req_zone $server_port zone=all:1m rate=100000r/s;
    server {
        listen 10.77.1.100:8080;
        listen [fd77:1::100]:8080;
        root %(dir)s/www;
        location / { limit_req zone=all burst=1000 nodelay; }
    }
}
"""

POSTGRES = """
D=%(state)s/data
[ -s $D/PG_VERSION ] || {
    %(bin)s/initdb -N -A trust -U postgres -D $D
    cat >> $D/postgresql.conf <<X
listen_addresses = '10.77.1.100'
unix_socket_directories = '/tmp'
shared_buffers = 16MB
fsync = off
logging_collector = off
X
    echo 'host all all all trust' >> $D/pg_hba.conf
}
exec %(bin)s/postgres -D $D
"""

MOSQUITTO = """
listener 1883 10.77.1.100
listener 1883 fd77:1::100
allow_anonymous true
max_inflight_messages 0
"""

SERVICE = """
service "%s" {
  addresses = { "10.77.1.100/24", "fd77:1::100/64" }
  device    = "eth0"
  command   = { %s }
  user      = "%s"
  %s
}
"""


def names(words):
    return ", ".join('"%s"' % w for w in words)


def processes(lab, node):
    """The names of what runs in the cell on @node."""
    out = lab.exec(node, "ps", "-e", "-o", "comm=")
    return sorted(w for w in out.split() if w in ("nginx", "postgres"))


class Scene:
    """One service, its clients, and the takeovers."""
    children = "auto"

    def __init__(self, name, folder):
        self.folder = folder
        self.lab = Lab(name, SERVICE % (self.name, names(self.command()), self.user, self.more()))

    def more(self):
        return 'children = "%s"' % self.children

    def node(self, not_on=None):
        return self.lab.wait_protected(2, not_on=not_on)

    def switchover(self):
        active = self.node()
        to = next(n for n in self.lab.nodes if n != active)
        self.lab.exec(to, "bascule", "switchover", self.name, to)
        self.go_on("after the switchover to %s" % to)

    def crash(self):
        active = self.node()
        self.lab.fault("crash", active)
        self.lab.wait("another node has it", lambda: (
            self.lab.service(avoid=active) or {}).get("active") not in (active, None))
        self.go_on("after the crash of %s" % active)
        self.lab.fault("restart", active)

    def say(self, what):
        s = self.lab.service()
        print("%s: %s: %s, blackout %s ms" % (self.name, what, s["active"],
                                              s["last_blackout_ms"]), flush=True)

    def explain(self):
        for node in self.lab.nodes:
            for cmd in (["bascule", "status"], ["bascule", "journal", "-n", "30"],
                        ["tail", "-n", "30", "/var/log/bascule/sockmigd.log"],
                        ["tail", "-n", "8", "/var/log/bascule/%s.log" % self.name]):
                print(node, self.lab.exec(node, *cmd, check=False))


class Counted(Scene):
    """Its clients, a script, check what they get, and count it."""
    def start(self, script, *args):
        self.base = self.folder + "/client"
        self.errors = open(self.base + ".err", "w+")
        self.client = subprocess.Popen(
            [BASCULE, "lab", "exec", "--name", self.lab.name, "client", "--", "/usr/bin/python3",
             os.path.join(HERE, script), ADDRESS, "fd77:1::100", *args, self.base],
            stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.lab.wait("clients have had answers", lambda: os.path.exists(self.base + ".ready"), 30)

    def count(self):
        if self.client.poll() is not None:
            self.errors.seek(0)
            raise Failure("clients ended: %s" % self.errors.read())
        try:
            return int(open(self.base + ".count").read())
        except ValueError:
            return 0

    def go_on(self, what):
        was = self.count()
        self.lab.wait("answers " + what, lambda: self.count() > was + 100, 20)
        self.say(what)

    def end(self):
        open(self.base + ".stop", "w").close()
        out = self.client.communicate(timeout=20)[0]
        if self.client.returncode != 0:
            raise Failure("clients: exit %d" % self.client.returncode)
        print("%s: %s" % (self.name, out.strip()), flush=True)


class Web(Counted):
    """Clients ask for files over connections that they keep; one downloads slowly."""
    name, user = "web", "www-data"

    def command(self):
        os.makedirs(self.folder + "/www")
        os.makedirs(self.folder + "/tmp")
        os.chmod(self.folder + "/tmp", 0o777)
        with open(self.folder + "/www/large", "wb") as f:
            f.write(os.urandom(3000000))
        with open(self.folder + "/www/numbers", "w") as f:
            f.write("".join("%d\n" % i for i in range(20000)))
        with open(self.folder + "/nginx.conf", "w") as f:
            f.write(NGINX % {"dir": self.folder})
        return ["nginx", "-c", self.folder + "/nginx.conf", "-e", "stderr"]

    def begin(self):
        self.start("http_client.py", "8080", "12", self.folder + "/www")
        node = self.node()
        if processes(self.lab, node) != ["nginx"] * 3:
            raise Failure("processes: %s" % processes(self.lab, node))


class Brokers(Counted):
    """An MQTT broker with 500 subscribers, the child of a shell, and memcached, a daemon:
    whoever forked it has ended."""
    name, user = "brokers", "nobody"

    def command(self):
        path = self.folder + "/mosquitto.conf"
        with open(path, "w") as f:
            f.write(MOSQUITTO)
        return ["/bin/sh", "-c", "mosquitto -c %s & memcached -d -l %s; wait" % (path, ADDRESS)]

    def begin(self):
        self.node()
        self.start("mqtt_client.py", "500")


class Psql:
    """One session, whose connection must not break."""
    def __init__(self, lab):
        self.p = subprocess.Popen(
            [BASCULE, "lab", "exec", "--name", lab.name, "client", "--", "timeout", "300", "psql",
             "-qAt", "-h", ADDRESS, "-U", "postgres"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def ask(self, query, want=None):
        self.p.stdin.write(query + ";\n\\echo END\n")
        self.p.stdin.flush()
        got = []
        while True:
            line = self.p.stdout.readline()
            if not line:
                raise Failure("%s: the session ended: %s" % (query, got))
            if line == "END\n":
                break
            got.append(line.strip())
        if want is not None and got != [want]:
            raise Failure("%s: %s instead of %s" % (query, got, want))

    def end(self):
        self.p.stdin.close()
        if self.p.wait(20) != 0:
            raise Failure("a session ends with %d" % self.p.returncode)


class Database(Scene):
    """A transaction stays open over all takeovers, a cursor is read halfway; sessions
    come and go meanwhile."""
    name, user, children = "db", "postgres", "kept"
    state = "/var/lib/tree-test"

    def command(self):
        path = self.folder + "/start"
        with open(path, "w") as f:
            f.write(POSTGRES % {"state": self.state, "bin": sorted(
                glob.glob("/usr/lib/postgresql/*/bin"))[-1]})
        os.chmod(path, 0o755)
        return ["/bin/sh", path]

    def more(self):
        return super().more() + '\n  state = { "%s" }\n  checkpoint-interval = 100' % self.state

    def begin(self):
        self.lab.wait("the server answers", lambda: "accepting" in self.lab.exec(
            "client", "pg_isready", "-h", ADDRESS, check=False))
        self.node()
        self.rounds = ""
        self.open, self.cursor = Psql(self.lab), Psql(self.lab)
        self.open.ask("create table t (n int primary key, x text)")
        self.open.ask("insert into t select i, 'row ' || i from generate_series(1, 5000) i")
        self.open.ask("begin; update t set x = 'mine' where n = 7; select x from t where n = 7",
                      "mine")
        self.cursor.ask("begin; declare c cursor for select n from t order by n; move 999 in c")

    def go_on(self, what):
        self.rounds += "."
        n = len(self.rounds)
        self.open.ask("update t set x = x || '.' where n = 7; select x from t where n = 7",
                      "mine" + self.rounds)
        self.cursor.ask("fetch 1 in c", str(999 + n))
        self.lab.wait_protected(1)
        other = Psql(self.lab)
        other.ask("select x from t where n = 7", "row 7")
        other.ask("insert into t values (%d, 'new'); select count(*) from t" % -n, str(5000 + n))
        other.end()
        self.say(what)

    def end(self):
        self.open.ask("commit; select x from t where n = 7", "mine" + self.rounds)
        self.cursor.ask("commit; select x from t where n = 7", "mine" + self.rounds)
        self.open.end()
        self.cursor.end()


class Session(Scene):
    """Somebody logs in, and types in vi: a shell and an editor on a terminal."""
    name, user, children = "ssh", "games", "kept"

    def command(self):
        home, keys = self.folder + "/home", self.folder + "/keys"
        os.makedirs(home + "/.ssh")
        os.makedirs(keys)
        for key in ("host", "client"):
            out = subprocess.run(["dropbearkey", "-t", "ed25519", "-f", "%s/%s" % (keys, key)],
                                 stdout=subprocess.PIPE, text=True, check=True).stdout
        with open(home + "/.ssh/authorized_keys", "w") as f:
            f.write([line for line in out.splitlines() if line.startswith("ssh-")][0] + "\n")
        for name in (".bashrc", ".profile"):
            with open("%s/%s" % (home, name), "w") as f:
                f.write("PS1='$ '; bind 'set enable-bracketed-paste off'\n")
        os.chmod(home, 0o700)
        os.chmod(home + "/.ssh", 0o700)
        for path in (home, home + "/.ssh", home + "/.ssh/authorized_keys", keys + "/host"):
            shutil.chown(path, self.user)
        return ["dropbear", "-F", "-E", "-r", keys + "/host", "-p", ADDRESS + ":2222", "-s"]

    def begin(self):
        home = self.folder + "/home"
        for node in self.lab.nodes:
            self.lab.exec(node, "sed", "-i", "s|^\\(%s:[^:]*:[^:]*:[^:]*:[^:]*:\\).*|\\1%s:/bin/bash|"
                          % (self.user, home), "/etc/passwd")
        self.node()
        self.client = subprocess.Popen(
            [BASCULE, "lab", "exec", "--name", self.lab.name, "client", "--", "/usr/bin/python3",
             HERE + "/ssh_typist.py", self.folder, "dbclient", "-y", "-y", "-t", "-i",
             self.folder + "/keys/client", "%s@%s/2222" % (self.user, ADDRESS)])
        self.lab.wait("the session", lambda: os.path.exists(self.folder + "/ready"), 20)

    def typed(self, word, what):
        path = self.folder + "/result"
        if os.path.exists(path):
            os.unlink(path)
        open("%s/%s" % (self.folder, word), "w").close()
        self.lab.wait("the typist's check " + what, lambda: os.path.exists(path), 25)
        if open(path).read() != "ok":
            raise Failure("%s: %s" % (what, open(path).read()))

    def go_on(self, what):
        self.typed("check", what)
        self.say(what)

    def end(self):
        self.typed("last", "at last")
        if self.client.wait(10) != 0:
            raise Failure("the client ended with %d" % self.client.returncode)


def play(kind, name, rounds):
    folder, scene = tempfile.mkdtemp(prefix="bascule-tree."), None
    os.chmod(folder, 0o755)
    try:
        scene = kind(name, folder)
        scene.begin()
        for _ in range(rounds):
            scene.switchover()
            scene.crash()
        scene.node()
        scene.end()
        return True
    except (Failure, OSError, subprocess.TimeoutExpired) as e:
        print("FAIL: %s" % e)
        if scene:
            scene.explain()
        return False
    finally:
        if scene:
            scene.lab.down()
        shutil.rmtree(folder)


def main():
    scenes = {"nginx": Web, "postgres": Database, "ssh": Session,
              "brokers": Brokers}
    p = argparse.ArgumentParser()
    p.add_argument("--name", default="tree-test")
    p.add_argument("--rounds", type=int, default=1)
    p.add_argument("scenes", nargs="*", metavar="SCENE",
                   help="%s; nginx and postgres if none is named" % ", ".join(scenes))
    o = p.parse_args()
    need_root()
    good = all(play(scenes[s], o.name, o.rounds) for s in o.scenes or ["nginx", "postgres"])
    print("PASS" if good else "FAIL")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
