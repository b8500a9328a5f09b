#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Enforce: exactly the named product's flows stop, within the first exchange, and nothing else.

The server must never get the name: what stops is the very packet that carries it.
"""

import os
import sys

from wire import PLAIN, TELEMETRY, UPDATE, Wire, check, need, wait_for

RULES = [("no-telemetry", "product: [falcon], function: [telemetry]", "drop"), ("no-360", "vendor: [qihoo-360]", "drop")]


# A hello in two segments, cut in the middle of the name.
IN_TWO = """
import socket, ssl, sys, time
out = ssl.MemoryBIO()
tls = ssl._create_unverified_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname=sys.argv[1])
try: tls.do_handshake()
except ssl.SSLWantReadError: pass
hello = out.read(); at = hello.index(sys.argv[1].encode()) + 1
s = socket.create_connection(("10.77.0.1", 443), timeout=15)
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
s.sendall(hello[:at]); time.sleep(0.1); s.sendall(hello[at:]); s.settimeout(1)
try: print("answered" if s.recv(9) else "closed")
except TimeoutError: print("silence")
"""


def main():
    need("curl", "caddy", "dnsmasq", "dig", "gtlsclient", "tcpdump")
    w = Wire(sys.argv[1], int(sys.argv[2]))
    w.policy("enforce", RULES)
    w.start()
    w.serve()
    pcap = os.path.join(w.work, "server.pcap")
    dump = w.spawn("sv", "tcpdump", "-i", "eth0", "-Z", "root", "--immediate-mode", "-U", "-w", pcap)
    wait_for("tcpdump", lambda: os.path.exists(pcap))

    for six in (False, True):
        rc, body, _ = w.get(TELEMETRY, six=six, seconds=1)
        check(rc == 28 and body == "", f"TLS, six={six}: must time out, curl said {rc} {body}")
    r = w.on("cl", "python3", "-c", IN_TWO, TELEMETRY)
    check(r.stdout.strip() == "silence", f"cut in two: {r.stdout}{r.stderr}")
    rc, body, _ = w.get("qup.f.360.cn", scheme="http", seconds=1)
    check(rc == 28, f"HTTP: must time out, curl said {rc} {body}")
    check(not w.quic(TELEMETRY, seconds=2), "QUIC must not go through")
    check(not w.dig(TELEMETRY, seconds=1), "the DNS question must not be answered")

    # the same vendor's updates, and everything else, go on
    for host in (UPDATE, PLAIN):
        rc, body, _ = w.get(host)
        check(rc == 0 and body == f"hello {host}", f"https://{host}: curl {rc}")
    check(w.quic(PLAIN), "QUIC of others")
    check(w.dig(PLAIN) and w.dig(UPDATE), "DNS of others")

    def captured():
        with open(pcap, "rb") as f:
            got = f.read()
        return b"\x0blfodown01-b\x09cloudsink" in got and got
    seen = wait_for("the capture at the server to show the last name asked for", captured)
    check(UPDATE.encode() in seen, "TLS names are seen in it too")
    dump.terminate()
    check(b"\0" + bytes([len(TELEMETRY)]) + TELEMETRY[:1].encode() in seen, "what came before the segment that decided went through")
    for name in (TELEMETRY.encode(), TELEMETRY[1:].encode(), b"\x06ts01-b\x09cloudsink", b"qup.f.360.cn"):
        check(name not in seen, f"the server never gets {name}")
    frames = w.identity()
    check(frames["dropped"].get("policy", 0) >= 5, f"drops are counted: {frames}")
    rules = {r["name"]: r["hits"] for r in w.call("policy")["rules"]}
    check(set(rules) == {"no-telemetry", "no-360"}, f"rules: {rules}")
    check(min(rules.values()) > 0, f"hits are counted while the flows still run: {rules}")
    check(w.stop() == 0, "a clean stop")


main()
