#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every verb from the live daemon, from SQLite and from Redis: the same answer, or a plain word why not.

Two daemons replay the recorded clients, one into SQLite and one into Redis, and stay. Each verb is asked of both
daemons and of both stores; JSON must be equal everywhere, and CSV and the table must hold what JSON holds. What the
capture shows is known from the names that its clients were told to ask for (tests/cases/real-clients/README.md).
"""

import csv
import datetime
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from wire import BUILD, DAEMON, PACKS, ROOT, check, skip, wait_for

PHONEHOME = os.path.join(BUILD, "ctl/phonehome")
CAPTURE = os.path.join(ROOT, "tests/cases/real-clients/input.pcap")
POLICY = """\
format: 1
groups:
  - {name: foreign, countries: [US, IL]}
  - {name: replacement, countries: [CN]}
"""


def run(*args, code=0):
    env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "PHONEHOME_PACKS")}
    r = subprocess.run([PHONEHOME, *args], capture_output=True, text=True, check=False, timeout=300,
                       env={**env, "PHONEHOME_PACKS": PACKS})
    check(r.returncode == code, f"{args}: {r.returncode}, not {code}: {r.stderr}{r.stdout[-300:]}")
    return r.stdout, r.stderr


def objects(text):
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines()]


def cell(value):
    """How CSV spells a JSON value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value)


def flat(row):
    """{"src": {"ip": x}} as CSV has it: {"src_ip": x}."""
    out = {}
    for key, value in row.items():
        out.update({f"{key}_{k}": v for k, v in value.items()} if isinstance(value, dict) else {key: value})
    return out


def csv_holds(verb, rows, text):
    lines = list(csv.DictReader(io.StringIO(text)))
    check(len(lines) == len(rows), f"{verb}: {len(lines)} lines of CSV, {len(rows)} objects")
    for line, row in zip(lines, map(flat, rows)):
        for key, value in line.items():
            check(value == cell(row.get(key, "")), f"{verb}: {key}: CSV {value!r}, JSON {row.get(key)!r}")


def table_holds(verb, rows, text, keys):
    lines = text.splitlines()[1:]
    check(len(lines) == len(rows), f"{verb}: {len(lines)} lines of table, {len(rows)} objects")
    for line, row in zip(lines, rows):
        for key in keys:
            value = row.get(key)
            check(value is None or value in ([], "") or cell(value) in line, f"{verb}: {key} {value!r} is not in: {line}")


class Daemon:
    def __init__(self, work, name, url):
        self.sock = os.path.join(work, name + ".sock")
        with open(os.path.join(work, name + ".log"), "wb") as log:
            self.proc = subprocess.Popen(
                [DAEMON, "--no-huge", "--mirror", f"net_pcap0,rx_pcap={CAPTURE}", "--packs", PACKS, "--store", url,
                 "--socket", self.sock, "--sensor", "edge", "--exit-when-drained", "--linger"], stdout=log, stderr=log)

    def drained(self):
        r = subprocess.run([PHONEHOME, "status", "--json", "--socket", self.sock], capture_output=True, check=False)
        return r.returncode == 0 and json.loads(r.stdout)["drained"]


def compare(doors, day):
    since = ("--since", str(day - datetime.timedelta(days=1)))
    before, after = str(day - datetime.timedelta(days=20)), str(day + datetime.timedelta(days=1))
    counts = ("flows", "dropped")
    groups = [(["report", "--group-by", g], (k, "hosts", "products", *counts)) for g, k in
              (("vendor", "vendor"), ("product", "product"), ("country", "country"), ("function", "function"),
               ("category", "category"), ("host", "host"), ("sensor", "sensor"))]
    # verb; keys of its JSON that its table shows as they are; None: a text of its own
    verbs = groups + [
        (["report"], ("host", "vendor", "country", "function", "confidence", "sensor", *counts)),
        (["report", "--sort", "bytes", "--limit", "3"], ("host", "product")),
        (["report", "--country", "US,CN", "--function", "update"], ("host", "product")),
        (["hosts"], ("host", "vendor", "product", "flows", "confidence")),
        (["hosts", "falcon"], ("host", "product", "flows")),
        (["hosts", "--not-seen", after], ("host", "product")),
        (["flows"], ("name", "vendor", "product", "function", "verdict")),
        (["flows", "--matched", "--country", "US"], ("name", "vendor")),
        (["flows", "--name", "cloudsink", *since], ("name",)),
        (["trend", *since], None),
        (["trend", *since, "--product", "falcon"], None),
        (["diff", before, after], None),
        (["migration", "--policy", doors["policy"], "--active", before], None),
        (["policy", "simulate", "--country", "US", "--function", "telemetry", *since], ("vendor", "product", "hosts", "flows")),
        (["why", "10.20.0.11"], None),
        (["why", "ts01-b.cloudsink.net"], None),
    ]
    for verb, keys in verbs:
        answers = {name: run(*verb, "--json", *door)[0] for name, door in doors["where"].items()}
        rows = objects(answers["sqlite"])
        check(verb[1:2] == ["--not-seen"] or rows, f"{verb}: an answer")
        for name, text in answers.items():
            check(objects(text) == rows, f"{verb}: {name} says otherwise than sqlite:\n{text[:1500]}\n{answers['sqlite'][:1500]}")
        tables = {run(*verb, *door)[0] for door in doors["where"].values()}
        if verb[0] == "why":  # tells a host's rows as they come
            tables = {"\n".join(sorted(t.splitlines())) for t in tables}
        check(len(tables) == 1, f"{verb}: one table from everywhere")
        if verb[0] != "why":
            csv_holds(verb, rows, run(*verb, "--csv", *doors["where"]["redis"])[0])
        if keys:
            table_holds(verb, rows, tables.pop(), keys)
    return len(verbs)


