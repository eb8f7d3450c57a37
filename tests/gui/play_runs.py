#!/usr/bin/python3
# play_runs.py - recorded runs in the real console: what is shown and told, everything by
# keyboard alone, odd data, exports.  No lab; a few seconds.
#
#   play_runs.py [TEST...]
import json, os, re, shutil, subprocess, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import desk, runs

BAD = ("CRITICAL", "AddressSanitizer", "runtime error", "Gtk-WARNING")


def console(d, kind, *args, **kw):
    path = "%s/%s.run" % (d.dir, kind)
    if not os.path.exists(path):
        runs_of = runs.Run(path)
        getattr(runs, kind)(runs_of)
        runs_of.f.close()
    return desk.Console(d, "--play", path, *args, **kw)


def finish(c):
    c.end()
    # GTK's notebook, when it goes while somebody looks at its tabs: not ours
    said = [x for x in c.output().splitlines() if "gtk_notebook_get_tab_label" not in x]
    for word in BAD:
        assert not [x for x in said if word in x], "\n".join(said)[-3000:]
    open(c.desk.dir + "/console.log", "w").close()


def has(c, *words):
    for w in words:
        c.find(contains=w)


def seek(c, seconds):
    s = c.find("Time in the recorded run", "slider")
    s.get_value_iface().set_current_value(seconds * 1000)


def keep(d, name):
    """A picture of a main state, for whoever wants to look at it."""
    if os.environ.get("GUI_SHOTS"):
        d.shot("%s/%s.png" % (os.environ["GUI_SHOTS"], name))


def small(d):
    c = console(d, "small")
    has(c, "The service is protected", "Quorum: yes", "3 of 3 nodes online", "as n2 sees it")
    p = c.find(contains="Picture of the cluster: The service is protected", role="list")
    lines = [p.get_child_at_index(i).get_name() for i in range(p.get_child_count())]
    assert lines[0] == "Node n1: online, healthy; runs 1 service, standby of 0", lines
    assert lines[3] == "Service redis: protected, active on n1, address 10.77.1.100", lines
    assert lines[5] == "Standby n3 of redis: ready, 1 checkpoint behind, last checkpoint 11 ms ago", lines
    p.get_component_iface().grab_focus()
    d.key("Right", "Right", "Right", "Right", "Return")  # over the nodes to the service
    has(c, "Longest pause", "Active on")
    d.key("ctrl+m")
    has(c, "Move redis away from n1?", "Clients keep their connections",
        "the supervisor would move it to n2: the configuration prefers that node.")
    d.key("alt+m")  # nobody can take it: a recorded run
    has(c, "No order can be given now")
    d.key("Escape")
    c.gone(contains="No order can be given now")
    d.key("F1")
    has(c, "save the picture")
    d.key("Escape")
    d.key("alt+3")
    has(c, "No connection is known")
    d.key("ctrl+f")
    d.type("sockmigd")
    has(c, "1 of 4 events")
    finish(c)


def save_as(c, d, name):
    chooser = c.find(role="file chooser")
    # typed, GTK would complete it while we type: slow machines lose letters
    entry = c.find(role="text", within=chooser)
    entry.get_editable_text_iface().set_text_contents(d.dir + "/" + name)
    d.key("Return")
    d.wait(lambda: os.path.exists(d.dir + "/" + name), name)
    c.gone(role="file chooser")


def export(d):
    c = console(d, "small")
    has(c, "The service is protected")
    for name, magic in (("p.png", b"\x89PNG"), ("p.svg", b"<?xml"), ("p.pdf", b"%PDF")):
        d.key("ctrl+e")
        save_as(c, d, name)
        has(c, "Saved as " + d.dir + "/" + name)
        assert open(d.dir + "/" + name, "rb").read(8).startswith(magic), name
    d.key("alt+5")
    for name in ("j.csv", "j.json"):
        c.press("Export…")
        save_as(c, d, name)
    events = json.load(open(d.dir + "/j.json"))
    assert len(events) == 4 and events[0]["kind"] == "engine-down", events
    assert len(open(d.dir + "/j.csv").read().splitlines()) == 5
    finish(c)


def failover(d):
    c = console(d, "failover")
    seek(c, 3.9)
    has(c, "The service is protected")
    d.wait(lambda: c.find(contains="0:03 / 0:09"), "the time")
    d.shot(d.dir + "/a.png")
    seek(c, 4.1)
    has(c, "1 of 1 services is being taken over", "Service redis: taking over, active nowhere")
    keep(d, "taking-over")
    seek(c, 4.4)
    has(c, "1 of 1 services is not protected", "no standby is ready yet")
    keep(d, "unprotected")
    seek(c, 8)
    has(c, "Protected, but 1 of 3 nodes needs attention", "Node n1: offline")
    # nobody was chosen: beside the picture is what happened, step by step
    has(c, "redis \u2192 n2", "Last change", "n2 may serve from here on")
    keep(d, "node-lost")
    d.key("alt+4")
    has(c, "took 130 ms", "blackout 182 ms", "n2 may serve from here on", "active on n1")
    assert not c.look(contains="order 1"), "what came after a change is taken for a part of it"
    keep(d, "takeovers")
    d.key("alt+2")
    has(c, "Plots of redis", "Lag: 0")
    d.key("alt+1")
    seek(c, 3.9)
    has(c, "The service is protected")
    d.key("Tab")
    subprocess.run(["sleep", "1.2"])  # what moves comes to rest: nothing tells when
    d.shot(d.dir + "/b.png")
    r = subprocess.run(["compare", "-metric", "AE", "-fuzz", "8%", d.dir + "/a.png",
                        d.dir + "/b.png", "null:"], capture_output=True, text=True)
    differ = float(r.stderr.split()[0])
    assert differ < 1300 * 900 * 0.02, "the same moment looks different: %s pixels" % r.stderr
    seek(c, 8)
    d.key("alt+2")
    c.find(contains="Plots of redis").get_component_iface().grab_focus()
    d.key(*["comma"] * 50)  # the jump left no hole: five seconds before, there were more
    d.wait(lambda: c.look(contains="Connections: 17") or c.look(contains="Connections: 18"),
           "the value under the cursor")
    finish(c)


