#!/usr/bin/python3
"""alone_odd.py - a process with what cannot be moved; prints a word for each that this
kernel lets it have, then "ready"."""
import ctypes
import os
import socket
import struct
import time

libc = ctypes.CDLL(None, use_errno=True)
keep = []


def has(word, make):
    try:
        thing = make()
    except OSError:
        return
    if isinstance(thing, int) and thing < 0:
        return
    keep.append(thing)
    print(word, flush=True)


def with_md5():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen()
    peer = struct.pack("HH4s", 2, 0, socket.inet_aton("127.0.0.1")).ljust(128, b"\0")
    s.setsockopt(6, 14, peer + struct.pack("BBHI", 0, 0, 5, 0) + b"hello".ljust(80, b"\0"))
    return s


def aio():
    context = ctypes.c_ulong(0)
    return libc.syscall(206, 8, ctypes.byref(context))


has("multipath", lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262))
has("SCTP", lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132))
has("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
has("MD5", with_md5)
has("asynchronous", aio)
has("io_uring", lambda: libc.syscall(425, 8, ctypes.create_string_buffer(120)))
has("BPF", lambda: libc.syscall(321, 0, struct.pack("IIIII", 1, 4, 4, 4, 0).ljust(120, b"\0"), 120))
has("performance", lambda: libc.syscall(298, struct.pack("IIQ", 1, 112, 1).ljust(112, b"\0"), 0, -1, -1, 0))
has("secret", lambda: libc.syscall(447, 0))
has("userfaultfd", lambda: libc.syscall(323, 1))
has("device", lambda: open("/dev/net/tun", "w"))
has("hugetlb", lambda: os.memfd_create("huge", os.MFD_HUGETLB))
print("ready", flush=True)
time.sleep(60)
