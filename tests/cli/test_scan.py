# SPDX-License-Identifier: Apache-2.0
"""phonehome scan: every door into it, every way it can fail, and hostile names through every output."""
import csv
import io
import os
import re
import struct
import sqlite3
import subprocess
import unittest

import command
import wire


def office():
    p = []
    p += wire.tls("10.0.0.1", 40000, "203.0.113.1", "a1.telemetry.acme-edr.com")
    p += wire.tls("10.0.0.1", 40001, "203.0.113.1", "a2.telemetry.acme-edr.com")
    p += wire.http("10.0.0.2", 40002, "203.0.113.2", "update.acme-edr.com")
    p += wire.query("10.0.0.3", 40003, "10.0.0.53", "update.zeta-edr.com")
    p += wire.tls("2001:db8::5", 40004, "2001:db8:f::1", "x.telemetry.zeta-edr.com")
    p += wire.tls("10.0.0.4", 40005, "203.0.113.9", "www.example.org")
    return p


class Scan(command.Command):
    def setUp(self):
        super().setUp()
        self.cap = self.write("office.pcap", wire.pcap(office()))

    def test_inventory(self):
        rows = self.json("scan", "--json", self.cap)
        valid = command.schema("inventory-row.json")
        for r in rows:
            valid.validate(r)
        got = {(r["host"], r["product_id"], r["function"]): r for r in rows}
        self.assertEqual(set(got), {("10.0.0.1", "edr", "telemetry"), ("10.0.0.2", "edr", "update"),
                                    ("10.0.0.3", "edr", "update"), ("2001:db8::5", "edr", "telemetry")})
        r = got["10.0.0.1", "edr", "telemetry"]
        self.assertEqual((r["vendor"], r["country"], r["flows"], r["confidence"]), ("Acme", "US", 2, "certain"))
        self.assertEqual(r["names"], ["a1.telemetry.acme-edr.com", "a2.telemetry.acme-edr.com"])
        self.assertEqual(r["first_seen"], "2026-11-22T23:15:22.123456Z")
        self.assertEqual(got["10.0.0.3", "edr", "update"]["country"], "CN")

    def test_table_and_json_hold_the_same(self):
        table, notes = self.run_it("scan", self.cap)
        for r in self.json("scan", "--json", self.cap):
            line = next(x for x in table.splitlines() if r["host"] + " " in x and r["function"] in x)
            for key in ("vendor", "country", "product", "confidence", "sensor"):
                self.assertIn(r[key], line)
            for name in r["names"]:
                self.assertIn(name, line)
        self.assertIn("blind to", notes)

    def test_dns_alone(self):
        """A host that only asked for the name is said to have only asked, in every form."""
        cap = self.write("dns.pcap", wire.pcap(
            wire.query("10.0.0.7", 5353, "203.0.113.53", [b"a", b"telemetry", b"acme-edr", b"com"]) +
            wire.tls("10.0.0.8", 40000, "203.0.113.1", "a.telemetry.acme-edr.com")))
        db = self.path("dns.db")
        rows = {r["host"]: r for r in self.json("scan", "--json", "--store", db, cap)}
        self.assertEqual({h: r["dns_only"] for h, r in rows.items()}, {"10.0.0.7": True, "10.0.0.8": False})
        self.assertEqual({r["host"]: r["dns_only"] for r in self.json("report", "--json", "--store", db)},
                         {"10.0.0.7": True, "10.0.0.8": False})
        valid = command.schema("inventory-row.json")
        for r in rows.values():
            valid.validate(r)
        for verb in ("report", "hosts"):
            head, *lines = self.run_it(verb, "--store", db)[0].splitlines()
            at = head.index("DNS ONLY")
            self.assertEqual({x.split()[0]: x[at:at + 8].strip() for x in lines}, {"10.0.0.7": "yes", "10.0.0.8": ""})
            table = csv.DictReader(io.StringIO(self.run_it(verb, "--csv", "--store", db)[0]))
            self.assertEqual({r["host"]: r["dns_only"] for r in table}, {"10.0.0.7": "true", "10.0.0.8": "false"})
        self.assertIn("only DNS questions were seen", self.run_it("why", "10.0.0.7", "--store", db)[0])
        self.assertNotIn("only DNS questions", self.run_it("why", "10.0.0.8", "--store", db)[0])

    def test_flows(self):
        valid = command.schema("flow-record.json")
        flows = self.lines("scan", "--flows", "--json", self.cap)
        for f in flows:
            valid.validate(f)
        self.assertEqual(len(flows), 6)
        by = {f.get("name"): f for f in flows}
        f = by["a1.telemetry.acme-edr.com"]
        self.assertEqual(f["src"], {"ip": "10.0.0.1", "port": 40000})
        self.assertEqual(f["dst"], {"ip": "203.0.113.1", "port": 443})
        self.assertEqual((f["transport"], f["name_source"], f["verdict"]), ("tcp", "tls.sni", "pass"))
        self.assertEqual(f["packets"], {"up": 5, "down": 3})
        self.assertEqual(f["evidence"][0], {"field": "tls.sni", "value": f["name"], "packet": 4})
        self.assertEqual(f["first"], "2026-11-22T23:15:22.123456Z")
        self.assertEqual(f["last"], "2026-11-22T23:15:22.130456Z")
        self.assertEqual(by["update.acme-edr.com"]["name_source"], "http.host")
        self.assertEqual(by["update.zeta-edr.com"]["name_source"], "dns.qname")
        self.assertNotIn("vendor", by["www.example.org"])

    def test_formats(self):
        want = self.lines("scan", "--flows", "--json", self.cap)
        p = office()
        files = {"be": wire.pcap(p, order=">"), "nano": wire.pcap(p, nano=True), "ng": wire.pcapng(p),
                 "raw": wire.pcap(p, link=101),
                 "sll": wire.pcap([struct.pack("!HHH8sH", 0, 1, 6, bytes(8), 0x86DD if x[0] >> 4 == 6 else 0x800) + x
                                   for x in p], link=113)}
        for name, data in files.items():
            got = self.lines("scan", "--flows", "--json", self.write(name, data))
            if name in ("raw", "sll"):
                for f in got + want:
                    f.pop("bytes", None)
            self.assertEqual(got, want, name)
        want = self.run_it("scan", "--flows", "--json", self.cap)[0]
        with open(self.cap, "rb") as f:
            self.assertEqual(self.run_it("scan", "--flows", "--json", "-", stdin=f.read())[0], want)

    def test_several_files_are_one_stream(self):
        p = office()
        whole = self.lines("scan", "--flows", "--json", self.cap)
        for cut in (1, 4, 20):
            a = self.write("a.pcap", wire.pcap(p[:cut]))
            b = self.write("b.pcap", wire.pcap(p[cut:], first_us=123456 + 1000 * cut))
            self.assertEqual(self.lines("scan", "--flows", "--json", a, b), whole)
        # Time goes back: another capture, its flows are their own.
        self.assertEqual(len(self.lines("scan", "--flows", "--json", self.cap, self.cap)), 2 * len(whole))
        rows = self.json("scan", "--json", self.cap, self.cap)
        self.assertEqual(next(r for r in rows if r["host"] == "10.0.0.1")["flows"], 4)

    def test_broken_files(self):
        with open(self.cap, "rb") as f:
            data = f.read()
        for cut, packet in ((len(data) - 10, len(office()) - 1), (24 + 16 + 30, 0), (24 + 8, 0)):
            name = self.write("cut.pcap", data[:cut])
            out, err = self.run_it("scan", "--flows", "--json", name, code=1)
            self.assertEqual(err, f"phonehome: {name}: truncated after packet {packet}\n")
            if packet:
                self.assertEqual(len(out.splitlines()), 6)  # what was there is printed
        self.run_it("scan", "--json", self.write("none.pcap", data[:24]))
        self.error("scan", "--json", "--flows", self.path("missing"), code=1, has="missing: No such file")
        self.error("scan", "--json", "--flows", self.dir.name, code=1, has="is a directory")
        self.error("scan", "--json", "--flows", self.write("text", "hello, this is no capture"), code=1,
                   has="not a capture")
        self.error("scan", "--json", "--flows", self.write("empty", ""), code=1, has="not a capture")

    def test_wrong_command_lines(self):
        self.error("scan", code=2, has="name a capture")
        self.error("scan", "--flow", self.cap, code=2, has="did you mean --flows?")
        self.error("scan", "--ndpi", "maybe", self.cap, code=2, has="undecided, all, off")
        self.error("scan", "--local", "10.0.0.0/33", self.cap, code=2, has="--local")
        self.error("scan", "--group-by", "colour", self.cap, code=2, has="one of vendor")
        self.error("scan", "--sort", "colour", self.cap, code=2, has="one of vendor")
        self.error("scan", "--since", "soon", self.cap, code=2, has="--since soon")
        self.error("scan", "--host", "here", self.cap, code=2, has="--host here")
        self.error("scan", "--function", "phone", self.cap, code=2, has="update, telemetry")
        self.error("scan", "--limit", "many", self.cap, code=2, has="want a number")
        self.error("scan", "--packs", code=2, has="needs a value")

    def test_wrong_packs_and_policy(self):
        bad = self.write("packs/bad.yaml", command.PACK.replace("vendor:", "vendr:", 1))
        _, err = self.run_it("scan", self.cap, code=2)
        self.assertRegex(err, r"(?m)^.*bad\.yaml:\d+:\d+: .*vendr")
        os.unlink(bad)
        policy = self.write("p.yaml", "format: 1\nmode: sometimes\n")
        _, err = self.run_it("scan", "--policy", policy, self.cap, code=2)
        self.assertRegex(err, r"p\.yaml:2:\d+: ")
        _, err = self.run_it("scan", "--policy", self.path("nope.yaml"), self.cap, code=2)
        self.assertIn("nope.yaml", err)
        _, err = self.run_it("scan", "--packs", self.path("nope"), self.cap, code=2)
        self.assertIn("nope", err)

    def test_policy(self):
        policy = self.write("p.yaml", "format: 1\nmode: enforce\nrules:\n  - name: no-us\n    action: drop\n"
                            "    state: enforce\n    match: {country: [US], function: [telemetry]}\n")
        flows = self.lines("scan", "--flows", "--json", "--policy", policy, self.cap)
        verdicts = {f["name"]: (f["verdict"], f.get("rule")) for f in flows if "vendor" in f}
        self.assertEqual(verdicts["a1.telemetry.acme-edr.com"], ("drop", "no-us"))
        self.assertEqual(verdicts["update.acme-edr.com"][0], "pass")
        self.assertEqual(verdicts["x.telemetry.zeta-edr.com"][0], "pass")

    def test_local(self):
        rows = self.json("scan", "--json", "--local", "203.0.113.0/24", self.cap)
        self.assertNotIn("2001:db8::5", {r["host"] for r in rows if r["host"].startswith("10.")})

    def test_filters_and_groups(self):
        self.assertEqual(len(self.json("scan", "--json", "--country", "us", self.cap)), 2)
        self.assertEqual(len(self.json("scan", "--json", "--vendor", "zeta", "--function", "update", self.cap)), 1)
        self.assertEqual(len(self.json("scan", "--json", "--host", "10.0.0.0/30", self.cap)), 3)
        groups = self.json("scan", "--json", "--group-by", "vendor", self.cap)
        self.assertEqual([(g["vendor"], g["hosts"], g["flows"]) for g in groups], [("Acme", 2, 3), ("Zeta", 2, 2)])

    def test_csv(self):
        rows = self.json("scan", "--json", self.cap)
        table = list(csv.DictReader(io.StringIO(self.run_it("scan", "--csv", self.cap)[0])))
        self.assertEqual(len(table), len(rows))
        for j, c in zip(rows, table):
            for k, v in j.items():
                text = " ".join(v) if isinstance(v, list) else str(v).lower() if isinstance(v, bool) else str(v)
                self.assertEqual(c[k], text, k)

    def test_into_a_store(self):
        db = self.path("s.db")
        direct = self.json("scan", "--json", "--sensor", "lab", "--store", db, self.cap)
        self.assertEqual(self.json("report", "--json", "--store", db), direct)
        flows = self.lines("scan", "--flows", "--json", self.cap)
        key = lambda f: (f["first"], f["src"]["port"])  # noqa: E731
        self.assertEqual(sorted(self.lines("flows", "--json", "--store", db), key=key), sorted(flows, key=key))

    def test_captures_add_up_in_a_store(self):
        """Three captures of one sensor, the oldest last: since when, until when, how many."""
        db, day = self.path("s.db"), 86400
        for start, flows in ((1795389322, 2), (1795389322 + day, 3), (1795389322 - day, 4)):
            p = [x for i in range(flows) for x in wire.tls("10.0.0.1", 40000 + i, "203.0.113.1", "a.telemetry.acme-edr.com")]
            cap = self.write("c.pcap", wire.pcap(p, start=start))
            shown = self.json("scan", "--json", "--store", db, cap)
            self.assertEqual([r["flows"] for r in shown], [flows])  # a scan shows what is in its capture
        row, = self.json("report", "--json", "--store", db)
        self.assertEqual((row["flows"], row["first_seen"][:10], row["last_seen"][:10]), (9, "2026-11-21", "2026-11-23"))
        self.assertEqual(len(self.lines("flows", "--json", "--store", db)), 9)
        days = self.json("trend", "--json", "--since", "2026-11-01", "--until", "2026-11-30", "--store", db)
        self.assertEqual([d["day"] for d in days], ["2026-11-21", "2026-11-22", "2026-11-23"])

    def test_more_records_than_the_spool_holds(self):
        db, n = self.path("s.db"), 70000
        labels = "a.telemetry.acme-edr.com"
        cap = self.write("many.pcap", wire.pcap([x for i in range(n) for x in wire.query(f"10.0.{i >> 15}.1", 1024 + i % 32768,
                                                                                 "192.0.2.53", labels)], step_us=10))
        rows = self.json("scan", "--json", "--store", db, cap)
        self.assertEqual(sum(r["flows"] for r in rows), n)
        self.assertEqual(self.json("report", "--json", "--store", db), rows)
        kept = sqlite3.connect(db).execute("SELECT count(*) FROM events").fetchone()[0]
        self.assertEqual(kept, n)

    def test_closed_output(self):
        many = self.write("many.pcap", wire.pcap(office() * 2000))
        r = subprocess.run(["bash", "-o", "pipefail", "-c", f"{command.BIN} scan --flows --json {many} | head -n 1"],
                           capture_output=True, env={**os.environ, "PHONEHOME_PACKS": self.path("packs")},
                           check=False)
        self.assertEqual((r.returncode, r.stderr), (0, b""))
        with open("/dev/full", "wb") as full:
            r = subprocess.run([command.BIN, "scan", "--flows", "--json", self.cap], stdout=full,
                               stderr=subprocess.PIPE, env={**os.environ, "PHONEHOME_PACKS": self.path("packs")},
                               check=False)
        self.assertEqual(r.returncode, 1)
        self.assertIn(b"No space left", r.stderr)


