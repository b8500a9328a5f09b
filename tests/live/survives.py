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
    took = []
    ping = w.spawn("cl", "ping", "-i", "0.002", "10.77.0.1")
    while len(took) < 50 and min(took, default=9) >= 0.1:  # a busy machine delays all who take part
        w.call("bypass", {"on": False})
        before = w.status()["engine"]["uninspected"]
        t = time.monotonic()
        w.call("bypass", {"on": True})
        wait_for("frames to pass without a look", lambda n=before: w.status()["engine"]["uninspected"] > n)
        took.append(time.monotonic() - t)
    ping.terminate()
    check(min(took) < 0.1 and w.status()["bypass"], f"bypassed at once: {took}")
    rc, body, _ = w.get(TELEMETRY)
    check(rc == 0, f"bypassed: curl {rc} {body}")
    w.call("bypass", {"on": False})
    rc, _, _ = w.get(TELEMETRY, seconds=1)
    check(rc == 28, "enforced again")


def stalls(w):
    """The engine hangs for 3 s: after 1 s at most frames go on, uninspected."""
    ping = w.spawn("cl", "ping", "-i", "0.02", "10.77.0.1")  # frames at any time, whenever this program gets a CPU
    w.daemon_signal(signal.SIGUSR1)
    wait_for("the stall to be noticed", lambda: w.status()["watchdog"]["stalls"] >= 1)
    wait_for("the stand-in", lambda: w.status()["watchdog"]["takeovers"] >= 1)
    rc, _, _ = w.get(PLAIN)
    check(rc == 0, f"frames go on without inspection: curl {rc}")
    wait_for("them to be counted", lambda: w.status()["frames"]["uninspected"] > 0)
    wait_for("the worker to come back", lambda: not w.status()["workers"][0]["standby"])
    ping.terminate()
    rc, _, _ = w.get(TELEMETRY, seconds=1)
    check(rc == 28, "inspected again")
    w.identity()


def killed(w):
    w.stop(signal.SIGKILL)
    rc, _, _ = w.get(PLAIN, seconds=1)
    check(rc != 0, "no daemon, no wire: nothing else forwards here")
    w.start()
    if w.driver != "tap":
        rc, _, _ = w.get(PLAIN)
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
