# SPDX-License-Identifier: Apache-2.0
"""The other verbs: from a store, from a stand-in daemon that speaks the control protocol, and all their errors."""
import datetime
import json
import os
import socket
import sqlite3
import threading
import time
import unittest

import command
import wire

DAY = 86400


def on_day(days_ago):
    """Noon (UTC), that many days ago."""
    return int(time.time()) // DAY * DAY - days_ago * DAY + DAY // 2


class Store(command.Command):
    """History of forty days: a fleet that leaves Acme for Zeta, host by host."""

    def setUp(self):
        super().setUp()
        self.db = self.path("s.db")
        for ago, left, moved in ((40, 4, 0), (20, 3, 1), (1, 2, 2)):
            p = []
            for h in range(left):
                p += wire.tls(f"10.0.0.{10 + h}", 40000 + h, "203.0.113.1", "a.telemetry.acme-edr.com")
            for h in range(moved):
                p += wire.http(f"10.0.0.{12 + h}", 41000 + h, "203.0.113.2", "update.zeta-edr.com")
            if ago == 1:
                p += wire.http("10.0.0.11", 42000, "203.0.113.2", "update.zeta-edr.com")
            cap = self.write(f"{ago}.pcap", wire.pcap(p, start=on_day(ago)))
            self.run_it("scan", "--json", "--sensor", "lab", "--store", self.db, cap)
        self.policy = self.write("p.yaml", "format: 1\ngroups:\n  - {name: foreign, countries: [US]}\n"
                                 "  - {name: replacement, vendors: [zeta]}\n")

    def rows(self, *args):
        return self.json(*args, "--json", "--store", self.db)

    def test_report(self):
        valid = command.schema("inventory-row.json")
        rows = self.rows("report")
        for r in rows:
            valid.validate(r)
        self.assertEqual(len(rows), 4 + 3)
        self.assertEqual({r["host"] for r in self.rows("report", "--since", "5d")},
                         {"10.0.0.10", "10.0.0.11", "10.0.0.12", "10.0.0.13"})
        groups = self.rows("report", "--group-by", "product", "--sort", "hosts")
        self.assertEqual([(g["vendor"], g["hosts"]) for g in groups], [("Acme", 4), ("Zeta", 3)])
        self.assertEqual(self.rows("report", "--vendor", "nobody"), [])
        self.assertEqual(len(self.rows("report", "--country", "US,CN")), 7)
        self.assertEqual(len(self.rows("report", "--country", "US,IL", "--limit", "3")), 3)
        self.assertEqual(len(self.rows("report", "--limit", "2")), 2)
        self.assertEqual(self.rows("report", "--all-sensors"), rows)
        self.assertEqual(self.rows("report", "--sensor", "elsewhere"), [])

    def test_hosts(self):
        self.assertEqual({h["host"] for h in self.rows("hosts", "acme")},
                         {f"10.0.0.{i}" for i in (10, 11, 12, 13)})
        self.assertEqual({h["host"] for h in self.rows("hosts", "ACME EDR", "--not-seen", "15d")},
                         {"10.0.0.12", "10.0.0.13"})
        for span in ("40000d", "100y", "1970-01-01"):  # before any clock began: nobody was silent, nothing seen that long
            self.assertEqual(self.rows("hosts", "acme", "--not-seen", span), [], span)
            self.assertEqual(self.rows("report", "--until", span), [], span)
            self.assertEqual(len(self.rows("report", "--since", span)), 7, span)
        db = sqlite3.connect(self.db)  # as of a host that has not called since the packs called it so
        db.execute("UPDATE rows SET product = 'Acme before', country = 'FR' WHERE host = '10.0.0.13' AND vendor_id = 'acme'")
        db.commit()
        db.close()
        self.assertEqual({(h["product"], h["country"]) for h in self.rows("hosts", "acme")}, {("Acme EDR", "US")})
        _, err = self.run_it("hosts", "nothing", "--store", self.db)
        self.assertIn("no host runs nothing", err)
        _, err = self.run_it("hosts", "acme", "--not-seen", "41d", "--store", self.db)
        self.assertIn("no host fell silent: all 4 that run acme called home within 41d", err)

    def test_flows(self):
        valid = command.schema("flow-record.json")
        flows = self.lines("flows", "--json", "--store", self.db)
        for f in flows:
            valid.validate(f)
        self.assertEqual(len(flows), 4 + 4 + 5)
        self.assertEqual(len(self.lines("flows", "--json", "--store", self.db, "--name", "zeta")), 4)
        self.assertEqual(len(self.lines("flows", "--json", "--store", self.db, "--limit", "3")), 3)
        self.assertEqual(len(self.lines("flows", "--json", "--store", self.db, "--verdict", "drop")), 0)
        db = sqlite3.connect(self.db)  # as the recorder marks records that found no room
        for at, lost in ((on_day(20), 150), (on_day(1), 7)):
            db.execute("INSERT INTO events(sensor, first_us, last_us, layout, lost) VALUES('lab', ?, ?, 0, ?)",
                       (at * 1000000, at * 1000000, lost))
        db.commit()
        db.close()
        for form in ((), ("--json",), ("--csv",)):
            out, err = self.run_it("flows", *form, "--store", self.db)
            self.assertEqual(out.count("203.0.113."), 13)
            self.assertIn("150 flow records of sensor lab are missing here", err)
            self.assertIn("7 flow records of sensor lab are missing here", err)
        _, err = self.run_it("flows", "--since", "5d", "--store", self.db)
        self.assertNotIn("150 flow", err)
        self.assertIn("7 flow", err)
        self.error("flows", "--verdict", "burn", "--store", self.db, code=2, has="would-drop")

    def test_why(self):
        out, _ = self.run_it("why", "10.0.0.12", "--store", self.db)
        for text in ("runs Acme EDR (US), telemetry", "packet 4 of the flow showed tls.sni = a.telemetry.acme-edr.com",
                     "signature acme/telemetry (pack 2026.11.22)", "source: https://acme.example/doc",
                     "that is certain", "verdict pass"):
            self.assertIn(text, out)
        self.assertIn("update.zeta-edr.com", self.run_it("why", "10.0.0.12:41000", "--store", self.db)[0])
        self.assertIn("10.0.0.11", self.run_it("why", "10.0.0.11:42000-203.0.113.2:80", "--store", self.db)[0])
        self.assertIn("zeta/update", self.run_it("why", "update.zeta-edr.com", "--store", self.db)[0])
        self.assertIn("zeta/update", self.run_it("why", "Update.ZETA-edr.com.", "--store", self.db)[0])
        self.assertEqual(len(self.lines("flows", "--json", "--store", self.db, "--name", "ZETA")), 4)
        six = self.write("6.pcap", wire.pcap(wire.tls("2001:db8::a", 40000, "2001:db8::b", "update.zeta-edr.com")))
        self.run_it("scan", "--json", "--local", "2001:db8::a", "--store", self.path("6.db"), six)
        for flow in ("[2001:DB8::A]:40000", "[2001:db8:0::a]:040000-[2001:db8::B]:443", "[2001:db8::b]:443"):
            self.assertIn("[2001:db8::a]:40000 -> [2001:db8::b]:443", self.run_it("why", flow, "--store", self.path("6.db"))[0])
        for none in ("10.0.0.11:42000x", "10.0.0.11:99999", "[10.0.0.11]:42000", "2001:db8::a:40000", "-", "update.zeta-edr.co"):
            self.error("why", none, "--store", self.db, code=1, has=f"nothing is known of {none}")
        self.write("packs/zeta.yaml", command.OTHER.replace("host: update.zeta-edr.com", "address: [203.0.113.0/24]")
                   .replace("confidence: high", "confidence: medium"))
        bare = self.write("b.pcap", wire.pcap(wire.stream("10.0.0.1", 40000, "203.0.113.1", 443, b"x" * 40)))
        self.run_it("scan", "--json", "--store", self.path("b.db"), bare)
        self.assertIn("showed address = 203.0.113.1\n", self.run_it("why", "10.0.0.1", "--store", self.path("b.db"))[0])
        many = "".join(f"  - {{id: s{i}, product: edr, function: update, confidence: high, match: [{{host: h{i}.acme-edr.com}}],\n"
                       "     source: https://acme.example/doc, reviewed: 2026-11-22}\n" for i in range(40))
        self.write("packs/acme.yaml", command.PACK + many)
        cap = self.write("m.pcap", wire.pcap([p for i in range(40) for p in wire.tls(
            "10.0.0.1", 40000 + i, "203.0.113.1", f"h{i}.acme-edr.com")]))
        self.run_it("scan", "--json", "--store", self.path("m.db"), cap)
        self.assertEqual(self.run_it("why", "10.0.0.1", "--store", self.path("m.db"))[0].count("that is certain"), 40)
        pack = command.PACK.replace("name: Acme EDR", 'name: "Acme \\u5b89\\u5168"').replace("confidence: high", "confidence: medium")
        self.write("packs/acme.yaml", pack)
        self.run_it("scan", "--json", "--store", self.path("w.db"), self.path("1.pcap"))
        out, _ = self.run_it("why", "10.0.0.10", "--store", self.path("w.db"), env={"LC_ALL": "C.UTF-8"})
        self.assertEqual(out.count("Acme \u5b89\u5168"), 2, out)
        self.assertIn("that is strong: what was read is surer than that, the pack's signature is not", out)
        out, _ = self.run_it("why", "10.0.0.10", "--store", self.path("w.db"))
        self.assertTrue(out.isascii() and out.count("\\xe5\\xae\\x89") == 2, out)
        self.error("why", "10.9.9.9", "--store", self.db, code=1, has="nothing is known of 10.9.9.9")
        self.error("why", code=2, has="name a host")

    def test_trend_and_diff(self):
        days = self.rows("trend", "--since", "60d", "--vendor", "acme")
        self.assertEqual([d["hosts"] for d in days], [4, 3, 2])
        self.assertEqual(days[0]["day"], str(datetime.datetime.fromtimestamp(on_day(40), datetime.timezone.utc).date()))
        out, _ = self.run_it("trend", "--since", "60d", "--store", self.db)
        self.assertIn("@", out)
        out, _ = self.run_it("trend", "--since", "60d", "--vendor", "acme", "--store", self.db)
        self.assertIn("#" * 50, out)
        d = {x["vendor_id"]: x for x in self.rows("diff", "38d", "now")}
        self.assertEqual((d["acme"]["then"], d["acme"]["now"], d["acme"]["change"]), (4, 2, -2))
        self.assertEqual(sorted(d["acme"]["gone"]), ["10.0.0.12", "10.0.0.13"])
        self.assertEqual(sorted(d["zeta"]["new"]), ["10.0.0.11", "10.0.0.12", "10.0.0.13"])
        _, err = self.run_it("diff", "38d", "now", "--store", self.db)
        self.assertNotIn("nothing at all", err)
        for ago, young in ((40, False), (34, False), (33, True), (41, True)):  # of 7 days the last, the first, none
            _, err = self.run_it("diff", f"{ago}d", "--store", self.db)
            self.assertEqual("nothing at all" in err, young, (ago, err))
        for window in ("0", "367", "7x", "4294967303", "-7"):
            self.error("diff", "38d", "--window", window, code=2, has="want 1 to 366 days")
        out, err = self.run_it("diff", "60d", "now", "--vendor", "acme", "--store", self.db)
        self.assertIn("nothing at all is recorded of the 7 days", err)
        self.error("trend", "--json", "--vendor", "a,b", "--store", self.db, code=2, has="one value")
        self.error("diff", code=2, has="name the date")
        self.error("diff", "soon", code=2, has="want a date")
        self.error("diff", "1d", "2d", "3d", code=2, has="two dates, not three")

    def test_migration(self):
        m = {x["host"]: x for x in self.rows("migration", "--policy", self.policy)}
        self.assertEqual({h: x["state"] for h, x in m.items()},
                         {"10.0.0.10": "not-moved", "10.0.0.11": "both", "10.0.0.12": "moved", "10.0.0.13": "moved"})
        self.assertLess(m["10.0.0.12"]["from_last_seen"], m["10.0.0.12"]["to_last_seen"])
        self.assertEqual(len(self.rows("migration", "--policy", self.policy, "--state", "both")), 1)
        m = {x["host"]: x["state"] for x in self.rows("migration", "--policy", self.policy, "--active", "1h")}
        self.assertEqual(set(m.values()), {"neither"})
        db = sqlite3.connect(self.db)  # a host of many products: all are told
        row = db.execute("SELECT * FROM rows WHERE host = '10.0.0.13' AND vendor_id = 'acme'").fetchone()
        names = [d[1] for d in db.execute("PRAGMA table_info(rows)")]
        for i in range(9):
            more = [{"id": None, "product_id": f"p{i}", "product": f"P{i}"}.get(n, v) for n, v in zip(names, row)]
            db.execute(f"INSERT INTO rows VALUES({','.join('?' * len(more))})", more)
        db.commit()
        db.close()
        m = {x["host"]: x for x in self.rows("migration", "--from", "acme")}
        self.assertEqual(m["10.0.0.13"]["from_products"], ["Acme EDR", *(f"P{i}" for i in range(9))])
        self.error("migration", "--store", self.db, code=2, has="--policy FILE")
        self.error("migration", "--policy", self.policy, "--from", "nowhere", "--store", self.db, code=2,
                   has="no group nowhere")

    def test_simulate(self):
        hit = self.rows("policy", "simulate", "--country", "US", "--function", "telemetry")
        self.assertEqual([(h["vendor"], h["hosts"], h["flows"], h["effect"]) for h in hit],
                         [("Acme", 4, 9, "would-drop")])
        hit = self.rows("policy", "simulate", "--vendor", "zeta", "--since", "5d")
        self.assertEqual((hit[0]["hosts"], hit[0]["collateral"]), (3, "protection goes stale: updates"))
        monitor = self.write("m.yaml", "format: 1\nmode: monitor\nrules:\n  - name: r\n    action: drop\n"
                             "    state: enforce\n    match: {vendor: [acme]}\n")
        self.assertEqual(self.rows("policy", "simulate", monitor)[0]["rule"], "r")
        self.assertEqual(self.rows("policy", "simulate", monitor, "--vendor", "zeta"), [])
        self.assertEqual(self.rows("policy", "simulate", monitor, "--function", "telemetry", "--vendor", "ACME")[0]["flows"], 9)
        with open(monitor, encoding="utf-8") as f:
            resets = self.write("r.yaml", f.read().replace("drop", "reset"))
        for given in (("--country", "US", "--action", "reset"), (resets,)):
            self.assertEqual(self.rows("policy", "simulate", *given)[0]["effect"], "would-reset", given)
        self.write("packs/acme.yaml", command.PACK.replace("confidence: high", "confidence: medium"))
        self.run_it("scan", "--json", "--store", self.path("w.db"), self.path("1.pcap"))
        for sure, n in (("strong", 1), ("certain", 0)):
            hit = self.json("policy", "simulate", "--vendor", "acme", "--confidence", sure, "--json", "--store", self.path("w.db"))
            self.assertEqual(len(hit), n, sure)
        _, err = self.run_it("policy", "simulate", "--vendor", "acne", "--store", self.db)
        self.assertIn("no pack knows acne: did you mean acme?", err)
        self.error("policy", "simulate", "--store", self.db, code=2, has="say what to drop")
        self.error("policy", "simulate", "--vendor", "a\"b", "--store", self.db, code=2, has="character")

    def test_no_source(self):
        self.error("report", "--store", self.path("none.db"), code=1, has="none.db")
        self.error("report", "--socket", self.path("none.sock"), code=1, has="none.sock: no such socket")
        self.error("report", "--store", "ftp://x", code=1, has="ftp://x")
        for verb in ("status", "reload", "stop"):
            self.error(verb, "--socket", self.path("none.sock"), code=1, has="is phonehomed running?")
        self.error("bypass", "--socket", self.path("none.sock"), code=2, has="say on or off")


