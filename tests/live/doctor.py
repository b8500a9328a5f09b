#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""phonehome doctor sees what is wrong with a sensor, and the commands that it gives mend it."""

import json
import os
import re
import shutil
import subprocess
import sys

from wire import BUILD, PACKS, Wire, check, need, wait_for

COMMAND = os.path.join(BUILD, "ctl/phonehome")


def lines(w):
    """{check: [(level, found, mend)]}"""
    r = w.on("mid", COMMAND, "doctor", "--json", "--config", os.path.join(w.work, "phonehomed.yaml"), "--packs",
             os.path.join(PACKS, sorted(os.listdir(PACKS))[0]), check=False)  # one pack: reading all takes its time
    got = {}
    for x in json.loads(r.stdout):
        got.setdefault(x["check"], []).append((x["level"], x["found"], x.get("mend")))
    check(r.returncode == any(x[0] == "fail" for v in got.values() for x in v), f"exit code {r.returncode}: {got}")
    return got


def ill(w, name, level, found):
    got = lines(w)[name]
    hits = [x for x in got if x[0] == level and re.search(found, x[1])]
    check(len(hits) == 1, f"{name}: one line of {level} that says {found}: {got}")
    return hits[0][2]


def well(w, *names):
    got = lines(w)
    for name in names:
        check(all(x[0] in ("ok", "note") for x in got[name]), f"{name}: {got[name]}")


def mends(w, name, level, found):
    """The bad state is told, and gone once the command was run as it stands."""
    w.on("mid", "sh", "-ec", ill(w, name, level, found))
    well(w, name)


def rewrite(w, *changes):
    path = os.path.join(w.work, "phonehomed.yaml")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    for old, new in changes:
        check(old in text, f"{old} in the config")
        text = text.replace(old, new)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def main():
    need()
    w = Wire(sys.argv[1], int(sys.argv[2]))
    w.start(config=f"policy: {w.policy_file}\n")
    well(w, "config", "permissions", "mtu", "offloads", "rss", "daemon", "store", "packs")
    check(any("no RSS" in x[1] for x in lines(w)["rss"]), f"the daemon's reason: {lines(w)['rss']}")

    w.on("mid", "ip", "link", "set", "p0", "mtu", "1400")
    mends(w, "mtu", "fail", "p0 has MTU 1400, p1 of the same pair 1500")
    w.on("mid", "ethtool", "-K", "p1", "gro", "on")
    mends(w, "offloads", "warn", r"p1 joins packets \(GRO\)")
    os.chmod(w.policy_file, 0o666)
    mends(w, "permissions", "warn", "policy.yaml: others than its owner may change")
    w.call("bypass", {"on": True})
    check(ill(w, "daemon", "warn", "in bypass") == "phonehome bypass off", "the way back from bypass")
    w.call("bypass", {"on": False})
    w.on("cl", "ip", "link", "set", "eth0", "down")
    wait_for("the link to be told", lambda: any("link is down" in x[1] for x in lines(w)["daemon"]))
    w.on("cl", "ip", "link", "set", "eth0", "up")
    check(w.stop() == 0, "a clean stop")
    check(ill(w, "daemon", "note", "does not run") == "systemctl start phonehomed", "no daemon")

    # without a daemon the config tells: AF_XDP reads one queue, the interface has two
    rewrite(w, ("net_af_packet", "net_af_xdp"))
    if w.on("mid", "ethtool", "-L", "p0", "rx", "2", "tx", "2", check=False).returncode == 0:
        mends(w, "rss", "fail", "p0 has 2 queues and AF_XDP reads 1")
    rewrite(w, ("net_af_xdp0,", "0000:fe:1f.7,"))
    ill(w, "drivers", "fail", "0000:fe:1f.7: no such PCI device")

    password = os.path.join(w.work, "password")
    with open(password, "w", encoding="ascii") as f:
        f.write("secret")
    os.chmod(password, 0o644)
    rewrite(w, (f"{w.work}/store.db", f"redis://127.0.0.1:6390, password_file: {password}"))
    mends(w, "permissions", "fail", "others may read the password")
    if shutil.which("redis-server"):
        check("redis-server" in ill(w, "store", "fail", "redis://127.0.0.1:6390: .*refused"), "Redis is down")
        w.spawn("mid", "redis-server", "--port", "6390", "--save", "", "--requirepass", "secret", "--dir", w.work)
        wait_for("Redis to be well", lambda: lines(w)["store"][0][0] == "ok", 10)
    rewrite(w, (f"redis://127.0.0.1:6390, password_file: {password}", f"{w.work}/none/store.db"))
    mends(w, "permissions", "fail", "/none: No such file")

    rewrite(w, ("workers: ", "wrokers: ["))
    mend = ill(w, "config", "fail", r"phonehomed.yaml:\d+:\d+: ")
    r = subprocess.run(mend.replace("phonehomed ", os.path.join(BUILD, "dataplane/phonehomed") + " ", 1), shell=True,
                       capture_output=True, text=True, check=False)
    check(r.returncode == 2 and re.search(r"phonehomed.yaml:\d+:\d+: ", r.stderr), f"--check: {r.stderr}")
    print("each illness was told, and each command mended it")


main()
