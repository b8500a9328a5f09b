#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A reload makes no ripple: 1,000 of them, good and bad, under full load, and not one frame is lost or out of order.

On a wire that itself loses nothing (memif.py). Good ones change the packs and the policy in turn; bad ones are every
kind of spoilt file, and leave the running pair as it was. Memory stays flat. PHONEHOME_RELOADS: how many.
"""

import json
import os
import shutil
import sys
import tempfile
import time

from memif import Memif
from wire import PACKS, check, own_memory_kb, skip, wait_for

RELOADS = int(os.environ.get("PHONEHOME_RELOADS", "1000"))
LONGEST_S = 40
GROWTH_KB = 1024
RULE = [("no-telemetry", "product: [falcon], function: [telemetry]", "drop")]
MORE = RULE + [("no-360", "vendor: [qihoo-360]", "reset")]
GOOD_PACKS = ["crowdstrike", "qihoo-360"]


def bad_policies():
    return ["format: 1\nmode: enforce\nrules:\n  - {name: x, macht: {}, action: drop}\n", "format: 1\nmode: enf",
            "\x00\x01", "[]\n", ""]


def spoil(packs, kind):
    """Puts one bad pack beside the good ones."""
    bad = f"{packs}/zz-bad.yaml"
    if kind == 0:  # cut in the middle
        with open(f"{packs}/{GOOD_PACKS[0]}.yaml", "rb") as f, open(bad, "wb") as out:
            out.write(f.read(700))
    elif kind == 1:
        with open(bad, "w", encoding="ascii") as out:
            out.write("format: 1\nfrobnicate: 2\n")
    elif kind == 2:  # every id of it is there already
        shutil.copy(f"{packs}/{GOOD_PACKS[0]}.yaml", bad)
    elif kind == 3:
        os.mkdir(bad)
    else:  # 1 GB of nothing
        with open(bad, "wb") as out:
            out.truncate(1 << 30)


def mend(packs):
    bad = f"{packs}/zz-bad.yaml"
    if os.path.isdir(bad):
        os.rmdir(bad)
    elif os.path.exists(bad):
        os.unlink(bad)


def one(w, packs, i):
    """One reload: every second one is bad, by its policy or by its packs."""
    before = w.status()
    where = None
    if i % 4 == 1:
        with open(w.policy_file, "w", encoding="latin-1") as f:
            f.write(bad_policies()[i // 4 % 5])
        where = w.policy_file
    elif i % 4 == 3:
        spoil(packs, i // 4 % 5)
        where = packs
    else:
        w.policy("enforce", RULE if i % 8 == 0 else MORE)
    reply = w.rpc("reload", timeout=60)
    after = w.status()
    if where:
        check("error" in reply and where in json.dumps(reply["error"]["data"]), f"bad file {i}: {reply}")
        check(all(after[k] == before[k] for k in ("packs", "policy", "generation")), f"nothing changed: {before} {after}")
        mend(packs)
        w.policy("enforce", RULE)
    else:
        check("result" in reply and after["generation"] > before["generation"], f"good file {i}: {reply}")
        check(after["policy"]["rules"] == (1 if i % 8 == 0 else 2), f"the new policy: {after['policy']}")


def under_load(w, packs):
    w.send(sys.argv[1], LONGEST_S + 60)
    wait_for("frames to flow", lambda: w.status()["frames"]["forwarded"] > 1000, 60)
    end, done, grown_from = time.monotonic() + LONGEST_S, 0, None
    while done < RELOADS and time.monotonic() < end:
        one(w, packs, done)
        done += 1
        if done == RELOADS // 10:  # by then every kind of file was read a few times
            grown_from = own_memory_kb(w.daemon.pid)
    check(done >= 20, f"{done} reloads in {LONGEST_S} s")
    growth = own_memory_kb(w.daemon.pid) - (grown_from or own_memory_kb(w.daemon.pid))
    sent = w.whole(w.sent())
    print(f"{done} reloads, half of them refused, beside {sent} frames: none lost, changed or out of order; {growth} KB more")
    check(growth <= GROWTH_KB, f"memory grew by {growth} KB over {done} reloads")


def main():
    if os.geteuid() != 0:
        skip("needs root")
    with tempfile.TemporaryDirectory(prefix="phonehome-packs-") as packs:
        for pack in GOOD_PACKS:
            shutil.copy(f"{PACKS}/{pack}.yaml", packs)
        with Memif(2, packs=packs, policy=RULE) as w:
            under_load(w, packs)


main()
