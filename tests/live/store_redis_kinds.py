#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Redis store against real servers that refuse for a while (LOADING, MASTERDOWN, READONLY, MISCONF, OOM,
NOAUTH, WRONGPASS, NOPERM), behind a Sentinel that fails over, and in a cluster of three nodes whose slots move and
whose nodes die. Nothing is lost, all is stored once it can be; what is stored is counted with redis-cli.

usage: store_redis_kinds.py STORE_TOOL [SCENARIO...]
PHONEHOME names the command, PHONEHOME_REDIS another server's program."""

import json
import os
import random
import signal
import subprocess
import sys
import time

from redis_bench import RETURN_S, SERVER, STARTED, TMP, Redis, Tool, check, free_ports, run, whole

WRITER = "+MULTI +EXEC +XADD +XINFO +HSET +HMGET +DEL +ZADD +ZREM +SADD +EXPIRE +SELECT +ZRANGE +ZRANGEBYLEX"
READER = "+PING +SELECT +ZRANGE +ZRANGEBYLEX +ZRANGEBYSCORE +ZCOUNT +HMGET +XRANGE +SMEMBERS"


def refused(w, word, n=20):
    """A writer that has n records meets the word, and keeps them."""
    w.flush_until(word)
    s = w.stats()
    check(word, s["queued"] == n and s["stored"] == 0, s)


