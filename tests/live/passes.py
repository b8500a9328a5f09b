#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ordinary traffic passes unharmed, of every protocol, and is reported; monitor and shadow drop nothing."""

import os
import sys

from wire import PLAIN, TELEMETRY, UPDATE, Wire, check, need, wait_for

SENDER = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
for f in sys.argv[1:]:
    s.send(bytes.fromhex(f))
"""
OTHER = {  # frames that are no IP, sent as they are
    "LLDP": "0180c200000e020000000001" + "88cc" + "0207040200000000010403020061060200780000" + "00" * 26,
    "STP": "0180c2000000020000000001" + "0026" + "424203" + "00" * 40,
    "MPLS": "020000000002020000000001" + "8847" + "00010140" + "00" * 46,
    "two tags": "020000000002020000000001" + "81000064810000c8" + "88b5" + "5a" * 60,
    "unknown type": "020000000002020000000001" + "88b5" + "5a" * 46,
}


def other_frames(w):
    pcap = os.path.join(w.work, "other.pcap")
    dump = w.spawn("sv", "tcpdump", "-i", "eth0", "-Z", "root", "-Q", "in", "--immediate-mode", "-U", "-w", pcap)
    wait_for("tcpdump", lambda: os.path.exists(pcap))
    w.on("cl", "python3", "-c", SENDER, *OTHER.values())

    def missing():
        with open(pcap, "rb") as f:
            seen = f.read()
        return [k for k, v in OTHER.items() if bytes.fromhex(v) not in seen]
    wait_for("all frames that are no IP, unchanged", lambda: not missing())
    dump.terminate()


def main():
    need("curl", "caddy", "dnsmasq", "dig", "gtlsclient", "iperf3", "tcpdump")
    w = Wire(sys.argv[1], int(sys.argv[2]))
    # A rule that would drop, under the ceiling `shadow`: everything must go through.
    w.policy("shadow", [("no-telemetry", "product: [falcon], function: [telemetry]", "drop")])
    w.start()
    w.serve()
    for host in (TELEMETRY, UPDATE, PLAIN):
        for six in (False, True):
            rc, body, _ = w.get(host, six=six)
            check(rc == 0 and body == f"hello {host}", f"https://{host}, six={six}: curl {rc} {body}")
    rc, body, _ = w.get("qup.f.360.cn", scheme="http")
    check(rc == 0 and "plain" in body, "http")
    check(w.quic(PLAIN), "HTTP/3")
    check(w.dig(TELEMETRY) and w.dig(PLAIN, "+tcp"), "DNS")
    check("0% packet loss" in w.on("cl", "ping", "-c", "3", "-i", "0.2", "-s", "1400", "10.77.0.1").stdout, "ping")
    check("0% packet loss" in w.on("cl", "ping", "-6", "-c", "3", "-i", "0.2", "fd77::1").stdout, "ping, IPv6")
    check("10.77.0.1" in w.on("cl", "ip", "neigh").stdout, "ARP")
    # More than the MTU: fragments go through and arrive whole. (net_af_packet's socket joins them before
    # DPDK sees them, PACKET_FANOUT_FLAG_DEFRAG, and then cannot send them: no port for fragments.)
    check(w.driver == "af_packet" or "0% packet loss" in w.on("cl", "ping", "-c", "2", "-i", "0.2", "-s", "4000", "10.77.0.1").stdout, "fragments")
    other_frames(w)
    w.iperf3_server()
    r = w.on("cl", "iperf3", "-c", "10.77.0.1", "-t", "2", "-b", "200M", check=False)
    check(r.returncode == 0, f"iperf3: {r.stdout}{r.stderr}")

    def told():
        got = w.records(name=TELEMETRY, transport="tcp", name_source="tls.sni")
        return len(got) >= 2 and got
    seen = wait_for("the records of the telemetry's flows", told)
    for r in seen:
        check(r["product"] and r["verdict"] == "would-drop" and r["rule"] == "no-telemetry", f"shadow: {r}")
    # iperf3 says no name, and the client was told two names for its server's address: a guess at most, never meant.
    for r in w.records(transport="tcp"):
        check(r["dst"]["port"] != 5201 or (r.get("verdict", "pass") == "pass" and r.get("confidence", "guess") == "guess"),
              f"no name of its own: {r}")
    for r in w.records(name=UPDATE) + w.records(name=PLAIN):
        check(r.get("verdict", "pass") == "pass", f"only telemetry is meant: {r}")
    frames = w.identity()
    check(frames["dropped"].get("policy", 0) == 0 and frames["dropped"].get("reset", 0) == 0, f"no drops: {frames}")
    check(w.status()["mode"] == "shadow", "mode")
    check(w.stop() == 0, "a clean stop")


main()
