# SPDX-License-Identifier: Apache-2.0
"""What a person reads at a terminal of 80 columns, and that scripts read the same facts: nothing wraps, what finds no
room is named, hosts come in the order of their addresses, sums below the tables, the nearest name after an empty answer."""
import json
import os
import pty
import re
import select
import subprocess
import termios
import time
import unittest

import command
import wire
from test_verbs import on_day

LONG = command.PACK.replace("name: Acme\n", "name: Acme Internet Security Corporation\n").replace(
    "name: Acme EDR", "name: Acme Endpoint Detection and Response for Workstations")


class Reading(command.Command):
    def setUp(self):
        super().setUp()
        self.write("packs/acme.yaml", LONG)
        self.db = self.path("s.db")
        for ago, hosts in ((40, 12), (20, 6), (9, 3), (1, 2)):
            p = []
            for h in range(hosts):
                p += wire.tls(f"10.123.145.{h + 1}", 40000 + h, "203.0.113.101", "a.telemetry.acme-edr.com")
                p += wire.http(f"10.123.145.{h + 1}", 50000 + h, "203.0.113.101", "update.acme-edr.com")
            p += wire.http("2001:db8::a", 50001, "2001:db8::1", "update.zeta-edr.com")
            p += wire.http("10.123.145.10", 50001, "203.0.113.2", "update.zeta-edr.com")
            cap = self.write("c.pcap", wire.pcap(p, start=on_day(ago)))
            self.run_it("scan", "--json", "--store", self.db, "--local", "10.0.0.0/8,2001:db8::a", cap)

    def terminal(self, *args, columns=80):
        """What a terminal of so many columns gets, without colours."""
        env = {**os.environ, "PHONEHOME_PACKS": self.path("packs"), "LC_ALL": "C", "TERM": "xterm", "NO_COLOR": "1"}
        env.pop("COLUMNS", None)
        fd, slave = pty.openpty()  # the slave stays open here: a terminal that hangs up may take what it was given with it
        termios.tcsetwinsize(slave, (24, columns))
        out = b""
        with subprocess.Popen([command.BIN, *args], stdin=slave, stdout=slave, stderr=slave, env=env) as p:
            ended = False
            while True:
                if select.select([fd], [], [], 0 if ended else 0.05)[0]:
                    out += os.read(fd, 65536)
                elif ended:
                    break
                else:
                    ended = p.poll() is not None
        os.close(fd)
        os.close(slave)
        return out.decode().replace("\r\n", "\n").splitlines()

    def test_tables_fit_80_columns(self):
        for args in (("report",), ("report", "--group-by", "product"), ("report", "--group-by", "vendor"),
                     ("report", "--group-by", "host"), ("hosts",), ("flows", "--host", "10.0.0.0/8"), ("trend",),
                     ("trend", "--since", "90d"), ("diff", "38d"), ("migration", "--from", "US"),
                     ("policy", "simulate", "--country", "US")):
            lines = self.terminal(*args, "--store", self.db)
            table = [x for x in lines if "10.123." in x or re.search(r"^Acme", x)]
            self.assertTrue(table, lines)
            for line in [lines[0], *table]:
                self.assertLessEqual(len(line), 80, f"{args}: {line}")
        line, = [x for x in self.terminal("report", "--store", self.db) if "no room for" in x]
        self.assertIn("LAST SEEN", line)
        self.assertNotIn("DROPPED", line)  # nothing was: nothing is missed
        self.assertNotIn("no room", "".join(self.terminal("report", "--store", self.db, columns=400)))
        wide = self.terminal("migration", "--from", "US", "--store", self.db, columns=160)
        narrow = self.terminal("migration", "--from", "US", "--store", self.db)
        self.assertRegex(wide[1], r"\d{4}-\d\d-\d\d 12:00:0\dZ")
        self.assertRegex(narrow[1], r"~  \d{4}-\d\d-\d\d")
        self.assertNotIn("12:00", narrow[1])

    def test_the_chart_is_never_cut(self):
        """Its newest day is what it is for: in a narrow terminal a sign stands for several days."""
        for columns, since in ((80, "30d"), (80, "90d"), (60, "90d"), (200, "30d"), (200, "400d")):
            lines = self.terminal("trend", "--since", since, "--store", self.db, columns=columns)
            charts = [x.split()[-1] for x in lines if x.startswith(("Acme", "Zeta"))]
            self.assertEqual(len(charts), 2, lines)
            for c in charts:
                self.assertRegex(c, r"^[_.:=+*#%@-]+$", columns)
                self.assertNotEqual(c[-2:], "__")  # yesterday or today
            per = [int(m[1]) for m in (re.search(r"a sign is (\d+) day", x) for x in lines) if m]
            self.assertEqual(len(per), 1)
            self.assertEqual(len(charts[0]), -(-(int(since[:-1]) + 1) // per[0]))

    def test_trend_ends_where_it_was_told_to(self):
        """While today is lower than yesterday, yesterday counts; a day of the past is over."""
        head, acme, zeta = self.terminal("trend", "--store", self.db, columns=160)[:3]
        self.assertIn("LAST", head)
        self.assertEqual(acme[head.index("LAST"):].split()[0], "2")
        until = time.strftime("%Y-%m-%d", time.gmtime(on_day(8)))  # the day after one with 3 hosts
        lines = self.terminal("trend", "--until", until, "--store", self.db, columns=160)
        self.assertEqual(lines[1][lines[0].index("LAST"):].split()[0], "0")
        self.assertIn(f"to {until};", " ".join(lines))
        self.assertNotIn("not over", " ".join(lines))
        for d in self.json("trend", "--json", "--store", self.db):
            self.assertIn((d["vendor"], d["vendor_id"], d["country"], d["product_id"]),
                          (("Acme Internet Security Corporation", "acme", "US", "edr"), ("Zeta", "zeta", "CN", "edr")))

    def test_trend_of_any_span(self):
        """Thirty days to where it is told to end, whichever is said first; a limit cuts lines, never counts."""
        past = [self.json("trend", *span, "--json", "--store", self.db)
                for span in (("--until", "35d", "--since", "65d"), ("--since", "65d", "--until", "35d"), ("--until", "35d"))]
        self.assertTrue(past[0] and past[0] == past[1] == past[2], past)
        every = self.json("trend", "--json", "--store", self.db)
        self.assertEqual(self.json("trend", "--limit", "1", "--json", "--store", self.db), every[:1])
        wide = self.run_it("trend", "--store", self.db)[0].splitlines()
        self.assertEqual(self.run_it("trend", "--limit", "1", "--store", self.db)[0].split("\n")[1].split(), wide[1].split())
        bars = self.run_it("trend", "--vendor", "acme", "--store", self.db)[0].splitlines()
        self.assertEqual(self.run_it("trend", "-n", "2", "--vendor", "acme", "--store", self.db)[0].splitlines(), bars[:3])

    def test_hosts_in_order(self):
        want = [f"10.123.145.{i}" for i in range(1, 13)]
        for args in (("report", "--vendor", "acme", "--function", "update"), ("hosts", "acme"),
                     ("report", "--group-by", "host", "--vendor", "acme")):
            self.assertEqual([r["host"] for r in self.json(*args, "--json", "--store", self.db)], want)
        self.assertEqual([r["host"] for r in self.json("migration", "--from", "US", "--json", "--store", self.db)],
                         [*want, "2001:db8::a"])
        gone, = [d["gone"] for d in self.json("diff", "38d", "--json", "--store", self.db) if d["vendor_id"] == "acme"]
        self.assertEqual(gone, want[2:])

    def test_sums(self):
        _, err = self.run_it("hosts", "acme", "--store", self.db)
        self.assertEqual(err, "12 hosts, 2 of them seen within the last 7 days\n")
        out, err = self.run_it("diff", "38d", "--store", self.db)
        self.assertIn("in all 13 then, 4 now (-9)", err)
        self.assertIn("10: 10.123.145.3 10.123.145.4 10.123.145.5 ...", out)

    def test_migration_without_a_policy(self):
        states = {r["host"]: r["state"] for r in self.json("migration", "--from", "us", "--json", "--store", self.db)}
        self.assertEqual((states["10.123.145.1"], states["10.123.145.3"], states["10.123.145.10"]),
                         ("not-moved", "neither", "moved"))
        for given in (("--from", "acme"), ("--from", "acme/edr", "--to", "CN"), ("--from", "IL,acme", "--to", "zeta")):
            got = self.json("migration", *given, "--json", "--store", self.db)
            self.assertEqual({r["host"]: r["state"] for r in got}, states, given)
        self.error("migration", "--store", self.db, code=2, has="--from US,IL")
        self.error("migration", "--from", 'a"b', "--store", self.db, code=2, has="character")
        self.error("migration", "--from", "a" * 5000, "--store", self.db, code=2, has="too long")
        _, err = self.run_it("migration", "--from", "acne", "--store", self.db)
        self.assertIn("no pack knows acne: did you mean acme?", err)

    def test_the_newest_flows(self):
        every = self.lines("flows", "--json", "--store", self.db)
        for n in (1, 2, 7, len(every) - 1, len(every), len(every) + 1, 100000):
            self.assertEqual(self.lines("flows", "--json", "--last", str(n), "--store", self.db), every[-n:])
        some = self.lines("flows", "--json", "--name", "zeta", "-l", "3", "--store", self.db)
        self.assertEqual(some, [f for f in every if "zeta" in f["name"]][-3:])
        for bad in ("0", "-1", "x", "100001"):
            self.error("flows", "--last", bad, "--store", self.db, code=2, has="--last")

    def test_whose_flow(self):
        """A table of several sensors' flows says which of them saw each; of one daemon's own it need not."""
        for more, shown in ((("--all-sensors",), True), ((), False)):
            lines = self.run_it("flows", *more, "--store", self.db)[0].splitlines()
            at = lines[0].find("SENSOR ")
            self.assertEqual(at > 0, shown, lines[0])
            if shown:
                told = {line[at:].split()[0] for line in lines[1:]}
                self.assertEqual(told, {f["sensor"] for f in self.lines("flows", "--json", "--all-sensors", "--store", self.db)})

    def test_nearest_name(self):
        for args in (("report", "--vendor", "acem"), ("hosts", "acem"), ("flows", "--vendor", "acem"),
                     ("trend", "--vendor", "acem"), ("diff", "38d", "--vendor", "acem")):
            _, err = self.run_it(*args, "--store", self.db)
            self.assertIn("no pack knows acem: did you mean acme?", err)
        _, err = self.run_it("report", "--vendor", "acme", "--host", "10.9.9.9", "--store", self.db)
        self.assertIn("nothing that matches", err)
        self.assertNotIn("no pack knows", err)

    def test_why_tells_scripts_the_rows_too(self):
        rows = self.json("report", "--json", "--host", "10.123.145.10", "--store", self.db)
        told = self.json("why", "10.123.145.10", "--json", "--store", self.db)
        key = lambda r: r["signature"]  # noqa: E731
        self.assertEqual(sorted((x for x in told if "host" in x), key=key), sorted(rows, key=key))
        self.assertEqual(len([x for x in told if "evidence" in x]), 3)

    def test_one_format_at_a_time(self):
        self.error("report", "--json", "--csv", "--store", self.db, code=2, has="one of them")
        self.error("report", "--csv", "-j", "--store", self.db, code=2, has="one of them")
        self.run_it("report", "--json", "--json", "--store", self.db)

    def test_doctor(self):
        lines = self.terminal("doctor", "--socket", self.path("no.sock"))
        found = [x for x in lines if re.match(r"(ok  |note|warn|fail)  [a-z]", x)]
        self.assertGreaterEqual(len(found), 14)
        for x in lines:
            self.assertTrue(len(x) <= 80 or x.lstrip().startswith("-> "), x)  # commands are for copying
        self.assertNotIn("~", "".join(x[19:] for x in found))


class Help(command.Command):
    def test_no_line_is_wider_than_the_terminal(self):
        verbs = [[v] for v in self.run_it("__complete", "verbs")[0].split()]
        verbs += [[v, sub] for v in ("policy", "signatures") for sub in self.run_it("__complete", "arguments", v)[0].split()]
        for words in [[], *verbs]:
            for columns in ("80", "72", "200") if words else ("80", "200"):
                out, _ = self.run_it(*words, "--help", env={"COLUMNS": columns})
                for line in out.splitlines():
                    self.assertLessEqual(len(line), min(int(columns), 100), f"{words}: {line}")
        self.assertEqual(self.run_it("report", "--help")[0], self.run_it("report", "--help", env={"COLUMNS": "80"})[0])

    def test_examples_that_were_broken_still_run(self):
        """A long example goes on in the next line, as a shell reads it."""
        out, _ = self.run_it("policy", "test", "--help", env={"COLUMNS": "60"})
        examples = out.split("\nexamples:\n")[1]
        self.assertIn(" \\\n", examples)
        run = subprocess.run(["sh", "-nc", examples], capture_output=True, check=False)
        self.assertEqual((run.returncode, run.stderr), (0, b""))
        self.assertIn("--at 2027-01-01", re.sub(r" \\\n\s+", " ", examples))

    def test_policy_test_says_why_not(self):
        rule = "format: 1\nmode: %s\nrules:\n  - name: r\n    action: drop\n    state: enforce\n    match: {country: [US]}\n"
        for mode, words in (("monitor", "the policy's mode (monitor) does not let it"), ("enforce", "verdict: drop, by rule r")):
            out, _ = self.run_it("policy", "test", "-p", self.write("p.yaml", rule % mode), "update.acme-edr.com")
            self.assertIn(words, out)
        out, _ = self.run_it("policy", "test", "-p", self.path("p.yaml"), "update.acme-edr.com", "--ambiguous")
        self.assertIn("never dropped: ambiguous", out)
        self.assertIn("good: 1 rule, 0 groups", self.run_it("policy", "check", self.path("p.yaml"))[0])
        self.assertEqual(json.loads(self.run_it("policy", "test", "--json", "-p", self.path("p.yaml"),
                                                "update.acme-edr.com")[0])["verdict"], "drop")


if __name__ == "__main__":
    unittest.main()
