# desk.py - a desktop of one's own for a test: Xvfb, a private D-Bus and AT-SPI, and a
# console in it that is looked at and worked as a screen reader and a keyboard would.
import os, shutil, signal, subprocess, sys, tempfile, time

TOP = os.environ.get("top_builddir", "build")
SRC = os.environ.get("top_srcdir", ".")


def skip(why):
    print("SKIP: " + why)
    sys.exit(77)


for tool in ("Xvfb", "dbus-daemon", "xdotool", "import"):
    if not shutil.which(tool):
        skip("needs %s" % tool)
try:
    import gi

    gi.require_version("Atspi", "2.0")
except (ImportError, ValueError):
    skip("needs python3-gi and gir1.2-atspi-2.0")
if not os.path.exists(TOP + "/gui/bascule-console"):
    skip("the console was not built: configure found no GTK")

Atspi = None


class Desk:
    def __init__(self, size="1300x900"):
        self.dir = tempfile.mkdtemp(prefix="desk.")
        self.procs = []
        self.consoles = set()  # processes that are somebody's already
        self.env = dict(os.environ, HOME=self.dir, XDG_RUNTIME_DIR=self.dir, LC_ALL="C.UTF-8",
                        GSETTINGS_BACKEND="memory", GTK_A11Y="atspi", NO_AT_BRIDGE="0",
                        LSAN_OPTIONS="print_suppressions=0:suppressions=" + SRC + "/tests/gui/lsan.supp",
                        XDG_CONFIG_HOME=self.dir + "/config", XDG_DATA_HOME=self.dir + "/data")
        for v in ("DISPLAY", "WAYLAND_DISPLAY", "GTK_THEME", "LANGUAGE", "LANG"):
            self.env.pop(v, None)
        for n in range(60 + os.getpid() % 900, 2000):
            if os.path.exists("/tmp/.X%d-lock" % n):
                continue
            x = self.start(["Xvfb", ":%d" % n, "-screen", "0", size + "x24", "-nolisten", "tcp"])
            try:
                self.wait(lambda: x.poll() is not None or os.path.exists("/tmp/.X11-unix/X%d" % n),
                          "Xvfb")
            except AssertionError:
                skip("Xvfb does not start")
            if x.poll() is None:
                break
        self.env["DISPLAY"] = ":%d" % n
        bus = "unix:path=%s/bus" % self.dir
        self.start(["dbus-daemon", "--session", "--nofork", "--address=" + bus])
        self.env["DBUS_SESSION_BUS_ADDRESS"] = bus
        self.wait(lambda: os.path.exists(self.dir + "/bus"), "the bus")
        os.environ.update(self.env)
        os.environ.pop("LANGUAGE", None)
        global Atspi
        from gi.repository import Atspi as module

        Atspi = module
        Atspi.init()

    def start(self, argv, **kw):
        p = subprocess.Popen(argv, env=kw.pop("env", self.env), stdin=subprocess.DEVNULL,
                             stdout=kw.pop("stdout", subprocess.DEVNULL),
                             stderr=kw.pop("stderr", subprocess.DEVNULL), **kw)
        self.procs.append(p)
        return p

    def wait(self, what, name, seconds=20.0):
        end = time.time() + seconds
        while True:
            try:
                got = what()
            except Exception:  # of AT-SPI: it went away while we looked
                got = None
            if got:
                return got
            if time.time() > end:
                raise AssertionError("waited %g s for %s" % (seconds, name))
            time.sleep(0.02)

    def shot(self, path):
        subprocess.run(["import", "-window", "root", path], env=self.env, check=True)

    def key(self, *keys):
        subprocess.run(["xdotool", "key", "--delay", "15"] + list(keys), env=self.env, check=True)

    def type(self, text):
        subprocess.run(["xdotool", "type", "--delay", "8", text], env=self.env, check=True)

    def click(self, x, y):
        subprocess.run(["xdotool", "mousemove", str(x), str(y), "click", "1"], env=self.env,
                       check=True)

    def close(self):
        for p in reversed(self.procs):
            if p.poll() is None:
                p.terminate()
        for p in reversed(self.procs):
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                p.kill()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.close()


class Console:
    """A running bascule-console, seen over AT-SPI."""

    def __init__(self, desk, *args, prefix=(), env=None, program=None):
        self.desk = desk
        self.log = open(desk.dir + "/console.log", "ab+")
        self.began = time.time()
        argv = list(prefix) + [program or os.environ.get("GUI_CONSOLE", TOP + "/gui/bascule-console")] + list(args)
        self.proc = desk.start(argv, env=dict(desk.env, **(env or {})), stderr=self.log,
                               stdout=self.log)
        self.app = desk.wait(self.find_app, "the console on the accessibility bus", 60)

    def find_app(self):
        assert self.proc.poll() is None, "the console ended: " + self.output()
        root = Atspi.get_desktop(0)
        for i in range(root.get_child_count()):
            c = root.get_child_at_index(i)
            if c and c.get_name() == "bascule-console" and c.get_child_count() > 0 and \
               c.get_process_id() not in self.desk.consoles:
                self.desk.consoles.add(c.get_process_id())
                return c

    def output(self):
        self.log.flush()
        return open(self.desk.dir + "/console.log", errors="replace").read()

    def walk(self, node=None, depth=0):
        node = node or self.app
        yield node
        if depth > 40:
            return
        for i in range(min(node.get_child_count(), 400)):
            c = node.get_child_at_index(i)
            if c is not None:
                yield from self.walk(c, depth + 1)

    def look(self, name=None, role=None, contains=None, showing=True, within=None):
        for n in self.walk(within):
            if role and n.get_role_name() != role:
                continue
            if name is not None and n.get_name() != name:
                continue
            if contains is not None and contains not in text_of(n):
                continue
            if showing and not n.get_state_set().contains(Atspi.StateType.SHOWING):
                continue
            return n

    def find(self, name=None, role=None, contains=None, seconds=20, **kw):
        return self.desk.wait(lambda: self.look(name, role, contains, **kw),
                              "%s %s %s" % (role or "thing", name or "", contains or ""), seconds)

    def gone(self, name=None, role=None, contains=None, seconds=20):
        self.desk.wait(lambda: not self.look(name, role, contains),
                       "the end of %s %s" % (name or "", contains or ""), seconds)

    def press(self, name, role="push button", seconds=20):
        b = self.find(name, role, seconds=seconds)
        self.desk.wait(lambda: b.get_state_set().contains(Atspi.StateType.SENSITIVE),
                       name + " to be sensitive", seconds)
        assert b.get_action_iface().do_action(0)
        return b

    def texts(self):
        return [text_of(n) for n in self.walk()
                if n.get_state_set().contains(Atspi.StateType.SHOWING)]

    def rss_kib(self):
        for line in open("/proc/%d/status" % self.proc.pid):
            if line.startswith("VmRSS"):
                return int(line.split()[1])

    def end(self):
        self.desk.key("ctrl+q")  # by itself: a sanitizer speaks at the end
        try:
            rc = self.proc.wait(5)
        except subprocess.TimeoutExpired:
            self.proc.terminate()
            rc = self.proc.wait(10)
        assert rc in (0, -signal.SIGTERM, 128 + signal.SIGTERM), "exit status %d: %s" % (
            rc, self.output())


def text_of(n):
    name = n.get_name() or ""
    t = n.get_text_iface()
    if t and not name:
        try:
            return Atspi.Text.get_text(n, 0, -1) or ""
        except Exception:
            return ""
    return name
