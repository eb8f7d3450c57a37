#!/usr/bin/python3
# lab_orders.py - a real lab: each order is given in the console, by an operator, and its
# effect is read by snmpget; a user without rights is refused; the loss of the polled node
# is survived.
import os, subprocess, sys, time

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


def get(oid, node="10.77.1.2"):
    r = lab("exec", "client", "--", "snmpget", "-v3", "-l", "authPriv", "-u", "operator", "-a", "SHA-256",
            "-A", secret, "-x", "AES", "-X", secret, "-Ovq", "-t", "1", node, ROOT + "." + oid)
    return r.stdout.strip().strip('"')


def choose(c, table, row):
    t = c.find(table, "table") if c.look(table, "table") else c.find(table, "tree table")
    d.wait(lambda: t.get_table_iface().get_n_rows() > row, "rows of " + table)
    t.get_table_iface().add_row_selection(row)


def order(c, button, confirm, wanted="Done after"):
    """Gives it, waits for the end; False: this supervisor does not know the order."""
    c.press(button)
    t = time.time()
    c.press(confirm)
    c.find("Close", "push button", seconds=40)
    said = [x for x in c.texts() if x.startswith(("Done after", "The order ", "This user ", "Nobody "))]
    print("%s: %.1f s: %s" % (confirm, time.time() - t, said[0].replace("\n", " ")))
    c.press("Close")
    c.gone(confirm, "push button")
    if "unknown op" in said[0] or "no such op" in said[0]:
        return False
    assert wanted in said[0], said
    return True


def orders(c):
    c.find(contains="The service is protected", role="label", seconds=20)
    c.press("Connect…") and d.key("Escape") # a dialog that is closed changes nothing
    choose(c, "Services", 0)
    before = get("3.1.5." + REDIS)
    order(c, "Move…", "Move")
    d.wait(lambda: get("3.1.5." + REDIS) not in ("", before), "the service to be elsewhere")
    c.find(contains="The service is protected", role="label", seconds=20)
    if "No Such" in get("6.8.0"):
        print("the agent takes no other orders")
        return
    order(c, "Checkpoint now…", "Take it")
    if order(c, "Maintenance…", "Begin"):
        assert get("3.1.15." + REDIS) == "1", "maintenance of the service"
        order(c, "Maintenance…", "End")
        assert get("3.1.15." + REDIS) == "2", "end of maintenance"
    c.find("Nodes", "page tab").get_parent().get_selection_iface().select_child(1)
    active = get("3.1.5." + REDIS)
    choose(c, "Nodes", int(active[1:]) - 1)
    if order(c, "Drain…", "Drain"):
        d.wait(lambda: get("3.1.5." + REDIS) not in ("", active), "the node to be empty", 20)
        order(c, "Resume…", "Resume")
        assert get("2.1.10." + active[1:]) == "1", "no drain any more"


def losing_the_node(c):
    asked = [x for x in c.texts() if x.startswith("as n")][0].split()[1]
    t = time.time()
    lab("fault", "hang", asked)
    c.find(contains="is asked now", role="label", seconds=20)
    print("another node is asked after %.1f s" % (time.time() - t))
    lab("fault", "heal", "all")


def without_rights():
    c = desk.Console(d, "-u", "bascule", "10.77.1.2",
                     prefix=[B, "lab", "exec", "--name", NAME, "client", "--"],
                     env={"BASCULE_AUTH_SECRET": open("/var/lib/bascule-lab/%s/n2/etc/bascule/snmp-secret" % NAME).read().strip()})
    c.find(contains="protected", role="label", seconds=20)
    choose(c, "Services", 0)
    order(c, "Move…", "Move", "may not give orders")
    c.end()


r = lab("up", desk.SRC + "/etc/lab.conf")
try:
    if r.returncode:
        raise AssertionError("the lab does not come up: " + r.stderr[-500:])
    secret = open("/var/lib/bascule-lab/%s/operator-secret" % NAME).read().strip()
    with desk.Desk() as d:
        c = desk.Console(d, "-u", "operator", "10.77.1.1", "10.77.1.2", "10.77.1.3", "--record",
                         os.environ.get("GUI_RECORD", d.dir + "/run"),
                         prefix=[B, "lab", "exec", "--name", NAME, "client", "--"],
                         env={"BASCULE_AUTH_SECRET": secret})
        try:
            orders(c)
            without_rights()
            losing_the_node(c)
        except AssertionError:
            d.shot("/tmp/lab_orders.png")
            print(c.output()[-2000:], c.texts())
            raise
finally:
    lab("down")
print("PASS")