def refusals():
    """Errors that a server gives for a while."""
    redis = Redis("refusals").start()
    for word, on, off in (
            ("READONLY", ["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"]),
            ("OOM", ["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]),
            ("NOAUTH", ["CONFIG", "SET", "requirepass", "x"], ["-a", "x", "CONFIG", "SET", "requirepass", ""])):
        redis.cli(*on)
        w = Tool("write", redis.url(), word)
        w("put 20")
        refused(w, word)
        redis.cli(*off)
        w.drain()
        whole(redis, 20, word)


def wrong_password():
    """WRONGPASS until the password is right; NOPERM until the rights that the README lists are given."""
    redis = Redis("acl").start()
    redis.cli("ACL", "SETUSER", "ph", "on", ">right", "+PING")
    w = Tool("write", f"unix://ph:wrong@{redis.sock}")
    w("put 20")
    refused(w, "WRONGPASS")
    redis.cli("ACL", "SETUSER", "ph", ">wrong")
    refused(w, "NOPERM")
    redis.cli("ACL", "SETUSER", "ph", "~phonehome:*", *WRITER.split())
    w("row 10.0.0.1 acme agent 5")
    w.drain()
    whole(redis, 20)
    w("event 3")
    check("earlier rows are read with these rights", w("sync 20000")["rc"] == 0, w.stats())
    redis.cli("ACL", "SETUSER", "look", "on", ">right", "~phonehome:*", *READER.split())
    r = Tool("read", f"unix://look:right@{redis.sock}")
    for what, n in (("rows sensor=*", 2), ("rows since=1", 2), ("rows sensor=s1 vendor=acme", 2), ("records", 23)):
        got = r(what)
        check(f"a reader's rights: {what}", got["rc"] == 0 and len(got["list"]) == n, (got, r.stats()))
    check("a reader's rights: days", r("days")["rc"] == 0, r.stats())


def misconf():
    """A server that can save no snapshot takes no writes until it can."""
    redis = Redis("misconf", "--stop-writes-on-bgsave-error", "yes").start()
    redis.cli("CONFIG", "SET", "save", "3600 1000000")
    os.mkdir(os.path.join(redis.dir, "dump.rdb"))  # in the snapshot's place
    redis.cli("BGSAVE")
    redis.wait_cli("rdb_last_bgsave_status:err", "INFO", "persistence")
    w = Tool("write", redis.url())
    w("put 20")
    refused(w, "MISCONF")
    os.rmdir(os.path.join(redis.dir, "dump.rdb"))
    redis.cli("BGSAVE")
    redis.wait_cli("rdb_last_bgsave_status:ok", "INFO", "persistence")
    w.drain()
    whole(redis, 20)


def loading():
    """A server that starts with much to read: it answers LOADING the while."""
    redis = Redis("loading", persist=True).start()
    redis.cli("EVAL", "for i = 1, 3000 do redis.call('SET', 'filler' .. i, string.rep('x', 1000)) end", "0")
    w = Tool("write", redis.url())
    w("put 500")
    w.drain()
    redis.cli("BGREWRITEAOF")
    redis.wait_cli("aof_rewrite_in_progress:0", "INFO", "persistence")
    redis.kill()
    redis.args += ["--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"]
    redis.start(wait=False)
    began, said = time.monotonic(), ""
    w("put 20")
    while time.monotonic() - began < 60 and "LOADING" not in said:
        if redis.proc.poll() is not None:
            return "left out: this server cannot be told to load slowly:"
        w.flush()
        said = w.stats()["error"]
        time.sleep(0.05)
    check("LOADING", "LOADING" in said and w.stats()["queued"] == 20, w.stats())
    r = Tool("read", redis.url())
    check("a reader says so", r("rows")["rc"] < 0 and "LOADING" in r.stats()["error"], r.stats())
    redis.wait_cli("PONG", "PING", seconds=60)
    loaded = time.monotonic()
    took = w.first_stored()
    check("stored soon after", took <= RETURN_S, took)
    w.drain()
    whole(redis, 520)
    print(f"  loading: LOADING for {loaded - began:.1f} s, the first record stored {took:.1f} s after")
    return None


def masterdown():
    """A replica that serves no stale data, and whose master is gone; then it is made the master."""
    port = free_ports(1)[0]
    master = Redis("md-master", port=port).start()
    replica = Redis("md-replica", "--replicaof", "127.0.0.1", str(port), "--replica-serve-stale-data", "no").start()
    replica.wait_cli("master_link_status:up", "INFO", "replication")
    master.kill()
    replica.wait_cli("master_link_status:down", "INFO", "replication")
    w = Tool("write", replica.url())
    w("put 20")
    refused(w, "MASTERDOWN")
    r = Tool("read", replica.url())
    check("a reader says so", r("rows")["rc"] < 0 and "MASTERDOWN" in r.stats()["error"], r.stats())
    replica.cli("REPLICAOF", "NO", "ONE")
    w.drain()
    whole(replica, 20)


def sentinel():
    """The master dies; the sentinel names the replica; a sentinel that is no more is passed over."""
    ports = free_ports(3)
    one = Redis("one", port=ports[0]).start()
    two = Redis("two-replica", "--replicaof", "127.0.0.1", str(ports[0]), port=ports[1]).start()
    conf = os.path.join(TMP, "sentinel.conf")
    with open(conf, "w", encoding="ascii") as f:
        f.write(f"port {ports[2]}\ndir {TMP}\nsentinel monitor mine 127.0.0.1 {ports[0]} 1\n"
                "sentinel down-after-milliseconds mine 2000\nsentinel failover-timeout mine 3000\n")
    STARTED.append(subprocess.Popen([SERVER, conf, "--sentinel"], stdout=subprocess.DEVNULL))
    w = Tool("write", f"redis+sentinel://127.0.0.1:1,127.0.0.1:{ports[2]}/mine", timeout=500)
    w("put 50")
    w.drain()
    check("on the master", one.xlen() == 50)
    deadline = time.monotonic() + 60
    while two.xlen() != 50 or "flags\nslave" not in subprocess.run(
            ["redis-cli", "-p", str(ports[2]), "SENTINEL", "REPLICAS", "mine"],
            capture_output=True, text=True, check=False).stdout:
        check("the replica follows", time.monotonic() < deadline)
        time.sleep(0.2)
    one.kill()
    w("put 50")
    w.drain()
    whole(two, 100)


# --- TLS ---

def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=TMP)


def certificate(name, ca, *names):
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=redis")
    with open(os.path.join(TMP, name + ".ext"), "w", encoding="ascii") as f:
        f.write("subjectAltName=" + ",".join(names) + "\n")
    openssl("x509", "-req", "-in", name + ".csr", "-CA", ca + ".crt", "-CAkey", ca + ".key", "-CAcreateserial", "-days", "2",
            "-extfile", name + ".ext", "-out", name + ".crt")


def tls():
    """rediss://: the right authority and the right name, or nothing is sent. Builds with hiredis below 1.0 have no
    TLS: then what is held is the message that says so and the way round."""
    w = Tool("write", "rediss://127.0.0.1")
    if w.opened["rc"] < 0:
        check("the way round", "hiredis" in w.opened["said"] and "stunnel" in w.opened["said"], w.opened)
        return "left out: TLS to Redis: this build's hiredis is older than 1.0:"
    for ca in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", ca + ".key", "-out", ca + ".crt", "-days", "2",
                "-subj", "/CN=" + ca)
    certificate("server", "ca", "IP:127.0.0.1", "DNS:localhost")
    certificate("elsewhere", "ca", "DNS:elsewhere.example")
    ports = free_ports(2)
    servers = []
    for port, cert in zip(ports, ("server", "elsewhere")):
        r = Redis("tls-" + cert, "--tls-port", str(port), "--tls-auth-clients", "no", "--tls-cert-file", f"{TMP}/{cert}.crt",
                  "--tls-key-file", f"{TMP}/{cert}.key", "--tls-ca-cert-file", f"{TMP}/ca.crt")
        servers.append(r.start())
    for i, host in enumerate(("127.0.0.1", "localhost")):
        w = Tool("write", f"rediss://{host}:{ports[0]}?ca={TMP}/ca.crt", f"tls{i}")
        w("put 600")
        w.drain()
        whole(servers[0], 600, f"tls{i}")
        r = Tool("read", f"rediss://{host}:{ports[0]}?ca={TMP}/ca.crt", f"tls{i}")
        check("read", r("records")["rc"] == 0, r.stats())
    for port, ca, word in ((ports[0], "other", "certificate"), (ports[1], "ca", "mismatch")):
        w = Tool("write", f"rediss://127.0.0.1:{port}?ca={TMP}/{ca}.crt", "refused")
        w("put 5")
        refused(w, word, 5)
    check("nothing was sent", servers[0].xlen("refused") == servers[1].xlen("refused") == 0)
    w = Tool("write", f"rediss://127.0.0.1:{ports[0]}?ca={TMP}/server.key")
    check("a file of no authorities", w.opened["rc"] < 0 and "server.key" in str(w.opened) or "authorities" in w.opened["said"],
          w.opened)
    # A server that knows no TLS at that port, and one killed and started again in the middle.
    servers[0].kill()
    w = Tool("write", f"rediss://127.0.0.1:{ports[0]}?ca={TMP}/ca.crt", "again")
    w("put 30")
    refused(w, "refused", 30)
    servers[0].start()
    w.drain()
    whole(servers[0], 30, "again")
    return None


