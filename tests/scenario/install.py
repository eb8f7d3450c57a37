#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""install.py - `make install` into a folder.

Every page, unit and module of the MIB is there and names no file that is not; every
program starts; a lab of the programs where they are installed, and of no others, comes
up (as root); `make uninstall` leaves nothing.
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

BUILD = os.path.abspath(os.environ.get("top_builddir", "build"))
SOURCE = os.path.abspath(os.environ.get("top_srcdir", "."))
OURS = r"(?:bascule|sockmig)[\w.-]*"
FOREIGN_UNITS = {"corosync.service", "snmpd.service", "network-online.target",
                 "multi-user.target"}
SPECIFIED = {"SNMPv2-SMI", "SNMPv2-TC", "SNMPv2-CONF", "SNMP-FRAMEWORK-MIB",
             "INET-ADDRESS-MIB"}
LAB = """
service "redis" {
  addresses = { "10.77.1.100/24" }
  device    = "eth0"
  command   = { "redis-server", "--port", "6379", "--save", "", "--protected-mode", "no" }
  user      = "redis"
}
"""
bad = []


def need(ok, what):
    if not ok:
        bad.append(what)
        print("FAIL: " + what)


def make(*words):
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    r = subprocess.run(["make", "-s", "-C", BUILD] + list(words), env=env, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    need(r.returncode == 0, "make %s: %s" % (words[0], r.stdout[-2000:]))


def settings():
    """Folders as configure was told, by the names that make knows them by."""
    v = {}
    for line in open(os.path.join(BUILD, "Makefile")):
        m = re.match(r"(\w+) = (.*)$", line)
        if m:
            v[m[1]] = m[2]

    def whole(text):
        return re.sub(r"\$[{(](\w+)[})]", lambda m: whole(v.get(m[1], "")), text)
    return {name: whole(v[name]) for name in v if name.endswith("dir") or name == "prefix"}


def read(path):
    with open(path) as f:
        return f.read()


def check_pages(root, d):
    if not shutil.which("groff"):
        print("the form of pages: skipped, no groff")
    there = {os.path.basename(p) for p in glob.glob(root + d["mandir"] + "/man*/*")}
    samples = {os.path.basename(p) for p in glob.glob(root + d["docdir"] + "/**", recursive=True)}
    wanted = {os.path.basename(p) for p in glob.glob(SOURCE + "/doc/man/*.[1-8]")}
    programs = glob.glob(root + d["bindir"] + "/*") + glob.glob(root + d["sbindir"] + "/*")
    if not os.path.exists(root + d["bindir"] + "/bascule-console"):
        wanted.discard("bascule-console.1")
        there.add("bascule-console.1")  # of the part that is not built here
    need(wanted <= there, "pages that are not installed: %s" % sorted(wanted - there))
    need(len(programs) >= 5, "only these programs are installed: %s" % programs)
    for p in map(os.path.basename, programs):
        need({p + ".1", p + ".8"} & there, "no page of %s" % p)
    for p in glob.glob(root + d["mandir"] + "/man*/*"):
        text = read(p).replace("\\-", "-").replace("\\fR", "").replace("\\fB", "")
        for name, section in re.findall(r"\b(%s)\s*\((\d)\)" % OURS, text):
            need("%s.%s" % (name, section) in there, "%s names %s(%s)" % (p, name, section))
        for name in re.findall(r"[\w.-]+\.(?:sample|md)\b", text):
            need(name in samples, "%s names %s" % (p, name))
        if shutil.which("groff"):
            r = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", p],
                               stderr=subprocess.PIPE, text=True)
            need(not r.stderr, r.stderr)