def pair(d):
    """What decides between two nodes is told in the header, and what is missing."""
    c = console(d, "pair")
    label = lambda words: c.find(words, "label")
    label("Fencing: not needed")
    label("Quorum device: both nodes are there, its vote is not here")
    seek(c, 2.5)
    label("\u21bb Quorum device: the other node is lost, its vote is not here")
    seek(c, 4.5)
    label("\u25b2 Quorum device: this node goes on alone, its vote is here")
    keep(d, "pair")
    seek(c, 6.5)
    missing = label("\u25b2 Fencing: missing, no automatic takeover")
    assert missing.get_description() == "two nodes and nothing else", missing.get_description()
    c.gone(contains="Quorum device")
    finish(c)


def french(d):
    """No English is left in it, but what comes from the agent."""
    if not os.path.exists(desk.TOP + "/po/fr/LC_MESSAGES/bascule-console.mo"):
        print("not in French: msgfmt was not there")
        return
    po = open(desk.SRC + "/po/fr.po", encoding="utf-8").read()
    of = dict(re.findall(r'^msgid "(.+)"\nmsgstr "(.+)"$', po, re.M))
    english = {k.replace("_", "") for k, v in of.items() if k != v}
    c = console(d, "small", env={"LANGUAGE": "fr", "BASCULE_LOCALEDIR": os.path.abspath(desk.TOP + "/po")})
    has(c, of["The service is protected"])
    seen = set(c.texts())
    c.find(contains=of["The service is protected"], role="list").get_component_iface().grab_focus()
    d.key("Right", "Right", "Right", "Right", "Return", "ctrl+m")
    has(c, of["Move %s away from %s?"] % ("redis", "n1"))
    seen |= set(c.texts())
    d.key("Escape")
    for k in "2345":
        d.key("alt+" + k)
        subprocess.run(["sleep", "0.2"])  # the page comes
        seen |= set(c.texts())
    left = {x for x in seen if x in english}
    assert not left, left
    finish(c)


def odd(d):
    c = console(d, "odd")
    has(c, "services are not protected", "not known", "more than a million checkpoints behind")
    for k in "23451":
        d.key("alt+" + k)
    has(c, "services are not protected")
    finish(c)
    c = console(d, "half")
    has(c, "1 of 2 services is not protected", "Node n1: not known")
    finish(c)
    c = console(d, "silent")
    seek(c, 1.5)
    has(c, "No node answers", "the agent does not know the user")
    finish(c)


def phrase(d):
    """A user on the command line, without a pass phrase: it is asked for."""
    c = desk.Console(d, "-u", "operator", "127.0.0.1:9")
    c.find(role="dialog")
    c.find(contains="Pass phrases have 8 characters or more.")
    d.type("a pass phrase")
    d.key("Return")
    c.gone(role="dialog")
    has(c, "No node answers")
    finish(c)


def connect(d):
    c = desk.Console(d)
    d.wait(lambda: c.find(role="dialog"), "the dialog")
    c.find(contains="Enter the address of at least one node")
    d.type("127.0.0.1:9")
    c.find(contains="Enter the SNMPv3 user")
    d.key("Tab")
    d.type("nobody's")
    d.key("Tab", "Tab")
    d.type("operator")
    d.key("Tab", "Tab")
    d.type("a pass phrase\t\t")
    d.key("space", "Return")  # remember; connect
    c.gone(role="dialog")
    has(c, "No node answers")
    saved = open(d.dir + "/config/bascule/console.conf").read()
    assert "operator" in saved and "phrase" not in saved, saved
    finish(c)


with desk.Desk() as d:
    for test in (small, export, failover, pair, french, odd, phrase, connect):
        if sys.argv[1:] and test.__name__ not in sys.argv[1:]:
            continue
        try:
            test(d)
            print("ok: " + test.__name__)
        except BaseException:
            keep(d, "failed")
            for name in ("a.png", "b.png"):
                if os.environ.get("GUI_SHOTS") and os.path.exists(d.dir + "/" + name):
                    shutil.copy(d.dir + "/" + name, os.environ["GUI_SHOTS"])
            print("FAILED: " + test.__name__)
            print(open(d.dir + "/console.log", errors="replace").read()[-3000:])
            raise
print("PASS")
