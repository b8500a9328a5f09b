# SPDX-License-Identifier: Apache-2.0
"""Runs the real command as a person or a script would. PHONEHOME names the binary."""
import json
import os
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STEP_CLOCK = os.environ.get("STEP_CLOCK_SO")  # to be preloaded, step_clock.c; not under a sanitizer, which wants to be first
BIN = os.environ.get("PHONEHOME", os.path.join(ROOT, "build/ctl/phonehome"))

PACK = """\
format: 1
pack: acme
version: 2026.11.22
vendor:
  name: Acme
  owner: Acme Holdings
  country: US
  as_of: 2026-11-22
  source: https://acme.example/about
products:
  - {id: edr, name: Acme EDR, category: edr}
signatures:
  - id: telemetry
    product: edr
    function: telemetry
    confidence: high
    match: [{host: .telemetry.acme-edr.com}]
    source: https://acme.example/doc
    reviewed: 2026-11-22
  - id: update
    product: edr
    function: update
    confidence: high
    match: [{host: update.acme-edr.com}]
    source: https://acme.example/doc
    reviewed: 2026-11-22
"""
OTHER = PACK.replace("acme", "zeta").replace("Acme", "Zeta").replace("country: US", "country: CN")


class Command(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory(prefix="ph-cli-")
        os.mkdir(self.path("packs"))
        self.write("packs/acme.yaml", PACK)
        self.write("packs/zeta.yaml", OTHER)

    def tearDown(self):
        self.dir.cleanup()

    def path(self, name):
        return os.path.join(self.dir.name, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        return self.path(name)

    def run_it(self, *args, code=0, stdin=b"", env=None):
        """stdout, stderr as text; the exit code must be `code`."""
        e = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "TERM", "PHONEHOME_PACKS")}
        e.update({"PHONEHOME_PACKS": self.path("packs"), "LC_ALL": "C", **(env or {})})
        r = subprocess.run([BIN, *args], input=stdin, capture_output=True, env=e, timeout=300, check=False)
        out, err = r.stdout.decode("utf-8", "surrogateescape"), r.stderr.decode("utf-8", "surrogateescape")
        self.assertEqual(r.returncode, code, f"{args}: {err}{out[-500:]}")
        return out, err

    def error(self, *args, code, has, env=None):
        """Fails with exactly one line on stderr that holds `has`, and nothing on stdout."""
        out, err = self.run_it(*args, code=code, env=env)
        self.assertEqual(out, "")
        self.assertEqual(err.count("\n"), 1, err)
        self.assertIn(has, err)
        return err

    def json(self, *args, code=0):
        return json.loads(self.run_it(*args, code=code)[0])

    def lines(self, *args, code=0):
        return [json.loads(x) for x in self.run_it(*args, code=code)[0].splitlines()]


def schema(name):
    """A validator of ctl/schema/NAME, whose references stay in that folder."""
    import jsonschema
    import warnings
    warnings.simplefilter("ignore", DeprecationWarning)  # RefResolver: what Debian 12's version has
    folder = os.path.join(ROOT, "ctl/schema")
    store = {}
    for f in os.listdir(folder):
        if f.endswith(".json"):
            with open(os.path.join(folder, f), encoding="utf-8") as h:
                s = json.load(h)
            jsonschema.Draft7Validator.check_schema(s)
            store[s["$id"]] = s
    top = store["https://phonehome.example/schema/" + name]
    return jsonschema.Draft7Validator(top, resolver=jsonschema.RefResolver(top["$id"], top, store=store))
