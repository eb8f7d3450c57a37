#!/usr/bin/python3
"""ssh_typist.py - an ssh client with vi open, that types and looks at its screen.

ssh_typist.py FOLDER CLIENT...: writes FOLDER/ready; for FOLDER/check it types, and expects
to see it, for FOLDER/last it ends vi and the session; FOLDER/result has "ok", or what is
wrong."""
import os
import pty
import re
import select
import sys
import time

folder, client = sys.argv[1], sys.argv[2:]
os.chdir(folder)
screen = b""
lines = ["first line"]


class Wrong(Exception):
    pass


def expect(pattern, seconds=10):
    global screen
    end = time.monotonic() + seconds
    while True:
        found = re.search(pattern, screen, re.S)
        if found:
            screen = screen[found.end():]
            return
        left = end - time.monotonic()
        if left <= 0:
            raise Wrong("not on the screen: %r; but %r" % (pattern, screen[-2000:]))
        if select.select([master], [], [], left)[0]:
            try:
                screen += os.read(master, 65536)
            except OSError:
                raise Wrong("the session ended: %r" % screen[-2000:])


def keys(text):
    os.write(master, text)


def interrupt():
    """Again, should the shell have had it before its job was in front."""
    for _ in range(20):
        keys(b"\x03")
        try:
            return expect(rb"\^C.*\$ ", 0.5)
        except Wrong:
            pass
    raise Wrong("Ctrl-C ends nothing: %r" % screen[-2000:])


def begin():
    expect(rb"\$ ")
    keys(b"x=kept; vi -n text\r")  # a swap file would not be of the same instant
    expect(rb"\[New")
    write(b"i", "first line")


def write(before, line):
    """A line drawn as a whole: keys that come one by one are drawn so."""
    keys(before + line.encode())
    keys(b"\x0f\x0c")
    expect(line.encode())


def check():
    lines.append("line %d of the text" % len(lines))
    write(b"\r", lines[-1])
    keys(b"\x1b:!echo shell $((%d * 11))\r" % len(lines))  # a process of its own
    expect(rb"shell %d" % (len(lines) * 11))
    keys(b"\rA")


def last():
    keys(b"\x1b:wq\r")
    expect(rb"\$ $")
    keys(b"cat text; echo $x\r")
    expect(b"\r\n".join(line.encode() for line in lines) + rb"\r\nkept\r\n.*\$ ")
    keys(b"echo up; sleep 1000\r")
    expect(rb"\nup\r\n")
    interrupt()
    keys(b"exit\r")
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) not in (0, 130):
        raise Wrong("the client failed")


def say(name, text):
    with open("new", "w") as f:
        f.write(text)
    os.rename("new", name)


child, master = pty.fork()
if child == 0:
    os.environ["TERM"] = "xterm"
    os.execvp(client[0], client)
begin()
say("ready", "")
while True:
    time.sleep(0.01)
    for name, what in (("check", check), ("last", last)):
        if os.path.exists(name):
            os.remove(name)
            try:
                what()
                say("result", "ok")
            except (Wrong, OSError) as e:
                say("result", str(e))
            if name == "last":
                sys.exit(0)
