#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Packs and policy are reloaded under iperf3's load on kernel ports, and a bad file changes nothing.

A kernel's ring or socket may overflow when a CPU stalls, and that is no ripple of a reload: every hop is counted by
someone else than us (the devices' own counters, the receiver's UDP statistics), what came to us was sent on, and what
iperf3 misses was lost outside. That nothing at all is lost on a wire that can hold it is ripple.py's to show.
"""

import json
import os
import sys
import time

from wire import TELEMETRY, Wire, check, need, wait_for

SECONDS = int(os.environ.get("PHONEHOME_SECONDS", "5"))
RULE = [("no-telemetry", "product: [falcon], function: [telemetry]", "drop")]
BAD = ["format: 1\nmode: enforce\nrules:\n  - {name: x, macht: {}, action: drop}\n", "format: 1\nmode: enf", "\x00\x01", "[]\n"]
OUTSIDE = {"tx-full", "ring-full", "late"}  # the kernel took no more, or a worker had no CPU to send


def device(w, ns, name):
    s = json.loads(w.on(ns, "ip", "-j", "-s", "link", "show", name).stdout)[0]["stats64"]
    return s["rx"], s["tx"]


def udp(w):
    words = [x.split()[1:] for x in w.on("sv", "cat", "/proc/net/snmp").stdout.splitlines() if x.startswith("Udp:")]
    return dict(zip(words[0], map(int, words[1])))


def hops(w):
    """What each hop from the client to the server has counted."""
    s, u = w.status(), udp(w)
    _, sent = device(w, "cl", "eth0")
    came, _ = device(w, "mid", "p0")
    _, went = device(w, "mid", "p1")
    got, _ = device(w, "sv", "eth0")
    return {"client lost": sent["dropped"] + sent["errors"], "p0": came["packets"], "taken": s["ports"][0]["rx"],
            "given": s["ports"][1]["tx"], "p1": went["packets"], "p1 lost": went["dropped"] + went["errors"],
            "refused": sum(p["errors"] for p in s["ports"]), "server lost": got["dropped"] + got["errors"],
            "socket full": u["RcvbufErrors"] + u["MemErrors"]}


def reload_all_the_while(w):
    good, end, done = w.status(), time.monotonic() + SECONDS - 1, 0
    while done < 4 or time.monotonic() < end:  # four: two good ones, two bad ones
        bad = BAD[done // 2 % len(BAD)] if done % 2 else None
        if bad:
            with open(w.policy_file, "w", encoding="latin-1") as f:
                f.write(bad)
        else:
            w.policy("enforce", RULE)
        reply = w.rpc("reload", timeout=60)
        if bad:
            check("error" in reply and w.policy_file in json.dumps(reply["error"]["data"]), f"a bad file: {reply}")
        else:
            check("result" in reply, f"a good file: {reply}")
        s = w.status()
        check(s["packs"]["digest"] == good["packs"]["digest"] and s["policy"]["digest"] == good["policy"]["digest"],
              "a bad policy left the running set as it was")
        done += 1
    return done


def main():
    need("curl", "caddy", "dnsmasq", "iperf3")
    w = Wire(sys.argv[1], int(sys.argv[2]))
    w.policy("enforce", RULE)
    w.start()
    w.serve()
    w.iperf3_server()
    before = hops(w)
    load = w.spawn("cl", "iperf3", "-c", "10.77.0.1", "-u", "-b", "20M", "-l", "400", "-t", str(SECONDS), "-J", stdout=-1)
    done = reload_all_the_while(w)
    out, _ = load.communicate(timeout=90)
    report = json.loads(out)
    check("sum" in report["end"], f"iperf3: {report.get('error')}")
    sent, lost = report["end"]["sum"]["packets"], report["end"]["sum"]["lost_packets"]
    check(sent > 0, f"iperf3 sent nothing: {report['end']}")
    rc, _, _ = w.get(TELEMETRY, seconds=1)
    check(rc == 28, "the policy still holds")

    def settled():  # the last frames may still lie in the kernel's queues
        now = hops(w)
        d = {k: now[k] - before[k] for k in now}
        return d["given"] == d["p1"] + d["p1 lost"] + d["refused"] and d
    d = wait_for("what we sent to be what the device was given", settled, 30)
    ours = w.identity()["dropped"]
    check(set(ours) <= {"policy"} | OUTSIDE, f"dropped by us: {ours}")
    outside = {"before us": d["client lost"] + d["p0"] - d["taken"], "no room to send": sum(ours.get(k, 0) for k in OUTSIDE),
               "behind us": d["refused"] + d["p1 lost"] + d["server lost"] + d["socket full"]}
    print(f"{done} reloads, {sent} packets, {lost} lost, all of them by the kernel: {outside}")
    check(lost <= sum(outside.values()), f"{lost} packets lost over {done} reloads, and the kernel owns to {outside} of {d}")
    check(w.stop() == 0, "a clean stop")


main()
