#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Redis store against a real redis-server that is stopped, killed, cut off and slow, and against
servers that only pretend. What must hold after every fault: records = stored + queued + lost, nothing
stored twice, no call longer than its budget. What is stored is counted with redis-cli (XLEN), not by our
own reader alone. What a server refuses, and servers of several nodes: store_redis_kinds.py.

usage: store_redis.py STORE_TOOL [SCENARIO...]
PHONEHOME_STOPPED_S: how long `stopped` stops the server (6 seconds)."""

import os
import random
import signal
import socket
import sys
import threading
import time

from clock_steps import clock_steps
from redis_bench import RETURN_S, TMP, Pretender, Proxy, Redis, Tool, check, run, whole

STOPPED_S = float(os.environ.get("PHONEHOME_STOPPED_S", "6"))


def basics():
    redis = Redis("basics").start()
    w = Tool("write", redis.url())
    w("put 1000")
    for i in range(450):
        vendor = ["acme", "Bolt", "crux"][i % 3]
        w(f"row 10.0.{i // 200}.{i % 200} {vendor} agent{i % 2} {i + 1}")
    w.drain()
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
    w.drain()
    check("a row without flows is gone", len(r("rows sensor=s1")["list"]) == 449)
    keys = redis.cli("KEYS", "*").splitlines()
    check("keys are tagged", all("{s1}" in k or k == "phonehome:sensors" for k in keys), keys[:5])


def two_sensors():
    redis = Redis("two").start()
    for sensor, n in (("east", 3), ("west", 4)):
        w = Tool("write", redis.url(), sensor)
        w(f"put {n}")
        w(f"row 10.0.0.1 acme agent {n}")
        w.drain()
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
    took = w.first_stored()
    check("stored soon after it came", took <= RETURN_S, took)
    w.drain()
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
    t.flush_until("refused")


def silent():
    fake = Pretender(None)
    w = Tool("write", "unix:" + fake.path)
    w("put 5")
    for _ in range(8):
        w.flush()
    w.flush_until("in time")
    check("nothing lost", w.stats()["queued"] == 5, w.stats())
    r = Tool("read", "unix:" + fake.path)
    t = time.monotonic()
    check("a reader gives up", r("rows")["rc"] < 0 and time.monotonic() - t < 10)


def stopped():
    redis = Redis("stopped").start()
    w = Tool("write", redis.url())
    w("put 500")
    w.drain()
    redis.kill(signal.SIGSTOP)
    start = time.monotonic()
    while time.monotonic() - start < STOPPED_S:
        w("put 50")
        w.flush()
        time.sleep(0.1)
    n = w.stats()["records"]
    redis.kill(signal.SIGCONT)
    took = w.first_stored()
    check("stored soon after it went on", took <= RETURN_S, took)
    print(f"  stopped: {STOPPED_S:.0f} s, the first record stored {took:.1f} s after, all {took + w.drain():.1f} s after")
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
    w.drain()
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
    w.drain()
    whole(redis, n)


def slow():
    redis = Redis("slow").start()
    proxy = Proxy(redis.sock, delay=0.5)
    w = Tool("write", "unix:" + proxy.path, timeout=5000)
    w("put 600")
    took = w.drain()
    check("slow is not dead", w.stats()["reconnects"] == 1, w.stats())
    whole(redis, 600)
    print(f"  slow: 600 records in {took:.1f} s")


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
        w.flush_until(says)
        s = w.stats()
        check(f"{answer[:20]}: kept", s["queued"] == 5 and s["stored"] == 0, s)
        check(f"{answer[:20]}: said", "\x1b" not in s["error"], s)
        r = Tool("read", "unix:" + fake.path, timeout=200)
        check("reader", r("rows")["list"] == [] and r("records")["list"] == [], answer[:20])
        with open(f"/proc/{w.p.pid}/statm", encoding="ascii") as f:
            check("memory", int(f.read().split()[1]) * 4096 < 100 << 20, answer[:20])


def clock():
    redis = Redis("clock").start()
    clock_steps(lambda mode: Tool(mode, redis.url()))
    check("entries", redis.xlen() == 640, redis.xlen())


def spool_bound():
    redis = Redis("spool")
    w = Tool("write", redis.url(), spool=100)
    w("put 250")
    w.flush()
    s = w.stats()
    check("oldest went", s["queued"] == 100 and s["lost"] == 150, s)
    redis.start()
    w.drain()
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
        w.drain()
    w = Tool("write", "rediss://127.0.0.1")
    check("TLS or the way round", w.opened["rc"] == 0 or "stunnel" in w.opened["said"], w.opened)


def resumed():
    """A sensor's restart goes on from its totals, also when Redis is away at its start; a Redis that
    lost its data is told all rows again."""
    redis = Redis("resumed", persist=True).start()
    w = Tool("write", redis.url())
    w("event 10")
    check("first run", w("sync 20000")["rc"] == 0)
    w.p.kill()
    redis.kill()
    w = Tool("write", redis.url())
    w("event 5")
    w("sync 200")
    redis.start()
    for _ in range(300):
        if w("sync 200")["rc"] == 0:
            break
        time.sleep(0.1)
    r = Tool("read", redis.url())
    check("10 + 5", [x[4] for x in r("rows")["list"]] == [15], r("rows"))
    redis.cli("FLUSHALL")
    redis.kill()
    redis.start()
    w("event 1")
    for _ in range(300):
        w("sync 200")
        if [x[4] for x in r("rows")["list"]] == [16]:
            break
        time.sleep(0.1)
    check("told again", [x[4] for x in r("rows")["list"]] == [16], r("rows"))


random.seed(5)
sys.exit(run([basics, two_sensors, absent_at_start, silent, stopped, killed, cut, slow, pretenders,
              clock, spool_bound, password, resumed]))
