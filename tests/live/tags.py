#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""VLAN tags and jumbo frames: real clients over one tag and over two, frames of 9 KB, all as they were; a policy that means
one VLAN stops the product's calls there and nowhere else; and a port that could not give long frames whole is not opened.
"""

import sys

from wire import PLAIN, TELEMETRY, Wire, check, need, sh, wait_for

RULE = [("no-telemetry", "product: [falcon], function: [telemetry], vlan: [100]", "drop")]
# Kernels of test machines often have no VLAN devices: a tap, and its frames go over eth0 with tags in front.
RELAY = """
import fcntl, os, select, socket, struct, sys
tags = b"".join(struct.pack("!HH", int(t.split(":")[0], 16), int(t.split(":")[1])) for t in sys.argv[2:])
tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, 0x400454ca, struct.pack("16sH22x", sys.argv[1].encode(), 0x1002))
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); wire.bind(("eth0", 3))
wire.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA: the kernel takes the outer tag out
while True:
    ready, _, _ = select.select([tap, wire], [], [])
    if tap in ready:
        f = os.read(tap, 65536)
        wire.send(f[:12] + tags + f[12:])
    if wire in ready:
        f, more, _, at = wire.recvmsg(65536, 256)
        for level, kind, data in more:
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", data[:20])
            if level == 263 and status & 0x10:
                f = f[:12] + struct.pack("!HH", tpid if status & 0x40 else 0x8100, tci & 0xfff) + f[12:]
        if at[2] != 4 and f[12:12 + len(tags)] == tags and f[12 + len(tags):14 + len(tags)] not in (b"\\x81\\0", b"\\x88\\xa8"):
            try: os.write(tap, f[:12] + f[12 + len(tags):])
            except OSError: pass  # not up yet
"""


def tagged(w, name, *tags, net):
    """An interface on both sides whose frames go over eth0 with these tags, the outer one first.
    They fit into the MTU: raw sockets allow for no second tag."""
    for ns, host in (("cl", 2), ("sv", 1)):
        w.spawn(ns, "python3", "-c", RELAY, name, *tags)
        wait_for(name, lambda n=w.ns(ns): sh("ip", "-n", n, "link", "show", name, check=False).returncode == 0)
        sh("ip", "-n", w.ns(ns), "link", "set", name, "mtu", str(w.mtu - 8), "up")
        sh("ip", "-n", w.ns(ns), "addr", "add", f"{net}.{host}/24", "dev", name)


def get(w, host, net):
    r = w.on("cl", "curl", "-sk", "--max-time", "15" if host == PLAIN or not net.endswith("1") else "1", "--resolve",
             f"{host}:443:{net}.1", f"https://{host}/", check=False)
    return r.returncode, r.stdout


def ping(w, size, net):
    r = w.on("cl", "ping", "-c", "2", "-i", "0.1", "-M", "do", "-s", str(size), f"{net}.1", check=False)
    return " 0% packet loss" in r.stdout


def too_long(driver, mtu, frames=""):
    """Frames that the port would cut or lose: told at the start, with what to do."""
    w = Wire(driver, 1)
    if frames:
        w.devices = lambda: [f"net_{driver}{i},iface=p{i},{frames}" for i in (0, 1)]
    for port in ("p0", "p1"):
        sh("ip", "-n", w.ns("mid"), "link", "set", port, "mtu", mtu)
    w.start(expect_ready=False)
    check(w.daemon.wait(timeout=60) == 2 and "longer ones would be" in w.said() and "framesz=16384" in w.said(), w.said())
    w.close()


def main():
    need("curl", "caddy", "dnsmasq")
    driver = sys.argv[1]
    if driver == "af_packet":
        too_long("af_packet", "9000")
        too_long("af_packet", "1500", "framesz=64,blocksz=4096")
        too_long("af_xdp", "1950")
    w = Wire(driver, int(sys.argv[2]), mtu=9000 if driver == "af_packet" else 1500)
    w.policy("enforce", RULE)
    w.start()
    w.serve()
    tagged(w, "one", "8100:100", net="10.79.1")
    # net_af_packet's socket gives each outer tag back as 802.1Q
    tagged(w, "other", *(("8100:200",) if driver == "af_packet" else ("88a8:300", "8100:7")), net="10.79.2")
    for net in ("10.79.1", "10.79.2"):
        rc, body = get(w, PLAIN, net)
        check(rc == 0 and body == f"hello {PLAIN}", f"{net}: {rc} {body}")
        rc, body = get(w, TELEMETRY, net)
        check(rc == (28 if net == "10.79.1" else 0), f"{net}: {rc} {body}")
        check(w.mtu == 1500 or ping(w, 8000, net), "jumbo frames with a tag")
    check(get(w, TELEMETRY, "10.77.0")[0] == 0, "no tag: another VLAN is meant")

    def told():
        return {r["vlan"] for r in w.records(name=TELEMETRY) if r.get("verdict") == "drop"}
    wait_for("the VLAN in the record", lambda: told() == {100})
    check(w.mtu == 1500 or ping(w, 8972, "10.77.0"), "9000 bytes")
    check([p["mtu"] for p in w.status()["ports"]] == [w.mtu] * 2, f"{w.status()['ports']}")
    frames = w.identity()
    check(set(frames["dropped"]) <= {"policy"}, f"nothing else is dropped: {frames}")
    check(w.stop() == 0, "a clean stop")


main()
