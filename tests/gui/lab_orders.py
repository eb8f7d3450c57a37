#!/usr/bin/python3
# lab_orders.py - a real lab: each order is given in the console, by an operator, and its
# effect is read by snmpget; a user without rights is refused; a failover is watched; the
# loss of the polled node is survived.
import os, signal, subprocess, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import desk

if os.getuid() != 0:
    desk.skip("needs root")
B = desk.TOP + "/supervisor/cli/bascule"
NAME = "gui%d" % os.getpid()
ENTERPRISE = [line.split()[2] for line in open(desk.TOP + "/config.h") if "BSC_ENTERPRISE" in line][0]
ROOT = ".1.3.6.1.4.1.%s.1.4.1" % ENTERPRISE
REDIS = "5.114.101.100.105.115"


def lab(*args, **kw):
    return subprocess.run([B, "lab", args[0], "--name", NAME] + list(args[1:]), text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=90, **kw)


def snmpget(oid, node="10.77.1.2"):
    return ["snmpget", "-v3", "-l", "authPriv", "-u", "operator", "-a", "SHA-256", "-A", secret,
            "-x", "AES", "-X", secret, "-Ovq", "-t", "1", node, ROOT + "." + oid]


def get(*what):
    return lab("exec", "client", "--", *snmpget(*what)).stdout.strip().strip('"')


def acknowledged(node):
    """Who acknowledged events, by the MIB of the node that was told: each has a journal."""
    walk = ["snmpbulkwalk"] + snmpget("5.1.10", node)[1:]
    said = lab("exec", "client", "--", *walk).stdout.split("\n")
    return [x for x in said if x.strip('"') and "No Such" not in x]


def acknowledge(c):
    node = asked(c)
    assert not acknowledged(node)
    d.key("alt+5")
    choose(c, "Journal", 0)
    c.press("Acknowledge")
    c.find(contains="The event is acknowledged", seconds=20)
    d.wait(lambda: acknowledged(node), "the acknowledgement in the MIB", 20)
    d.key("alt+1")


def choose(c, table, row):
    t = d.wait(lambda: c.look(table, "table") or c.look(table, "tree table"), table, 20)
    d.wait(lambda: t.get_table_iface().get_n_rows() > row, "rows of " + table)
    t.get_table_iface().add_row_selection(row)


CHECKPOINT, DONE, COMMIT, REPLAY = "6", "2", "1", "2" # BASCULE-TC-MIB
ENDS = ("Done after", "The order ", "This user ", "Nobody ")


def order(c, button, confirm, wanted="Done after", choice=None):
    """Gives it by the dialog, waits for the end."""
    c.press(button)
    dialog = c.find(role="dialog")
    if choice is not None:
        c.find(role="combo box", within=dialog).get_selection_iface().select_child(choice)
    t = time.time()
    c.press(confirm)
    said = d.wait(lambda: [x for x in map(desk.text_of, c.walk(dialog)) if x.startswith(ENDS)],
                  "the end of " + confirm, 40)[0]
    print("%s: %s" % (confirm, said.replace("\n", " ")))
    c.find("Close", "push button", within=dialog).get_action_iface().do_action(0)
    c.gone(role="dialog")
    assert wanted in said, said


def took_effect(what, oid, *values):
    d.wait(lambda: get(oid) in values, "%s to be %s in the MIB" % (what, " or ".join(values)), 20)


def orders(c):
    c.find(contains="Service redis: protected", seconds=20)
    c.press("Connect…") and d.key("Escape") # a dialog that is closed changes nothing
    choose(c, "Services", 0)
    before = get("3.1.5." + REDIS)
    order(c, "Move…", "Move")
    d.wait(lambda: get("3.1.5." + REDIS) not in ("", before), "the service to be elsewhere")
    c.find(contains="Service redis: protected", seconds=20)
    last = get("6.6.0", asked(c))
    order(c, "Checkpoint now…", "Take it")
    number = get("6.6.0", asked(c))
    assert number != last, "a number for the order"
    took_effect("the kind of the order", "7.1.2." + number, CHECKPOINT)
    took_effect("the order", "7.1.6." + number, DONE)
    for policy in (REPLAY, COMMIT):
        order(c, "Policy…", "Change", choice=int(policy) - 1)
        took_effect("the policy", "3.1.3." + REDIS, policy)
    order(c, "Maintenance…", "Begin")
    took_effect("maintenance of the service", "3.1.15." + REDIS, "1", "true")
    order(c, "Maintenance…", "End")
    took_effect("maintenance of the service", "3.1.15." + REDIS, "2", "false")
    c.find("Nodes", "page tab").get_parent().get_selection_iface().select_child(1)
    active = get("3.1.5." + REDIS)
    choose(c, "Nodes", int(active[1:]) - 1)
    order(c, "Drain…", "Drain")
    d.wait(lambda: get("3.1.5." + REDIS) not in ("", active), "the node to be empty", 20)
    order(c, "Resume…", "Resume")
    took_effect("the drain", "2.1.10." + active[1:], "1")


