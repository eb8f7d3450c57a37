# SPDX-License-Identifier: GPL-2.0-or-later
"""talk_client.py - clients of talk_server, in one process that is told what to do.

usage: talk_client.py PORT [KIND:NUMBER:ADDRESS...]

steady   one connection each, "e" requests      births   connect, ask once, close
random   one connection each, "r" requests      udp      datagrams, 1 in 8 of 4000 bytes
corked   as steady, "k" requests
pinned   as udp, answered by the device that they came in by
once     as udp, and who sends waits for 10 s until it sends again
fetch    births, whose answer is 48 KB that the service closes after
silent   births at the port where who says nothing is not accepted, and asks after 10 ms
bulk     one connection each, 20 requests of 7000 bytes under way at a time
download one connection each, answers of 2 MB that are read slowly
dice     one connection each, answers of 1 MB in which 100 KB are of one random number
narrow   as download, with room for 2 KB; sips: each line by itself, with room for 16 KB;
         naps: with the window shut for a second
upload   one connection each, 2 MB that are not answered, then what their sum is
same     births, always from the same port; the service ends each; rude: a reset does

Lines on stdin: `report` prints what happened since it was asked last, as JSON; `half N
ADDRESS` makes connections whose last packet of the handshake is lost; `deaf N ADDRESS` begins
some of which the second one is lost; `whole` lets them go on and prints how each fared; `stop`.
"""
import errno
import itertools
import json
import select
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib

PORT = int(sys.argv[1])
HALF_PORTS = (20000, 20099)
DEAF_PORTS = (20100, 20199)
ports = itertools.count(21000)  # of those that always come from the same
lock = threading.Lock()
counts = {}
wrongs = []
stopping = threading.Event()


def count(kind, what, detail=None):
    with lock:
        mine = counts.setdefault(kind, {})
        mine[what] = mine.get(what, 0) + 1
        if detail:
            wrongs.append("%.3f %s: %s" % (time.time(), kind, detail))


def connection(address, port=0):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(40)
    if port:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("", port))
    return s


def line_of(s):
    got = b""
    while not got.endswith(b"\n"):
        part = s.recv(16384)
        if not part:
            raise ConnectionResetError(errno.ECONNRESET, "closed")
        got += part
    return got.decode().rstrip("\n")


def one(s, kind, n, last):
    """Ask once; the random number told, if it was asked for."""
    text = "%d of %s%s" % (n, s.getsockname()[1], "x" * (n * 37 % 1900))
    ask = b"k " if kind.startswith("corked") else b"e "
    s.sendall(b"r\n" if kind == "random" else ask + text.encode() + b"\n")
    got = line_of(s)
    if kind == "random":
        words = got.split()
        if len(words) != 3 or words[0] != str(n) or words[1] != last:
            count(kind, "wrong", "%r after number %d %s" % (got[:100], n - 1, last))
        last = words[-1]
    elif got != "%d %s" % (n, text):
        count(kind, "wrong", "%r for %r" % (got[:60], text[:60]))
    count(kind, "answers")
    return last


def steady(kind, address):
    n, last, s = 0, "0" * 16, None
    while not stopping.is_set():
        try:
            if s is None:
                s = connection(address)
                s.connect((address, PORT))
                n, last = 0, "0" * 16
            n += 1
            last = one(s, kind, n, last)
            time.sleep(0.01)
        except OSError as e:
            count(kind, "broken" if n else "refused", "port %s line %d: %s" % (
                s.getsockname()[1], n, e))
            s.close()
            s, n = None, 0
            time.sleep(0.1)


def bulk(kind, address):
    s, n, f = connection(address), 0, None
    s.connect((address, PORT))
    f = s.makefile("rb")
    text = b"b" * 7000
    try:
        while not stopping.is_set():
            s.sendall((b"e " + text + b"\n") * 20)
            for _ in range(20):
                n += 1
                got = f.readline()
                if got != b"%d %s\n" % (n, text):
                    count(kind, "wrong" if got else "broken", "%r as line %d" % (got[:40], n))
                    if not got:
                        return
            count(kind, "answers")
    except OSError as e:
        count(kind, "broken", "line %d: %s" % (n, e))