# --- a cluster ---

class Cluster:
    def __init__(self):
        self.ports = free_ports(3)
        self.nodes = [Redis(f"node{p}", "--cluster-enabled", "yes", "--cluster-node-timeout", "3000",
                            "--cluster-require-full-coverage", "no", port=p, persist=True).start() for p in self.ports]
        at = [f"127.0.0.1:{p}" for p in self.ports]
        subprocess.run(["redis-cli", "--cluster", "create", *at, "--cluster-yes"], check=True, capture_output=True)
        for n in self.nodes:
            n.wait_cli("cluster_state:ok", "CLUSTER", "INFO")
            n.wait_cli("cluster_known_nodes:3", "CLUSTER", "INFO")

    def node_of(self, key):
        slot = int(self.nodes[0].cli("CLUSTER", "KEYSLOT", key))
        for first, last, master, *_ in self.slots():
            if first <= slot <= last:
                return self.ports.index(master), slot
        raise AssertionError(f"slot {slot} of {key} is nobody's")

    def slots(self):
        out = self.nodes[0].cli("--json", "CLUSTER", "SLOTS")
        return [(x[0], x[1], x[2][1]) for x in json.loads(out)]

    def sensor_on(self, node):
        """A sensor's name whose keys lie on that node."""
        return next(name for i in range(1000) if self.node_of("phonehome:{%s}:events" % (name := f"site{i}"))[0] == node)

    def move(self, slot, old, new):
        """The slot with its keys, as redis-cli's reshard does it."""
        ids = [n.cli("CLUSTER", "MYID") for n in self.nodes]
        self.nodes[new].cli("CLUSTER", "SETSLOT", str(slot), "IMPORTING", ids[old])
        self.nodes[old].cli("CLUSTER", "SETSLOT", str(slot), "MIGRATING", ids[new])
        while keys := self.nodes[old].cli("CLUSTER", "GETKEYSINSLOT", str(slot), "100").split():
            self.nodes[old].cli("MIGRATE", "127.0.0.1", str(self.ports[new]), "", "0", "5000", "KEYS", *keys)
        for n in (new, old, 3 - new - old):
            self.nodes[n].cli("CLUSTER", "SETSLOT", str(slot), "NODE", ids[new])

    def url(self, *order):
        return "redis://" + ",".join(f"127.0.0.1:{self.ports[i]}" for i in order)


