#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Packs and policy are reloaded under load: not a packet is lost, and a bad file changes nothing."""

import json
import os
import sys
import time

from wire import TELEMETRY, Wire, check, need

RELOADS = int(os.environ.get("PHONEHOME_RELOADS", "60"))
RULE = [("no-telemetry", "product: [falcon], function: [telemetry]", "drop")]
BAD = ["format: 1\nmode: enforce\nrules:\n  - {name: x, macht: {}, action: drop}\n", "format: 1\nmode: enf", "\x00\x01", "[]\n"]


def memory_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def main():
    need("curl", "caddy", "dnsmasq", "iperf3")
    w = Wire(sys.argv[1], int(sys.argv[2]))
    w.policy("enforce", RULE)
    w.start()
    w.serve()
    w.spawn("sv", "iperf3", "-s", "-1")
    time.sleep(0.5)
    seconds = 8
    load = w.spawn("cl", "iperf3", "-c", "10.77.0.1", "-u", "-b", "20M", "-l", "400", "-t", str(seconds), "-J", stdout=-1)
    good = w.status()
    pid, growth_from, end, done = w.daemon_pid(), None, time.monotonic() + seconds - 1, 0
    while done < RELOADS and time.monotonic() < end:
        bad = BAD[done // 2 % len(BAD)] if done % 2 else None
        if bad:
            with open(w.policy_file, "w", encoding="latin-1") as f:
                f.write(bad)
        else:
            w.policy("enforce", RULE)
        reply = w.rpc("reload")
        if bad:
            check("error" in reply and w.policy_file in json.dumps(reply["error"]["data"]), f"a bad file: {reply}")
        else:
            check("result" in reply, f"a good file: {reply}")
        s = w.status()
        check(s["packs"]["digest"] == good["packs"]["digest"] and s["policy"]["digest"] == good["policy"]["digest"],
              "a bad policy left the running set as it was")
        done += 1
        if done == 10:
            growth_from = memory_kb(pid)
    rc, _, _ = w.get(TELEMETRY, seconds=1)
    check(rc == 28, "the policy still holds")
    out, _ = load.communicate(timeout=20)
    lost = json.loads(out)["end"]["sum"]["lost_packets"]
    check(lost == 0, f"{lost} packets lost over {done} reloads")
    check(growth_from is None or memory_kb(pid) - growth_from <= 4096, "memory does not grow")
    print(f"{done} reloads, 0 lost, {memory_kb(pid) - (growth_from or 0)} KB more")
    w.identity()
    check(w.stop() == 0, "a clean stop")


main()