class Policy(command.Command):
    def setUp(self):
        super().setUp()
        self.good = self.write("good.yaml", "format: 1\nmode: enforce\nrules:\n  - name: us\n    action: drop\n"
                               "    state: enforce\n    match: {country: [US]}\n    except:\n"
                               "      - {host: [10.7.0.0/16]}\n")

    def test_check(self):
        self.assertIn("1 rule,", self.run_it("policy", "check", self.good)[0])
        self.assertEqual(self.json("policy", "check", "--json", self.good)["mode"], "enforce")
        bad = self.write("bad.yaml", "format: 1\nmodes: enforce\n")
        self.error("policy", "check", bad, code=2, has="bad.yaml:2:1: ")
        typo = self.write("typo.yaml", "format: 1\nrules:\n  - name: r\n    action: drop\n"
                          "    match: {vendor: [acmee]}\n")
        _, err = self.run_it("policy", "check", typo)
        self.assertIn("acmee", err)
        self.error("policy", "check", code=2, has="name the policy file")
        self.error("policy", "chekc", code=2, has="did you mean check?")

    def test_show(self):
        self.assertIn("us", self.run_it("policy", "show", self.good)[0])
        self.assertEqual(self.json("policy", "show", "--json", self.good)["rules"], [{"name": "us"}])

    def test_test(self):
        a = self.json("policy", "test", "--json", "-p", self.good, "x.telemetry.acme-edr.com")
        self.assertEqual((a["verdict"], a["rule"], a["vendor"]), ("drop", "us", "Acme"))
        a = self.json("policy", "test", "--json", "-p", self.good, "x.telemetry.acme-edr.com", "--host", "10.7.1.1")
        self.assertEqual(a["verdict"], "pass")
        a = self.json("policy", "test", "--json", "-p", self.good, "x.telemetry.acme-edr.com", "--ambiguous")
        self.assertEqual((a["verdict"], a["kept"]), ("pass", "ambiguous"))
        a = self.json("policy", "test", "--json", "-p", self.good, "www.example.org")
        self.assertNotIn("vendor", a)
        self.error("policy", "test", code=2, has="name a host name")
        self.error("policy", "test", "x", "--port", "99999", code=2, has="--port")


