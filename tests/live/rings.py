#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""net_ring, which no other process can reach: what goes out of it comes in on it again.

A capture is sent into it from the other port of the pair (net_pcap), and what comes back goes out there: each frame
passes twice, and the file that is written is the file that was read, to the byte and in order.
"""

import os
import subprocess
import tempfile

from exact import frames_of_all_kinds, read, write
from wire import DAEMON, PACKS, Wire, check, skip, wait_for


class Rings(Wire):
    def __init__(self, work):  # pylint: disable=super-init-not-called
        self.work, self.socket, self.daemon = work, f"{work}/sock", None

    def run(self, frames):
        write(f"{self.work}/in", frames)
        with open(f"{self.work}/daemon.log", "wb") as log:
            self.daemon = subprocess.Popen(
                [DAEMON, "--no-huge", "--pair", f"net_pcap0,rx_pcap={self.work}/in,tx_pcap={self.work}/out net_ring0",
                 "--packs", PACKS, "--store", f"{self.work}/db", "--socket", self.socket], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log)
        try:
            wait_for("the daemon's ready line", lambda: "ready" in self.said() or self.died(), 60)
            wait_for("all to pass twice", lambda: self.status()["frames"]["rx"] >= 2 * len(frames), 60)
            counted = self.identity()
            check(counted["rx"] == counted["forwarded"] == 2 * len(frames), f"{len(frames)} frames, each twice: {counted}")
            check(counted["dropped_total"] == 0 and counted["in_flight"] == 0, f"none lost: {counted}")
            self.daemon.terminate()
            check(self.daemon.wait(timeout=60) == 0, "a clean stop")
        finally:
            if self.daemon.poll() is None:
                self.daemon.kill()
                self.daemon.wait()
        return read(f"{self.work}/out")


def main():
    if os.geteuid() != 0:
        skip("needs root")
    frames = [f for f in frames_of_all_kinds() if len(f) <= 2048]
    with tempfile.TemporaryDirectory(prefix="phonehome-rings-") as work:
        check(Rings(work).run(frames) == frames, "the same frames in the same order")
    print(f"{len(frames)} frames out into a ring and back: none lost, changed or out of order")


main()
