#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reset: the client fails at once, the server's half ends too; UDP may be told by ICMP."""

import sys

from wire import PLAIN, TELEMETRY, Wire, check, need, wait_for

ASK = """
import socket, sys
q = b"\\1\\2\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0" + b"".join(bytes([len(l)]) + l.encode() for l in sys.argv[1].split(".")) + b"\\0\\0\\1\\0\\1"
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(15); s.connect(("10.77.0.53", 53)); s.send(q)
try: s.recv(999); print("answered")
except ConnectionRefusedError: print("refused")
except TimeoutError: print("silence")
"""


def at_once(w, want, **how):
    """Reset and not timed out, every time; at once when the machine lets the client run."""
    took = []
    while len(took) < 5 and min(took, default=9) >= 1:
        rc, _, s = w.get(TELEMETRY, seconds=15, **how)
        took.append(s)
        check(rc == want, f"must be reset, {how}: curl {rc} after {s:.2f} s")
    check(min(took) < 1, f"must be reset at once, {how}: after {took} s")


def main():
    need("curl", "caddy", "dnsmasq", "dig", "ss")
    w = Wire(sys.argv[1], int(sys.argv[2]))
    w.policy("enforce", [("no-falcon", "product: [falcon]", "reset, reject: true")])
    w.start()
    w.serve()
    for six in (False, True):
        at_once(w, 35, six=six)
    at_once(w, 56, scheme="http")

    def ended():
        r = w.on("sv", "ss", "-Htn", "state", "established")
        return r.stdout.strip() == ""
    wait_for("the server's connections to end", ended)
    rc, body, _ = w.get(PLAIN)
    check(rc == 0 and body == f"hello {PLAIN}", f"others go on: curl {rc}")
    # A UDP client is told by "port unreachable", and gives up at once instead of waiting.
    r = w.on("cl", "python3", "-c", ASK, TELEMETRY)
    check(r.stdout.strip() == "refused", f"ICMP: {r.stdout}{r.stderr}")
    frames = w.identity()
    check(frames["injected"] >= 6 and frames["dropped"]["reset"] >= 3, f"counted: {frames}")
    check(w.stop() == 0, "a clean stop")


main()
