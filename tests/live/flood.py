#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A flood of new flows, ten tables' worth a second: real clients beside it go on, are named and judged as ever, since a new
flow takes the place of one that was never answered; memory stays flat, and all is counted.

PHONEHOME_FLOOD_S: for how long.
"""

import os
import sys
import time

from wire import PLAIN, TELEMETRY, UPDATE, Wire, check, need, own_memory_kb, wait_for

SECONDS = float(os.environ.get("PHONEHOME_FLOOD_S", "3"))
FLOWS = 1024
# Frames to nobody: the server's kernel drops them by their address, so that only the daemon bears them.
FLOOD = """
import socket, struct, sys, time
k = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); k.bind(("eth0", 0))
eth, n, end = bytes.fromhex("0200000000ee0200000000010800"), 0, time.monotonic() + float(sys.argv[1])
while n < 20000 or time.monotonic() < end:
    for _ in range(50):
        n += 1
        ip = struct.pack("!BBHHHBBHII", 0x45, 0, 60, n & 0xffff, 0, 64, 17, 0, 0x0a4e0000 + n % 60000, 0xc6120000 + n // 60000)
        try: k.send(eth + ip + struct.pack("!HHHH", 1024 + n % 50000, 1024 + n % 60000, 40, 0) + b"x" * 32)
        except OSError: pass
    time.sleep(0.004)
"""


def main():
    need("curl", "caddy", "dnsmasq")
    w = Wire(sys.argv[1], int(sys.argv[2]))
    w.policy("enforce", [("no-telemetry", "product: [falcon], function: [telemetry]", "drop")])
    # All that remembers flows is small, so that it is full when memory is first looked at.
    w.start(limits=f"flows: {FLOWS}, inspecting: 512, stream_mb: 4, tcp_closed_s: 1, event_mb: 1, recent_records: 500, "
            "rows: 1000, pending: 1024", spool=2000)
    w.serve()
    flood = w.spawn("cl", "python3", "-c", FLOOD, str(SECONDS))
    wait_for("the table to overflow", lambda: w.status()["engine"]["evicted"] + w.status()["engine"]["table_full"] > 1000, 60)
    memory, asked, through, end = own_memory_kb(w.daemon_pid()), 0, 0, time.monotonic() + SECONDS
    while asked < 2 or (flood.poll() is None and time.monotonic() < end):
        for host in (UPDATE, PLAIN):
            rc, body, _ = w.get(host)
            check(rc == 0 and body == f"hello {host}", f"https://{host} beside the flood: curl {rc} {body}")
        rc, _, _ = w.get(TELEMETRY, seconds=1)
        asked, through = asked + 1, through + (rc == 0)
    growth = own_memory_kb(w.daemon_pid()) - memory
    flood.wait(timeout=60)
    s = w.status()
    e = s["engine"]
    # Nobody is misjudged. Where the machine is slow, a flow may go before its answer has come, or be passed for overload.
    check(through == 0 or e["evicted"] + e["uninspected"] > 0, f"got through: {e}")
    check(through < asked, f"all {asked} got through: {e} {s['watchdog']}")
    for host in (UPDATE, PLAIN):
        for r in w.records(name=host):
            check(r.get("verdict", "pass") == "pass", f"passes: {r}")
    for r in w.records(name=TELEMETRY):
        check(r["function"] == "telemetry" and r["verdict"] == "drop", f"is meant: {r}")

    def told():  # the flood pushes single records out of memory, and no row
        rows = w.call("report")["rows"]
        return [r for r in rows if r.get("vendor") == "CrowdStrike" and r["function"] == "telemetry" and r["dropped"] > 0]
    wait_for("the row of what was dropped", told)
    check(e["flows_now"] <= FLOWS * w.workers and e["evicted"] > 1000, f"a bounded table: {e}")
    frames = w.identity()
    # The last three come where a worker has no CPU for a while, with or without a flood.
    check(set(frames["dropped"]) <= {"policy", "tx-full", "ring-full", "late"}, f"nothing of the allowed is dropped: {frames}")
    check(growth <= 8192, f"memory grew by {growth} KB")
    print(f"{frames['rx']} frames, {e['evicted']} flows evicted from tables of {FLOWS}; {asked} rounds of clients, {through} of the "
          f"forbidden ones unjudged; {growth} KB more")

    def normal():
        return w.get(TELEMETRY, seconds=1)[0] == 28 and w.get(PLAIN)[0] == 0
    wait_for("all to be judged again", normal, 60)
    check(w.stop() == 0, "a clean stop")


main()