class Daemon:
    """A daemon that answers from a table, or misbehaves as told."""

    def __init__(self, path, answer):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(8)
        self.answer, self.asked = answer, []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                c, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.client, args=(c,), daemon=True).start()

    def client(self, c):
        with c, c.makefile("rwb") as f:
            for line in f:
                request = json.loads(line)
                self.asked.append(request)
                reply = self.answer(request)
                if reply is None:
                    return
                if isinstance(reply, dict):
                    reply = json.dumps({"jsonrpc": "2.0", "id": request["id"], **reply}).encode() + b"\n"
                try:
                    f.write(reply)
                    f.flush()
                except OSError:
                    return

    def close(self):
        self.socket.close()


class Live(command.Command):
    def daemon(self, answer):
        path = self.path("d%d.sock" % len(os.listdir(self.dir.name)))
        d = Daemon(path, answer)
        self.addCleanup(d.close)
        return d, ("--socket", path)

    def test_pages(self):
        rows = [{"sensor": "s", "host": f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}", "product": "P", "product_id": "p",
                 "vendor": "V", "vendor_id": "v", "country": "US", "forwarder": i % 1000 == 7, "flows": 1, "bytes_up": 1,
                 "bytes_down": 1, "dropped": 0, "function": "update", "confidence": "strong",
                 "names": ["evil\x1b[2J"]} for i in range(100000)]

        def answer(r):
            p = r["params"]
            at = int(p.get("cursor", 0))
            page = rows[at:at + p["page"]]
            return {"result": {"rows": page, "cursor": str(at + len(page)) if at + len(page) < len(rows) else None}}
        d, where = self.daemon(answer)
        began = time.monotonic()
        out, _ = self.run_it("report", *where)
        self.assertLess(time.monotonic() - began, 300)
        self.assertEqual(len(out.splitlines()), 1 + 99900)
        self.assertNotIn("\x1b", out)
        self.assertEqual(len(d.asked), 200)
        self.assertEqual(self.json("report", "--json", "--group-by", "vendor", *where)[0]["hosts"], 99900)
        self.assertEqual(self.json("report", "--json", "--group-by", "vendor", "--forwarders", *where)[0]["hosts"], 100000)

    def test_refusals(self):
        cases = [
            (lambda r: {"error": {"code": -32001, "message": "no"}}, 1, "not allowed"),
            (lambda r: {"error": {"code": -32000, "message": "a\x1b[2Jb"}}, 1, "a\\x1b[2Jb"),
            (lambda r: None, 1, "closed the connection"),
            (lambda r: b"nonsense\n", 1, "not JSON"),
            (lambda r: b"[]\n", 1, "not a JSON-RPC"),
            (lambda r: b'{"jsonrpc":"2.0","id":99,"result":{}}\n', 1, "not a JSON-RPC"),
        ]
        for answer, code, has in cases:
            _, where = self.daemon(answer)
            self.error("status", *where, code=code, has=has)
        _, where = self.daemon(lambda r: {"result": {"rows": [{"host": 7}], "cursor": None}})
        _, err = self.run_it("report", "--csv", *where, code=1)
        self.assertIn("not what the protocol says", err)

    def test_reload_faults(self):
        _, where = self.daemon(lambda r: {"error": {"code": -32000, "message": "refused",
                                                    "data": {"faults": ["/etc/p.yaml:3:5: unknown key"]}}})
        _, err = self.run_it("reload", *where, code=2)
        self.assertEqual(err, "/etc/p.yaml:3:5: unknown key\nphonehome: reload: refused\n")

    def test_control(self):
        d, where = self.daemon(lambda r: {"result": {"bypass": True}})
        self.assertIn("bypass is on", self.run_it("bypass", "on", *where)[0])
        self.assertIn("reloaded", self.run_it("reload", *where)[0])
        self.assertIn("stopping", self.run_it("stop", *where)[0])
        self.assertEqual([(r["method"], r.get("params")) for r in d.asked],
                         [("bypass", {"on": True}), ("reload", None), ("stop", None)])
        valid = command.schema("reply.json")
        valid.validate({"jsonrpc": "2.0", "id": 1, "result": {}})


