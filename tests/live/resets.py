#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reset: the client fails at once, the server's half ends too; UDP may be told by ICMP."""

import sys

from wire import PLAIN, TELEMETRY, Wire, check, need, wait_for

ASK = """
import socket, sys
q = b"\\1\\2\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0" + b"".join(bytes([len(l)]) + l.encode() for l in sys.argv[1].split(".")) + b"\\0\\0\\1\\0\\1"
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1); s.connect(("10.77.0.53", 53)); s.send(q)
try: s.recv(999); print("answered")
except ConnectionRefusedError: print("refused")
except TimeoutError: print("silence")
"""


def main():
    need("curl", "caddy", "dnsmasq", "dig", "ss")
    w = Wire(sys.argv[1], int(sys.argv[2]))
    w.policy("enforce", [("no-falcon", "product: [falcon]", "reset, reject: true")])
    w.start()
    w.serve()
    for six in (False, True):
        rc, _, took = w.get(TELEMETRY, six=six, seconds=5)
        check(rc == 35 and took < 1, f"TLS must be reset at once: curl {rc} after {took:.2f} s, six={six}")
    rc, _, took = w.get(TELEMETRY, scheme="http", seconds=5)
    check(rc == 56 and took < 1, f"HTTP must be reset at once: curl {rc} after {took:.2f} s")

    def ended():
        r = w.on("sv", "ss", "-Htn", "state", "established")
        return r.stdout.strip() == ""
    wait_for("the server's connections to end", ended, 3)
    rc, body, _ = w.get(PLAIN)
    check(rc == 0 and body == f"hello {PLAIN}", f"others go on: curl {rc}")
    # A UDP client is told by "port unreachable", and gives up at once instead of waiting.
    r = w.on("cl", "python3", "-c", ASK, TELEMETRY)
    check(r.stdout.strip() == "refused", f"ICMP: {r.stdout}{r.stderr}")
    frames = w.identity()
    check(frames["injected"] >= 6 and frames["dropped"]["reset"] >= 3, f"counted: {frames}")
    check(w.stop() == 0, "a clean stop")


main()