class Hostile(command.Command):
    """65,536 names that nobody should trust: each two-byte start once, in TLS and HTTP in turn."""

    def test_every_output(self):
        packets = []
        for i in range(65536):
            name = bytes([i >> 8, i & 255]) + b"\x1b]0;x\x07,\"'\r\n\\.telemetry.acme-edr.com"
            src, port = f"10.{i >> 14}.{i >> 7 & 127}.{i & 127}", 20000 + i % 40000
            if i % 2:
                packets.append(wire.tcp(src, port, "203.0.113.1", 443, 1, 1, 24, wire.hello(name)))
            else:
                packets.append(wire.tcp(src, port, "203.0.113.1", 443, 1, 1, 24, wire.hello(name[:2] + b".acme-edr.com")))
        cap = self.write("hostile.pcap", wire.pcap(packets, step_us=2000))
        db = self.path("h.db")
        flows = self.lines("scan", "--flows", "--json", "--store", db, cap)
        self.assertEqual(len(flows), 65536)
        named = [f for f in flows if f.get("names")]
        self.assertGreater(len(named), 65000)
        for args in (("scan", "--flows", cap), ("scan", "--flows", "--csv", cap), ("scan", cap), ("scan", "--csv", cap),
                     ("flows", "--store", db), ("flows", "--csv", "--store", db), ("flows", "--json", "--store", db),
                     ("report", "--store", db), ("report", "--json", "--store", db), ("hosts", "--store", db)):
            out, err = self.run_it(*args)
            bad = {c for c in out + err if (ord(c) < 32 and c != "\n") or ord(c) > 126}
            self.assertEqual(bad, set(), args)
            if "--csv" in args:
                self.assertEqual(len({len(r) for r in csv.reader(io.StringIO(out))}), 1, args)
        table = list(csv.DictReader(io.StringIO(self.run_it("scan", "--flows", "--csv", cap)[0])))
        formula = re.compile("^[-=+@]")  # what a spreadsheet would calculate is escaped in CSV
        self.assertEqual([r["name"] for r in table],
                         [formula.sub(lambda m: f"\\x{ord(m[0]):02x}", f.get("name", "")) for f in flows])
        self.assertTrue(any(r["name"].startswith("\\x2d") for r in table))
        valid = command.schema("flow-record.json")
        for f in flows[::97]:
            valid.validate(f)
        # The raw bytes come back out of the escapes.
        seen = set()
        for f in named:
            for n in f["names"]:
                raw = n.encode().decode("unicode_escape").encode("latin-1")
                seen.add(raw[:2])
        self.assertGreater(len(seen), 30000)


if __name__ == "__main__":
    unittest.main()