def asked(c):
    """Address of the node that the console asks."""
    said = d.wait(lambda: [x for x in c.texts() if x.startswith("as n")], "who is asked", 20)
    return said[0].split("(")[1].rstrip(")")


def frames(kind):
    """What the console itself measured, in ms."""
    return [int(x.split()[1]) // 1000 for x in open(d.dir + "/frames") if x.startswith(kind)]


def state_change(c):
    """How long after the MIB the screen has it.  Told, not judged: the machine is shared."""
    label = c.find(contains="Maintenance: no", role="label")
    seen = d.dir + "/mib"
    watch = d.start([B, "lab", "exec", "--name", NAME, "client", "--", "sh", "-c",
                     'while v=$("$@"); do echo $(date +%s.%N) $v; done', "sh"] + snmpget("1.9.0"),
                    stdout=open(seen, "w"))
    d.wait(lambda: os.path.getsize(seen) > 0, "the first reading")
    order = d.start([B, "lab", "exec", "--name", NAME, "n1", "--", "bascule", "maintenance", "on"])
    d.wait(lambda: "yes" in desk.Atspi.Text.get_text(label, 0, -1), "maintenance on screen")
    screen = time.time()
    order.wait(20)
    d.wait(lambda: [x for x in open(seen) if x.split()[1] == "1"], "maintenance in the MIB")
    watch.kill()
    mib = [float(x.split()[0]) for x in open(seen) if x.split()[1] == "1"][0]
    print("on screen %.0f ms after it was in the MIB" % (1000 * (screen - mib)))
    lab("exec", "n1", "--", "bascule", "maintenance", "off")
    c.find(contains="Maintenance: no", role="label")


def failover(c):
    """A node crashes: the service is seen elsewhere, and how it came there."""
    c.find(contains="The service is protected", seconds=40)
    active = get("3.1.5." + REDIS, asked(c))
    # The screen is some time behind: where the service was before is not where it goes.
    c.find(contains="Service redis: protected, active on %s, address" % active, seconds=40)
    others = ["n%d" % i for i in (1, 2, 3) if "n%d" % i != active]
    t = time.time()
    lab("fault", "crash", active)
    now = d.wait(lambda: [n for n in others if c.look(contains="active on %s, address" % n)],
                 "the takeover", 20)[0]
    print("%s is gone, %s is seen with the service after %.1f s" % (active, now, time.time() - t))
    c.find(contains="Node %s: offline" % active)
    assert get("3.1.5." + REDIS, "10.77.1." + now[1:]) == now
    if os.environ.get("GUI_SHOTS"):
        d.shot(os.environ["GUI_SHOTS"] + "/failover.png")
    d.key("alt+4")
    c.find(contains="redis \u2192 %s" % now)
    c.find(contains="blackout")
    if os.environ.get("GUI_SHOTS"):
        d.shot(os.environ["GUI_SHOTS"] + "/takeovers.png")


def losing_the_node(c):
    node = "n" + asked(c)[-1]
    gaps = len(frames("gap"))
    t = time.time()
    lab("fault", "hang", node)
    c.find(contains="is asked now", role="label", seconds=20)
    print("another node is asked after %.1f s, the main loop was away for %d ms at most"
          % (time.time() - t, max(frames("gap")[gaps:] + [0])))
    lab("fault", "heal", "all")


def without_rights():
    # by its name, as README has it: a lab has the console among its programs
    c = desk.Console(d, "-u", "bascule", "10.77.1.2", program="bascule-console",
                     prefix=[B, "lab", "exec", "--name", NAME, "client", "--"],
                     env={"BASCULE_AUTH_SECRET": open("/var/lib/bascule-lab/%s/n2/etc/bascule/snmp-secret" % NAME).read().strip()})
    c.find(contains="Service redis: protected", seconds=20)
    choose(c, "Services", 0)
    order(c, "Move…", "Move", "may not give orders")
    c.end()


signal.signal(signal.SIGTERM, lambda *a: sys.exit(1))  # the lab goes down all the same
r = lab("up", desk.SRC + "/etc/lab.conf")
try:
    if r.returncode:
        raise AssertionError("the lab does not come up: " + r.stderr[-500:])
    secret = open("/var/lib/bascule-lab/%s/operator-secret" % NAME).read().strip()
    with desk.Desk() as d:
        c = desk.Console(d, "-u", "operator", "10.77.1.1", "10.77.1.2", "10.77.1.3", "--record",
                         os.environ.get("GUI_RECORD", d.dir + "/run"),
                         prefix=[B, "lab", "exec", "--name", NAME, "client", "--"],
                         env={"BASCULE_AUTH_SECRET": secret, "BASCULE_FRAME_LOG": d.dir + "/frames"})
        try:
            c.find(contains="Service redis: protected", seconds=20)
            print("first picture after %d ms" % frames("first")[0])
            c.find("Fencing: not needed", "label")  # three nodes are a majority
            state_change(c)
            orders(c)
            acknowledge(c)
            without_rights()
            losing_the_node(c)
            failover(c)
        except AssertionError:
            d.shot("/tmp/lab_orders.png")
            print(c.output()[-2000:], c.texts())
            raise
finally:
    lab("down")
print("PASS")