def sums(reader, sensors):
    """Rows and records of all sensors are those of each, added up."""
    rows, records = reader("rows sensor=*"), reader("records sensor=*")
    check("read", rows["rc"] == records["rc"] == 0, reader.stats())
    check("rows of all sensors", sorted((r[0], r[4]) for r in rows["list"]) == sorted((s, n) for s, n in sensors.items()), rows)
    got = {}
    for sensor, _ in records["list"]:
        got[sensor] = got.get(sensor, 0) + 1
    check("records of all sensors", got == sensors, got)


def cluster():
    """Sensors on every node; read through any; a slot moves; a node dies and comes back."""
    c = Cluster()
    names = [c.sensor_on(i) for i in range(3)]
    writers = {name: Tool("write", c.url((i + 1) % 3), name, timeout=500) for i, name in enumerate(names)}
    stored = {}
    for i, (name, w) in enumerate(writers.items()):
        stored[name] = 250 + 100 * i
        w(f"put {stored[name]}")
        w(f"row 10.0.0.{i} acme agent {stored[name]}")
        w.drain()
        check("on its own node", c.nodes[i].xlen(name) == stored[name], c.nodes[i].xlen(name))
    for i in range(3):
        sums(Tool("read", c.url(i)), stored)
    if "PHONEHOME" in os.environ:
        r = subprocess.run([os.environ["PHONEHOME"], "report", "--json", "--all-sensors", "--store", c.url(0)],
                           capture_output=True, text=True, check=False)
        check("the command", r.returncode == 0 and {x["sensor"]: x["flows"] for x in json.loads(r.stdout)} == stored, r)

    home, slot = c.node_of("phonehome:{%s}:events" % names[0])
    c.move(slot, home, 1)
    for name, w in writers.items():
        stored[name] += 40
        w("put 40")
        w(f"row 10.0.0.{names.index(name)} acme agent {stored[name]}")
        w.drain()
    check("the slot moved, and its sensor with it", c.nodes[1].xlen(names[0]) == stored[names[0]], stored)
    sums(Tool("read", c.url(2)), stored)

    c.nodes[2].kill(signal.SIGKILL)
    r = Tool("read", c.url(2, 0), timeout=500)
    check("a dead node is passed over, and named where it is needed", r("rows sensor=" + names[0])["rc"] == 0 and
          r("rows sensor=" + names[2])["rc"] < 0 and r.stats()["error"] != "", r.stats())
    w = writers[names[2]]
    w("put 10")
    for _ in range(5):
        w.flush()
    check("its sensor waits", w.stats()["queued"] == 10, w.stats())
    c.nodes[2].start()
    stored[names[2]] += 10
    w(f"row 10.0.0.2 acme agent {stored[names[2]]}")
    w.drain()
    for n in c.nodes:
        n.wait_cli("cluster_state:ok", "CLUSTER", "INFO")
    sums(Tool("read", c.url(0)), stored)


random.seed(7)
sys.exit(run([refusals, wrong_password, misconf, loading, masterdown, sentinel, tls, cluster]))
