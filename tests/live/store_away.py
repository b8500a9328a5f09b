#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon and a Redis that is not there: refusing, silent, stopped. It is ready and ends all the same, the books
balance, and a replay whose result is nowhere stored says so and fails."""

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from wire import BUILD, DAEMON, PACKS, ROOT, check, skip, wait_for

PHONEHOME = os.path.join(BUILD, "ctl/phonehome")
CAPTURE = os.path.join(ROOT, "tests/cases/real-clients/input.pcap")
DUE = 15  # seconds: 3 to be ready and 5 to end are what is meant; a busy machine gets more


class Daemon:
    def __init__(self, work, url, *more):
        self.sock, self.log = os.path.join(work, "c.sock"), os.path.join(work, "log")
        began = time.monotonic()
        with open(self.log, "wb") as log:
            self.proc = subprocess.Popen(
                [DAEMON, "--no-huge", "--mirror", f"net_pcap0,rx_pcap={CAPTURE}", "--packs", PACKS, "--store", url,
                 "--socket", self.sock, "--sensor", "away", "--exit-when-drained", *more], stdout=log, stderr=log)
        if more:
            wait_for("ready", lambda: "ready" in self.said() or self.proc.poll() is not None, DUE)
            self.ready_s = time.monotonic() - began

    def said(self):
        with open(self.log, encoding="utf-8") as f:
            return f.read()

    def status(self):
        r = subprocess.run([PHONEHOME, "status", "--json", "--socket", self.sock], capture_output=True, check=False)
        return json.loads(r.stdout) if r.returncode == 0 else {"drained": False}

    def end(self):
        began = time.monotonic()
        self.proc.send_signal(signal.SIGTERM)
        rc = self.proc.wait(timeout=DUE)
        return rc, time.monotonic() - began


def replay(work, what, url):
    """Nobody took the result: exit 1, and what is missing is named."""
    d = Daemon(work, url)
    rc = d.proc.wait(timeout=30)
    line = [x for x in d.said().splitlines() if "are not in it" in x]
    check(rc == 1 and len(line) == 1, f"{what}: a replay that could not store: {rc} {d.said()}")
    check("88 records and what changed in the inventory" in line[0] and "hunter2" not in d.said(), f"{what}: {line}")


def lives(work, what, url):
    """Drained, nothing stored: the daemon serves, the books balance, it ends when told to."""
    d = Daemon(work, url, "--linger")
    wait_for(f"{what}: the capture to be read", lambda: d.status()["drained"], DUE)
    wait_for(f"{what}: the records to wait", lambda: d.status()["store"]["queued"] == 88, DUE)
    s = d.status()["store"]
    check(not s["up"] and s["records"] == 88 and s["stored"] == s["lost_spool_full"] == s["lost_refused"] == 0, f"{what}: {s}")
    r = subprocess.run([PHONEHOME, "report", "--json", "--socket", d.sock], capture_output=True, check=False, timeout=DUE)
    check(r.returncode == 0 and len(json.loads(r.stdout)) > 5, f"{what}: the inventory is there")
    rc, took = d.end()
    check(rc == 1 and "88 records" in d.said(), f"{what}: told at the end: {rc} {d.said()}")
    print(f"{what}: ready after {d.ready_s:.2f} s, ended {took:.2f} s after SIGTERM")


def main():
    if os.geteuid() != 0:
        skip("needs root")
    for tool in ("redis-server", "redis-cli"):
        if not shutil.which(tool):
            skip(f"needs {tool}")
    with tempfile.TemporaryDirectory(prefix="phonehome-away-") as work, socket.socket() as refusing, \
            socket.socket(socket.AF_UNIX) as silent:
        refusing.bind(("127.0.0.1", 0))  # bound, not listening
        silent.bind(os.path.join(work, "silent"))
        silent.listen(100)  # connections are made and never answered
        redis = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", f"{work}/redis", "--save", "", "--dir", work],
                                 stdout=subprocess.DEVNULL)
        try:
            wait_for("redis", lambda: subprocess.run(["redis-cli", "-s", f"{work}/redis", "PING"], capture_output=True,
                                                     check=False).stdout == b"PONG\n", DUE)
            redis.send_signal(signal.SIGSTOP)
            for what, url in (("refusing", f"redis://u:hunter2@127.0.0.1:{refusing.getsockname()[1]}"),
                              ("silent", f"unix:{work}/silent"), ("stopped", f"unix:{work}/redis")):
                lives(work, what, url)
                replay(work, what, url)
        finally:
            redis.kill()
            redis.wait()


if __name__ == "__main__":
    main()
