#!/usr/bin/python3
"""http_client.py - HTTP clients that keep their connections and check every answer.

http_client.py ADDRESS ADDRESS6 PORT CLIENTS ROOT BASE

One downloads ROOT/large again and again, slowly; the others ask for ROOT/numbers.
BASE.ready: all have had an answer; BASE.count: answers so far; BASE.stop: end, with the
longest wait of any."""
import hashlib
import os
import selectors
import socket
import sys
import time

address, address6, port, clients, root, base = sys.argv[1:7]
everybody = selectors.DefaultSelector()
contents = {name: open(os.path.join(root, name), "rb").read() for name in ("large", "numbers")}
sums = {name: hashlib.sha256(data).digest() for name, data in contents.items()}
count = 0


class Client:
    def __init__(self, number):
        self.name = "large" if number == 0 else "numbers"
        self.answers, self.longest = 0, 0.0
        self.sock = socket.socket(socket.AF_INET6 if number % 4 == 3 else socket.AF_INET)
        if self.name == "large":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.sock.connect((address6 if number % 4 == 3 else address, int(port)))
        everybody.register(self.sock, selectors.EVENT_READ, self)
        self.ask()

    def ask(self):
        self.head, self.left, self.sum = b"", None, hashlib.sha256()
        self.since = time.monotonic()
        self.sock.sendall(b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % self.name.encode())

    def begin(self, data):
        self.head += data
        head, end, rest = self.head.partition(b"\r\n\r\n")
        if not end:
            return b""
        if not head.startswith(b"HTTP/1.1 200 "):
            raise SystemExit("%s: %r" % (self.name, head))
        self.left = len(contents[self.name])
        if b"Content-Length: %d\r\n" % self.left not in head + b"\r\n":
            raise SystemExit("%s: length: %r" % (self.name, head))
        return rest

    def take(self):
        global count
        data = self.sock.recv(16384)
        if not data:
            raise SystemExit("connection of %s ended" % self.name)
        self.longest = max(self.longest, time.monotonic() - self.since)
        self.since = time.monotonic()
        if self.left is None:
            data = self.begin(data)
        if self.left is None:
            return
        self.sum.update(data)
        self.left -= len(data)
        if self.left > 0:
            return
        if self.left < 0 or self.sum.digest() != sums[self.name]:
            raise SystemExit("%s: another content" % self.name)
        self.answers += 1
        count += 1
        self.ask()


def write(name, text):
    with open(base + ".new", "w") as f:
        f.write(text)
    os.rename(base + ".new", base + name)


def find_silent(seconds):
    """Told at once, while the other end can still be looked at."""
    for c in all_clients:
        if time.monotonic() - c.since > seconds:
            raise SystemExit("%s: no answer on %s for %d s, %d bytes to come" % (
                time.strftime("%X"), c.sock.getsockname()[:2], seconds, c.left or 0))


all_clients = [Client(n) for n in range(int(clients))]
told = turn = 0.0
while not os.path.exists(base + ".stop"):
    turn += 1
    for key, _ in everybody.select(0.05):
        if key.data.name == "numbers" or turn % 2:
            key.data.take()
    if time.monotonic() - told > 0.05:
        told = time.monotonic()
        find_silent(8)
        write(".count", "%d\n" % count)
        if min(c.answers for c in all_clients[1:]) > 0 and not os.path.exists(base + ".ready"):
            write(".ready", "")
find_silent(2)
print("%d connections, %d answers, %d large files, longest wait %.0f ms" % (
    len(all_clients), count, all_clients[0].answers, 1000 * max(c.longest for c in all_clients)))
