#!/usr/bin/python3
"""alone_states.py - sockets in all states, at both ends of a cable.

alone_states.py serve ADDRESS FOLDER [HOLDERS] | peer ADDRESS FOLDER

The server brings its sockets into their states and says "ready"; after the move both ends
(told by FOLDER/moved) go on with them and say "ok" in FOLDER/{serve,peer}.result.  Of
HOLDERS processes that have the sockets of the server all but the first only have them."""
import os
import socket
import sys
import time

role, address, folder = sys.argv[1:4]
holders = int(sys.argv[4]) if len(sys.argv) > 4 else 1
PORT, BIG = 7001, bytes(range(256)) * 2048  # 512 KB


def say(name, text="ok"):
    with open("%s/%s.new" % (folder, name), "w") as f:
        f.write(text)
    os.rename("%s/%s.new" % (folder, name), "%s/%s" % (folder, name))


def await_file(name):
    end = time.monotonic() + 40
    while not os.path.exists("%s/%s" % (folder, name)):
        if time.monotonic() > end:
            raise SystemExit("%s: no %s" % (role, name))
        time.sleep(0.01)


def read_all(sock, size=None):
    got = b""
    while size is None or len(got) < size:
        data = sock.recv(65536 if size is None else size - len(got))
        if not data:
            break
        got += data
    return got


def expect(what, got, wanted):
    if got != wanted:
        raise SystemExit("%s: %s: %d bytes %r instead of %d" % (
            role, what, len(got), got[:40], len(wanted)))


def hold():
    """Until the move: then the one that is served by closes them alone."""
    if os.fork() == 0:
        await_file("moved")
        os._exit(0)


def serve():
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, PORT))
    listener.listen()
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((address, PORT))
    say("listening")
    names = {}
    for _ in range(4):
        sock, _ = listener.accept()
        names[read_all(sock, 8)] = sock
    names[b"finwait2"].sendall(b"all of it")
    names[b"finwait2"].shutdown(socket.SHUT_WR)
    names[b"unsent00"].setblocking(False)
    sent = names[b"unsent00"].send(BIG)
    names[b"unsent00"].setblocking(True)
    await_file("peer.ready")  # its data and its FIN have come in
    time.sleep(0.2)
    for _ in range(holders - 1):
        hold()
    say("serve.ready")
    await_file("moved")
    expect("half closed by the peer", read_all(names[b"closewt0"]), b"last words")
    names[b"closewt0"].sendall(b"answer to a half-closed one")
    names[b"closewt0"].close()
    expect("unread", read_all(names[b"unread00"], 6), b"unread")
    names[b"unread00"].sendall(b"read")
    names[b"unsent00"].sendall(BIG[sent:] + b"end")
    expect("half closed by us", read_all(names[b"finwait2"]), b"still talking")
    expect("datagrams", b"".join(datagrams.recvfrom(100)[0] for _ in range(3)), b"abc")
    for sock in names.values():
        sock.close()


def peer():
    await_file("listening")
    socks = {}
    for name in ("closewt0", "finwait2", "unread00", "unsent00"):
        socks[name] = sock = socket.socket()
        if name == "unsent00":  # not all of it fits
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.settimeout(30)
        sock.connect((address, PORT))
        sock.sendall(name.encode())
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for word in (b"a", b"b", b"c"):
        datagrams.sendto(word, (address, PORT))
    socks["closewt0"].sendall(b"last words")
    socks["closewt0"].shutdown(socket.SHUT_WR)
    socks["unread00"].sendall(b"unread")
    expect("all of it", read_all(socks["finwait2"]), b"all of it")
    say("peer.ready")
    await_file("moved")
    expect("answer", read_all(socks["closewt0"]), b"answer to a half-closed one")
    expect("read", read_all(socks["unread00"], 4), b"read")
    expect("unsent", read_all(socks["unsent00"], len(BIG) + 3), BIG + b"end")
    socks["finwait2"].sendall(b"still talking")
    socks["finwait2"].close()


{"serve": serve, "peer": peer}[role]()
say(role + ".result")
