# SPDX-License-Identifier: Apache-2.0
"""What `meson install` leaves works away from the source tree, and wherever it was moved to."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import command
import wire

BUILD = os.path.dirname(os.path.dirname(command.BIN))


@unittest.skipUnless(os.path.exists(os.path.join(BUILD, "build.ninja")), "needs the build folder")
class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.top = tempfile.TemporaryDirectory(prefix="ph-install-")
        first = os.path.join(cls.top.name, "first")
        r = subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", first], timeout=300,
                           capture_output=True, text=True, check=False)
        assert r.returncode == 0, r.stdout + r.stderr
        cls.root = os.path.join(cls.top.name, "second")
        shutil.move(first, cls.root)
        cls.files = {os.path.relpath(os.path.join(d, f), cls.root) for d, _, names in os.walk(cls.root) for f in names}

    @classmethod
    def tearDownClass(cls):
        cls.top.cleanup()

    def one(self, pattern):
        found = [f for f in self.files if re.search(pattern, f)]
        self.assertEqual(len(found), 1, (pattern, found))
        return os.path.join(self.root, found[0])

    def run_it(self, *args):
        env = {k: v for k, v in os.environ.items() if k != "PHONEHOME_PACKS"}
        r = subprocess.run(args, capture_output=True, text=True, env=env, cwd="/", timeout=120, check=False)
        self.assertEqual(r.returncode, 0, r.stderr)
        return r.stdout

    def test_everything_is_there(self):
        with open(os.path.join(command.ROOT, "ctl/meson.build"), encoding="utf-8") as f:
            pages = set(re.findall(r"'man/([^']+)'", f.read()))
        self.assertEqual(pages, {f for f in os.listdir(os.path.join(command.ROOT, "ctl/man")) if f[-1].isdigit()})
        for page in pages:
            with open(self.one(rf"share/man/man{page[-1]}/{re.escape(page)}$"), encoding="utf-8") as f:
                named = re.findall(r"/(usr\S*share/phonehome/\w+)", f.read())
            if any(f.startswith("usr/local/") for f in self.files):  # the prefix that the pages speak of
                self.assertEqual([n for n in named if not any(f.startswith(n + "/") for f in self.files)], [], page)
        for pattern in (r"bash-completion/completions/phonehome$", r"site-functions/_phonehome$",
                        r"phonehome/schema/pack\.schema\.json$", r"phonehome/schema/flow-record\.json$",
                        r"phonehome/packs/crowdstrike\.yaml$", r"doc/phonehome/examples/policy\.yaml$"):
            self.one(pattern)
        self.assertEqual({f for f in self.files if f.endswith((".in", ".build", ".c", ".h"))}, set())

    def test_it_works(self):
        phonehome = self.one(r"bin/phonehome$")
        self.assertIn("CrowdStrike", self.run_it(phonehome, "signatures", "match", "ts01-b.cloudsink.net"))
        cap = os.path.join(self.top.name, "c.pcap")
        with open(cap, "wb") as f:
            f.write(wire.pcap(wire.tls("10.0.0.1", 40000, "203.0.113.1", "ts01-b.cloudsink.net")))
        self.assertIn("Falcon", self.run_it(phonehome, "scan", cap))
        policy = self.one(r"examples/policy\.yaml$")
        self.assertIn("mode shadow", self.run_it(phonehome, "policy", "check", policy))

    def test_the_service(self):
        daemons = [f for f in self.files if f.endswith("bin/phonehomed")]
        if not daemons:
            self.skipTest("built without the daemon")
        out = self.run_it(os.path.join(self.root, daemons[0]), "--check", "--config", self.one(r"examples/phonehomed\.yaml$"))
        self.assertRegex(out, r"^good: 1 links, 1 workers, \d{4,} signatures")
        if not any(f.endswith("phonehomed.service") for f in self.files):
            self.skipTest("no systemd here")
        with open(self.one(r"phonehomed\.service$"), encoding="utf-8") as f:
            unit = f.read()
        for path in re.findall(r"^Exec\w+=(\S+)", unit, re.M):
            self.assertTrue(os.access(self.root + path, os.X_OK), path)
        self.assertIn("Type=notify", unit)
        # any of these shuts /dev/vfio and /dev/net/tun, the last one on older systemd without saying so
        self.assertNotRegex(unit, r"(?m)^(DeviceAllow|DevicePolicy|PrivateDevices|ProtectClock)=")
        if shutil.which("systemd-analyze"):
            r = subprocess.run(["systemd-analyze", "verify", "--man=no", self.one(r"phonehomed\.service$")], capture_output=True,
                               text=True, timeout=60, check=False)
            self.assertNotRegex(r.stderr, r"Unknown|Failed to parse|Invalid")


    def test_uninstall(self):
        """What was installed goes again, and nothing else."""
        root = os.path.join(self.top.name, "third")
        kept = os.path.join(root, "etc/phonehome/phonehomed.yaml")
        os.makedirs(os.path.dirname(kept))
        with open(kept, "w", encoding="utf-8") as f:
            f.write("# the owner's\n")
        for args in (["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", root],
                     ["meson", "--internal", "uninstall"]):
            r = subprocess.run(args, cwd=BUILD, env={**os.environ, "DESTDIR": root}, timeout=300, capture_output=True,
                               text=True, check=False)
            self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
        left = [os.path.join(d, f) for d, _, names in os.walk(root) for f in names]
        self.assertEqual(left, [kept])


if __name__ == "__main__":
    unittest.main()