class Help(command.Command):
    def test_overview(self):
        out, _ = self.run_it("--help")
        for question in ("who still runs Falcon?", "what would dropping telemetry of US vendors hit?",
                         "did we get below last month?"):
            self.assertIn(question, out)
        self.assertEqual(self.run_it("help")[0], out)
        self.assertIn("usage", self.run_it(code=2)[1])
        self.assertRegex(self.run_it("--version")[0], r"^phonehome \d")

    def test_every_verb(self):
        verbs = self.run_it("__complete", "verbs")[0].split()
        self.assertGreaterEqual(len(verbs), 15)
        for v in verbs:
            out, err = self.run_it(v, "--help")
            self.assertIn("usage", out.lower())
            self.assertEqual(err, "")
            if v != "help":
                self.assertIn("phonehome " + v, out)
            if v not in ("help", "version"):
                self.assertIn("example", out)
        for v in ("check", "show", "test", "simulate"):
            self.assertIn("examples:", self.run_it("policy", v, "--help")[0])

    def test_nearest(self):
        self.error("reprot", code=2, has="did you mean report?")
        self.error("xyzzy", code=2, has="unknown verb xyzzy")
        self.error("x\x1b[2J", code=2, has="unknown verb x\\x1b[2J")
        self.error("report", "--vender", "x", code=2, has="did you mean --vendor?")
        self.error("report", "crowdstrike", code=2, has="filters are options")

    def test_completion(self):
        self.assertEqual(self.run_it("__complete", "values", "--vendor")[0].split(), ["acme", "zeta"])
        self.assertEqual(self.run_it("__complete", "values", "--product")[0].split(), ["edr"])
        self.assertEqual(self.run_it("__complete", "values", "--country")[0].split(), ["US", "CN"])
        self.assertEqual(self.run_it("__complete", "values", "--from")[0].split(), ["US", "CN", "acme", "zeta"])
        self.assertEqual(self.run_it("__complete", "arguments", "help")[0], self.run_it("__complete", "verbs")[0])
        self.assertIn("--group-by", self.run_it("__complete", "options", "report")[0].split())
        self.assertIn("--action", self.run_it("__complete", "options", "policy", "simulate")[0].split())

    def test_colours(self):
        import pty

        def on_terminal(**env):
            e = {**os.environ, "TERM": "xterm", "PHONEHOME_PACKS": self.path("packs"), **env}
            pid, fd = pty.fork()
            if pid == 0:
                os.execve(command.BIN, [command.BIN, "doctor"], e)
            out = b""
            try:
                while True:
                    chunk = os.read(fd, 4096)
                    if not chunk:
                        break
                    out += chunk
            except OSError:
                pass
            os.waitpid(pid, 0)
            os.close(fd)
            return out
        self.assertIn(b"\x1b[", on_terminal(NO_COLOR=""))
        self.assertNotIn(b"\x1b[", on_terminal(NO_COLOR="1"))
        self.assertNotIn("\x1b", self.run_it("doctor", env={"TERM": "xterm"})[0])


