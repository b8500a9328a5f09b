# SPDX-License-Identifier: Apache-2.0
"""Help, completion, man pages and code name the same options and keys; what the pages show can be run."""
import os
import re
import shlex
import shutil
import subprocess
import time
import unittest

import command
import wire

MAN = os.path.join(command.ROOT, "ctl/man")
DAEMON = os.environ.get("PHONEHOMED", os.path.join(command.ROOT, "build/dataplane/phonehomed"))
# Told once for all verbs in phonehome.1.
SUBS = {"policy": ("check", "show", "test", "simulate")}


def text(path):
    with open(os.path.join(command.ROOT, path), encoding="utf-8") as f:
        return f.read()


def page(name):
    """A man page without roff's escapes."""
    s = text(f"ctl/man/{name}")
    for a, b in ((r"\-", "-"), (r"\&", ""), (r"\(dq", '"'), (r"\fR", ""), (r"\fI", ""), (r"\fB", ""), (r"\fP", ""), (r"\e", "\\")):
        s = s.replace(a, b)
    return s


def options(s):
    return set(re.findall(r"(?<![\w-])--([a-z][a-z-]*[a-z])", s))


def listed(help_text):
    """Options of the table under `options:`."""
    return set(re.findall(r"^ +(?:-\w,)? +--([a-z-]+)", help_text.split("\noptions:\n")[1].split("\nexamples:")[0], re.M))


