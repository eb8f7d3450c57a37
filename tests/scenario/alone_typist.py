#!/usr/bin/python3
"""alone_typist.py - a program that types into a pseudo-terminal and reads its screen.

alone_typist.py FOLDER shell|jobs|vi: writes FOLDER/ready; for FOLDER/check it checks that
its session goes on where it was, for FOLDER/last it ends it; FOLDER/result has "ok", or
what is wrong."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

folder, what = sys.argv[1:3]
os.chdir(folder)
screen = b""


class Wrong(Exception):
    pass


def read_some(seconds):
    global screen
    if not select.select([master], [], [], seconds)[0]:
        return False
    try:
        data = os.read(master, 65536)
    except OSError:
        data = b""
    screen += data
    return bool(data)


def expect(pattern, seconds=10):
    """Reads until the screen has it; what follows stays."""
    global screen
    end = time.monotonic() + seconds
    while True:
        found = re.search(pattern, screen, re.S)
        if found:
            screen = screen[found.end():]
            return found
        if not read_some(max(0.0, end - time.monotonic())) and time.monotonic() >= end:
            raise Wrong("not on the screen: %r; but %r" % (pattern, screen[-400:]))


def keys(text):
    os.write(master, text)


def foreground():
    return struct.unpack("i", fcntl.ioctl(master, termios.TIOCGPGRP, b"    "))[0]


def in_front(name):
    """Not before it runs its own program: the shell's child ignores what the shell does."""
    def claim():
        try:
            with open("/proc/%d/comm" % foreground()) as comm:
                return comm.read().strip() == name
        except OSError:
            return False
    wait_until(claim, "%s is not in front" % name)


def size():
    return struct.unpack("HHHH", fcntl.ioctl(master, termios.TIOCGWINSZ, b"\0" * 8))[:2]


def wait_until(claim, text):
    end = time.monotonic() + 10
    while not claim():
        if time.monotonic() > end:
            raise Wrong(text)
        time.sleep(0.01)


env = dict(os.environ, TERM="xterm", HISTFILE="/dev/null", EXINIT="")
with open("rc", "w") as rc:
    rc.write("PS1='$ '; bind 'set enable-bracketed-paste off'\n")
child, master = pty.fork()
if child == 0:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    os.execvpe("bash", ["bash", "--rcfile", "rc"], env)
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 97, 0, 0))
shell = child
expect(rb"\$ ")
counter = 0


# ---- a shell inside script(1): two terminals, one in the other

def shell_begin():
    keys(b"exec script -q -c 'bash --rcfile rc' session.log\r")
    expect(rb"\$ ")
    keys(b"stty size; tty; x=kept\r")
    expect(rb"31 97\r\n/dev/pts/1\r\n.*\$ ")


def shell_prepare():
    """A command runs; more was typed ahead, which nobody has read."""
    keys(b"sleep 1; echo slept $x\rech")


def shell_check():
    global counter
    counter += 1
    keys(b"o ahead %d\r" % counter)
    expect(rb"slept kept\r\n")
    expect(rb"\nahead %d\r\n.*\$ " % counter)
    keys(b"tty; ps -o tty= -p $$; echo $x\r")
    expect(rb"/dev/pts/1\r\npts/1 *\r\nkept\r\n.*\$ ")
    keys(b"echo up; cat > /dev/tty\r")
    expect(rb"\nup\r\n")
    keys(b"line\r")
    expect(rb"line\r\nline\r\n")
    keys(b"\x03")
    expect(rb"\^C.*\$ ")
    shell_prepare()


def shell_last():
    keys(b"o\r")
    expect(rb"slept kept\r\n")
    keys(b"exit\r")
    if os.waitpid(child, 0)[1] != 0:
        raise Wrong("script ended badly")


# ---- jobs: one in front, one stopped, one behind

def jobs_begin():
    keys(b"sleep 1001\r")
    in_front("sleep")
    keys(b"\x1a")
    expect(rb"Stopped.*\$ ")
    keys(b"sleep 1002 &\r")
    expect(rb"\$ ")
    jobs_prepare()


def jobs_prepare():
    keys(b"sleep 1003\r")
    in_front("sleep")


def jobs_check():
    if size() != (31, 97):
        raise Wrong("size: %s %s" % size())
    if foreground() == shell:
        raise Wrong("the job in front is not in front")
    keys(b"\x03")
    expect(rb"\^C.*\$ ")
    if foreground() != shell:
        raise Wrong("the shell is not in front")
    keys(b"jobs\r")
    expect(rb"Stopped *sleep 1001\r\n.*Running *sleep 1002 &\r\n.*\$ ")
    keys(b"fg %1\r")
    expect(rb"sleep 1001\r\n")
    in_front("sleep")
    keys(b"\x1a")
    expect(rb"Stopped.*\$ ")
    jobs_prepare()


def jobs_last():
    keys(b"\x03")
    expect(rb"\^C.*\$ ")
    keys(b"kill %1 %2; kill -CONT %1; wait; echo $((6*7))\r")
    expect(rb"\n42\r\n")
    keys(b"exit\r")
    os.waitpid(child, 0)


# ---- vi with a text that is not written yet

def vi_begin():
    keys(b"vi text\r")
    expect(rb"text")
    keys(b"ifirst line")
    expect(rb"line")


def vi_check():
    global counter
    counter += 1
    keys(b"\rline %d" % counter)
    expect(rb"line %d" % counter)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 30 - counter, 90, 0, 0))
    expect(rb"first line")  # it was told of the new size, and shows all again


def vi_last():
    keys(b"\x1b:wq\r")
    expect(rb"\$ $")
    text = open("text").read()
    if text != "first line\n" + "".join("line %d\n" % (i + 1) for i in range(counter)):
        raise Wrong("vi wrote %r" % text)
    keys(b"exit\r")
    os.waitpid(child, 0)


def say(name, text):
    with open("new", "w") as f:
        f.write(text)
    os.rename("new", name)


globals()[what + "_begin"]()
if what == "shell":
    shell_prepare()
say("ready", "")
while True:
    time.sleep(0.01)
    for name in ("check", "last"):
        if os.path.exists(name):
            os.remove(name)
            try:
                globals()[what + "_" + name]()
                say("result", "ok")
            except (Wrong, OSError) as e:
                say("result", str(e))
            if name == "last":
                sys.exit(0)
