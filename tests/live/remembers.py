#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A restart forgets no DNS answer: a TLS connection without a name, to an address asked for before it, keeps its name.

Only with a state folder, and only after a clean stop; what lies in the folder is for the daemon alone, and a spoilt
file is told and left out.
"""

import glob
import os
import sys

from wire import TELEMETRY, Wire, check, need, wait_for


def restart(w, **kw):
    check(w.stop() == 0, "a clean stop")
    w.start(**kw)


def nameless(w):
    """The record of a TLS connection whose client says no server name."""
    before = {r["first"] for r in w.records(transport="tcp")}
    w.on("cl", "timeout", "30", "openssl", "s_client", "-connect", "10.77.0.1:443", "-noservername", check=False)

    def seen():
        return [r for r in w.records(transport="tcp") if r["dst"]["port"] == 443 and r["first"] not in before and
                r["state"] != "new"]
    return wait_for("the nameless connection's record", seen)[-1]


def inferred(r):
    return r.get("name") == TELEMETRY and r.get("name_source") == "dns.memory" and r.get("confidence") == "inferred"


def main():
    need("openssl", "caddy", "dnsmasq", "dig", "curl")
    w = Wire(sys.argv[1], int(sys.argv[2]))
    state = os.path.join(w.work, "state")
    kept = {"config": f"state_dir: {state}\n"}
    w.start(**kept)
    w.serve()
    check(w.dig(TELEMETRY), "DNS")
    wait_for("the answer learned", lambda: w.status()["engine"]["dns_answers_learned"] >= 1)
    restart(w, **kept)
    images = sorted(glob.glob(f"{state}/*"))
    check([os.path.basename(i) for i in images] == [f"dns-memory.{i}" for i in range(w.workers)], f"images: {images}")
    check(all(os.stat(i).st_mode & 0o777 == 0o600 for i in images), "images are for the daemon alone")
    check("DNS answers known from before: 1" in w.said(), f"what the daemon says: {w.said()}")
    r = nameless(w)
    check(inferred(r), f"named by an answer from before the restart: {r}")

    restart(w)
    r = nameless(w)
    check(r.get("name") is None, f"without a state folder nothing is known: {r}")

    for image in images:
        with open(image, "r+b") as f:
            f.seek(20)
            f.write(b"\xff")
    restart(w, **kept)
    check(w.said().count("left out: not an image of the DNS memory") == w.workers, f"spoilt images are told: {w.said()}")
    check(nameless(w).get("name") is None, "spoilt images teach nothing")
    check(w.stop() == 0, "a clean stop")


main()
