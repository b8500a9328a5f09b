# SPDX-License-Identifier: Apache-2.0
"""The command against the real daemon: replies held against the schemas, both doors compared."""
import json
import os
import signal
import socket
import subprocess
import time
import unittest

import command

DAEMON = os.environ.get("PHONEHOMED", os.path.join(command.ROOT, "build/dataplane/phonehomed"))
CAPTURE = os.path.join(command.ROOT, "tests/cases/real-clients/input.pcap")
PACKS = os.path.join(command.ROOT, "signatures/packs")


@unittest.skipUnless(os.access(DAEMON, os.X_OK) and os.geteuid() == 0, "needs phonehomed and root")
class Real(command.Command):
    def start(self, *more):
        self.sock, self.db = self.path("c.sock"), self.path("d.db")
        args = [DAEMON, "--no-huge", "--mirror", f"net_pcap0,rx_pcap={CAPTURE}", "--packs", PACKS, "--store", self.db,
                "--socket", self.sock, "--sensor", "edge", *more]
        log = open(self.path("log"), "wb")
        self.addCleanup(log.close)
        clock = {"LD_PRELOAD": command.STEP_CLOCK, "STEP_CLOCK": self.path("step")} if command.STEP_CLOCK else {}
        p = subprocess.Popen(args, stdout=log, stderr=log, env={**os.environ, **clock})
        self.addCleanup(lambda: (p.kill(), p.wait()) if p.poll() is None else None)
        return p

    def ready(self):
        for _ in range(600):
            s = subprocess.run([command.BIN, "status", "--json", "--socket", self.sock], capture_output=True, check=False)
            if s.returncode == 0 and json.loads(s.stdout)["ready"] and json.loads(s.stdout)["engine"]["frames"] >= 500:
                return
            time.sleep(0.1)
        with open(self.path("log"), encoding="utf-8") as f:
            self.fail("the daemon is not ready: " + f.read()[-500:])

    def ask(self, method, params=None):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.sock)
            request = {"jsonrpc": "2.0", "id": 5, "method": method}
            if params is not None:
                request["params"] = params
            s.sendall(json.dumps(request).encode() + b"\n")
            line = s.makefile("rb").readline()
        reply = json.loads(line)
        command.schema("reply.json").validate(reply)
        return reply

    def test_replies(self):
        p = self.start()
        self.ready()
        for method, name, params in (("status", "status.json", None), ("report", "report-page.json", {}),
                                     ("report", "report-page.json", {"page": 3}), ("flows", "flows-page.json", {"page": 5}),
                                     ("policy", "policy.json", None), ("reload", "reload.json", None)):
            reply = self.ask(method, params)
            self.assertIn("result", reply, reply)
            command.schema(name).validate(reply["result"])
        self.write("step", "86400")
        self.assertLess(self.ask("status")["result"]["uptime_s"], 3600)
        self.assertEqual(self.ask("reports")["error"]["code"], -32601)
        self.assertEqual(self.ask("report", {"vendr": "x"})["error"]["code"], -32602)
        self.assertTrue(self.ask("bypass", {"on": True})["result"]["bypass"])
        out, _ = self.run_it("status", "--socket", self.sock)
        self.assertIn("BYPASS", out)
        for args in (("report",), ("report", "--group-by", "vendor"), ("hosts", "falcon"), ("flows",), ("policy", "show"),
                     ("why", "10.20.0.11"), ("policy", "simulate", "--country", "US"), ("top", "--once")):
            out, _ = self.run_it(*args, "--socket", self.sock)
            self.assertGreater(len(out.splitlines()), 1, args)
        self.assertIn("stopping", self.run_it("stop", "--socket", self.sock)[0])
        self.assertEqual(p.wait(timeout=120), 0)

    def begin_reload(self):
        """A connection whose reload is under way, most likely: it compiles all packs."""
        s = socket.socket(socket.AF_UNIX)
        self.addCleanup(s.close)
        s.connect(self.sock)
        s.sendall(b'{"jsonrpc":"2.0","id":5,"method":"reload"}\n')
        self.assertIn("result", self.ask("version"))
        return s

    def test_store_is_named_for_all(self):
        """A path that the daemon was given from where it stood is read by a command that stands elsewhere."""
        self.start("--store", os.path.relpath(self.path("d.db")))
        self.ready()
        store = self.ask("status")["result"]["store"]["url"]
        self.assertTrue(store.startswith("/"), store)
        self.assertEqual(os.path.realpath(store), os.path.realpath(self.path("d.db")))

    def test_hits_of_any_name(self):
        names = "a" * 64, "n\u00e4\\me"
        rules = "".join(f"  - {{name: '{n}', match: {{vendor: [{v}]}}, action: drop, state: enforce}}\n"
                        for n, v in zip(names, ("crowdstrike", "fortinet")))
        self.start("--policy", self.write("p.yaml", "format: 1\nmode: shadow\nrules:\n" + rules), "--exit-when-drained", "--linger")
        self.ready()
        for _ in range(600):
            if self.ask("status")["result"]["drained"]:
                break
            time.sleep(0.1)
        hits = {r["name"]: r["hits"] for r in self.ask("policy")["result"]["rules"]}
        self.assertEqual([hits[n] > 0 for n in names], [True, True], hits)

    def test_reload_meets_another(self):
        p = self.start()
        self.ready()
        self.begin_reload().close()
        p.send_signal(signal.SIGHUP)
        for _ in range(600):
            with open(self.path("log"), encoding="utf-8") as f:
                if "reloaded, generation 3" in f.read():
                    break
            time.sleep(0.1)
        else:
            self.fail("a SIGHUP amid a reload was forgotten")
        waits = self.begin_reload()
        self.assertIn("stopping", self.run_it("stop", "--socket", self.sock)[0])
        self.assertEqual(p.wait(timeout=120), 0)
        self.assertIn(b'"result"', waits.recv(65536))

    def test_both_doors(self):
        p = self.start("--exit-when-drained")
        self.assertEqual(p.wait(timeout=300), 0)
        key = lambda f: json.dumps(f, sort_keys=True)  # noqa: E731
        scan = self.lines("scan", "--flows", "--json", "--packs", PACKS, CAPTURE)
        live = self.lines("flows", "--json", "--store", self.db)
        self.assertEqual(sorted(live, key=key), sorted(scan, key=key))
        rows = self.json("scan", "--json", "--sensor", "edge", "--packs", PACKS, CAPTURE)
        self.assertEqual(self.json("report", "--json", "--store", self.db), rows)


if __name__ == "__main__":
    unittest.main()
