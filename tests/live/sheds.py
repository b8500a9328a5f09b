#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Overload: a port loses frames because inspection does not keep up. Inspection is lifted for a while, which is counted,
shown and told; traffic goes on, what is forbidden too; then all is judged again.

A small ring of net_af_packet and an engine that hangs for 80 ms again and again (a test hook): less than what the
watchdog stands in for.
"""

import sys
import time

from wire import PLAIN, TELEMETRY, Wire, check, need, wait_for

FLOOD = """
import socket, time
k = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); k.bind(("eth0", 0))
f = bytes.fromhex("0200000000ee020000000001" "88b5") + b"x" * 46
while True:
    for _ in range(20): k.send(f)
    time.sleep(0.002)
"""


class Small(Wire):
    def devices(self):
        return [f"net_af_packet{i},iface=p{i},framecnt=128" for i in (0, 1)]


def overload(w):
    """Until it is told; what the port has lost meanwhile."""
    flood = w.spawn("cl", "python3", "-c", FLOOD)
    end = time.monotonic() + 60
    while not w.status()["shedding"]:
        check(time.monotonic() < end, f"overload is seen: {w.status()['ports']}")
        w.stall(0, 80)
        time.sleep(0.09)
    flood.terminate()
    flood.wait(timeout=30)


def main():
    need("curl", "caddy", "dnsmasq")
    w = Small(sys.argv[1], int(sys.argv[2]))
    w.policy("enforce", [("no-telemetry", "product: [falcon]", "drop")])
    w.start(config="test_hooks: true\n")
    w.serve()
    check(w.get(TELEMETRY, seconds=1)[0] == 28, "enforced before")
    for i in range(1, 6):  # two seconds of it may be over before a busy machine lets the client run
        overload(w)
        uninspected = w.status()["engine"]["uninspected"]
        rc, _, _ = w.get(TELEMETRY, seconds=2)
        if rc == 0:
            break
        wait_for("the end of it", lambda: not w.status()["shedding"])
    s = w.status()
    check(rc == 0 and s["engine"]["uninspected"] > uninspected, f"forwarded without a look: {rc} {s['engine']}")
    check(s["watchdog"]["shed_periods"] == i and w.said().count("overload: inspection is lifted") == i, f"told: {s['watchdog']}")
    check(s["ports"][0]["nic_missed"] > 0, f"the kernel's losses are shown: {s['ports'][0]}")
    wait_for("inspection again", lambda: not w.status()["shedding"])
    check(w.get(TELEMETRY, seconds=1)[0] == 28, "enforced after")
    check(w.get(PLAIN)[0] == 0, "others pass")
    w.identity()
    check(w.stop() == 0, "a clean stop")


main()