def check_units(root, d):
    units = glob.glob(root + d["systemdsystemunitdir"] + "/*.service")
    names = {os.path.basename(p) for p in units}
    need(names == {"sockmigd.service", "basculed.service", "bascule-agent.service"},
         "units installed: %s" % sorted(names))
    for p in units:
        text = read(p)
        need("@" not in text, "%s: a folder is not filled in" % p)
        for program in re.findall(r"^Exec\w+=(\S+)", text, re.M):
            need(os.access(root + program, os.X_OK), "%s starts %s" % (p, program))
        for page, section in re.findall(r"man:([\w.-]+)\((\d)\)", text):
            need(os.path.exists("%s%s/man%s/%s.%s" % (root, d["mandir"], section, page, section)),
                 "%s names %s(%s)" % (p, page, section))
        for line in re.findall(r"^(?:After|Wants|Requires|WantedBy)=(.*)", text, re.M):
            need(set(line.split()) <= names | FOREIGN_UNITS, "%s names %s" % (p, line))
    if shutil.which("systemd-analyze"):  # words that systemd does not know
        r = subprocess.run(["systemd-analyze", "verify", "--man=no", "--root=" + root] +
                           sorted(names), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = [line for line in r.stdout.splitlines() if any(n in line for n in names) and
                "not found" not in line]
        need(not said, "systemd-analyze: %s" % said)
    else:
        print("the words of units: skipped, no systemd-analyze")


def check_modules(root, d):
    modules = {os.path.basename(p): read(p) for p in glob.glob(root + d["mibdir"] + "/*")}
    wanted = {os.path.basename(p).removesuffix(".in") for p in glob.glob(SOURCE + "/mib/BASCULE-*")}
    need(set(modules) == wanted, "modules installed: %s" % sorted(modules))
    for name, text in modules.items():
        need("@ENTERPRISE@" not in text, "%s: the enterprise's number is not filled in" % name)
        imports = set(re.findall(r"FROM\s+([\w-]+)", text))
        need(imports <= set(modules) | SPECIFIED, "%s imports from %s" % (name, sorted(imports)))


def check_programs(root, d):
    for p in glob.glob(root + d["bindir"] + "/*") + glob.glob(root + d["sbindir"] + "/*"):
        if os.path.basename(p) == "bascule-console":
            continue  # wants a display
        r = subprocess.run([p, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        need(r.returncode == 0 and re.search(r"\d\.\d", r.stdout), "%s --version: %s" % (p, r.stdout))
    r = subprocess.run([root + d["sbindir"] + "/basculed", "--help"], stdout=subprocess.PIPE, text=True)
    poller = re.search(r"\((/\S*bascule-poller)\)", r.stdout)
    need(poller and os.access(root + poller[1], os.X_OK), "basculed would start: %s" % r.stdout)


def lab_as_installed(root, d, folder):
    """Over this machine's folders, as if it were installed; other processes see nothing."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("corosync", "snmpd", "ebtables", "redis-server"))):
        print("a lab as installed: skipped, not root or no corosync, snmpd, ebtables, redis-server")
        return
    conf, bascule = os.path.join(folder, "lab.conf"), d["bindir"] + "/bascule"
    with open(conf, "w") as f:
        f.write(LAB)
    script = """
mount --make-rprivate / && mount -t overlay -o lowerdir={root}{prefix}:{prefix} installed {prefix} || exit 1
lab() {{ verb=$1; shift; {bascule} lab $verb --name {name} "$@"; }}
trap 'lab down' EXIT
lab up --timeout 60 {conf} || exit 1
lab exec n1 -- cmp /run/bascule-lab/bin/sockmigd {root}{sbin}/sockmigd || exit 1
lab exec client -- redis-cli -h 10.77.1.100 set a b || exit 1
lab exec n1 -- bascule status
""".format(root=root, prefix=d["prefix"], sbin=d["sbindir"], bascule=bascule, conf=conf, name="install%d" % os.getpid())
    r = subprocess.run(["unshare", "--mount", "bash", "-c", script], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    need(r.returncode == 0 and "OK" in r.stdout and "protected" in r.stdout,
         "a lab of what is installed: exit %d: %s" % (r.returncode, r.stdout))


def main():
    folder = tempfile.mkdtemp(prefix="bascule-install.")
    os.chmod(folder, 0o755)
    root, d = os.path.join(folder, "root"), settings()
    make("install", "DESTDIR=" + root)
    for check in (check_pages, check_units, check_modules, check_programs):
        before = len(bad)
        check(root, d)
        print("%-16s %s" % (check.__name__, "ok" if len(bad) == before else "FAIL"), flush=True)
    lab_as_installed(root, d, folder)
    make("uninstall", "DESTDIR=" + root)
    left = [os.path.join(p, f) for p, _, files in os.walk(root) for f in files]
    need(not left, "make uninstall leaves %s" % left)
    shutil.rmtree(folder)
    print("%d wrong" % len(bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
