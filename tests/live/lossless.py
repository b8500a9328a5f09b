#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""After RFC 2544: at the rate that the pair sustains no frame is lost, changed or out of order, and counters are exact.

Shared memory (net_memif) instead of cables, so that nothing but the daemon can lose a frame. wire_load.c sends into
both ends at once and compares what comes out, byte by byte and flow by flow.
"""

import json
import os
import subprocess
import sys
import tempfile

from wire import DAEMON, PACKS, Wire, check, skip, wait_for

SECONDS, WINDOW = 3, 448


class Memif(Wire):
    """The bench without namespaces: the daemon serves two memif sockets."""

    def __init__(self, workers):  # pylint: disable=super-init-not-called
        self.dir = tempfile.TemporaryDirectory(prefix="phonehome-memif-")
        self.work, self.workers = self.dir.name, workers
        self.socket = f"{self.work}/control.sock"
        self.daemon = None

    def memif(self, role):
        return [f"net_memif{i},role={role},id={i},socket={self.work}/m{i},socket-abstract=no" for i in (0, 1)]

    def __enter__(self):
        with open(f"{self.work}/daemon.log", "wb") as log:
            self.daemon = subprocess.Popen(
                [DAEMON, "--no-huge", "--pair", " ".join(self.memif("server")), "--workers", str(self.workers), "--packs",
                 PACKS, "--store", f"{self.work}/db", "--socket", self.socket], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log)
        wait_for("the daemon's ready line", lambda: "ready" in self.said() or self.died(), 15)
        return self

    def __exit__(self, *_):
        if self.daemon.poll() is None:
            self.daemon.terminate()
            self.daemon.wait(timeout=8)
        self.dir.cleanup()

    def load(self, tool):
        cpus = ",".join(str(c) for c in sorted(os.sched_getaffinity(0)))
        args = [tool, "--no-huge", "-m", "96", "--no-pci", "--no-telemetry", "--log-level=*:4", "--lcores", f"0@({cpus})",
                "--file-prefix", os.path.basename(self.work)]
        for dev in self.memif("client"):
            args += ["--vdev", dev]
        r = subprocess.run(args + ["--", str(SECONDS), str(WINDOW)], capture_output=True, text=True, check=False, timeout=30)
        check(r.returncode == 0, f"wire_load: {r.returncode} {r.stdout}{r.stderr}")
        return json.loads(r.stdout.splitlines()[-1])


def one(tool, workers):
    with Memif(workers) as w:
        got = w.load(tool)
        ways = got["ways"]
        for way in ways:
            check(way["sent"] > 10000 and way["received"] == way["sent"], f"{workers} workers: frames are missing: {got}")
            check(way["reordered"] == 0 and way["changed"] == 0, f"{workers} workers: order and bytes: {got}")
        frames, status = w.identity(), w.status()
        sent = sum(way["sent"] for way in ways)
        check(frames["rx"] == frames["forwarded"] == sent and frames["dropped_total"] == 0 and frames["in_flight"] == 0 and
              frames["rx_bytes"] == sum(way["bytes"] for way in ways), f"counters of {sent} frames: {frames}")
        for i, port in enumerate(status["ports"]):
            check(port["rx"] == ways[i]["sent"] and port["tx"] == ways[1 - i]["sent"], f"the port's: {port}")
            check(port["nic_missed"] == port["rx_nombuf"] == port["errors"] == 0, f"the port's losses: {port}")
        check(frames["uninspected"] == 0 and status["engine"]["frames"] == sent, f"all were looked at: {status['engine']}")
        check(status["mbufs"]["in_use"] == 0, f"all buffers came back: {status['mbufs']}")
        print(f"{workers} workers: {sent} frames in {got['seconds']} s, {sent / got['seconds']:.0f} a second, none lost, "
              "changed or out of order")


def main():
    if os.geteuid() != 0:
        skip("needs root")
    for workers in (1, 2):
        one(sys.argv[1], workers)


main()
