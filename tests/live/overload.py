#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A worker that is behind: what another passes on to it goes out late, uninspected or not at all, but never out of order.

One port queue and two workers: the first spreads in software, the second hangs for a while, again and again, while
frames come as fast as shared memory takes them. Whatever the ring between the two cannot hold must not overtake what
lies in it. What is missing at the other end is owned up to, reason by reason.
"""

import os
import sys
import time

from memif import Memif
from wire import check, skip, wait_for

STALLS, MOST_STALLS, STALL_MS = 6, 40, 250


def main():
    if os.geteuid() != 0:
        skip("needs root")
    with Memif(2, config="test_hooks: true\n") as w:
        w.send(sys.argv[1], 300, window=0)
        wait_for("frames to flow", lambda: w.status()["frames"]["forwarded"] > 1000, 60)
        for i in range(MOST_STALLS):  # more, when the sender had no CPU to fill a ring meanwhile
            if i >= STALLS and w.status()["frames"]["dropped"].get("late"):
                break
            w.stall(1, STALL_MS)
            time.sleep(2 * STALL_MS / 1000)
        got = w.sent()
        frames, status = w.identity(), w.status()
        if status["watchdog"]["takeovers"] != 0:  # the machine itself stalled: the stand-in cannot wait for a hung engine
            print(f"a worker had no CPU for a second: order is not judged: {status['watchdog']}")
            return
        for way in got["ways"]:
            check(way["received"] > 10000 and way["changed"] == 0, f"frames come: {got}")
            check(way["reordered"] == 0, f"none overtakes another of its flow: {got} {frames}")
        check(frames["uninspected"] > 0 and frames["dropped"].get("late"), f"overload lifts the inspection: {frames}")
        check(set(frames["dropped"]) <= {"late", "ring-full", "tx-full"} and frames["in_flight"] == 0, f"what is missing: {frames}")
        rx = sum(way["received"] for way in got["ways"])
        check(frames["forwarded"] == rx, f"what we sent has come: {rx} of {frames}")
        print(f"{rx} frames, {frames['uninspected']} of them uninspected, {frames['dropped']} given up; none out of order")


main()
