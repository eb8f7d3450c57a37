#!/usr/bin/python3
"""alone_client.py - redis clients that check every answer.

alone_client.py ADDRESS ADDRESS6 PORT CLIENTS BASE

Each counts a key of its own up, on one connection for ever.  BASE.ready: all have had an
answer; BASE.count: answers so far; BASE.stop: end, with the longest wait of any."""
import os
import selectors
import socket
import sys
import time

address, address6, port, clients, base = sys.argv[1:6]
everybody = selectors.DefaultSelector()
start = time.monotonic()


class Client:
    def __init__(self, number):
        self.key = b"count:%d" % number
        self.value, self.longest, self.got = 0, 0.0, b""
        self.sock = socket.create_connection(
            (address6 if number % 4 == 3 else address, int(port)))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.ask()
        everybody.register(self.sock, selectors.EVENT_READ, self)

    def ask(self):
        self.since = time.monotonic()
        self.sock.sendall(b"INCR " + self.key + b"\r\n")

    def answer(self):
        data = self.sock.recv(4096)
        if not data:
            raise SystemExit("connection of %s ended" % self.key)
        self.got += data
        if not self.got.endswith(b"\r\n"):
            return 0
        self.value += 1
        if self.got != b":%d\r\n" % self.value:
            raise SystemExit("%s: %r instead of %d" % (self.key, self.got, self.value))
        self.got = b""
        self.longest = max(self.longest, time.monotonic() - self.since)
        self.ask()
        return 1


def write(name, text):
    with open(base + ".new", "w") as f:
        f.write(text)
    os.rename(base + ".new", base + name)


def main():
    all_clients = [Client(n) for n in range(int(clients))]
    count, told = 0, 0.0
    while not os.path.exists(base + ".stop"):
        for key, _ in everybody.select(0.05):
            count += key.data.answer()
        if time.monotonic() - told > 0.05:
            told = time.monotonic()
            write(".count", "%d\n" % count)
            if min(c.value for c in all_clients) > 0 and not os.path.exists(base + ".ready"):
                write(".ready", "")
    silent = [c for c in all_clients if time.monotonic() - c.since > 2]
    if silent:
        raise SystemExit("%d clients without an answer" % len(silent))
    print("%d clients, %d answers, longest wait %.0f ms" % (
        len(all_clients), count, 1000 * max(c.longest for c in all_clients)))


main()