class Doctor(command.Command):
    def test_a_made_machine(self):
        def put(name, text):
            os.makedirs(os.path.dirname(self.path("root" + name)), exist_ok=True)
            self.write("root" + name, text)
        put("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "1024\n")
        put("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "512\n")
        put("/proc/mounts", "nodev /dev/hugepages hugetlbfs rw 0 0\n")
        put("/sys/devices/system/cpu/isolated", "1-3\n")
        put("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n")
        put("/sys/kernel/iommu_groups/0/type", "DMA\n")
        put("/sys/bus/pci/devices/0000:03:00.0/class", "0x020000\n")
        put("/sys/bus/pci/devices/0000:03:00.0/numa_node", "1\n")
        put("/sys/class/net/eth1/mtu", "1500\n")
        put("/sys/class/net/eth2/mtu", "9000\n")

        def ask(*devices, code=0):
            out, _ = self.run_it("doctor", "--json", "--socket", self.path("no.sock"), *devices, code=code,
                                 env={"PHONEHOME_DOCTOR_ROOT": self.path("root")})
            got = {}
            for line in json.loads(out):
                got.setdefault(line["check"], []).append((line["level"], line["found"], line.get("mend")))
            return got
        got = ask()
        self.assertEqual(got["hugepages"][0][:2], ("ok", "2048 MB of huge pages, 1024 MB free"))
        self.assertEqual(got["cores"][0][:2], ("ok", "cores 1-3 are kept free for workers"))
        self.assertEqual(got["frequency"][0][2], "apt install linux-cpupower; cpupower frequency-set -g performance")
        self.assertEqual([x[0] for x in got["iommu"]], ["ok", "note"])
        self.assertEqual(got["drivers"][0][2], "dpdk-devbind.py --bind=vfio-pci 0000:03:00.0")
        # nobody says that they are a pair: each is as it is
        self.assertEqual(got["mtu"], [("ok", "eth1 has MTU 1500", None), ("ok", "eth2 has MTU 9000", None)])
        self.assertEqual(ask("03:00.0")["drivers"], ask("0000:03:00.0")["drivers"])
        pair = ask("eth1", "eth2", code=1)["mtu"]
        self.assertEqual([(x[0], x[2]) for x in pair], [("fail", "ip link set eth1 mtu 9000")])

    def test_a_device_that_is_none(self):
        out, _ = self.run_it("doctor", "--json", "--socket", self.path("no.sock"), "nosuch0", code=1)
        self.assertEqual([x["found"] for x in json.loads(out) if x["level"] == "fail" and x["check"] == "drivers"],
                         ["nosuch0: no such interface, and no such PCI device"])

    def test_failing_store(self):
        self.write("junk.db", "this is no database" * 100)
        out, _ = self.run_it("doctor", "--json", "--store", self.path("junk.db"), code=1)
        self.assertIn("fail", {x["level"] for x in json.loads(out) if x["check"] == "store"})


if __name__ == "__main__":
    unittest.main()
