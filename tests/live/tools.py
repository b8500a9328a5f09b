#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""DPDK's own tools beside a daemon on hugepages: dpdk-dumpcap copies frames, the telemetry socket answers; evidence."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile

from hugepages import HugePages
from wire import TELEMETRY, Wire, check, need, skip, wait_for


def telemetry(prefix, command):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(60)
    s.connect(f"/var/run/dpdk/{prefix}/dpdk_telemetry.v2")
    s.recv(16384)
    s.send(command.encode())
    answer = json.loads(s.recv(65536))
    s.close()
    return answer


def main():
    need("curl", "caddy", "dnsmasq", "dpdk-dumpcap", "tcpdump")
    huge = HugePages(512, mount=True)
    if not huge.ok:
        skip("hugepages cannot be reserved here")
    w = Wire(sys.argv[1], int(sys.argv[2]), memory="huge")
    evidence = os.path.join(w.work, "evidence")
    w.start(config=f"evidence: {{folder: {evidence}, packets_per_flow: 3}}\n")
    w.serve()
    s = w.status()
    check(s["memory"] == "hugepages", f"memory: {s['memory']}")

    out = os.path.join(tempfile.mkdtemp(), "dump.pcap")
    dump = subprocess.Popen(["dpdk-dumpcap", "--file-prefix", s["file_prefix"], "-i", "net_af_packet0", "-w", out],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    w.procs.append(dump)
    ping = w.spawn("cl", "ping", "-i", "0.05", "-p", "feedbeef", "10.77.0.1")

    def copied():
        check(dump.poll() is None, f"dpdk-dumpcap ended: {dump.stdout.read() if dump.poll() is not None else ''}")
        seen = subprocess.run(["tcpdump", "-nn", "-r", out, "icmp"], capture_output=True, text=True, check=False).stdout
        return len(re.findall("echo request", seen)) >= 5
    wait_for("dpdk-dumpcap to copy what the client sends", copied, 60)
    dump.send_signal(signal.SIGINT)
    check(dump.wait(timeout=60) == 0, "dpdk-dumpcap ends well")
    ping.terminate()

    frames = telemetry(s["file_prefix"], "/phonehome/frames")["/phonehome/frames"]
    check(frames["rx"] > 0 and frames["rx"] == frames["forwarded"] + frames["dropped"] + frames["in_flight"], f"{frames}")

    rc, _, _ = w.get(TELEMETRY)
    check(rc == 0, "the product's call, only watched")
    wait_for("evidence", lambda: w.status()["recorder"]["evidence"]["frames"] >= 1)
    check(w.stop() == 0, "a clean stop")
    kept = os.path.join(evidence, "evidence-0.pcap")
    with open(kept, "rb") as f:
        check(TELEMETRY.encode() in f.read(), "the evidence holds the hello that decided")
    n = len(subprocess.run(["tcpdump", "-nn", "-r", kept], capture_output=True, text=True, check=False).stdout.splitlines())
    check(1 <= n <= 3, f"at most three frames of the flow: {n}")


main()
