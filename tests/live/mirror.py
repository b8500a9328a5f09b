#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A mirror port is read and never sent to, whatever the policy says."""

import json
import os
import sys
import time

from wire import PLAIN, TELEMETRY, Wire, check, need, sh, wait_for

CLIENT_HELLO = """
import socket, ssl, sys
a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
c = ssl._create_unverified_context().wrap_bio(a, b, server_hostname=sys.argv[1])
try: c.do_handshake()
except ssl.SSLWantReadError: pass
hello = b.read()
import struct
def csum(d):
    d += b"\\0" * (len(d) % 2); s = sum(struct.unpack(f"!{len(d)//2}H", d))
    while s >> 16: s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff
src, dst = socket.inet_aton("10.77.0.2"), socket.inet_aton("10.77.0.1")
def seg(flags, seq, ack, data=b"", back=False):
    s, d, sp, dp = (dst, src, 443, 40001) if back else (src, dst, 40001, 443)
    t = struct.pack("!HHIIBBHHH", sp, dp, seq, ack, 0x50, flags, 65535, 0, 0)
    t = t[:16] + struct.pack("!H", csum(s + d + struct.pack("!BBH", 0, 6, len(t) + len(data)) + t + data)) + t[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(t) + len(data), 1, 0x4000, 64, 6, 0) + s + d
    ip = ip[:10] + struct.pack("!H", csum(ip)) + ip[12:]
    return bytes.fromhex("020000000002020000000001" "0800") + ip + t + data
k = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); k.bind(("eth0", 0))
for f in (seg(2, 99, 0), seg(18, 499, 100, back=True), seg(16, 100, 500), seg(24, 100, 500, hello),
          seg(17, 100 + len(hello), 500), seg(17, 500, 101 + len(hello), back=True), seg(16, 101 + len(hello), 501)):
    k.send(f)
"""


RULE = [("no-falcon", "product: [falcon]", "reset")]


def nothing_sent(w):
    frames = w.identity()
    check(frames["forwarded"] == 0 and frames["injected"] == 0 and frames["observed"] == frames["rx"], f"{frames}")
    check(w.status()["ports"][0]["tx"] == 0, "nothing sent by its own count")


class Hub(Wire):
    """Client and server on a bridge that sends every frame everywhere: into the daemon's tap too, and what the daemon
    would send would reach them."""

    def __init__(self, workers):
        super().__init__("af_packet", workers, mirror=True)
        self.driver = "tap"

    def move_taps(self):
        mid, tap = self.ns("mid"), f"{self.p}t0"
        sh("ip", "-n", mid, "link", "add", "hub0", "type", "bridge", "ageing_time", "0")
        self.on("mid", "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        for port in ("p0", "p1", tap, "hub0"):
            sh("ip", "-n", mid, "link", "set", port, *(("master", "hub0") if port != "hub0" else ()), "up")


def on_a_tap(workers):
    """Real clients beside it: seen, named, and not touched."""
    need("curl", "caddy", "dnsmasq")
    w = Hub(workers)
    w.policy("enforce", RULE)
    w.start()
    w.serve()
    for host in (TELEMETRY, PLAIN):
        rc, body, _ = w.get(host)
        check(rc == 0 and body == f"hello {host}", f"a mirror stops nobody: {rc} {body}")
        wait_for("the flow's record", lambda h=host: w.records(name=h, name_source="tls.sni"))
    nothing_sent(w)
    tap = json.loads(sh("ip", "-n", w.ns("mid"), "-s", "-j", "link", "show", f"{w.p}t0").stdout)[0]["stats64"]
    check(tap["rx"]["packets"] == 0 and tap["tx"]["packets"] > 20, f"the kernel's count: {tap}")
    check(w.stop() == 0, "a clean stop")


def main():
    if sys.argv[1] == "tap":
        on_a_tap(int(sys.argv[2]))
        return
    need("tcpdump")
    w = Wire(sys.argv[1], int(sys.argv[2]), mirror=True)
    w.policy("enforce", RULE)
    pcap = os.path.join(w.work, "sent.pcap")  # before the daemon, so that nothing escapes it
    w.spawn("cl", "tcpdump", "-i", "eth0", "-Q", "in", "-Z", "root", "--immediate-mode", "-U", "-w", pcap)
    wait_for("tcpdump", lambda: os.path.exists(pcap))
    w.start()
    w.on("cl", "python3", "-c", CLIENT_HELLO, TELEMETRY)
    wait_for("the flow's record", lambda: w.records(name=TELEMETRY))
    nothing_sent(w)
    time.sleep(0.3)
    check(os.path.getsize(pcap) == 24, "nothing came out of the mirror port")
    check(w.stop() == 0, "a clean stop")


main()
