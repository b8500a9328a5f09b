# SPDX-License-Identifier: Apache-2.0
"""What the command must outlive: odd arguments, broken captures, closed or full outputs, hostile cells."""
import csv
import io
import json
import os
import shutil
import socket
import struct
import subprocess
import unittest

import command
import wire

FULL = os.path.exists("/dev/full")


def block(kind, body):
    """A pcapng block, little-endian."""
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


SECTION = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(link, options=b""):
    return block(1, struct.pack("<HHI", link, 0, 0) + options)


def frame(of, data):
    return block(6, struct.pack("<IIIII", of, 0x5F0, 1, len(data), len(data)) + data)


class Abuse(command.Command):
    def setUp(self):
        super().setUp()
        self.packets = wire.tls("10.0.0.1", 40000, "203.0.113.1", "a1.telemetry.acme-edr.com")
        self.cap = self.write("c.pcap", wire.pcap(self.packets))
        self.db = self.path("s.db")
        self.run_it("scan", "--json", "--store", self.db, self.cap)

    def shell(self, line):
        """Exit code and stderr of a shell's line; $PH is the command."""
        env = {**os.environ, "PH": command.BIN, "PHONEHOME_PACKS": self.path("packs"), "LC_ALL": "C"}
        r = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, env=env, timeout=120, check=False,
                           cwd=self.dir.name)
        return r.returncode, r.stderr.decode()

    def test_closed_descriptors(self):
        """A descriptor that is closed must not become the store's: what is printed would go into it."""
        for closed in ("<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"):
            rc, err = self.shell(f"$PH scan --json --store new.db c.pcap {closed}")
            self.assertEqual(rc, 1 if ">&-" in closed.replace("2>&-", "") else 0, (closed, err))
            rows = self.json("report", "--json", "--store", self.path("new.db"))
            self.assertEqual([r["host"] for r in rows], ["10.0.0.1"], closed)
            os.unlink(self.path("new.db"))
        rc, err = self.shell("$PH report --store s.db >&-")
        self.assertEqual((rc, err), (1, "phonehome: cannot write the output: Bad file descriptor\n"))

    def test_a_store_by_any_path(self):
        for path in ("//" + self.db.lstrip("/"), "sqlite:" + self.db, "sqlite://" + self.db, os.path.relpath(self.db),
                     self.write("a?b#c%41.db", open(self.db, "rb").read())):
            self.assertEqual(len(self.json("report", "--json", "--store", path)), 1, path)

    def test_no_password_is_shown(self):
        with socket.socket() as closed:  # bound, not listening: nobody else may come to listen there
            closed.bind(("127.0.0.1", 0))
            at = f"127.0.0.1:{closed.getsockname()[1]}"
            for url in (f"redis://me:hunter2@{at}", f"redis://:hunter2@{at}/3?prefix=a@b:",
                        f"redis+sentinel://:hunter2@{at}/m", "unix://me:hunter2@/nowhere.sock", f"http://me:hunter2@{at}/x"):
                for verb, code in (("report", 1), ("trend", 1), ("doctor", 1), ("scan", 1)):
                    file = (self.cap,) if verb == "scan" else ()
                    out, err = self.run_it(verb, *file, "--store", url, code=code)
                    self.assertNotIn("hunter2", out + err, (verb, url))
                    self.assertIn("nowhere.sock" if "unix" in url else at, out + err)

    def test_readers_after_a_kill(self):
        """A writer that was killed leaves a log that the first reader mends: the others wait for it."""
        writer = f"""
import os, sqlite3
c = sqlite3.connect({self.db!r}, isolation_level=None)
c.execute("PRAGMA journal_mode=WAL")
c.execute("PRAGMA wal_autocheckpoint=0")
for _ in range(300):
    c.execute("INSERT INTO events(sensor, first_us, last_us, layout, body) VALUES('x', 1, 1, 9, zeroblob(9000))")
os.kill(os.getpid(), 9)"""
        for _ in range(3):
            self.assertEqual(subprocess.run(["python3", "-c", writer], check=False).returncode, -9)
            readers = [subprocess.Popen([command.BIN, "report", "--store", self.db], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE) for _ in range(8)]
            self.assertEqual([r.communicate()[1] for r in readers], [b""] * 8)

    def test_a_locale_that_folds_letters_otherwise(self):
        """In Turkish the small letter of I is another than i."""
        locale = {"LOCPATH": self.dir.name, "LC_ALL": "tr_TR.UTF-8"}
        made = shutil.which("localedef") and subprocess.run(
            ["localedef", "-i", "tr_TR", "-f", "UTF-8", self.path("tr_TR.UTF-8")], capture_output=True, check=False)
        if not made or made.returncode:
            self.skipTest("no sources of locales")
        self.write("packs/iris.yaml", command.PACK.replace("acme", "iris").replace("Acme", "Iris"))
        cap = self.write("i.pcap", wire.pcap(wire.tls("10.0.0.1", 40000, "203.0.113.1", "a1.telemetry.iris-edr.com")))
        out, _ = self.run_it("scan", "--json", "--vendor", "IRIS", cap, env=locale)
        self.assertEqual([r["vendor"] for r in json.loads(out)], ["Iris"])

    def test_scans_at_once(self):
        """Each adds to what the others added."""
        env = {**os.environ, "PHONEHOME_PACKS": self.path("packs")}
        scans = [subprocess.Popen([command.BIN, "scan", "--store", self.db, self.cap], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, env=env) for _ in range(8)]
        for s in scans:
            self.assertEqual((s.wait(), s.communicate()[1].count(b"\n")), (0, 1))
        row, = self.json("report", "--json", "--store", self.db)
        self.assertEqual((row["flows"], len(self.lines("flows", "--json", "--store", self.db))), (9, 9))

    def test_readers_that_leave_and_full_disks(self):
        policy = self.write("p.yaml", "format: 1\n")
        for verb in ("scan c.pcap", "scan --flows --json c.pcap", "report --store s.db", "report --csv --store s.db",
                     "hosts --store s.db", "flows --store s.db", "why 10.0.0.1 --store s.db", "trend --store s.db",
                     "diff 30d --store s.db", f"policy check {policy}", "signatures list", "signatures list --json",
                     "signatures match a.b", "signatures test", "signatures show acme", "doctor", "version", "help",
                     "--help", "scan --help", "signatures --help", "signatures list --help"):
            rc, err = self.shell(f"$PH {verb} 2>err | true; code=${{PIPESTATUS[0]}}; cat err >&2; exit $code")
            self.assertIn(rc, (0, 1) if verb == "doctor" else (0,), (verb, err))
            self.assertNotIn("write", err, verb)
            if FULL:
                rc, err = self.shell(f"$PH {verb} >/dev/full")
                self.assertEqual(rc, 1, verb)
                self.assertIn("cannot write the output: No space left", err, verb)

    def test_reader_of_an_endless_capture_that_leaves(self):
        """What feeds it is told too, or it would go on until somebody looks."""
        self.write("endless.py", f"""\
import sys
sys.path.insert(0, {os.path.dirname(wire.__file__)!r})
import wire
one = wire.query("10.0.0.1", 40000, "192.0.2.53", "a1.telemetry.acme-edr.com")
data = wire.pcap(one * 500)
out = sys.stdout.buffer
try:
    out.write(data[:24])
    while True:
        out.write(data[24:])
except BrokenPipeError:
    sys.exit(7)
""")
        rc, err = self.shell("timeout 60 python3 endless.py | $PH scan --flows --json - | head -n 1 >&2; exit ${PIPESTATUS[0]}")
        self.assertEqual((rc, json.loads(err.splitlines()[0])["vendor"]), (7, "Acme"), err)

    def test_a_follower_whose_reader_left(self):
        """Nothing more comes, so nothing would be written that could fail."""
        env = {**os.environ, "PHONEHOME_PACKS": self.path("packs")}
        with subprocess.Popen([command.BIN, "flows", "--follow", "--json", "--store", self.db], stdout=subprocess.PIPE, env=env) as p:
            self.assertIn(b"10.0.0.1", p.stdout.readline())
            p.stdout.close()
            try:
                self.assertEqual(p.wait(timeout=60), 0)
            finally:
                p.kill()

    def test_captures(self):
        def one(name, data, *, code=1, has=""):
            out, err = self.run_it("scan", "--flows", "--json", self.write(name, data), code=code)
            self.assertIn(has, err, name)
            self.assertEqual(err.count("\n"), code, err)
            return len(out.splitlines())
        hello = wire.frame(self.packets[3])
        _, err = self.run_it("scan", self.write("none.pcap", wire.pcap([])))
        self.assertEqual(err, "0 packets, 0 flows; named 0; blind to 0 (0 B)\n")
        one("empty", b"", has="not a capture: it is empty")
        one("head", wire.pcap(self.packets)[:20], has="its head is cut off")
        ng = SECTION + interface(1) + frame(0, hello)
        self.assertEqual(one("ng", ng, code=0), 1)
        self.assertEqual(one("cut", ng + frame(0, hello)[:50], has="truncated after packet 1"), 1)
        one("links", SECTION + interface(1) + frame(0, hello) + interface(147) + frame(1, hello),
            has="after packet 1: interfaces of different link types")
        one("none", SECTION + frame(0, hello), has="before any Interface")
        one("unknown", SECTION + interface(1) + frame(7, hello), has="after packet 0: ")
        one("bomb", SECTION + struct.pack("<II", 6, 0x7FFFFFF0) + bytes(64), has="not a capture")
        one("tiny", SECTION + struct.pack("<III", 6, 4, 4), has="not a capture")
        option = struct.pack("<HH", 2, 65532) + b"A" * 65532
        self.assertEqual(one("options", SECTION + interface(1, option) + frame(0, hello), code=0), 1)
        many = SECTION + interface(1) * 2000 + b"".join(frame(i, hello) for i in range(2000))
        self.assertEqual(one("many", many, code=0), 1)
        whole = wire.pcap(self.packets)
        one("lies", whole[:24] + struct.pack("<IIII", 1, 1, 0xFFFFFFFF, 0xFFFFFFFF), has="damaged after packet 0")
        one("past", whole[:24] + struct.pack("<IIII", 0xFFFFFFFF, 999999999, 60, 60) + bytes(60), code=0)

    def test_arguments(self):
        for verb in ("report", "hosts", "flows", "trend"):
            for args, has in ((["--country", "USA"], "--country USA: want two letters"), (["--country", ""], "two letters"),
                              (["--country", "US,"], "two letters"), (["--vendor", ""], "--vendor needs a name"),
                              (["--product", ""], "--product needs a name"), (["--limit", "-1"], "want a number"),
                              (["--limit", "9" * 30], "want a number"), (["--since", "2026-13-45"], "--since 2026-13-45"),
                              (["--until", "1960-01-01"], "--until 1960-01-01"), (["--host", "10.0.0.0/33"], "--host 10"),
                              (["--since", "now", "--until", "30d"], "ends before it begins"),
                              (["--until", "30d", "--since", "1d"], "ends before it begins"), (["--confidence", "x"], "guess"),
                              (["--category", "av,firewal"], "unknown category firewal: did you mean firewall?")):
                self.error(verb, *args, "--store", self.db, code=2, has=has)
        self.error("scan", "--flows", "--sort", "bytes", self.cap, code=2, has="--sort: for the inventory")
        self.error("scan", "--counters", "-g", "vendor", self.cap, code=2, has="--group-by: for the inventory")
        # However long ago: the beginning of time, not a number that wrapped around.
        self.assertEqual(len(self.json("report", "--json", "--since", "9999999999y", "--store", self.db)), 1)
        self.error("hosts", "--store", "unix:" + self.path("none"), code=1, has="No such file")
        self.error("report", "--socket", "x" * 300, code=1, has="x: ")
        os.mkfifo(self.path("fifo"))
        self.write("nothing.db", "")
        os.symlink("loop", self.path("loop"))
        for name, has in (("fifo", "is no regular file"), ("packs", "is a folder"), ("nothing.db", "holds no inventory"),
                          ("loop", "Too many levels"), ("c.pcap", "not a database")):
            self.error("report", "--store", self.path(name), code=1, has=name + ": ")
            self.error("report", "--store", self.path(name), code=1, has=has)
            if name not in ("nothing.db", "loop"):
                self.error("scan", "--json", "--store", self.path(name), self.cap, code=1, has=has)
        self.run_it("scan", "--json", self.cap, env={"TERM": "", "COLUMNS": "-5", "NO_COLOR": ""})

    def test_a_policy_from_windows(self):
        good = self.write("w.yaml", b"\xef\xbb\xbfformat: 1\r\nmode: shadow\r\n")
        self.assertEqual(self.json("policy", "check", "--json", good)["mode"], "shadow")
        self.error("policy", "check", self.write("b.yaml", b"\xef\xbb\xbfformat: 1\nmdoe: shadow\n"), code=2, has="b.yaml:2:1: ")

    def test_hostile_file_names(self):
        """On a terminal too, where a bar shows the file's name."""
        import pty
        name = self.path("x\x1b[2J\r\n.pcap")
        os.rename(self.cap, name)
        for args in (("scan", "--json", self.path("n\x1b[2J\n")), ("policy", "check", self.path("n\x1b[2J\n")),
                     ("report", "--store", self.path("n\x1b[2J\n"))):
            err = self.run_it(*args, code=2 if args[0] == "policy" else 1)[1]
            self.assertEqual((err.count("\n"), "\x1b" in err), (1, False), err)
        policy = self.write("p\x1b[2J\n.yaml", "format: 1\n")
        for args in (("policy", "check", policy), ("policy", "test", "-p", policy, "a\x1b[2J.example"),
                     ("policy", "test", "-p", policy, b"\xff\x1b[2J")):
            out = self.run_it(*args)[0]
            self.assertTrue(out.isascii() and "\x1b" not in out, out)
        self.assertEqual(self.json("policy", "test", "-p", policy, "--json", b"\xff.example")["name"], "\\xff.example")
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(command.BIN, [command.BIN, "scan", name], {**os.environ, "TERM": "xterm",
                                                                 "PHONEHOME_PACKS": self.path("packs")})
        out = b""
        try:
            while chunk := os.read(fd, 4096):
                out += chunk
        except OSError:
            pass
        os.waitpid(pid, 0)
        os.close(fd)
        self.assertIn(b"\r\x1b[K", out)  # the bar
        self.assertNotIn(b"\x1b[2J", out)

    def test_no_formula_in_csv(self):
        """A cell that a spreadsheet would calculate: DDE and HYPERLINK begin with these signs."""
        flows = []
        for i, agent in enumerate((b"=cmd|' /C calc'!A0", b"+1+1", b"-2+3", b"@SUM(1+1)", b"\t=1", b"plain")):
            flows += wire.tcp("10.0.0.9", 50000 + i, "203.0.113.2", 80, 1, 1, 24,
                              b"GET / HTTP/1.1\r\nHost: update.acme-edr.com\r\nUser-Agent: " + agent + b"\r\n\r\n"),
        cap = self.write("f.pcap", wire.pcap(flows))
        rows = list(csv.DictReader(io.StringIO(self.run_it("scan", "--flows", "--csv", cap)[0])))
        self.assertEqual(len(rows), 6)
        self.assertEqual({c[0] for r in rows for c in r.values() if c} & set("=+-@\t"), set())
        agents = [r["user_agent"].encode().decode("unicode_escape") for r in rows]
        self.assertEqual(agents[:4], ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1+1)"])
        self.assertEqual(agents[5], "plain")


@unittest.skipUnless(os.access(os.environ.get("PHONEHOMED", ""), os.X_OK) and os.geteuid() == 0, "needs phonehomed and root")
class Daemon(command.Command):
    def test_closed_descriptors(self):
        """Nothing that it says may end up in the records, and the records are not for everybody."""
        cap = self.write("c.pcap", wire.pcap(wire.tls("10.0.0.1", 40000, "203.0.113.1", "a1.telemetry.acme-edr.com")))
        line = (f"$PHONEHOMED --no-huge --mirror net_pcap0,rx_pcap={cap} --packs packs --store s.db --socket c.sock "
                "--records r.json --exit-when-drained <&- >&- 2>&-")
        r = subprocess.run(["bash", "-c", "umask 0; " + line], cwd=self.dir.name, timeout=120, check=False)
        self.assertEqual(r.returncode, 0)
        with open(self.path("r.json"), encoding="ascii") as f:
            self.assertRegex(f.read(), r'^\{"first":"2026[^\n]*\}\n$')
        self.assertEqual(os.stat(self.path("r.json")).st_mode & 0o777, 0o640)
        self.assertEqual(len(self.json("report", "--json", "--store", self.path("s.db"))), 1)


if __name__ == "__main__":
    unittest.main()
