#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The SQLite store under kill -9, a full disk, a reader and other writers beside the writer. What is stored is
counted by Python's own sqlite3, not by our reader alone.

usage: store_sqlite.py STORE_TOOL"""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

from clock_steps import clock_steps

TOOL = sys.argv[1]
TMP = tempfile.mkdtemp(prefix="phonehome-sqlite-")


def check(what, ok, seen=""):
    if not ok:
        raise AssertionError(f"{what}: {seen}")


class Tool:
    def __init__(self, mode, path, wrap=(), sensor="s1"):
        self.p = subprocess.Popen([*wrap, TOOL], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True)
        self.opened = self(f"open {mode} {path} {sensor} 300 100000")

    def send(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()

    def __call__(self, line):
        self.send(line)
        out = self.p.stdout.readline()
        check("the tool lives", out != "", line)
        return json.loads(out)

    def end(self):
        self.p.kill()
        self.p.wait()
        self.p.stdin.close()
        self.p.stdout.close()


def ask(path, query):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return db.execute(query).fetchone()[0]
    finally:
        db.close()


def killed():
    """Killed at any instant: the file opens, is whole, and has all that a flush had answered for.
    The row's total is one that was put: the last answered, or the one under way."""
    path = os.path.join(TMP, "killed.db")
    answered = 0
    for _ in range(25):
        w = Tool("write", path)
        check("opens after a kill", w.opened["rc"] == 0, w.opened)
        before = ask(path, "SELECT count(*) FROM events")
        check("nothing answered for is missing", before >= answered, (before, answered))
        n, done = 0, 0
        deadline = time.monotonic() + random.random() * 0.15
        while time.monotonic() < deadline:
            n += 40
            w("put 40")
            w(f"row 10.0.0.1 acme agent {before + n}")
            check("flush", w("flush 20000")["rc"] == 0)
            done = n
        w("put 3000")
        w(f"row 10.0.0.1 acme agent {before + n + 3000}")
        w.send("flush 500")
        time.sleep(random.random() * 0.02)
        w.end()
        answered = before + done
        check("whole", ask(path, "PRAGMA integrity_check") == "ok")
        events = ask(path, "SELECT count(*) FROM events")
        flows = ask(path, "SELECT coalesce(max(flows), 0) FROM rows")
        check("events and rows are of one transaction", events == flows, (events, flows))


def disk_full():
    """A file system of 1 MB that fills up, and is given room again."""
    folder = os.path.join(TMP, "full")
    os.mkdir(folder)
    if os.geteuid() != 0 or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False).returncode != 0:
        print("  disk_full: skipped, it needs root to mount a small tmpfs")
        return
    try:
        w = Tool("write", os.path.join(folder, "s.db"))
        for _ in range(40):
            w("put 100")
            w("flush 200")
        for _ in range(300):
            s = w("stats")
            if "full" in s["error"]:
                break
            w("flush 200")
        check("it is full, and says so", s["queued"] > 0 and "full" in s["error"], s)
        check("identity", s["records"] == s["stored"] + s["queued"] + s["lost"] + s["refused"], s)
        subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)
        for _ in range(300):
            w("flush 200")
            s = w("stats")
            if s["queued"] == 0:
                break
        check("resumed", s["up"] and s["queued"] == 0 and s["stored"] == 4000, s)
        w.end()
        check("each once", ask(os.path.join(folder, "s.db"), "SELECT count(*) FROM events") == 4000)
    finally:
        subprocess.run(["umount", folder], check=True)


def reader_beside():
    """A reader that never blocks the writer, and always sees rows and events of one moment."""
    path = os.path.join(TMP, "beside.db")
    w = Tool("write", path)
    for i in range(1, 60):
        w("put 10")
        w(f"row 10.0.0.1 acme agent {i * 10}")
        check("flush", w("flush 20000")["rc"] == 0)
        r = Tool("read", path)
        rows, records = r("rows")["list"], r("records")["list"]
        check("what was committed", rows[0][4] == i * 10 and len(records) == i * 10)
        r.end()
    w.end()


