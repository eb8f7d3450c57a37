#!/usr/bin/python3
"""alone_family.py - a family of processes that checks itself after it was moved.

alone_family.py FOLDER: writes FOLDER/ready; for FOLDER/check (any content) it checks what
it has, and writes FOLDER/result: "ok", or what is wrong."""
import fcntl
import mmap
import os
import select
import signal
import socket
import struct
import sys
import termios
import threading
import time

folder = sys.argv[1]
shared = mmap.mmap(-1, 1 << 20)  # shared, anonymous
with open(folder + "/mapped", "wb") as f:
    f.truncate(8192)
mapped_file = open(folder + "/mapped", "r+b")
mapped = mmap.mmap(mapped_file.fileno(), 8192)  # shared, of a file
private = bytearray(os.urandom(1 << 20))
private_sum = sum(private)
log = os.open(folder + "/log", os.O_RDWR | os.O_CREAT, 0o600)  # one position for all
to_child, from_parent = os.pipe()[::-1]
to_parent_r, to_parent_w = os.pipe()
parent_pid = os.getpid()
os.mkfifo(folder + "/fifo")
fifo = os.open(folder + "/fifo", os.O_RDONLY | os.O_NONBLOCK)  # the counter writes to it
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
client = socket.create_connection(listener.getsockname())
flying = socket.socketpair()  # all have it, and what waits in it


def throw():
    """A connection and a file that are nowhere but in a queue."""
    sent = os.open(folder + "/flying", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(sent, b"twelve bytes")
    socket.send_fds(flying[0], [b"two"], [server.fileno(), sent])
    server.close()
    os.close(sent)


def catch():
    """What is wrong with them."""
    global server
    word, fds, _, _ = socket.recv_fds(flying[1], 16, 4)
    if word != b"two" or len(fds) != 2:
        return "in flight: %r %r" % (word, fds)
    server = socket.socket(fileno=fds[0])
    client.sendall(b"hello")
    if os.lseek(fds[1], 0, os.SEEK_CUR) != 12 or server.recv(16) != b"hello":
        return "what was in flight"
    os.close(fds[1])
    os.unlink(folder + "/flying")
    throw()
    return None


server = listener.accept()[0]
throw()


def get(at):
    return struct.unpack_from("<Q", shared, at)[0]


def child(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(99)
    return pid


def counter():
    """Counts up in memory that it shares."""
    value = get(0)
    writer = os.open(folder + "/fifo", os.O_WRONLY)
    os.close(fifo)
    while True:
        time.sleep(0.001)
        if get(0) != value:
            os._exit(50)
        value += 1
        if fcntl.ioctl(writer, termios.FIONREAD, b"\0" * 4) == b"\0" * 4:
            os.write(writer, b"named")
        struct.pack_into("<Q", shared, 0, value)
        struct.pack_into("<Q", mapped, 4096, value)


def echo():
    """Answers on a pipe; has an epoll set and the listener of its parent."""
    watch = select.epoll()
    watch.register(from_parent, select.EPOLLIN)
    watch.register(listener.fileno(), select.EPOLLIN)
    while True:
        for fd, _ in watch.poll():
            if fd == from_parent:
                word = os.read(from_parent, 64)
                position = os.lseek(log, 0, os.SEEK_CUR)
                os.write(to_parent_w, b"%s %d %d" % (word, position, os.getppid()))
            else:
                peer, _ = listener.accept()
                peer.sendall(b"%d" % os.getpid())
                peer.close()


def sleeper():
    while True:
        time.sleep(1000)


def own_session():
    os.setsid()
    struct.pack_into("<Q", shared, 64, child(sleeper))
    sleeper()


def wait_state(pid, states):
    end = time.monotonic() + 10
    while open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()[0] not in states:
        if time.monotonic() > end:
            raise SystemExit("process %d is not %s" % (pid, states))
        time.sleep(0.01)


kin = {"counter": child(counter), "echo": child(echo), "exited": child(lambda: os._exit(7)),
       "killed": child(sleeper), "stopped": child(sleeper), "session": child(own_session)}
os.kill(kin["killed"], signal.SIGTERM)
os.kill(kin["stopped"], signal.SIGSTOP)
os.setpgid(kin["stopped"], kin["stopped"])
for name, states in (("exited", "Z"), ("killed", "Z"), ("stopped", "T")):
    wait_state(kin[name], states)
while get(64) == 0:
    time.sleep(0.01)
kin["grandchild"] = get(64)
sessions = {name: (os.getsid(pid), os.getpgid(pid)) for name, pid in kin.items()
            if name not in ("exited", "killed")}
ticks = [0]


def tick():
    while True:
        time.sleep(0.005)
        ticks[0] += 1


threading.Thread(target=tick, daemon=True).start()


def check():
    os.write(log, b"twelve bytes")
    os.write(to_child, b"word")
    answer = os.read(to_parent_r, 64).split()
    expected = [b"word", b"%d" % os.lseek(log, 0, os.SEEK_CUR), b"%d" % parent_pid]
    if answer != expected:
        return "echo: %r instead of %r" % (answer, expected)
    peer = socket.create_connection(listener.getsockname())
    if peer.recv(64) != b"%d" % kin["echo"]:
        return "listener of two processes"
    named = os.read(fifo, 64) if select.select([fifo], [], [], 5)[0] else None
    if named != b"named":
        return "named pipe: %r" % named
    wrong = catch()
    if wrong:
        return wrong
    before, before_ticks = get(0), ticks[0]
    end = time.monotonic() + 5
    while get(0) < before + 5 or ticks[0] < before_ticks + 2:
        if time.monotonic() > end:
            return "memory or thread stands still: %d %d" % (get(0) - before, ticks[0] - before_ticks)
        time.sleep(0.01)
    with open(folder + "/mapped", "rb") as f:
        on_disk = struct.unpack_from("<Q", f.read(), 4096)[0]
    if not get(0) >= on_disk >= get(0) - 2 >= before:
        return "mapped file: %d, of %d" % (on_disk, get(0))
    if sum(private) != private_sum:
        return "private memory"
    for name, ids in sessions.items():
        if (os.getsid(kin[name]), os.getpgid(kin[name])) != ids:
            return "session of %s" % name
    wait_state(kin["stopped"], "T")
    for name, states in (("exited", "Z"), ("killed", "Z")):
        wait_state(kin[name], states)
    return None


def check_last():
    """What can be done once only."""
    status = os.waitpid(kin["exited"], 0)[1]
    if not os.WIFEXITED(status) or os.WEXITSTATUS(status) != 7:
        return "status of a zombie: %d" % status
    status = os.waitpid(kin["killed"], 0)[1]
    if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGTERM:
        return "status of a killed zombie: %d" % status
    os.kill(kin["stopped"], signal.SIGCONT)
    wait_state(kin["stopped"], "S")
    for name in ("counter", "echo", "stopped", "session"):
        os.kill(kin[name], signal.SIGKILL)
        os.waitpid(kin[name], 0)
    return None


def say(name, text):
    with open(folder + "/new", "w") as f:
        f.write(text)
    os.rename(folder + "/new", folder + "/" + name)


say("ready", " ".join("%s=%d" % i for i in kin.items()))
while True:
    time.sleep(0.01)
    for name, what in (("check", check), ("last", check_last)):
        if os.path.exists(folder + "/" + name):
            os.remove(folder + "/" + name)
            say("result", what() or "ok")
            if name == "last":
                os._exit(0)