def known(door):
    """Not our own output: what the capture's clients were told to ask for."""
    falcon = {r["host"] for r in json.loads(run("hosts", "falcon", "--json", *door)[0])}
    check("10.20.0.11" in falcon, f"Falcon's names were asked for on 10.20.0.11: {falcon}")
    why = run("why", "10.20.0.16", *door)[0]
    check("10.20.0.16 runs CrowdStrike" not in why and "reads pages of" in why, f"a reader runs nothing: {why}")
    check("10.20.0.16" not in {r["host"] for r in json.loads(run("hosts", "crowdstrike", "--json", *door)[0])}, "nor in hosts")
    check("10.20.0.16" in run("hosts", "crowdstrike", "--function", "portal", *door)[0], "unless asked for")


def refusals(doors):
    for verb in ("status", "top", "reload", "stop"):
        err = run(verb, "--store", doors["where"]["sqlite"][1], code=2)[1]
        check("running daemon" in err and "--socket" in err and err.count("\n") == 1, f"{verb} --store: {err}")
    for verb in (["report"], ["trend"], ["flows"]):
        err = run(*verb, "--store", doors["nowhere"], code=1)[1]
        check(err.count("\n") == 1 and doors["nowhere"] in err, f"{verb} from no store: {err}")
    check(re.search(r"sensor\s+edge", run("status", "--socket", doors["where"]["daemon"][1])[0]), "status")
    check(run("top", "--once", "--socket", doors["where"]["daemon"][1])[0], "top")


def main():
    if os.geteuid() != 0:
        skip("needs root")
    for tool in ("redis-server", "redis-cli"):
        if not shutil.which(tool):
            skip(f"needs {tool}")
    started = []
    with tempfile.TemporaryDirectory(prefix="phonehome-verbs-") as work:
        try:
            sock, db, policy = (os.path.join(work, n) for n in ("redis.sock", "d.db", "policy.yaml"))
            with open(policy, "w", encoding="ascii") as f:
                f.write(POLICY)
            started.append(subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", sock, "--dir", work, "--save", "",
                                             "--daemonize", "no"], stdout=subprocess.DEVNULL))
            wait_for("redis", lambda: subprocess.run(["redis-cli", "-s", sock, "PING"], capture_output=True,
                                                     check=False).stdout == b"PONG\n")
            one, two = Daemon(work, "one", db), Daemon(work, "two", "unix:" + sock)
            started += [one.proc, two.proc]
            for d in (one, two):
                wait_for("the capture to be read", d.drained, 60)
            doors = {"policy": policy, "nowhere": os.path.join(work, "nowhere.db"), "where": {
                "sqlite": ("--store", db), "redis": ("--store", "unix:" + sock), "daemon": ("--socket", one.sock),
                "daemon with Redis": ("--socket", two.sock)}}
            first = json.loads(run("flows", "--json", "--limit", "1", "--store", db)[0])["first"]
            n = compare(doors, datetime.date.fromisoformat(first[:10]))
            for door in doors["where"].values():
                known(door)
            refusals(doors)
        finally:
            for p in reversed(started):
                p.send_signal(signal.SIGKILL)
                p.wait()
    print(f"{n} questions, four sources, one answer each")


if __name__ == "__main__":
    sys.exit(main())