class Docs(command.Command):
    def verbs(self):
        """("policy", "check") and the like, of all that have options."""
        top = self.run_it("__complete", "verbs")[0].split()
        subs = {**SUBS, "signatures": self.run_it("__complete", "arguments", "signatures")[0].split()}
        self.assertIn("keygen", subs["signatures"])
        self.assertEqual(set(self.run_it("__complete", "arguments", "policy")[0].split()), set(subs["policy"]))
        for v in top:
            for words in [(v, s) for s in subs[v]] if v in subs else [(v,)]:
                if v != "help":
                    yield words

    def test_completion_is_help(self):
        for words in self.verbs():
            completed = {x[2:] for x in self.run_it("__complete", "options", *words)[0].split()}
            shown = listed(self.run_it(*words, "--help")[0])
            self.assertEqual(completed, shown, words)
            self.assertIn("help", shown)

    def test_pages_know_every_option(self):
        pages = {p: page(p) for p in sorted(os.listdir(MAN)) if p.endswith(".1")}
        every = {"help", "version"}
        for words in self.verbs():
            shown = listed(self.run_it(*words, "--help")[0])
            every |= shown
            if words[0] in ("version", "help"):
                continue
            its = [p for n, p in pages.items() if n != "phonehome.1" and re.search(r"^\.B phonehome " + re.escape(" ".join(words)) + r"\b", p, re.M)]
            self.assertEqual(len(its), 1, f"pages with a synopsis of {words}")
            told = options(its[0]) | options(pages["phonehome.1"]) | {"help"}
            self.assertEqual(shown - told, set(), f"phonehome {' '.join(words)}: no man page tells of these")
        foreign = {"follow-symlinks"}
        for name, s in pages.items():
            self.assertEqual(options(s) - every - foreign, set(), f"{name} tells of options that no verb has")

    def test_daemon(self):
        code = set(re.findall(r'^\t\{ "([a-z-]+)", (?:no|required)_argument', text("dataplane/options.c"), re.M))
        self.assertGreater(len(code), 15)
        told = options(page("phonehomed.8").split(".SH NOTES")[0]) | {"help", "version"}
        self.assertEqual(code - told, set(), "phonehomed.8 leaves out")
        self.assertEqual(told - code, set(), "phonehomed.8 tells of what is not there")
        if os.access(DAEMON, os.X_OK):
            shown = options(subprocess.run([DAEMON, "--help"], capture_output=True, text=True, check=True, timeout=60).stdout)
            self.assertEqual(shown, code)

    def keys(self, path):
        s = re.sub(r"\\\n", "", text(path))
        found = re.findall(r'\b(?:STR|U32|WORDS|SWITCH|LIST|ONE|CYAML_FIELD_[A-Z_]+)\(\s*(?:struct \w+, )?"([a-z0-9_]+)"', s)
        self.assertGreater(len(found), 20, path)
        return set(found)

    def test_config_keys(self):
        known = self.keys("dataplane/config.c")
        s = page("phonehomed.yaml.5")
        words = set(re.findall(r"[a-z][a-z0-9_]*", s))
        self.assertEqual(known - words, set(), "phonehomed.yaml.5 leaves out")
        bold = set(re.findall(r"[a-z]+(?:_[a-z]+)+", " ".join(re.findall(r"^\.(?:B|BR|TP|TQ)[^\n]*", s, re.M))))
        self.assertEqual(bold - known, set(), "phonehomed.yaml.5 tells of keys that are none")
        for key, preset in re.findall(r'^\tN\("(?:[a-z]+\.)?([a-z_]+)", [a-z_.]+, ([0-9< ]+),', text("dataplane/config.c"), re.M):
            value = eval(preset, {})  # pylint: disable=eval-used  # 1 << 20
            if value:
                self.assertRegex(s, rf'\b{key}"? "?[ (][^\n]*\b{value}\b', f"the default of {key}")

    def test_pack_and_policy_keys(self):
        s = page("phonehome-packs.5")
        known = self.keys("signatures/pack_schema.c")
        self.assertEqual(known - set(re.findall(r"[a-z][a-z0-9_]*", s)), set(), "phonehome-packs.5 leaves out")

    def test_shown_policies_load(self):
        """Every YAML block that begins a policy, in pages and READMEs."""
        blocks = re.findall(r"```yaml\n(.*?)```", text("README.md"), re.S)
        blocks += re.findall(r"^\.EX\n(.*?)^\.EE", page("phonehome-policy.5"), re.S | re.M)
        blocks = [b for b in blocks if b.startswith("format:") and "rules:" in b and "pack:" not in b]
        self.assertGreaterEqual(len(blocks), 2)
        packs = os.path.join(command.ROOT, "signatures/packs")
        for b in blocks + [text("ctl/examples/policy.yaml")]:
            out, err = self.run_it("policy", "check", "--packs", packs, self.write("shown.yaml", b))
            self.assertIn("good", out)
            self.assertEqual(err, "", b)

    def commands(self):
        """(where, words) of every `phonehome ...` line in --help's examples, READMEs and pages."""
        for words in self.verbs():
            help_text = self.run_it(*words, "--help")[0].replace(" \\\n      ", " ")
            for line in help_text.split("\nexamples:\n")[1].splitlines() if "\nexamples:\n" in help_text else []:
                yield " ".join(words) + " --help", line
        for name in ["README.md", "ctl/README.md", "signatures/README.md", "ctl/store/README.md"]:
            for block in re.findall(r"^```[a-z]*\n(.*?)^```", text(name), re.S | re.M):
                for line in block.splitlines():
                    yield name, line
        for name in sorted(os.listdir(MAN)):
            for block in re.findall(r"^\.(?:nf|EX)\n(.*?)^\.(?:fi|EE)", page(name), re.S | re.M):
                for line in block.splitlines():
                    yield name, line

    def test_shown_commands_are_read(self):
        """Options of every command that is shown exist: `phonehome VERB ... --help` must not complain of them."""
        n = 0
        for where, line in self.commands():
            for part in re.split(r" \| | && |>|<", line):
                m = re.match(r"^\s*(?:\$ )?(?:\S*/)?phonehome ([a-z].*)$", part)
                if not m or "..." in part or "|" in part:
                    continue
                words = shlex.split(m[1], comments=True)
                n += 1
                out, err = self.run_it(*words, "--help")
                self.assertIn("usage:", out, f"{where}: {line}")
                self.assertEqual(err, "", f"{where}: {line}")
        self.assertGreater(n, 60)

    def prepare(self):
        """What the shown commands speak of: captures, packs, a policy, a store of a month."""
        os.mkdir(self.path("real"))
        for name in ("crowdstrike", "fortinet", "palo-alto-networks", "check-point"):
            shutil.copy(os.path.join(command.ROOT, f"signatures/packs/{name}.yaml"), self.path("real"))
        for name, ago in (("office", 40), ("capture", 0), ("rotated-1", 20), ("edge", 0)):
            p = wire.tls("10.1.2.3", 50123, "203.0.113.7", "ts01-b.cloudsink.net") + wire.http(
                "10.20.0.11", 50124, "203.0.113.8", "updates.paloaltonetworks.com")
            start = int(time.time()) - 120 - ago * 86400
            make, suffix = (wire.pcapng, "ng") if name == "edge" else (wire.pcap, "")
            self.run_it("scan", "--store", self.path("s.db"), self.write(f"{name}.pcap{suffix}", make(p, start=start)),
                        env={"PHONEHOME_PACKS": self.path("real")})
        self.write("names.txt", "ts01-b.cloudsink.net\nwww.example.com\n")
        shutil.copy(os.path.join(command.ROOT, "ctl/examples/policy.yaml"), self.path("policy.yaml"))
        shutil.copy(self.path("policy.yaml"), self.path("new-policy.yaml"))
        self.write("domestic.yaml", "format: 1\ngroups:\n  - {name: foreign, countries: [US]}\n  - {name: domestic, countries: [CN]}\n")
        os.symlink(self.path("real"), self.path("new-packs"))
        os.symlink(self.path("real"), self.path("my-packs"))
        os.makedirs(self.path("signatures"))
        os.symlink(self.path("real"), self.path("signatures/packs"))

    def runnable(self, line):
        """The line as it can be run here, or None: it wants a daemon, another machine, or is a form, no command."""
        line = line.strip().removeprefix("$ ").split("   #")[0].strip()
        words = line.replace("build/ctl/", "").split()
        if words[:1] != ["phonehome"] or len(words) < 2 or "..." in line or "CAPTURE" in line or line.startswith("phonehome:"):
            return None
        daemon = words[1] in ("status", "reload", "bypass", "stop", "top", "doctor", "help") or words[1:] == ["policy", "show"]
        keys = words[1:3] in (["signatures", "install"], ["signatures", "bundle"], ["signatures", "diff"])
        if daemon or keys or "redis://" in line:
            return None
        line = line.replace("&& phonehome reload", "").replace(" --follow", "").replace("build/ctl/", "")
        line = line.replace("/etc/phonehome/", "").replace(" --store .quickstart/phonehome.db", "")
        if "--from foreign --to domestic" in line:
            line = line.replace("policy.yaml", "domestic.yaml")
        reads = words[1] in ("report", "hosts", "flows", "why", "trend", "diff", "migration") or words[1:3] == ["policy", "simulate"]
        head, bar, tail = line.partition(" |")
        head, more, to = head.partition(" >")
        return head + (f" --store {self.path('s.db')}" if reads else "") + more + to + (bar + tail if shutil.which("jq") else "")

    def test_quickstart_reads_from_where_it_is_called(self):
        quickstart = os.path.join(command.ROOT, "ctl/quickstart")
        r = subprocess.run([quickstart, "none.pcap"], cwd=self.dir.name, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((r.returncode, r.stderr), (2, f"quickstart: {os.path.realpath(self.path('none.pcap'))}: cannot be read\n"))

    def test_shown_commands_run(self):
        """And what can run here without a daemon does, as it is shown."""
        self.prepare()
        env = {**os.environ, "PHONEHOME_PACKS": self.path("real"), "PATH": os.path.dirname(command.BIN) + ":" + os.environ["PATH"]}
        done = set()
        for where, line in self.commands():
            ran = self.runnable(line)
            if ran is None or ran in done:
                continue
            done.add(ran)
            r = subprocess.run(["sh", "-c", ran], cwd=self.dir.name, env=env, capture_output=True, text=True, timeout=60, check=False)
            lint = " lint " in ran and r.returncode == 1  # it found something old: an answer
            self.assertTrue(r.returncode == 0 or lint, f"{where}: {ran}: {r.stderr}")
            self.assertNotIn("did you mean", r.stderr, ran)
        self.assertGreater(len(done), 45, done)


if __name__ == "__main__":
    unittest.main()
