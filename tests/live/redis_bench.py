#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the tests of the Redis store share: a redis-server of the test's own, a store at the end of a pipe
(store_tool.c), a proxy that delays or cuts, a server that only pretends.

PHONEHOME_REDIS names another redis-server (or valkey-server) than the one on the path."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

TOOL = sys.argv[1]
SERVER = os.environ.get("PHONEHOME_REDIS", "redis-server")
RETURN_S = 6  # a server that is back has its first record by then
TMP = tempfile.mkdtemp(prefix="phonehome-redis-")
STARTED = []


def check(what, ok, seen=""):
    if not ok:
        raise AssertionError(f"{what}: {seen}")


class Redis:
    """A redis-server of our own on a unix socket (and a TCP port where asked)."""

    def __init__(self, name, *args, port=0, persist=False):
        self.dir = os.path.join(TMP, name)
        os.makedirs(self.dir, exist_ok=True)
        self.sock = os.path.join(self.dir, "s")
        self.args = [SERVER, "--port", str(port), "--unixsocket", self.sock,
                     "--dir", self.dir, "--save", "", "--daemonize", "no",
                     "--appendonly", "yes" if persist else "no", "--appendfsync", "always", *args]
        self.proc = None

    def start(self, wait=True):
        self.proc = subprocess.Popen(self.args, stdout=subprocess.DEVNULL)
        STARTED.append(self.proc)
        while wait and "PONG" not in self.cli("PING", check_rc=False) \
                and "NOAUTH" not in self.cli("PING", check_rc=False):
            time.sleep(0.02)
        return self

    def kill(self, sig=signal.SIGKILL):
        self.proc.send_signal(sig)
        if sig in (signal.SIGKILL, signal.SIGTERM):
            self.proc.wait()

    def cli(self, *args, check_rc=True):
        r = subprocess.run(["redis-cli", "-s", self.sock, *args], capture_output=True, text=True,
                           check=check_rc)
        return r.stdout.strip()

    def wait_cli(self, want, *args, seconds=60):
        deadline = time.monotonic() + seconds
        while want not in self.cli(*args, check_rc=False):
            check(f"{args} says {want}", time.monotonic() < deadline, self.cli(*args, check_rc=False))
            time.sleep(0.05)

    def xlen(self, sensor="s1"):
        return int(self.cli("XLEN", "phonehome:{%s}:events" % sensor))

    def url(self):
        return "unix:" + self.sock


