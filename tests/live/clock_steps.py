#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A wall clock that steps a day back and a day on under a store that is being written: what the tests of both stores
hold. Nothing is lost or counted twice, first and last sightings only widen, what --since and --until ask is answered."""

import time

DAY = 86400
FIRST, LAST = 1796207300000000, 1796207400000000  # of the tool's events, in microseconds


def check(what, ok, seen=""):
    if not ok:
        raise AssertionError(f"{what}: {seen}")


def sync(w):
    """Until all is stored."""
    end = time.monotonic() + 90
    while w("sync 500")["rc"] != 0 or w("stats")["queued"] + w("stats")["rows_pending"] != 0:
        check("stored", time.monotonic() < end, w("stats"))
        time.sleep(0.02)
    s = w("stats")
    check("records = stored + queued + lost, none refused", s["records"] == s["stored"] and s["refused"] == s["lost"] == 0, s)


def clock_steps(open_tool):
    """open_tool(mode): a store_tool on the same store each time."""
    w, n = open_tool("write"), 0
    for step in (0, -DAY, DAY, 0, -DAY):
        w(f"clock {step}")
        for _ in range(3):
            n += 40
            w(f"event 40 {step}")
            sync(w)
    w.end()
    w = open_tool("write")  # a restart, the clock a day behind once more
    w(f"clock {-DAY}")
    w(f"event 40 {-DAY}")
    sync(w)
    n += 40
    r = open_tool("read")
    row = r("rows")["list"]
    check("one row, all counted once", len(row) == 1 and row[0][4] == n, row)
    check("the first and the last", FIRST - DAY * 1000000 <= row[0][6] < FIRST - DAY * 1000000 + 10000 and
          LAST + DAY * 1000000 <= row[0][7] < LAST + DAY * 1000000 + 10000, row)
    ids = [x[1] for x in r("records")["list"]]
    check("records in the order in which they came", ids == list(range(1, n - 39)) + list(range(1, 41)), ids[:5])
    for span, some in ((f"since={LAST}", True), (f"since={LAST + DAY * 1000000}", True), (f"since={LAST + 2 * DAY * 1000000}", False),
                       (f"until={FIRST}", True), (f"until={FIRST - 2 * DAY * 1000000}", False)):
        check(span, len(r("rows " + span)["list"]) == some, r("rows " + span))
    days = [x[0] for x in r("days")["list"]]
    check("each day once", len(days) == 3 and len(set(days)) == 3, days)
    for t in (w, r):
        t.end()
