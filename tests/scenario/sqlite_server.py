#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""sqlite_server.py - a server with a SQLite database in write-ahead mode: its index is a
mapped file.  Talks as files_writer does.

usage: sqlite_server.py PORT FOLDER
"""
import os
import socket
import sqlite3
import sys


def answer(db, line, made):
    words = line.split()
    if words[0] == "work":
        for _ in range(int(words[1])):
            made += 1
            with db:
                db.execute("insert into rows values (?, ?)", (made, "%d" % made * (made % 40)))
                if made % 5 == 0:
                    db.execute("delete from rows where id = ?", (made - 3,))
        return made, str(made)
    there = db.execute("select count(*), max(id) from rows").fetchone()
    whole = db.execute("pragma integrity_check").fetchone()[0]
    if there == (made - made // 5, made) and whole == "ok":
        return made, "right %d" % made
    return made, "wrong: %s of %d, %s" % (there, made, whole)


def main():
    os.chdir(sys.argv[2])
    db = sqlite3.connect("db")
    if db.execute("pragma journal_mode = wal").fetchone()[0] != "wal":
        sys.exit("no write-ahead log")
    with db:
        db.execute("create table rows (id integer primary key, text)")
    s = socket.create_server(("", int(sys.argv[1])))
    made = 0
    while True:
        c, _ = s.accept()
        f = c.makefile("rw")
        for line in f:
            made, text = answer(db, line, made)
            f.write(text + "\n")
            f.flush()


main()
