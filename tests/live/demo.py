# SPDX-License-Identifier: Apache-2.0
"""The demonstration behind tests/live/demo."""

import os
import subprocess
import sys
import time

from wire import BUILD, PLAIN, TELEMETRY, UPDATE, Wire, need

COMMAND = os.path.join(BUILD, "ctl/phonehome")
RULE = [("no-telemetry", "product: [falcon], function: [telemetry]", "reset")]


def tell(text):
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)
    time.sleep(1.5 if sys.stdout.isatty() else 0)


def show(w, *args):
    print(f"$ phonehome {' '.join(args)}", flush=True)
    subprocess.run([COMMAND, *args, "--socket", w.socket], check=False)


def call(w, host, what):
    rc, body, took = w.get(host, seconds=2)
    print(f"  {what:32} https://{host:26} " + (f"answered: {body}" if rc == 0 else f"STOPPED after {took * 1000:.0f} ms (curl {rc})"))


def calls(w):
    call(w, TELEMETRY, "the product's telemetry")
    call(w, UPDATE, "the same product's updates")
    call(w, PLAIN, "a web page")


def main():
    need("curl", "caddy", "dnsmasq", "dig")
    w = Wire("af_packet")
    if len(sys.argv) == 3 and sys.argv[1] == "--socket":
        w.socket = sys.argv[2]
    w.policy("monitor", RULE)
    tell("A client and a server, and phonehomed in the wire between them. The policy has a rule, but only watches.")
    w.start()
    w.serve()
    calls(w)
    time.sleep(2)
    tell("What was seen:")
    show(w, "report")
    tell("The policy is switched to enforce, while traffic flows.")
    w.policy("enforce", RULE)
    show(w, "reload")
    calls(w)
    time.sleep(2)
    tell("The call is stopped at its first packet with a name, the web page still loads:")
    show(w, "flows")
    if len(sys.argv) == 3:
        input("\nreturn ends the demo ")
    w.stop()


main()
