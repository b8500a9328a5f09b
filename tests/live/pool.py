#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No packet buffers left: frames wait or are lost outside, forwarding goes on by itself, and every buffer comes back.

A small pool, and a worker that hangs while another passes frames on to it: they fill the pool before they fill the ring.
"""

import os
import sys
import time

from memif import Memif
from wire import check, skip, wait_for

STALLS, STALL_MS, BUFFERS = 20, 400, 2048
# Each thread may keep some free ones to itself, which the pool then has not.
CACHED = 3 * 256 * 3 // 2


def exhausted(w):
    most, end = 0, time.monotonic() + 2 * STALL_MS / 1000
    while time.monotonic() < end:
        most = max(most, w.status()["mbufs"]["in_use"])
    return most


def main():
    if os.geteuid() != 0:
        skip("needs root")
    with Memif(2, config=f"test_hooks: true\nlimits: {{mbufs: {BUFFERS}}}\n") as w:
        check(w.status()["mbufs"]["size"] == BUFFERS, "a small pool")
        w.send(sys.argv[1], 300, window=0)
        most = 0
        for _ in range(STALLS):  # until the sender had enough CPU to fill the pool meanwhile
            if most >= BUFFERS - CACHED:
                break
            forwarded = w.status()["frames"]["forwarded"]
            wait_for("frames to flow", lambda f=forwarded: w.status()["frames"]["forwarded"] > f + 1000, 60)
            w.stall(1, STALL_MS)
            most = max(most, exhausted(w))
        forwarded = w.status()["frames"]["forwarded"]
        wait_for("frames to flow again", lambda: w.status()["frames"]["forwarded"] > forwarded + 1000, 60)
        got = w.sent()
        frames, status = w.identity(), w.status()
        check(most >= BUFFERS - CACHED, f"the pool was empty: {most} of {BUFFERS} in use")
        check(status["mbufs"]["empty_polls"] > 0, f"workers saw that it was: {status['mbufs']}")
        check(set(frames["dropped"]) <= {"late", "ring-full", "tx-full"} and frames["in_flight"] == 0, f"counted: {frames}")
        check(all(way["changed"] == 0 for way in got["ways"]), f"none spoilt: {got}")
        wait_for("every buffer to come back", lambda: w.status()["mbufs"]["in_use"] == 0)
        print(f"{most} of {BUFFERS} buffers in use at worst, 0 in the end; {frames['forwarded']} frames went on, "
              f"{frames['dropped']} lost by us, {[p['rx_nombuf'] for p in status['ports']]} for want of a buffer")


main()
