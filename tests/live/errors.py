#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every mistake of a person is one line that says what and where, with the right exit code."""

import os
import re
import socket
import subprocess
import sys
import tempfile

from wire import DAEMON, PACKS, ROOT, check, skip

CAPTURE = os.path.join(ROOT, "tests/cases/real-clients/input.pcap")


def run(*args):
    r = subprocess.run([DAEMON, *args], capture_output=True, text=True, check=False, timeout=300)
    return r.returncode, r.stderr


def main():
    if os.geteuid() != 0:
        skip("needs root")
    with tempfile.TemporaryDirectory() as work:
        def put(name, data):
            path = os.path.join(work, name)
            with open(path, "wb") as f:
                f.write(data)
            return path
        base = ["--no-huge", "--packs", PACKS, "--store", f"{work}/db", "--socket", f"{work}/sock"]
        good = ["--mirror", f"net_pcap0,rx_pcap={CAPTURE}", "--exit-when-drained"]
        with open(CAPTURE, "rb") as f:
            capture = f.read()
        cut = put("cut.pcap", capture[:5000])
        # link type 101: raw IP
        raw = put("raw.pcap", capture[:20] + (101).to_bytes(4, "little") + capture[24:])
        os.mkdir(f"{work}/packs")
        put("packs/x.yaml", b"format: 1\nfrobnicate: 2\n")
        policy = put("policy.yaml", b"format: 1\nmdoe: enforce\n")
        config = put("c.yaml", b"links:\n  - {mirror: net_null0}\nwrokers: 2\n")
        large = put("large.yaml", b"links:\n  - {mirror: net_null0}\nmemory_mb: 1048576\n")
        plain = put("plain", b"")
        busy = socket.socket(socket.AF_UNIX)
        busy.bind(f"{work}/busy")
        busy.listen()

        cases = [  # arguments, exit code, what the line says
            (base + ["--mirror", "net_pcap0,rx_pcap=/no/such.pcap"], 2, r"^/no/such.pcap: No such file"),
            (base + ["--mirror", f"net_pcap0,rx_pcap={cut}", "--exit-when-drained"], 1, r"cut.pcap: after packet \d+: truncated"),
            (base + ["--mirror", f"net_pcap0,rx_pcap={raw}"], 2, r"raw.pcap: link type RAW: .*phonehome scan reads it"),
            (base + ["--mirror", "net_nosuch0"], 1, r"device net_nosuch0 cannot be opened: no driver of that name"),
            (base + ["--mirror", "net_af_packet0,iface=nosuch9"], 1, r"iface=nosuch9 cannot be opened: there is no interface nosuch9"),
            (base + ["--mirror", "net_af_packet0,ifaec=lo"], 1, r"it needs an interface: net_af_packet0,iface=NAME"),
            (base + ["--mirror", "lo"], 1, r"it is an interface of the kernel: say net_af_xdp0,iface=lo"),
            (base + ["--mirror", "net_null0", "--lcores", "900"], 2, r"there is no CPU 900 for us, only [0-9]"),
            (base + ["--pair", "net_null0,net_null0"], 2, r"device net_null0 is given twice"),
            (base + ["--pair", "net_af_packet0,iface=lo net_af_packet1,iface=lo"], 2, r"interface lo is given twice"),
            (base + ["--mirror", "0000:fe:1f.7"], 1, r"device 0000:fe:1f.7 cannot be opened: no such PCI device"),
            (base + ["--mirror", "!"], 2, r'links\[0\].mirror: "!" is no DPDK device string'),
            (base, 2, r"no ports: "),
            (base + good + ["--packs", "/no/such"], 2, r"^/no/such: "),
            (base + good + ["--packs", f"{work}/packs"], 2, r"x.yaml:2:\d+: .*frobnicate"),
            (base + good + ["--policy", policy], 2, r"policy.yaml:2:\d+: .*mdoe.*mode"),
            (["--no-huge", "-c", config], 2, r"c.yaml:3:\d+: .*wrokers.*workers"),
            (base + ["-c", large], 1, r"1048576 MB are wanted for packet buffers and the machine has \d+ MB"),
            (base + good + ["--socket", f"{work}/busy"], 1, r"busy: another phonehomed listens there"),
            (base + good + ["--socket", plain], 1, r"plain: is there and is no socket"),
            (base + good + ["--store", "/no/such/folder/db"], None, r"/no/such/folder"),
            (base + good + ["--records", "/no/such/folder/r"], None, r"/no/such/folder/r"),
            (["--mirror", "net_null0", "--packs", PACKS, "--socket", f"{work}/s2", "--store", f"{work}/db", "--workers", "0"], 2, r"--workers 0: "),
            (base + ["--wrokers", "2"], 2, r"did you mean --workers\?"),
        ]
        for args, code, says in cases:
            rc, err = run(*args)
            lines = [x for x in err.splitlines() if not x.startswith("phonehomed: ready")]
            check(len({x.split(":")[0] for x in lines}) == 1, f"one line a fault for {args}: {err}")
            check(any(re.search(says, x) for x in lines), f"{args}: {lines} do not say {says}")
            check(rc == code if code is not None else rc in (1, 2), f"{args}: exit code {rc}, {code} wanted: {err}")
        check(os.path.exists(f"{work}/busy"), "another's socket is not removed")

        # a socket that a killed daemon left behind is no obstacle
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(f"{work}/stale")
        stale.close()
        rc, err = run(*base, *good, "--socket", f"{work}/stale")
        check(rc == 0, f"a stale socket is replaced: {err}")
        check(not os.path.exists(f"{work}/stale"), "our own socket is removed at the end")
        rc, err = run(*base, *good, "--check")
        check(rc == 0, f"--check: {err}")
    print("all mistakes were told well")


if __name__ == "__main__":
    sys.exit(main())
