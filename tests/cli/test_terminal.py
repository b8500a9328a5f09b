# SPDX-License-Identifier: Apache-2.0
"""What a person does at a terminal, in a real one (tmux) and in real shells: the keys of top, and completion."""
import os
import shutil
import subprocess
import time
import unittest

import command
from test_verbs import Daemon

DUE = 60  # seconds that a busy machine may take for a picture
EVIL = "Evil\x1b]0;pwned\x07\x9b2J\u202eX"


def row(product, vendor, host, total, flows):
    return {"sensor": "s", "host": host, "product": product, "product_id": product.lower(), "vendor": vendor,
            "vendor_id": vendor.lower(), "country": "US", "forwarder": False, "dns_only": False, "flows": flows,
            "bytes_up": total, "bytes_down": 0, "dropped": 0, "function": "update", "confidence": "strong", "names": []}


@unittest.skipUnless(shutil.which("tmux"), "needs tmux")
class Top(command.Command):
    """A daemon whose counters move by each look: Alpha in bytes, Gamma in flows, Beta stands still on a high total."""

    def setUp(self):
        super().setUp()
        self.looks, self.server, self.many = 0, None, 0
        self.sock, self.tmux = self.path("d.sock"), self.path("t")
        self.clock = f"LD_PRELOAD={command.STEP_CLOCK} STEP_CLOCK={self.path('step')} " if command.STEP_CLOCK else ""
        self.start_daemon()
        env = {k: v for k, v in os.environ.items() if k not in ("TMUX", "COLUMNS", "LINES", "NO_COLOR")}
        subprocess.run(["tmux", "-S", self.tmux, "-f", "/dev/null", "new-session", "-d", "-x", "130", "-y", "30",
                        f"{self.clock}LC_ALL=C.UTF-8 {command.BIN} top --socket {self.sock}; echo EXIT=$?; stty -a | grep -o '[-]*echo '; cat"],
                       env={**env, "TERM": "xterm"}, check=True)
        self.addCleanup(lambda: self.run_tmux("kill-server", check=False))

    def start_daemon(self):
        self.server = Daemon(self.sock, self.answer)
        self.addCleanup(self.server.close)

    def answer(self, request):
        if request["method"] == "status":
            self.looks += 1
            n = self.looks
            return {"result": {"sensor": "edge\x1b[2J", "mode": "monitor", "ready": True, "bypass": False, "uptime_s": 60 * n,
                               "engine": {"frames": 100 * n, "flows_new": n, "flows_matched": n, "flows_now": 7,
                                          "inspecting_now": 1, "events_lost": 3, "verdicts": {"pass": n}},
                               "store": {"lost_spool_full": 5, "lost_refused": 0}, "ports": [],
                               "workers": [{"busy_percent": 25.0}]}}
        n = self.looks
        if self.many:
            return {"result": {"rows": [row("Alpha", "One", f"10.0.{i // 256}.{i % 256}", 1, 1) for i in range(self.many)], "cursor": None}}
        return {"result": {"rows": [row("Alpha", "One", "10.0.0.1", 1000 + 50000 * n, 10),
                                    row("Beta", "Two", "10.0.0.2", 10**9, 10),
                                    row("Gamma", "Two", "10.0.0.1", 5000, 100 + 500 * n),
                                    row(EVIL, "Three", "10.0.0.3", 7, 1)], "cursor": None}}

    def run_tmux(self, *args, check=True):
        return subprocess.run(["tmux", "-S", self.tmux, *args], capture_output=True, text=True, check=check).stdout

    def press(self, *keys):
        self.run_tmux("send-keys", *keys)

    def until(self, what, holds):
        """The picture, once it is as it should be."""
        end = time.monotonic() + DUE
        while True:
            picture = self.run_tmux("capture-pane", "-p").split("\n")
            if holds(picture):
                return picture
            self.assertLess(time.monotonic(), end, f"{what}:\n" + "\n".join(picture))
            time.sleep(0.05)

    @staticmethod
    def names(picture):
        """What the list shows, line by line."""
        at = next((i for i, x in enumerate(picture) if x.startswith(("PRODUCT", "HOST"))), len(picture))
        return [x.split()[0].split("\\")[0] for x in picture[at + 1:] if x[:1].isalnum() and "q quit" not in x and "filter" not in x]

    def order(self, *names):
        return lambda picture: self.names(picture) == list(names)

    def test_keys(self):
        self.until("by bytes a second, as it starts", self.order("Alpha", "Beta", "Gamma", "Evil"))
        picture = self.until("two looks", lambda p: self.looks > 2 and "BYTES/S*" in "".join(p))
        self.assertIn("edge\\x1b[2J", picture[0])
        self.assertIn("losses: store lost 5, events_lost 3", picture[3])
        self.assertIn("25 %", picture[4])
        self.press("f")
        self.until("by flows a second", self.order("Gamma", "Beta", "Alpha", "Evil"))
        self.press("t")
        self.until("by total", self.order("Beta", "Alpha", "Gamma", "Evil"))
        self.press("n")
        self.until("by name", self.order("Alpha", "Beta", "Evil", "Gamma"))
        self.press("b")
        self.until("by bytes a second", lambda p: self.names(p)[:1] == ["Alpha"] and "BYTES/S*" in "".join(p))
        self.press("h")
        picture = self.until("hosts", lambda p: sorted(self.names(p)) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"])
        self.assertTrue(next(x for x in picture if x.startswith("10.0.0.1 ")).rstrip().endswith(" 2"), "two products there")
        self.press("p")
        self.until("products", lambda p: "Alpha" in self.names(p))

        self.press("/", "t", "w", "x", "BSpace", "o")
        self.until("what is typed", lambda p: any("filter: two" in x for x in p))
        self.press("Enter")
        self.until("the vendor's alone", lambda p: sorted(self.names(p)) == ["Beta", "Gamma"])
        self.press("/", "z", "z", "Enter")
        self.until("none", lambda p: any("nothing of that name" in x for x in p))
        self.press("/", "Enter")
        self.until("all again", lambda p: len(self.names(p)) == 4)

        self.press("Space")
        self.until("paused", lambda p: "PAUSED" in p[0])
        looks = self.looks
        self.press("?")
        self.until("help", lambda p: "phonehome top: keys" in p[0])
        time.sleep(1.5)
        self.assertLessEqual(self.looks, looks + 1)
        self.press("x", "Space")
        self.until("it goes on", lambda p: "PAUSED" not in p[0] and self.looks > looks + 1 and len(self.names(p)) == 4)

    def test_more_than_the_list_holds(self):
        self.many = 2100
        self.press("h")
        self.until("what is not shown", lambda p: "NOT SHOWN: 52 rows" in p[1])

    @unittest.skipUnless(command.STEP_CLOCK, "needs a clock that can be set")
    def test_a_clock_that_is_set(self):
        self.until("two looks", lambda p: self.looks > 1)
        self.write("step", "-86400")
        looks = self.looks
        picture = self.until("further looks", lambda p: self.looks > looks + 2)
        self.assertNotIn(" 0.0 ", next(x for x in picture if x.startswith("Gamma")))

    def test_sizes_and_hostile_names(self):
        picture = self.until("a picture", lambda p: len(self.names(p)) == 4)
        self.assertIn("Evil\\x1b]0;pwned\\x07", "".join(picture))
        self.assertNotIn("pwned", self.run_tmux("display-message", "-p", "#{pane_title}"))
        raw = self.run_tmux("capture-pane", "-p", "-e")
        self.assertNotIn("\u202e", raw)
        for width, height in ((40, 10), (20, 5), (8, 3), (200, 50), (130, 30)):
            self.run_tmux("resize-window", "-x", str(width), "-y", str(height))
            self.press("n")
            picture = self.until(f"{width} x {height}", lambda p, w=width, h=height:
                                 self.run_tmux("display-message", "-p", "#{pane_width}x#{pane_height}").strip() == f"{w}x{h}"
                                 and p[0].startswith("phonehom"))
            self.assertLessEqual(max(len(x) for x in picture), width)
        self.until("all of it again", lambda p: len(self.names(p)) == 4 and any("q quit" in x for x in p))

    def test_a_daemon_that_goes_and_comes(self):
        self.until("a picture", lambda p: len(self.names(p)) == 4)
        self.server.close()
        os.unlink(self.sock)
        self.until("it says so", lambda p: any("trying again; q quits" in x for x in p))
        self.start_daemon()
        self.until("back", lambda p: len(self.names(p)) == 4)
        self.press("q")
        picture = self.until("the shell", lambda p: any("EXIT=0" in x for x in p) and any("echo" in x for x in p))
        self.assertNotIn("-echo", [x.strip() for x in picture])


class Completion(command.Command):
    """The shells' own completion, with the files as they are installed."""

    WORDS = (  # typed, what must be among the words, what must not
        ("phonehome ", {"report", "hosts", "top"}, {"__complete", "--json"}),
        ("phonehome re", {"report", "reload"}, {"hosts"}),
        ("phonehome report --v", {"--vendor"}, {"--json"}),
        ("phonehome report --vendor ", {"acme", "zeta"}, {"edr"}),
        ("phonehome report --vendor z", {"zeta"}, {"acme"}),
        ("phonehome hosts ", {"edr"}, {"acme"}),
        ("phonehome report --group-by ", {"vendor", "country", "sensor"}, set()),
        ("phonehome policy ", {"check", "simulate"}, set()),
        ("phonehome policy simulate --ac", {"--action"}, set()),
        ("phonehome policy check ", {"capture.pcap"}, {"check", "simulate"}),
        ("phonehome signatures install c", {"capture.pcap"}, {"match"}),
        ("phonehome bypass ", {"on", "off"}, set()),
        ("phonehome hosts --not-seen ", {"30d"}, set()),
        ("phonehome scan cap", {"capture.pcap"}, set()),  # a file, as the shell sees fit
    )

    def setUp(self):
        super().setUp()
        os.mkdir(self.path("bin"))
        os.symlink(command.BIN, self.path("bin/phonehome"))
        self.write("capture.pcap", b"")
        self.env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
        self.env.update(PATH=self.path("bin") + ":" + os.environ["PATH"], PHONEHOME_PACKS=self.path("packs"), LC_ALL="C",
                        HOME=self.dir.name, ZDOTDIR=self.dir.name)

    def hold(self, found_of):
        for typed, some, none in self.WORDS:
            found = found_of(typed)
            self.assertTrue(some <= found and not none & found, f"{typed!r}: {found}")

    def shell(self, *args, stdin=""):
        r = subprocess.run(args, input=stdin, capture_output=True, text=True, env=self.env, cwd=self.dir.name, timeout=DUE, check=False)
        self.assertEqual(r.returncode, 0, r.stderr)
        return r.stdout

    @unittest.skipUnless(shutil.which("bash"), "needs bash")
    def test_bash(self):
        script = os.path.join(command.ROOT, "ctl/completion/phonehome.bash")

        def found(typed):
            words = typed.split(" ")
            return set(self.shell("bash", "--norc", "-c", f"""
                . {script}
                COMP_WORDS=({' '.join(repr(w) for w in words)}) COMP_CWORD={len(words) - 1}
                $(complete -p phonehome | sed 's/.*-F \\([^ ]*\\).*/\\1/') phonehome
                printf '%s\\n' "${{COMPREPLY[@]}}"
                [ "${{#COMPREPLY[@]}}" != 0 ] || compgen -o default -- {words[-1]!r} || :""").split())
        self.hold(found)

    @unittest.skipUnless(shutil.which("zsh"), "needs zsh")
    def test_zsh(self):
        """In a zsh of its own behind zpty, with compadd listened to."""
        folder = os.path.join(command.ROOT, "ctl/completion")
        self.write("listen.zsh", f"""
            fpath=({folder} $fpath)
            autoload -Uz compinit && compinit -u -d {self.path('dump')}
            unsetopt list_ambiguous; zstyle ':completion:*' list-colors ''
            compadd() {{
                local -a heard_words
                builtin compadd -O heard_words "$@"
                print -rl -- $heard_words >> {self.path('found')}
                builtin compadd "$@"
            }}
            bindkey '^I' complete-word
            print -r ready > {self.path('ready')}
        """)
        driver = f"""
            zmodload zsh/zpty
            zpty shell zsh -f -i
            zpty -w shell 'source {self.path('listen.zsh')}'
            while [[ ! -e {self.path('ready')} ]]; do sleep 0.05; done
            zpty -w -n shell "$1"$'\\t'
            for ((i = 0; i < 600; i++)); do
                [[ -s {self.path('found')} ]] && break
                sleep 0.05
            done
            sleep 0.2
            zpty -d shell
            cat {self.path('found')}
        """

        def found(typed):
            for name in ("found", "ready"):
                if os.path.exists(self.path(name)):
                    os.unlink(self.path(name))
            return set(self.shell("zsh", "-f", "-c", driver, "driver", typed).split())
        self.hold(found)