class Tool:
    over = []  # ms that each flush took more than its budget, of this scenario

    def __init__(self, mode, url, sensor="s1", timeout=300, spool=100000, password=""):
        self.p = subprocess.Popen([TOOL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        STARTED.append(self.p)
        t = time.monotonic()
        self.opened = self(f"open {mode} {url} {sensor} {timeout} {spool} {password}")
        check("open is quick", time.monotonic() - t < 10, url)

    def __call__(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        out = self.p.stdout.readline()
        check("the tool lives", out != "", line)
        return json.loads(out)

    def flush(self, budget=200):
        r = self(f"flush {budget}")
        check("flush comes back", r["ms"] < budget + 5000, r)
        Tool.over.append(r["ms"] - budget)
        s = self.stats()
        check("records = stored + queued + lost", s["records"] ==
              s["stored"] + s["queued"] + s["lost"] + s["refused"], s)
        return r["rc"]

    def stats(self):
        return self("stats")

    def flush_until(self, says):
        """Flushes until the last error says so."""
        end = time.monotonic() + 30
        while says not in self.stats()["error"]:
            check(f"an error of {says}", time.monotonic() < end, self.stats())
            self.flush()
            time.sleep(0.02)

    def drain(self, seconds=90):
        """Flushes once in a while until all is stored; the seconds that it took."""
        start = time.monotonic()
        while time.monotonic() - start < seconds:
            self.flush()
            s = self.stats()
            if s["queued"] == 0 and s["rows_pending"] == 0:
                return time.monotonic() - start
            time.sleep(0.05)
        raise AssertionError(f"not stored after {seconds} s: {self.stats()}")

    def first_stored(self):
        """Flushes each second, as the recorder does, until one more record is stored: seconds."""
        start, before = time.monotonic(), self.stats()["stored"]
        while self.stats()["stored"] == before:
            check("stored at all", time.monotonic() - start < 90, self.stats())
            self.flush(150)
            time.sleep(1)
        return time.monotonic() - start - 1

    def end(self):
        self.p.stdin.close()
        self.p.wait(timeout=30)


class Proxy(threading.Thread):
    """Between the tool and Redis: delays replies, or cuts a connection in the middle of one."""

    def __init__(self, to, delay=0.0, cut=None):
        super().__init__(daemon=True)
        self.path = os.path.join(TMP, f"proxy{random.randrange(1 << 30)}")
        self.to, self.delay, self.cut = to, delay, cut
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(50)
        self.start()

    def run(self):
        while True:
            a, _ = self.listener.accept()
            b = socket.socket(socket.AF_UNIX)
            try:
                b.connect(self.to)
            except OSError:
                a.close()
                continue
            threading.Thread(target=self.pump, args=(a, b, False), daemon=True).start()
            threading.Thread(target=self.pump, args=(b, a, True), daemon=True).start()

    def pump(self, src, dst, replies):
        left = self.cut() if self.cut and replies else None
        try:
            while data := src.recv(65536):
                if replies and self.delay:
                    time.sleep(self.delay)
                if left is not None:
                    data, left = data[:left], left - len(data)
                dst.sendall(data)
                if left is not None and left <= 0:
                    break
        except OSError:
            pass
        for s in (src, dst):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Pretender(threading.Thread):
    """Answers whatever is asked with the same bytes; None: accepts and says nothing."""

    def __init__(self, answer):
        super().__init__(daemon=True)
        self.path = os.path.join(TMP, f"fake{random.randrange(1 << 30)}")
        self.answer = answer
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(50)
        self.conns = []
        self.start()

    def run(self):
        while True:
            c, _ = self.listener.accept()
            self.conns.append(c)
            threading.Thread(target=self.serve, args=(c,), daemon=True).start()

    def serve(self, c):
        try:
            while c.recv(65536):
                if self.answer is not None:
                    c.sendall(self.answer)
        except OSError:
            pass


def flow_ids(reader, sensor="s1"):
    r = reader(f"records sensor={sensor}")
    check("records can be read", r["rc"] == 0, r["rc"])
    return [x[1] for x in r["list"] if x[1] != "gap"]


def whole(redis, n, sensor="s1"):
    """n records, each once, in order."""
    check("XLEN", redis.xlen(sensor) == n, redis.xlen(sensor))
    reader = Tool("read", redis.url(), sensor)
    check("each once, in order", flow_ids(reader, sensor) == list(range(1, n + 1)))
    reader.end()


def free_ports(n):
    """Ports that nobody listens at, nor 10000 above (a cluster's nodes talk there)."""
    held, ports = [], []
    while len(ports) < n:
        port, pair = random.randrange(20000, 32000), []
        try:
            for p in (port, port + 10000):
                s = socket.socket()
                pair.append(s)
                s.bind(("127.0.0.1", p))
            ports.append(port)
        except OSError:
            pass
        held += pair
    for s in held:
        s.close()
    return ports


def run(scenarios):
    """All of them, or those that the command line names; the exit code."""
    if not shutil.which(SERVER) or not shutil.which("redis-cli"):
        print("skipped: needs redis-server and redis-cli")
        return 77
    wanted = sys.argv[2:]
    failed = 0
    for scenario in scenarios:
        if wanted and scenario.__name__ not in wanted:
            continue
        start = time.monotonic()
        Tool.over.clear()
        try:
            ended = scenario() or "ok"
            over = sorted(Tool.over)  # one of them may be held up by the machine, not most of them
            check("flushes keep their budget", not over or over[len(over) // 2] < 60, over)
            print(f"{ended} {scenario.__name__} ({time.monotonic() - start:.1f} s)", flush=True)
        except (AssertionError, subprocess.SubprocessError, OSError) as e:
            failed += 1
            print(f"FAILED {scenario.__name__}: {e}", flush=True)
        for p in STARTED:
            if p.poll() is None:
                p.send_signal(signal.SIGCONT)
                p.kill()
                p.wait()
        STARTED.clear()
    shutil.rmtree(TMP, ignore_errors=True)
    return 1 if failed else 0
