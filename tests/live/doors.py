#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Both doors: the same capture gives the same records by `phonehome scan` and by the daemon on net_pcap.

Without hugepages, with them, and over two workers (then the records' order is free). Each run's store, report
and exit code are looked at too.
"""

import glob
import json
import os
import subprocess
import sys
import tempfile

from hugepages import HugePages
from wire import BUILD, DAEMON, PACKS, ROOT, check, skip

SCAN = os.path.join(BUILD, "ctl/phonehome")


def run(*args):
    r = subprocess.run(args, capture_output=True, text=True, check=False, timeout=300)
    check(r.returncode == 0, f"{' '.join(args)}: {r.returncode}\n{r.stderr}")
    return r.stdout


def replay(capture, work, *more):
    for f in glob.glob(os.path.join(work, "*")):
        os.unlink(f)
    run(DAEMON, "--mirror", f"net_pcap0,rx_pcap={capture}", "--packs", PACKS, "--store", f"{work}/db", "--socket",
        f"{work}/sock", "--sensor", "door", "--exit-when-drained", "--records", f"{work}/records", *more)
    with open(f"{work}/records", encoding="ascii") as f:
        return f.read().splitlines()


def small_spool(capture, work, want):
    """No wire waits behind a replay: what finds no room waits for the store; and one that is away is told."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as conf:
        conf.write("store: {spool_events: 5}\n")
        conf.flush()
        replay(capture, work, "--no-huge", "-c", conf.name)
        stored = run(SCAN, "flows", "--json", "--store", f"{work}/db").splitlines()
        check(sorted(stored) == sorted(want), f"{len(stored)} of {len(want)} records in the store")
        r = subprocess.run([DAEMON, "--no-huge", "-c", conf.name, "--mirror", f"net_pcap0,rx_pcap={capture}", "--packs", PACKS,
                            "--store", "unix:/no/such", "--socket", f"{work}/sock", "--exit-when-drained"],
                           capture_output=True, text=True, check=False, timeout=300)
        check(r.returncode == 1 and f": {len(want)} records and what changed" in r.stderr, f"a store that is away: {r}")


def rows(text):
    out = json.loads(text)
    out = out["rows"] if isinstance(out, dict) else out
    return sorted(json.dumps({k: v for k, v in r.items() if k != "sensor"}, sort_keys=True) for r in out)


def main():
    real = os.path.join(ROOT, "tests/cases/real-clients/input.pcap")
    captures = [c for c in sorted(glob.glob(os.path.join(ROOT, "tests/cases/*/input.pcap"))) if c != real][:7] + [real]
    if os.geteuid() != 0:
        skip("needs root: hugepages")
    huge = HugePages(256)
    with tempfile.TemporaryDirectory() as work:
        for capture in captures:
            want = run(SCAN, "scan", "--flows", "--json", "--packs", PACKS, capture).splitlines()
            for record in want:
                json.loads(record)
            check(replay(capture, work, "--no-huge") == want, f"{capture}: without hugepages")
            report = run(SCAN, "report", "--json", "--store", f"{work}/db")
            direct = run(SCAN, "scan", "--json", "--packs", PACKS, capture)
            check(rows(report) == rows(direct), f"{capture}: the inventory in the store")
            if huge.ok and capture == captures[-1]:
                check(replay(capture, work) == want, f"{capture}: with hugepages")
            if capture == real:
                got = replay(capture, work, "--no-huge", "--workers", "2")
                check(sorted(got) == sorted(want), f"{capture}: two workers")
                small_spool(capture, work, want)
            print(f"{len(want)} records: {capture}")
    if not huge.ok:
        print("no hugepages could be reserved: that part was left out")


if __name__ == "__main__":
    sys.exit(main())
