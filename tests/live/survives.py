#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bypass acts at once; a daemon that was killed starts again over its leftovers; a worker that hangs is stood in for."""

import signal
import sys
import time

from wire import PLAIN, TELEMETRY, Wire, check, need, wait_for

RULE = [("no-telemetry", "product: [falcon]", "drop")]


def bypass(w):
    rc, _, _ = w.get(TELEMETRY, seconds=1)
    check(rc == 28, "enforced before")
    t = time.monotonic()
    w.call("bypass", {"on": True})
    before = w.status()["engine"]["uninspected"]
    rc, body, _ = w.get(TELEMETRY)
    check(rc == 0 and time.monotonic() - t < 1, f"bypassed: curl {rc} {body}")
    s = w.status()
    check(s["bypass"] and s["engine"]["uninspected"] > before, "bypass is shown and counted")
    w.call("bypass", {"on": False})
    rc, _, _ = w.get(TELEMETRY, seconds=1)
    check(rc == 28, "enforced again")


def stalls(w):
    """The engine hangs for 3 s: after 1 s at most frames go on, uninspected."""
    w.daemon_signal(signal.SIGUSR1)
    wait_for("the stall to be noticed", lambda: w.status()["watchdog"]["stalls"] >= 1, 1)
    wait_for("the stand-in", lambda: w.status()["watchdog"]["takeovers"] >= 1, 1.5)
    rc, _, _ = w.get(PLAIN, seconds=1)
    check(rc == 0, f"frames go on without inspection: curl {rc}")
    check(w.status()["frames"]["uninspected"] > 0, "and are counted")
    wait_for("the worker to come back", lambda: not w.status()["workers"][0]["standby"], 4)
    rc, _, _ = w.get(TELEMETRY, seconds=1)
    check(rc == 28, "inspected again")
    w.identity()


def killed(w):
    w.stop(signal.SIGKILL)
    rc, _, _ = w.get(PLAIN, seconds=1)
    check(rc != 0, "no daemon, no wire: nothing else forwards here")
    w.start()
    if w.driver != "tap":
        rc, _, _ = w.get(PLAIN, seconds=3)
        check(rc == 0, f"forwarding again: curl {rc}")
    rc, _, _ = w.get(TELEMETRY, seconds=1)
    check(rc == 28, "and enforcing")


def main():
    need("curl", "caddy", "dnsmasq")
    w = Wire(sys.argv[1], int(sys.argv[2]))
    w.policy("enforce", RULE)
    w.start(config="test_hooks: true\n")
    w.serve()
    bypass(w)
    stalls(w)
    killed(w)
    check(w.stop() == 0, "a clean stop")


main()
