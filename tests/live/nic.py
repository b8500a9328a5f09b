#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon on NICs that spread by themselves and stop flows by themselves (nic.c stands for the card).

What a card takes over must not change what is seen or stopped; where it cannot be relied on, the workers do it.
"""

import ctypes
import os
import socket
import ssl
import struct
import sys
import time

from wire import TELEMETRY, PLAIN, Wire, check, need, wait_for

NIC = sys.argv[1]
CLIENTS = [f"10.77.0.{i}" for i in range(20, 32)]


class Card(Wire):
    """A wire on such a card: two queues a port."""

    def devices(self):
        if self.driver != "af_packet":
            return super().devices()
        return [d + f",qpairs={self.workers}" for d in super().devices()]


def wire(driver, workers, card, **kw):
    w = Card(driver, workers)
    os.environ["PHONEHOME_NIC"] = card
    os.environ["PHONEHOME_NIC_LOG"] = os.path.join(w.work, "nic.log")
    os.environ["LD_PRELOAD"] = NIC
    w.start(**kw)
    for key in ("LD_PRELOAD", "PHONEHOME_NIC", "PHONEHOME_NIC_LOG"):
        del os.environ[key]
    w.serve()
    return w


def spreads(card, how, config=""):
    """Real HTTPS from twelve addresses over two workers: every flow once, whole, with its name."""
    w = wire("af_packet", 2, card, config=config)
    ports = w.status()["ports"]
    check(all(p["spreading"] == how for p in ports), f"{card}: {ports}")
    check(how == "rss" or "key of its own" in ports[0]["spreading_why"], f"{ports}")
    for a in CLIENTS:
        w.on("cl", "ip", "addr", "add", f"{a}/24", "dev", "eth0")
    for a in CLIENTS:
        rc, body, _ = w.get(TELEMETRY, "--interface", a)
        check(rc == 0 and "hello" in body, f"{card}: from {a}: {rc} {body}")

    def flows():
        """As last told: a flow is shown when it is known, and again when it has ended."""
        got = [r for r in w.records(name=TELEMETRY) if r["src"]["ip"] in CLIENTS]
        return {(r["src"]["ip"], r["src"]["port"]): r for r in got}

    def ended():
        got = flows().values()
        return len(got) >= len(CLIENTS) and all(r["packets"]["up"] > 3 for r in got)

    wait_for("the end of all flows", ended, 20)
    last = flows()
    check(len(last) == len(CLIENTS), f"{card}: each flow is one: {sorted(last)}")
    for r in last.values():
        check(r["packets"]["up"] > 3 and r["packets"]["down"] > 3 and "one-way" not in r.get("flags", []), f"{card}: {r}")
    s = w.status()
    got = [x["packets"] for x in s["workers"]]
    check(min(got) > 20, f"{card}: both workers had some: {got}")
    f = w.identity()
    if how == "rss":
        check(sum(got) == f["rx"], f"{card}: nothing went from worker to worker: {got} of {f['rx']}")
    check(w.stop() == 0, "a clean stop")
    w.close()
    print(f"{card}: {how}, workers took {got}")


class Call:
    """A client that says hello and goes on trying: its kernel sends the hello again and again."""

    def __init__(self, w):
        self.w = w
        setns = ctypes.CDLL(None, use_errno=True).setns
        with open("/proc/self/ns/net", "rb") as home, open(f"/run/netns/{w.ns('cl')}", "rb") as there:
            check(setns(there.fileno(), 0) == 0, "into the client's namespace")
            try:
                self.s = socket.create_connection(("10.77.0.1", 443), timeout=3)
            finally:
                check(setns(home.fileno(), 0) == 0, "back home")
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        out = ssl.MemoryBIO()
        tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname=TELEMETRY)
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        self.s.sendall(out.read())

    def more(self, n):
        """Small segments behind the hello; the window lets some of them out."""
        for _ in range(n):
            self.s.send(b"x" * 10)
            time.sleep(0.01)

    def answered(self):
        self.s.settimeout(0.3)
        try:
            return len(self.s.recv(100)) > 0
        except (TimeoutError, socket.timeout):
            return False

    def cut(self):
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.s.close()


def taken(w):
    return w.status()["recorder"]["offload"]["flows_now"]


def stops():
    """A dropped flow goes to the card, and comes back from it: at its end, on a reload, in bypass."""
    w = Card("af_packet", 1)
    w.policy("enforce", [("no-telemetry", "function: telemetry", "drop")])
    os.environ["PHONEHOME_NIC_LOG"] = log = os.path.join(w.work, "nic.log")
    os.environ.update(PHONEHOME_NIC="flow", LD_PRELOAD=NIC)
    w.start(config="offload: on\n")
    for key in ("LD_PRELOAD", "PHONEHOME_NIC", "PHONEHOME_NIC_LOG"):
        del os.environ[key]
    w.serve()
    check(all(len(p["offload_takes"]) == 4 for p in w.status()["ports"]), f"{w.status()['ports']}")

    call = Call(w)
    wait_for("the card to take the flow", lambda: taken(w) == 1)
    before = w.status()["frames"]["dropped"].get("policy", 0)
    check(before >= 1, "the hello itself was dropped by us")
    call.more(8)
    wait_for("the card to stop frames", lambda: sum(p["offload_dropped"] for p in w.status()["ports"]) >= 3, 8)
    f = w.identity()
    check(f["dropped"]["policy"] <= before + 2, f"frames that the card stopped do not come to us: {before}, {f}")
    check(not call.answered(), "no answer")
    rc, body, _ = w.get(PLAIN)
    check(rc == 0 and "hello" in body, "another flow goes on")
    call.cut()  # its RST comes to the engine
    wait_for("the rules to go with the flow", lambda: taken(w) == 0, 8)
    with open(log, encoding="ascii") as f:
        hits = sum(int(line.split()[1]) for line in f)
    told = sum(p["offload_dropped"] for p in w.status()["ports"])
    check(told == hits, f"{told} counted, {hits} stopped by the card")

    call = Call(w)
    wait_for("the next flow", lambda: taken(w) == 1)
    w.call("reload")
    check(taken(w) == 0, "a reload takes all rules out")
    before = w.status()["frames"]["dropped"]["policy"]
    call.more(3)
    wait_for("our own drops", lambda: w.status()["frames"]["dropped"]["policy"] > before, 8)
    check(not call.answered(), "the verdict holds after the reload")
    call.cut()

    time.sleep(2.5)  # verdicts of before the reload are not handed over
    call = Call(w)
    wait_for("the third flow", lambda: taken(w) == 1)
    w.call("bypass", {"on": True})
    check(taken(w) == 0, "bypass takes all rules out")
    wait_for("an answer in bypass", call.answered, 8)
    call.cut()
    print(f"flow: {w.status()['recorder']['offload']}, {hits} frames stopped by the card")
    check(w.stop() == 0, "a clean stop")
    w.close()


def left_out(driver):
    """A port whose driver takes no such rules: the workers drop, and status says why."""
    w = Wire(driver, 1)
    w.policy("enforce", [("no-telemetry", "function: telemetry", "drop")])
    w.start(config="offload: on\n")
    w.serve()
    rc, _, _ = w.get(TELEMETRY)
    check(rc != 0, "the product's call is stopped")
    rc, body, _ = w.get(PLAIN)
    check(rc == 0 and "hello" in body, "another's goes through")
    s = w.status()
    check(s["frames"]["dropped"]["policy"] >= 1, f"{s['frames']}")
    check(s["recorder"]["offload"]["made"] == 0, f"{s['recorder']['offload']}")
    for p in s["ports"]:
        check(p["offload_takes"] == [] and p["offload_refuses"], f"{p}")
    check(len(w.said().splitlines()) == 1, f"nothing but the ready line: {w.said()}")
    print(f"{driver}: left out: {s['ports'][0]['offload_refuses']}")
    check(w.stop() == 0, "a clean stop")
    w.close()


def main():
    need("curl", "caddy", "dnsmasq")
    what = sys.argv[2]
    if what == "rss":
        spreads("rss", "rss", "rss: ports\n")
        spreads("rss,ownkey", "software")
    elif what == "flow":
        stops()
    else:
        left_out(what)


main()
