#!/usr/bin/python3
"""mib_page.py MODULE-FILE - the reference page of a MIB module, as Markdown.

make mib-pages writes doc/mib from the modules; tests/lint/mib.sh compares."""
import re
import sys

text = open(sys.argv[1]).read()
text = re.sub(r"--[^\n]*", "", text)
module = re.match(r"\s*(\S+) DEFINITIONS", text)[1]


def plain(quoted):
    return " ".join(quoted.split()).replace("|", "\\|")


def field(body, name):
    found = re.search(r"\b%s\s+(.*?)(?=\n    [A-Z-]+\b|\n    ::=|\Z)" % name, body, re.S)
    return " ".join(found[1].split()) if found else ""


def described(body):
    found = re.search(r'DESCRIPTION\s+"(.*?)"', body, re.S)
    return plain(found[1]) if found else ""


parts = re.findall(
    r"^(\w[\w-]*) (MODULE-IDENTITY|OBJECT-TYPE|NOTIFICATION-TYPE|OBJECT-IDENTITY|OBJECT-GROUP|"
    r"NOTIFICATION-GROUP|MODULE-COMPLIANCE)\n(.*?)::= \{ ([^}]*) \}", text, re.S | re.M)
conventions = re.findall(
    r"^(\w+) ::= TEXTUAL-CONVENTION\n(.*?SYNTAX[^\n]*(?:\n {20,}[^\n]*)*)", text, re.S | re.M)
print("# %s\n" % module)
print("Generated from `mib/%s` by `make mib-pages`; do not edit.\n" % module)
for name, kind, body, at in parts:
    if kind == "MODULE-IDENTITY":
        print(described(body) + "\n")
        print("`%s`, revision %s\n" % (at, re.search(r'LAST-UPDATED "(\d{8})', body)[1]))
if conventions:
    print("| convention | values | |\n|---|---|---|")
    for name, body in conventions:
        syntax = " ".join(re.search(r"SYNTAX (.*)", body, re.S)[1].split())
        print("| %s | `%s` | %s |" % (name, syntax, described(body)))
    print()
heading = None
for name, kind, body, at in parts:
    if kind != "OBJECT-TYPE":
        continue
    syntax, access = field(body, "SYNTAX"), field(body, "MAX-ACCESS")
    if syntax.startswith("SEQUENCE OF"):
        print("\n## %s (`%s`)\n\n%s\n" % (name, at, described(body)))
        heading = name
        continue
    index = field(body, "INDEX") or field(body, "AUGMENTS")
    if index:
        word = "index" if field(body, "INDEX") else "as in"
        print("%s: %s\n\n| object | syntax | access | |\n|---|---|---|---|" % (
            word, index.strip("{} ")))
        heading = at.split()[0].replace("Table", "Entry")
        continue
    parent = at.split()[0]
    if parent != heading:
        print("\n## %s\n\n| object | syntax | access | |\n|---|---|---|---|" % parent)
        heading = parent
    units = field(body, "UNITS").strip('"')
    print("| %s (%s) | %s%s | %s | %s |" % (
        name, at.split()[1], syntax.replace("|", "\\|"), ", " + units if units else "",
        access, described(body)))
notices = [p for p in parts if p[1] == "NOTIFICATION-TYPE"]
if notices:
    print("\n## Notifications\n\n| notification | objects | |\n|---|---|---|")
    for name, kind, body, at in notices:
        print("| %s (%s) | %s | %s |" % (
            name, at.split()[1], field(body, "OBJECTS").strip("{} "), described(body)))