def upload(kind, address):
    s, n, total, f = connection(address), 0, 1, None
    s.connect((address, PORT))
    f = s.makefile("rb")
    try:
        while not stopping.is_set():
            lines = []
            for _ in range(500):
                n += 1
                text = b"%d " % n * (4000 // len(b"%d " % n))
                total = zlib.adler32(text, total)
                lines.append(b"q " + text + b"\n")
            n += 1
            s.sendall(b"".join(lines) + b"s\n")
            got = f.readline()
            if got != b"%d %d\n" % (n, total):
                count(kind, "wrong" if got else "broken", "%r after line %d" % (got[:40], n))
                return
            count(kind, "answers")
    except OSError as e:
        count(kind, "broken", "line %d: %s" % (n, e))


def given(n, i):
    """Line @i of what the service gives as its answer @n."""
    return b"%d %s\n" % (n, bytes([97 + (n + i) % 26]) * 4000)


# Receive buffer in bytes, lines of an answer, of which it waits after each so-manyth, how long.
SLOW = {"download": (None, 500, 100, 0.01), "narrow": (2304, 25, 100, 0.01),
        "sips": (16384, 20, 1, 0.01), "naps": (16384, 8, 8, 1.2)}


def download(kind, address):
    """Answers that are read slowly."""
    s, n = connection(address), 0
    room, lines, often, pause = SLOW[kind.rstrip("6")]
    if room:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    s.connect((address, PORT))
    f = s.makefile("rb")
    try:
        while not stopping.is_set():
            n += 1
            s.sendall(b"g %d\n" % lines)
            for i in range(lines):
                got = f.readline()
                if got != given(n, i):
                    count(kind, "wrong" if got else "broken", "%r: line %d of %d" % (
                        got[:20], i, n))
                    return
                if i % often == 0:
                    time.sleep(pause)
            count(kind, "answers")
    except OSError as e:
        count(kind, "broken", "answer %d: %s" % (n, e))


BLOCK = 100 * 1024


def dice(kind, address):
    """Each block is of one number; what comes of it is looked at as it comes."""
    s, got, word = None, 0, b""
    while not stopping.is_set():
        try:
            if s is None:
                s, got = connection(address), 0
                s.connect((address, PORT))
            if got % (10 * BLOCK) == 0:
                s.sendall(b"d 10\n")
            part = s.recv(min(32768, BLOCK - got % BLOCK))
            if not part:
                raise ConnectionResetError(errno.ECONNRESET, "closed")
            if got % BLOCK == 0:
                word = part[:16]
            at = got % BLOCK % 16
            if part != (word * (len(part) // 16 + 2))[at:at + len(part)]:
                count(kind, "wrong", "port %s: %d bytes of %r, and then %r (total %d)" % (
                    s.getsockname()[1], got % BLOCK, word, part[:16], got))
            got += len(part)
            count(kind, "answers", None)
            time.sleep(0.004)
        except OSError as e:
            count(kind, "broken", "port %s: %s" % (s.getsockname()[1], e))
            s.close()
            s = None
            time.sleep(0.1)


def all_of(s):
    got = b""
    while True:
        part = s.recv(65536)
        if not part:
            return got
        got += part


def same(kind, address):
    """One connection after the other; the service ends each, or a reset does (rude)."""
    port, rude = next(ports), kind.startswith("rude")
    while not stopping.is_set():
        s, connected = connection(address, port), False
        try:
            s.connect((address, PORT))
            connected = True
            if rude:
                one(s, kind, 1, None)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                to_its_end(s, kind, 2)
        except OSError as e:  # the one before may not be over yet: EADDRNOTAVAIL
            count(kind, "broken" if connected else "refused", "port %s: %s" % (port, e))
            time.sleep(0.05)
        s.close()
        time.sleep(0.003)


def to_its_end(s, kind, lines):
    """An answer after which the service closes."""
    s.sendall(b"b %d\n" % lines)
    got = all_of(s)
    if got != b"".join(given(1, i) for i in range(lines)):
        count(kind, "wrong", "%d bytes: %r" % (len(got), got[:20]))
    count(kind, "answers")


def births(kind, address):
    silent = kind.startswith("silent")
    while not stopping.is_set():
        s, connected = connection(address), False
        try:
            s.connect((address, PORT + silent))
            connected = True
            time.sleep(0.01 * silent)
            if kind.startswith("fetch"):
                to_its_end(s, kind, 12)
            else:
                one(s, kind, 1, None)
            count(kind, "done")
        except OSError as e:
            count(kind, "broken" if connected else "refused", "port %s: %s" % (
                s.getsockname()[1], e))
            time.sleep(0.1)
        s.close()


def udp(kind, address):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((address, PORT))
    s.settimeout(10 if kind.startswith("once") else 0.5)
    n, newest = 0, 0
    while not stopping.is_set():
        n += 1
        text = ("p%d " if kind == "pinned" else "%d ") % n
        mine = chr(97 + (s.getsockname()[1] + n) % 26)  # of each fragment, too
        text = text.ljust(4000 if n % 8 == 0 else 30, mine).encode()
        for attempt in range(60):
            try:
                s.send(text)
                number, got = s.recv(8192).split(b" ", 1)
                while int(got.split(b" ")[0].lstrip(b"p")) < n:  # of an attempt before
                    number, got = s.recv(8192).split(b" ", 1)
                if got != text or int(number) <= newest:
                    count(kind, "wrong", "%r %r, newest was %d" % (number, got[:20], newest))
                newest = int(number)
                count(kind, "answers")
                break
            except (socket.timeout, ConnectionRefusedError):
                count(kind, "again")
        else:
            count(kind, "broken", "no answer to datagram %d" % n)
        time.sleep(0.002 if kind.startswith("once") else 0.02)


def drop_acks(how, address):
    subprocess.run(["ip6tables" if ":" in address else "iptables", "-w", how, "OUTPUT", "-p", "tcp",
                    "--sport", "%d:%d" % HALF_PORTS, "!", "--syn", "-j", "DROP"], check=True)


def drop_answers(how, address):
    subprocess.run(["ip6tables" if ":" in address else "iptables", "-w", how, "INPUT", "-p", "tcp",
                    "--dport", "%d:%d" % DEAF_PORTS, "-j", "DROP"], check=True)


def deaf(number, address, base):
    """The server's SYN-ACK is lost, and so is its next one."""
    drop_answers("-A", address)
    made = []
    for i in range(number):
        s = connection(address, base + i)
        s.setblocking(False)
        s.connect_ex((address, PORT))
        made.append((s, address))
    return made


def half(number, address, base):
    """The server's SYN-ACK came, our acknowledgement of it is lost."""
    drop_acks("-A", address)
    made = []
    for i in range(number):
        s = connection(address, base + i)
        s.connect((address, PORT))
        made.append((s, address))
    return made


def whole(made, unheard):
    for them, let in ((made, drop_acks), (unheard, drop_answers)):
        if them:
            let("-D", them[0][1])
    result = {"right": 0, "wrong": []}
    for s, _ in made + unheard:
        try:
            select.select([], [s], [], 20)
            s.settimeout(20)
            s.sendall(b"e half\n")
            got = line_of(s)
            if got == "1 half":
                result["right"] += 1
            else:
                result["wrong"].append(got)
        except OSError as e:
            result["wrong"].append("port %s: %s" % (s.getsockname()[1], e))
        s.close()
    return result


def say(what):
    print(json.dumps(what), flush=True)


def main():
    made, base, unheard, deaf_base = [], HALF_PORTS[0], [], DEAF_PORTS[0]
    for spec in sys.argv[2:]:
        kind, number, address = spec.split(":", 2)
        work = {"births": births, "silent": births, "fetch": births, "udp": udp, "pinned": udp, "once": udp, "bulk": bulk, "upload": upload,
                "download": download, "dice": dice, "narrow": download, "sips": download, "naps": download, "same": same,
                "rude": same}.get(kind, steady)
        for _ in range(int(number)):
            threading.Thread(target=work, args=(kind + ("6" if ":" in address else ""), address)
                             if kind != "random" else (kind, address), daemon=True).start()
    for line in sys.stdin:
        words = line.split()
        if words[0] == "report":
            with lock:
                say({"counts": counts, "wrongs": wrongs[:]})
                counts.clear()
                wrongs.clear()
        elif words[0] == "half":
            made = half(int(words[1]), words[2], base)
            base += len(made)
            say({"half": len(made)})
        elif words[0] == "deaf":
            unheard = deaf(int(words[1]), words[2], deaf_base)
            deaf_base += len(unheard)
            say({"deaf": len(unheard)})
        elif words[0] == "whole":
            say(whole(made, unheard))
            made, unheard = [], []
        elif words[0] == "stop":
            break
    stopping.set()


main()
