#!/usr/bin/python3
"""rebind_client.py - connections under load, each byte of which is known.

rebind_client.py serve ADDRESS... PORT        echoes what comes, at each address
rebind_client.py ask BASE CLIENTS ADDRESS... PORT

Every client sends blocks of a stream of its own, and expects them back.  BASE.ready: all
have had an answer; BASE.count: blocks so far; BASE.stop: end, with the longest wait."""
import hashlib
import os
import selectors
import socket
import sys
import time

BLOCK = 3000


def listen(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.listen(100)
    return s


def serve(addresses, port):
    everybody = selectors.DefaultSelector()
    for a in addresses:
        everybody.register(listen(a, port), selectors.EVENT_READ, True)
    print("ready", flush=True)
    while True:
        for key, _ in everybody.select():
            if key.data:
                conn, _ = key.fileobj.accept()
                everybody.register(conn, selectors.EVENT_READ, False)
                continue
            data = key.fileobj.recv(65536)
            if data:
                key.fileobj.sendall(data)
            else:
                everybody.unregister(key.fileobj)
                key.fileobj.close()


def block(client, n):
    seed = hashlib.sha256(b"%d %d" % (client, n)).digest()
    return (seed * (BLOCK // len(seed) + 1))[:BLOCK]


class Client:
    def __init__(self, number, address, port):
        self.number, self.n, self.longest = number, 0, 0.0
        self.sock = socket.create_connection((address, port), 10)
        self.sock.settimeout(None)
        self.ask()

    def ask(self):
        self.got, self.want = b"", block(self.number, self.n)
        self.since = time.monotonic()
        self.sock.sendall(self.want)

    def answer(self):
        data = self.sock.recv(65536)
        if not data:
            raise SystemExit("connection of client %d ended" % self.number)
        self.got += data
        if len(self.got) < BLOCK:
            return 0
        if self.got != self.want:
            raise SystemExit("client %d: block %d came back wrong" % (self.number, self.n))
        self.n += 1
        self.longest = max(self.longest, time.monotonic() - self.since)
        self.ask()
        return 1


def write(path, text):
    with open(path + ".new", "w") as f:
        f.write(text)
    os.rename(path + ".new", path)


def ask(base, clients, addresses, port):
    everybody = selectors.DefaultSelector()
    every = [Client(i, addresses[i % len(addresses)], port) for i in range(clients)]
    for c in every:
        everybody.register(c.sock, selectors.EVENT_READ, c)
    count, told = 0, 0.0
    while not os.path.exists(base + ".stop"):
        for key, _ in everybody.select(0.05):
            count += key.data.answer()
        if time.monotonic() - told > 0.05:
            told = time.monotonic()
            # the slowest counts: none of them may have been forgotten
            write(base + ".count", "%d\n" % min(c.n for c in every))
            if min(c.n for c in every) > 0:
                write(base + ".ready", "")
        time.sleep(0.001)
    print("%d clients, %d blocks, longest wait %.0f ms"
          % (clients, count, 1000 * max(c.longest for c in every)))


if sys.argv[1] == "serve":
    serve(sys.argv[2:-1], int(sys.argv[-1]))
else:
    ask(sys.argv[2], int(sys.argv[3]), sys.argv[4:-1], int(sys.argv[-1]))
