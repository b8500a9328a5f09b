#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A port is unplugged while the daemon runs, amid traffic: it lives on and says so, the other pair of ports does not
notice, no packet buffer is lost; and a port that is plugged in again is a wire again (where its driver can: not AF_XDP).
"""

import json
import os
import re
import signal
import sys
import time

from wire import BUILD, PACKS, Wire, check, need, sh, wait_for

TIMES = 2
COMMAND = os.path.join(BUILD, "ctl/phonehome")
PACK = os.path.join(PACKS, sorted(os.listdir(PACKS))[0])  # reading all takes its time
SERVER_MAC = "02:00:00:00:77:01"


class TwoPairs(Wire):
    """Pair one: p0, p1, as ever; pair two: p2, p3, other addresses."""

    def plug(self, port, ns, eth, address):
        sh("ip", "-n", self.ns("mid"), "link", "add", port, "type", "veth", "peer", "name", eth, "netns", self.ns(ns))
        sh("ip", "-n", self.ns("mid"), "link", "set", port, "up")
        sh("ip", "-n", self.ns(ns), "link", "set", eth, *(("address", SERVER_MAC) if eth == "eth0" else ()), "up")
        sh("ip", "-n", self.ns(ns), "addr", "add", address, "dev", eth)

    def second(self):
        more = ",framecnt=4096" if self.driver == "af_packet" else ""
        return ["--pair", " ".join(f"net_{self.driver}{i},iface=p{i}{more}" for i in (2, 3))]


def ping(w, address="10.77.0.1"):
    return w.on("cl", "ping", "-c", "1", "-W", "0.5", address, check=False).returncode == 0


def port(w, i):
    return w.status()["ports"][i]


def once(w, n, comes_back):
    """The server's cable is cut and, later, another one plugged in."""
    load = w.spawn("cl", "ping", "-i", "0.002", "-s", "1000", "10.77.0.1")
    sent = port(w, 1)["tx"]
    wait_for("traffic", lambda: port(w, 1)["tx"] > sent + 20)
    w.on("mid", "ip", "link", "del", "p1")
    wait_for("it to be told", lambda: port(w, 1)["link"] == "gone")
    check(port(w, 1)["unplugged"] == n and w.said().count("iface=p1") >= n, w.said())
    r = w.on("mid", COMMAND, "doctor", "--json", "--socket", w.socket, "--packs", PACK, check=False)
    check(any(x["level"] == "warn" and "its link is gone" in x["found"] for x in json.loads(r.stdout)), f"doctor: {r.stdout}")
    wait_for("the client to lose its link too", lambda: port(w, 0)["link"] == "held down")
    check(ping(w, "10.78.0.1"), "the other pair goes on")
    load.terminate()
    w.plug("p1", "sv", "eth0", "10.77.0.1/24")
    if not comes_back:
        return
    t = time.monotonic()
    wait_for("the wire again", lambda: ping(w))
    took.append(time.monotonic() - t)
    check(ping(w, "10.78.0.1"), "the other pair, still")


took = []


def main():
    need("ping")
    w = TwoPairs(sys.argv[1], int(sys.argv[2]))
    comes_back = w.driver == "af_packet"
    w.on("mid", "ip", "link", "del", "p1")
    w.plug("p1", "sv", "eth0", "10.77.0.1/24")
    w.plug("p2", "cl", "eth1", "10.78.0.2/24")
    w.plug("p3", "sv", "eth1", "10.78.0.1/24")
    w.start(*w.second())
    check(len(w.status()["ports"]) == 4, "two pairs")
    wait_for("the wires", lambda: ping(w) and ping(w, "10.78.0.1"))
    before = w.status()["mbufs"]["in_use"]
    with open(f"{w.work}/steady", "wb") as out:
        steady = w.spawn("cl", "ping", "-q", "-i", "0.01", "10.78.0.1", stdout=out)
    for n in range(1, (TIMES if comes_back else 1) + 1):
        once(w, n, comes_back)
    steady.send_signal(signal.SIGINT)
    steady.wait(timeout=30)
    with open(f"{w.work}/steady", encoding="ascii") as f:
        sent, got = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", f.read()).groups())
    check(got >= sent - 2, f"the other pair lost nothing all the while, but for what was under way: {got} of {sent}")
    # Renamed, an interface is still the one that is read.
    w.on("mid", "sh", "-ec", "ip link set p2 down; ip link set p2 name uplink; ip link set uplink up")
    wait_for("the renamed one", lambda: ping(w, "10.78.0.1"))
    s = w.status()
    check([p["unplugged"] for p in s["ports"]] == [0, TIMES if comes_back else 1, 0, 0], f"{s['ports']}")
    frames = w.identity()
    wait_for("all buffers to come back", lambda: w.status()["mbufs"]["in_use"] <= before + 64)
    check(w.said().count("unplugged") == w.said().count("is back") == TIMES if comes_back else
          "restart phonehomed when it is back" in w.said(), f"said once each: {w.said()}")
    check(not took or min(took) <= 2, f"a wire again after {took} s")
    print(f"{frames}, a wire again after {', '.join(f'{t:.2f}' for t in took)} s")
    check(w.stop() == 0, "a clean stop")


main()