def large():
    """A store much larger than the memory that reading it takes."""
    if "PHONEHOME" not in os.environ:
        return
    path, rows = os.path.join(TMP, "large.db"), 125000
    w = Tool("write", path)
    w("row 10.0.0.1 acme agent 1")
    check("a schema", w("flush 20000")["rc"] == 0)
    w.end()
    db = sqlite3.connect(path)
    columns = [c[1] for c in db.execute("PRAGMA table_info(rows)")][1:]
    one = dict(zip(columns, db.execute(f"SELECT {','.join(columns)} FROM rows").fetchone()))
    db.executemany(f"INSERT INTO rows({','.join(columns)}) VALUES({','.join(':' + c for c in columns)})",
                   ({**one, "host": f"10.1.{i // 250 % 250}.{i % 250}", "vendor_id": f"v{i // 62500}", "vendor": f"V{i // 62500}",
                     "names": f"{i % 97}.example.com\n" + "x" * 60} for i in range(rows)))
    db.commit()
    db.close()
    out = os.path.join(TMP, "out")
    for args, most in ((["report", "--group-by", "vendor", "--csv"], 48), (["report", "--csv"], 48)):
        to = [(os.POSIX_SPAWN_OPEN, 1, out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)]
        pid = os.posix_spawn(os.environ["PHONEHOME"], ["phonehome", *args, "--store", path], os.environ, file_actions=to)
        _, status, usage = os.wait4(pid, 0)
        check(f"{args}", status == 0)
        with open(out, encoding="ascii") as f:
            lines = len(f.read().splitlines()) - 1
        check("all of it", lines == (3 if "--group-by" in args else rows + 1), lines)
        check(f"memory of {args} on {os.path.getsize(path) >> 20} MB", usage.ru_maxrss < most << 10, f"{usage.ru_maxrss} KB")
        print(f"  large: {' '.join(args)}: {usage.ru_maxrss >> 10} MB for a store of {os.path.getsize(path) >> 20} MB")


def of_one_name():
    """A daemon's rows are its own: no second writer of its name, also not for a moment, but any number of another."""
    path = os.path.join(TMP, "name.db")
    taken = "another program writes there as sensor 's1'"
    first = Tool("alone", path)
    check("a daemon", first.opened["rc"] == 0, first.opened)
    for mode in ("alone", "write"):
        second = Tool(mode, path)
        check(f"{mode} of its name", second.opened["rc"] < 0 and taken in second.opened["said"], second.opened)
        second.end()
    others = [Tool("alone", path, sensor="s2"), Tool("write", path, sensor="s3"), Tool("write", path, sensor="s3"), Tool("read", path)]
    check("other names, and readers", all(o.opened["rc"] == 0 for o in others), [o.opened for o in others])
    if "PHONEHOME" in os.environ:
        capture = os.path.join(os.path.dirname(__file__), "..", "cases", "real-clients", "input.pcap")
        for sensor, code in (("s1", 1), ("s4", 0)):
            scan = subprocess.run([os.environ["PHONEHOME"], "scan", capture, "--store", path, "--sensor", sensor],
                                  capture_output=True, text=True, check=False)
            check(f"a scan as {sensor}", scan.returncode == code and (code == 0 or taken in scan.stderr), scan.stderr)
    first.end()  # kill -9
    again = Tool("alone", path)
    check("after a kill", again.opened["rc"] == 0, again.opened)
    for tool in (again, *others):
        tool.end()


def clock():
    clock_steps(lambda mode: Tool(mode, os.path.join(TMP, "clock.db")))


def main():
    random.seed(3)
    try:
        for scenario in (killed, disk_full, reader_beside, large, of_one_name, clock):
            start = time.monotonic()
            scenario()
            print(f"ok {scenario.__name__} ({time.monotonic() - start:.1f} s)", flush=True)
    except AssertionError as e:
        print(f"FAILED {e}")
        return 1
    finally:
        shutil.rmtree(TMP, ignore_errors=True)
    return 0


sys.exit(main())
