#!/usr/bin/python3
"""mqtt_client.py - a publisher and many subscribers of an MQTT broker, and a client of
memcached that counts.

mqtt_client.py ADDRESS ADDRESS6 SUBSCRIBERS BASE

Each message is a number, one more than the last; every subscriber must get each of them,
once, in order.  BASE.ready, BASE.count, BASE.stop as those of alone_client.py."""
import os
import selectors
import socket
import struct
import sys
import time

address, address6, subscribers, base = sys.argv[1:5]
everybody = selectors.DefaultSelector()


def text(word):
    return struct.pack(">H", len(word)) + word


def packet(kind, body):
    assert len(body) < 128
    return bytes([kind, len(body)]) + body


class Connection:
    def __init__(self, number, port):
        self.got = b""
        self.since, self.longest = time.monotonic(), 0.0
        self.sock = socket.create_connection((address6 if number % 4 == 3 else address, port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        everybody.register(self.sock, selectors.EVENT_READ, self)

    def read(self):
        data = self.sock.recv(65536)
        if not data:
            raise SystemExit("a connection ended: %s" % self.name)
        self.got += data
        self.longest = max(self.longest, time.monotonic() - self.since)
        self.since = time.monotonic()
        self.take()


class Mqtt(Connection):
    def __init__(self, number, name):
        super().__init__(number, 1883)
        self.name, self.last = name, 0
        self.sock.sendall(packet(0x10, text(b"MQTT") + b"\x04\x02\0\0" + text(name.encode())))

    def take(self):
        while len(self.got) >= 2 and len(self.got) >= 2 + self.got[1]:
            kind, body = self.got[0], self.got[2:2 + self.got[1]]
            self.got = self.got[2 + len(body):]
            self.on_packet(kind, body)


class Subscriber(Mqtt):
    subscribed = 0

    def on_packet(self, kind, body):
        if kind == 0x20:
            self.sock.sendall(packet(0x82, b"\0\1" + text(b"numbers") + b"\1"))
        elif kind == 0x90:
            Subscriber.subscribed += 1
        elif kind & 0xf0 == 0x30:  # at least once: to be acknowledged
            at = 2 + struct.unpack(">H", body[:2])[0]
            value = int(body[at + 2:])
            if value != self.last + 1:
                raise SystemExit("%s: %d after %d" % (self.name, value, self.last))
            self.last = value
            self.sock.sendall(packet(0x40, body[at:at + 2]))


class Publisher(Mqtt):
    acknowledged = 0

    def publish(self):
        self.last += 1
        self.sock.sendall(packet(0x32, text(b"numbers") + struct.pack(">H", self.last % 65535 + 1)
                                 + b"%d" % self.last))

    def on_packet(self, kind, body):
        if kind == 0x40:
            self.acknowledged += 1


class Counter(Connection):
    name = "counter"

    def __init__(self):
        super().__init__(0, 11211)
        self.value = 0
        self.sock.sendall(b"set n 0 0 1\r\n0\r\n")

    def take(self):
        if not self.got.endswith(b"\r\n"):
            return
        if self.value > 0 and self.got != b"%d\r\n" % self.value:
            raise SystemExit("%r instead of %d" % (self.got, self.value))
        self.got = b""
        self.value += 1
        self.sock.sendall(b"incr n 1\r\n")


def write(name, content):
    with open(base + ".new", "w") as f:
        f.write(content)
    os.rename(base + ".new", base + name)


readers = [Subscriber(n, "reader%d" % n) for n in range(int(subscribers))]
publisher, counter = Publisher(0, "writer"), Counter()
told = 0.0
while not os.path.exists(base + ".stop"):
    for key, _ in everybody.select(0.02):
        key.data.read()
    if Subscriber.subscribed == len(readers) and min(r.last for r in readers) == publisher.last:
        publisher.publish()
    if time.monotonic() - told > 0.05:
        told = time.monotonic()
        write(".count", "%d\n" % (min(publisher.last * 20, counter.value)))
        if publisher.last > 2 and counter.value > 2 and not os.path.exists(base + ".ready"):
            write(".ready", "")
            for key in list(everybody.get_map().values()):  # connecting does not count
                key.data.since, key.data.longest = told, 0.0
print("%d subscribers, %d messages, %d counted, longest wait %.0f ms" % (
    len(readers), publisher.last, counter.value,
    1000 * max(c.longest for c in readers + [publisher, counter])))
