#!/usr/bin/python3
# agent_double.py - a test double of sockmigd or basculed: speaks doc/protocol.md on a
# unix socket, answers from a JSON file that it reads anew for every request.
#
#   agent_double.py SOCKET STATE.json LOG
#
# STATE.json: { "status": {...}, "orders": [...], "rows": [...], "refuse": "why" }.
# Every order is appended to LOG.  SIGUSR1: tell subscribers that there is news.
import json, os, select, signal, socket, sys

ORDERS = ("switchover drain resume maintenance freeze policy interval checkpoint clear ack").split()
path, state_file, log_file = sys.argv[1:4]
news_read, news_write = os.pipe()
os.set_blocking(news_write, False)
signal.signal(signal.SIGUSR1, lambda *a: os.write(news_write, b"x"))


def state():
    with open(state_file) as f:
        return json.load(f)


def answer(msg):
    s, op = state(), msg.get("op")
    reply = {"id": msg.get("id"), "ok": True}
    if op == "status":
        reply.update(s["status"])
    elif op == "orders":
        reply["orders"] = s.get("orders", [])
    elif op == "journal":
        reply["rows"] = s.get("rows", [])[: msg.get("limit", 1000)]
    elif op in ORDERS:
        with open(log_file, "a") as f:
            f.write(json.dumps(msg, sort_keys=True) + "\n")
        if "refuse" in s:
            reply = {"id": msg.get("id"), "ok": False, "error": s["refuse"]}
        else:
            reply["order"] = 0 if op == "ack" else 41
    elif op != "events":
        reply = {"id": msg.get("id"), "ok": False, "error": "unknown op"}
    return reply


def serve():
    if os.path.exists(path):
        os.unlink(path)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(path)
    os.chmod(path, 0o666)
    server.listen(8)
    buffers, subscribed = {}, set()
    while True:
        ready, _, _ = select.select([server, news_read] + list(buffers), [], [])
        for fd in ready:
            if fd is server:
                buffers[server.accept()[0]] = b""
                continue
            if fd == news_read:
                os.read(news_read, 100)
                for c in subscribed:
                    c.sendall(b'{"event":"status"}\n')
                continue
            try:
                data = fd.recv(65536)
            except ConnectionResetError:  # killed with an answer unread
                data = b""
            if not data:
                del buffers[fd]
                subscribed.discard(fd)
                fd.close()
                continue
            lines = (buffers[fd] + data).split(b"\n")
            buffers[fd] = lines.pop()
            for line in lines:
                msg = json.loads(line)
                if msg.get("op") == "events":
                    subscribed.add(fd)
                fd.sendall(json.dumps(answer(msg)).encode() + b"\n")


serve()
