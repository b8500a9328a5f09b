#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A policy's times and exceptions on the wire: a rule acts from when it says, until when it says, and not where it says not.

Every policy is loaded into the one running daemon; a real client then tells whether its connection came through.
"""

import datetime
import sys

from wire import PLAIN, TELEMETRY, Wire, check, need, wait_for

NOW = datetime.datetime.now(datetime.timezone.utc)
HOUR, DAY = datetime.timedelta(hours=1), datetime.timedelta(days=1)
FALCON = "product: [falcon]"
PASSES, DROPPED, RESET = 0, 28, 35  # what curl says
VERDICT = {PASSES: "pass", DROPPED: "drop", RESET: "reset"}
BACKS_OFF = "except: [{host: 10.77.0.0/24}]"


def at(t):
    return t.strftime("%Y-%m-%dT%H:%M:%S")


def span(t):
    """Two hours around it; one that passes midnight is allowed."""
    return f'"{(t - HOUR).strftime("%H:%M")}-{(t + HOUR).strftime("%H:%M")}"'


def rest(t):
    return f'"{(t + HOUR).strftime("%H:%M")}-{(t - HOUR).strftime("%H:%M")}"'


def days(*more):
    return ", ".join((NOW + n * DAY).strftime("%a").lower() for n in more)


INDIA = NOW + datetime.timedelta(hours=5, minutes=30)
CASES = [  # what is tried, the rules (name, match, action), what curl says
    ("from the day after tomorrow", [("r", f"{FALCON}, when: {{from: {(NOW + 2 * DAY).date()}}}", "drop")], PASSES),
    ("until an hour ago", [("r", f"{FALCON}, when: {{until: {at(NOW - HOUR)}}}", "drop")], PASSES),
    ("from an hour ago until the day after tomorrow", [("r", f"{FALCON}, when: {{from: {at(NOW - HOUR)}, until: {(NOW + 2 * DAY).date()}}}", "drop")],
     DROPPED),
    ("hours that hold now", [("r", f"{FALCON}, when: {{hours: [{span(NOW)}]}}", "drop")], DROPPED),
    ("the rest of the day", [("r", f"{FALCON}, when: {{hours: [{rest(NOW)}]}}", "drop")], PASSES),
    ("hours of another zone", [("r", f'{FALCON}, when: {{hours: [{span(INDIA)}], zone: "+05:30"}}', "drop")], DROPPED),
    ("the same hours without the zone", [("r", f"{FALCON}, when: {{hours: [{span(INDIA)}]}}", "drop")], PASSES),
    ("today", [("r", f"{FALCON}, when: {{days: [{days(0, 1)}]}}", "drop")], DROPPED),
    ("other days", [("r", f"{FALCON}, when: {{days: [{days(2, 3, 4, 5)}]}}", "drop")], PASSES),
    ("an exception for this host", [("r", FALCON, "drop, except: [{host: 10.77.0.2}]")], PASSES),
    ("for its network and this product", [("r", FALCON, "drop, except: [{host: 10.77.0.0/24, product: crowdstrike/falcon}]")], PASSES),
    ("for another host", [("r", FALCON, "drop, except: [{host: 10.77.0.3}]")], DROPPED),
    ("for its network and another product", [("r", FALCON, "drop, except: [{host: 10.77.0.0/24, vendor: eset}]")], DROPPED),
    ("an exception that is over", [("r", FALCON, f"drop, except: [{{host: 10.77.0.2, when: {{until: {at(NOW - HOUR)}}}}}]")], DROPPED),
    ("the next rule is asked", [("r", FALCON, f"drop, {BACKS_OFF}"), ("s", FALCON, "reset")], RESET),
    ("and may allow", [("r", FALCON, f"drop, {BACKS_OFF}"), ("s", FALCON, "report"), ("t", FALCON, "reset")], PASSES),
]


def asked(w):
    """What curl says of the name."""
    rc, body, _ = w.get(TELEMETRY, seconds=2)
    if rc == PASSES:
        check(body == f"hello {TELEMETRY}", f"not the server's answer: {body}")
    return rc


def verdicts(w):
    """By the client's port."""
    return {r["src"]["port"]: r.get("verdict", "pass") for r in w.records(name=TELEMETRY)}


def tried(w, rules, want, what):
    w.policy("enforce", rules)
    w.call("reload")
    before = verdicts(w)
    # A busy machine may be late once; a rule is always or never.
    rc = next((rc for rc in (asked(w) for _ in range(3)) if rc in (want, PASSES)), None)
    check(rc == want, f"{what}: curl says {rc}, not {want}\n{rules}")
    # Told flow by flow: a client that was dropped before goes on knocking, and its frames go on being dropped.
    new = wait_for("its record", lambda: {v for port, v in verdicts(w).items() if port not in before})
    check(new == {VERDICT[want]}, f"{what}: verdicts {new}\n{rules}")


def opens_and_closes(w):
    """The window of a rule comes and goes while nobody touches the daemon."""
    begin = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=5)
    w.policy("enforce", [("r", f"{FALCON}, when: {{from: {at(begin)}, until: {at(begin + datetime.timedelta(seconds=12))}}}", "drop")])
    w.call("reload")
    said = [asked(w)]
    wait_for("the window to open", lambda: said.append(asked(w)) or said[-1] == DROPPED, 30)
    wait_for("and to close", lambda: said.append(asked(w)) or said[-1] == PASSES, 60)
    check(set(said) == {PASSES, DROPPED}, f"curl said {sorted(set(said))}, at last {said[-12:]}")


def main():
    need("curl", "caddy", "dnsmasq", "dig")
    w = Wire(sys.argv[1], int(sys.argv[2]))
    w.policy("enforce", [])
    w.start()
    w.serve()
    for what, rules, want in CASES:
        tried(w, rules, want, what)
    opens_and_closes(w)
    rc, body, _ = w.get(PLAIN)
    check(rc == 0 and body == f"hello {PLAIN}", f"others go on: curl {rc}")
    check(w.identity()["dropped"].get("policy", 0) > 0, "drops are counted")
    check(w.stop() == 0, "a clean stop")


main()
