#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Redis store against a real redis-server that is stopped, killed, cut off and replaced, and
against servers that only pretend. What must hold after every fault: records = stored + queued +
lost, nothing stored twice, no call longer than its budget. What is stored is counted with redis-cli
(XLEN), not by our own reader alone.

usage: store_redis.py STORE_TOOL [SCENARIO...]"""

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
        self.args = ["redis-server", "--port", str(port), "--unixsocket", self.sock,
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

    def xlen(self, sensor="s1"):
        return int(self.cli("XLEN", "phonehome:{%s}:events" % sensor))

    def url(self):
        return "unix:" + self.sock


class Tool:
    def __init__(self, mode, url, sensor="s1", timeout=300, spool=100000, password=""):
        self.p = subprocess.Popen([TOOL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        STARTED.append(self.p)
        t = time.monotonic()
        self.opened = self(f"open {mode} {url} {sensor} {timeout} {spool} {password}")
        check("open is quick", time.monotonic() - t < 1, url)

    def __call__(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        out = self.p.stdout.readline()
        check("the tool lives", out != "", line)
        return json.loads(out)

    def flush(self, budget=200):
        r = self(f"flush {budget}")
        check("flush keeps its budget", r["ms"] < budget + 60, r)
        s = self.stats()
        check("records = stored + queued + lost", s["records"] ==
              s["stored"] + s["queued"] + s["lost"] + s["refused"], s)
        return r["rc"]

    def stats(self):
        return self("stats")

    def drain(self, seconds):
        """Flushes once in a while until all is stored; the seconds that it took."""
        start = time.monotonic()
        while time.monotonic() - start < seconds:
            self.flush()
            s = self.stats()
            if s["queued"] == 0 and s["rows_pending"] == 0:
                return time.monotonic() - start
            time.sleep(0.05)
        raise AssertionError(f"not stored after {seconds} s: {self.stats()}")

    def close(self):
        self.p.stdin.close()
        self.p.wait(timeout=5)


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
    reader.close()


def basics():
    redis = Redis("basics").start()
    w = Tool("write", redis.url())
    w("put 1000")
    for i in range(450):
        vendor = ["acme", "Bolt", "crux"][i % 3]
        w(f"row 10.0.{i // 200}.{i % 200} {vendor} agent{i % 2} {i + 1}")
    w.drain(5)
    whole(redis, 1000)
    r = Tool("read", redis.url(), "other")
    rows = r("rows sensor=s1")["list"]
    check("all rows, each once", len(rows) == 450 and len({x[1] for x in rows}) == 450, len(rows))
    check("flows", sum(x[4] for x in rows) == 450 * 451 // 2)
    check("names", all(x[5] == 2 for x in rows))
    for f, n in (("vendor=ACME", 150), ("vendor=bolt", 150), ("product=agent1", 225),
                 ("vendor=crux product=agent0", 75), ("host=10.0.0.7", 1), ("host=10.0.0.0/30", 4),
                 ("country=us", 450), ("country=de", 0), ("limit=7", 7),
                 ("since=1796207400000000", 450), ("since=1796207400000001", 0)):
        got = r(f"rows sensor=s1 {f}")["list"]
        check(f, len(got) == n, len(got))
    check("own sensor", r("rows")["list"] == [])
    check("days", len(r("days sensor=s1 limit=1000")["list"]) >= 450)
    beat = redis.cli("HGET", "phonehome:{s1}:heartbeat", "at_us")
    check("heartbeat", abs(int(beat) / 1e6 - time.time()) < 30, beat)
    w("row 10.0.0.0 acme agent0 0")
    w.drain(5)
    check("a row without flows is gone", len(r("rows sensor=s1")["list"]) == 449)
    keys = redis.cli("KEYS", "*").splitlines()
    check("keys are tagged", all("{s1}" in k or k == "phonehome:sensors" for k in keys), keys[:5])


def two_sensors():
    redis = Redis("two").start()
    for sensor, n in (("east", 3), ("west", 4)):
        w = Tool("write", redis.url(), sensor)
        w(f"put {n}")
        w(f"row 10.0.0.1 acme agent {n}")
        w.drain(5)
    r = Tool("read", redis.url(), "east")
    check("own", [x[4] for x in r("rows")["list"]] == [3])
    check("all", sorted(x[4] for x in r("rows sensor=*")["list"]) == [3, 4])
    check("records of all", len(r("records sensor=*")["list"]) == 7)


def absent_at_start():
    redis = Redis("absent")
    w = Tool("write", redis.url())
    w("put 10")
    for _ in range(5):
        check("away", w.flush() != 0)
    check("queued", w.stats()["queued"] == 10 and not w.stats()["up"], w.stats())
    redis.start()
    took = w.drain(6)
    check("stored soon after it came", took < 6, took)
    whole(redis, 10)
    r = Tool("read", "unix:" + TMP + "/nobody")
    check("a reader says so", r("rows")["rc"] < 0 and "nobody" in r.stats()["error"], r.stats())
    t = Tool("write", "redis://no-such-host.invalid:6379")
    t("put 1")
    for _ in range(10):
        t.flush(100)
    check("a name that is none", t.stats()["queued"] == 1, t.stats())
    refused = socket.socket()
    refused.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
    t = Tool("write", f"redis://127.0.0.1:{refused.getsockname()[1]}")
    t("put 1")
    t.flush()
    check("refused", "refused" in t.stats()["error"], t.stats())


def silent():
    fake = Pretender(None)
    w = Tool("write", "unix:" + fake.path)
    w("put 5")
    for _ in range(8):
        w.flush()
    check("nothing lost", w.stats()["queued"] == 5 and "in time" in w.stats()["error"], w.stats())
    r = Tool("read", "unix:" + fake.path)
    t = time.monotonic()
    check("a reader gives up", r("rows")["rc"] < 0 and time.monotonic() - t < 1.5)


def stopped():
    redis = Redis("stopped").start()
    w = Tool("write", redis.url())
    w("put 500")
    w.drain(5)
    redis.kill(signal.SIGSTOP)
    start = time.monotonic()
    while time.monotonic() - start < 6:
        w("put 50")
        w.flush()
        time.sleep(0.1)
    n = w.stats()["records"]
    redis.kill(signal.SIGCONT)
    took = w.drain(10)
    check("stored soon after it went on", took < 6, took)
    time.sleep(0.5)
    whole(redis, n)


def killed():
    redis = Redis("killed", persist=True).start()
    w = Tool("write", redis.url())
    n = 0
    for _ in range(6):
        for _ in range(8):
            n += 400
            w("put 400")
            w(f"row 10.0.0.1 acme agent {n}")
            if random.random() < 0.3:
                threading.Timer(random.random() * 0.01, redis.proc.kill).start()
            w.flush(50)
        redis.kill()
        redis.start()
    w.drain(15)
    whole(redis, n)
    r = Tool("read", redis.url())
    check("the row's total", [x[4] for x in r("rows")["list"]] == [n], r("rows"))


def cut():
    redis = Redis("cut").start()
    proxy = Proxy(redis.sock, cut=lambda: random.choice((3, 60, 200, 700, 3000, 9000)))
    w = Tool("write", "unix:" + proxy.path)
    n = 0
    end = time.monotonic() + 60  # the pauses between attempts grow: some cuts take long to come
    while w.stats()["reconnects"] < 5:
        check("there are cuts", time.monotonic() < end, w.stats())
        n += 30
        w("put 30")
        w.flush()
        time.sleep(0.05)
    proxy.cut = None
    w.drain(10)
    whole(redis, n)


def slow():
    redis = Redis("slow").start()
    proxy = Proxy(redis.sock, delay=0.5)
    w = Tool("write", "unix:" + proxy.path, timeout=1000)
    w("put 600")
    took = w.drain(30)
    check("slow is not dead", w.stats()["reconnects"] == 1, w.stats())
    whole(redis, 600)
    print(f"  slow: 600 records in {took:.1f} s")


def refusals():
    """Errors that a real server gives for a while: nothing lost, all stored after."""
    redis = Redis("refusals").start()
    for name, on, off in (
            ("READONLY", [["REPLICAOF", "127.0.0.1", "1"]], [["REPLICAOF", "NO", "ONE"]]),
            ("OOM", [["CONFIG", "SET", "maxmemory", "1"]], [["CONFIG", "SET", "maxmemory", "0"]]),
            ("NOAUTH", [["CONFIG", "SET", "requirepass", "x"]], None),
            ("MISCONF", [["CONFIG", "SET", "save", "1 1"], ["CONFIG", "SET", "dir", "/proc"],
                         ["BGSAVE"]], None)):
        sensor = name.lower()
        if name == "MISCONF":
            continue  # /proc cannot be chosen everywhere; MISCONF goes the way of OOM
        for c in on:
            redis.cli(*c)
        w = Tool("write", redis.url(), sensor)
        w("put 20")
        for _ in range(4):
            w.flush()
            time.sleep(0.1)
        s = w.stats()
        check(name, s["queued"] == 20 and name in s["error"], s)
        for c in off or [["-a", "x", "CONFIG", "SET", "requirepass", ""]]:
            redis.cli(*c)
        w.drain(6)
        whole(redis, 20, sensor)


def pretenders():
    for answer, says in (
            (b"-LOADING Redis is loading the dataset in memory\r\n" * 50, "LOADING"),
            (b"-MASTERDOWN Link with MASTER is down\r\n" * 50, "MASTERDOWN"),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", ""),
            (b"\x00\xff\x1b[2J" * 1000, ""),
            (b"*1000000000\r\n", ""),
            (b"*1048576\r\n" * 9, ""),
            (b"$2000000000\r\n" + b"x" * 100000, ""),
            (b"$-5\r\n", ""),
            (b":99999999999999999999999\r\n", ""),
            (b"+OK\r\n" * 1000, ""),
            (b"*2\r\n$1\r\na\r\n" * 300, "")):
        fake = Pretender(answer)
        w = Tool("write", "unix:" + fake.path, timeout=200)
        w("put 5")
        w("row 10.0.0.1 acme agent 1")
        for _ in range(6):
            w.flush(100)
            time.sleep(0.05)
        s = w.stats()
        check(f"{answer[:20]}: kept", s["queued"] == 5 and s["stored"] == 0, s)
        check(f"{answer[:20]}: said", says in s["error"] and "\x1b" not in s["error"], s)
        r = Tool("read", "unix:" + fake.path, timeout=200)
        check("reader", r("rows")["list"] == [] and r("records")["list"] == [], answer[:20])
        with open(f"/proc/{w.p.pid}/statm", encoding="ascii") as f:
            check("memory", int(f.read().split()[1]) * 4096 < 100 << 20, answer[:20])


def spool_bound():
    redis = Redis("spool")
    w = Tool("write", redis.url(), spool=100)
    w("put 250")
    w.flush()
    s = w.stats()
    check("oldest went", s["queued"] == 100 and s["lost"] == 150, s)
    redis.start()
    w.drain(6)
    r = Tool("read", redis.url())
    got = r("records")["list"]
    check("the gap is marked", got[0] == ["s1", "gap", 150], got[:2])
    check("the newest are there", [x[1] for x in got[1:]] == list(range(151, 251)))


def password():
    redis = Redis("password", "--requirepass", "s3cret", "--user", "ph", "on", ">pw", "~*", "+@all")
    redis.start()
    path = os.path.join(TMP, "pw")
    with open(path, "w", encoding="ascii") as f:
        f.write("s3cret\n")
    os.chmod(path, 0o644)
    w = Tool("write", redis.url(), password=path)
    check("a file that others read", w.opened["rc"] < 0 and "chmod 600" in w.opened["said"])
    os.chmod(path, 0o600)
    for text, url in (("s3cret\n", redis.url()), ("ph:pw\n", redis.url()),
                      (None, f"unix://ph:pw@{redis.sock}"), (None, f"unix://:s3cret@{redis.sock}")):
        if text:
            with open(path, "w", encoding="ascii") as f:
                f.write(text)
        w = Tool("write", url, f"s{random.randrange(1 << 30)}", password=path if text else "")
        w("put 1")
        w.drain(3)
    w = Tool("write", "rediss://127.0.0.1")
    check("TLS or the way round", w.opened["rc"] == 0 or "stunnel" in w.opened["said"], w.opened)


def resumed():
    """A sensor's restart goes on from its totals, also when Redis is away at its start; a Redis that
    lost its data is told all rows again."""
    redis = Redis("resumed", persist=True).start()
    w = Tool("write", redis.url())
    w("event 10")
    check("first run", w("sync 500")["rc"] == 0)
    w.p.kill()
    redis.kill()
    w = Tool("write", redis.url())
    w("event 5")
    w("sync 200")
    redis.start()
    for _ in range(60):
        if w("sync 200")["rc"] == 0:
            break
        time.sleep(0.1)
    r = Tool("read", redis.url())
    check("10 + 5", [x[4] for x in r("rows")["list"]] == [15], r("rows"))
    redis.cli("FLUSHALL")
    redis.kill()
    redis.start()
    w("event 1")
    for _ in range(60):
        w("sync 200")
        if [x[4] for x in r("rows")["list"]] == [16]:
            break
        time.sleep(0.1)
    check("told again", [x[4] for x in r("rows")["list"]] == [16], r("rows"))


def sentinel():
    ports = []
    for _ in range(3):
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        ports.append(s.getsockname()[1])
        s.close()
    one = Redis("one", port=ports[0]).start()
    two = Redis("two-replica", "--replicaof", "127.0.0.1", str(ports[0]), port=ports[1]).start()
    conf = os.path.join(TMP, "sentinel.conf")
    with open(conf, "w", encoding="ascii") as f:
        f.write(f"port {ports[2]}\ndir {TMP}\nsentinel monitor mine 127.0.0.1 {ports[0]} 1\n"
                "sentinel down-after-milliseconds mine 500\nsentinel failover-timeout mine 3000\n")
    STARTED.append(subprocess.Popen(["redis-server", conf, "--sentinel"], stdout=subprocess.DEVNULL))
    w = Tool("write", f"redis+sentinel://127.0.0.1:1,127.0.0.1:{ports[2]}/mine", timeout=500)
    w("put 50")
    w.drain(15)
    check("on the master", one.xlen() == 50)
    deadline = time.monotonic() + 15
    while two.xlen() != 50 or "flags\nslave" not in subprocess.run(
            ["redis-cli", "-p", str(ports[2]), "SENTINEL", "REPLICAS", "mine"],
            capture_output=True, text=True, check=False).stdout:
        check("the replica follows", time.monotonic() < deadline)
        time.sleep(0.2)
    one.kill()
    w("put 50")
    w.drain(30)
    whole(two, 100)


SCENARIOS = [basics, two_sensors, absent_at_start, silent, stopped, killed, cut, slow, refusals,
             pretenders, spool_bound, password, resumed, sentinel]


def main():
    if not shutil.which("redis-server"):
        print("skipped: no redis-server here")
        return 77
    wanted = sys.argv[2:]
    failed = 0
    random.seed(5)
    for scenario in SCENARIOS:
        if wanted and scenario.__name__ not in wanted:
            continue
        start = time.monotonic()
        try:
            scenario()
            print(f"ok {scenario.__name__} ({time.monotonic() - start:.1f} s)", flush=True)
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


sys.exit(main())
