#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""After RFC 2544: at the rate that the pair sustains no frame is lost, changed or out of order, and counters are exact."""

import os
import sys

from memif import Memif
from wire import skip

SECONDS = 3


def main():
    if os.geteuid() != 0:
        skip("needs root")
    for workers in (1, 2):
        with Memif(workers) as w:
            w.send(sys.argv[1], SECONDS)
            got = w.sent(stop=False)
            sent = w.whole(got)
            print(f"{workers} workers: {sent} frames in {got['seconds']} s, {sent / got['seconds']:.0f} a second, none "
                  "lost, changed or out of order")


main()
