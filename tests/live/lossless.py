#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""After RFC 2544: at the rate that the pair sustains no frame is lost, changed or out of order, and counters are exact."""

import os
import sys

from memif import Memif
from wire import check, skip

SECONDS = 3


def main():
    if os.geteuid() != 0:
        skip("needs root")
    for workers, queues in ((1, 1), (2, 1), (2, 3)):
        with Memif(workers, queues=queues) as w:
            w.send(sys.argv[1], SECONDS if queues == 1 else 1)
            got = w.sent(stop=False)
            sent = w.whole(got)
            check([p["rx_queues"] for p in w.status()["ports"]] == [queues] * 2, f"rings: {w.status()['ports']}")
            print(f"{workers} workers, {queues} rings: {sent} frames in {got['seconds']} s, {sent / got['seconds']:.0f} a second, none "
                  "lost, changed or out of order")


main()
