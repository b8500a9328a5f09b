#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two daemons, one Redis: `report --all-sensors` is the sum of the two scans, also when Redis or a sensor is killed.

The recorded clients, in many copies with addresses of their own, so that a replay is still being stored when it is
struck; one half of the inside hosts passes the one sensor, the other half (and some of the first) the other. Held here:

* Replayed to the end, the rows in Redis are the rows of both scans, field for field, and the stream holds every record.
* The same, when Redis (with an AOF) is killed in the middle of the storing and comes back: what was sent twice counts
  once, what waited is sent.
* The same, when a sensor that had stored all is killed and started again on a wire that is silent.
* A sensor killed in the middle of its storing has told a part. The network does not send again what it had not told:
  those are lost (the last second), nothing else. A capture can be replayed: then totals are what stood at the kill
  plus one whole scan, row for row; the other sensor's rows are untouched.
"""

import collections
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

from wire import BUILD, DAEMON, PACKS, ROOT, check, skip, wait_for

PHONEHOME = os.path.join(BUILD, "ctl/phonehome")
COPIES = 60
COUNTS = ("flows", "bytes_up", "bytes_down", "dropped")


# --- the captures ---

def read_frames(path):
    """(microseconds, frame)... of a pcap in this machine's byte order."""
    with open(path, "rb") as f:
        data = f.read()
    check(data[:4] == b"\xd4\xc3\xb2\xa1", f"{path} is a pcap")
    out, at = [], 24
    while at + 16 <= len(data):
        s, us, n = struct.unpack_from("<III", data, at)
        out.append((s * 1000000 + us, data[at + 16:at + 16 + n]))
        at += 16 + n
    return out


def add_checksum(frame, at, old, new):
    """RFC 1624: the checksum at `at` after the 16-bit words `old` became `new`."""
    s = ~struct.unpack_from("!H", frame, at)[0] & 0xFFFF
    for i in (0, 2):
        s += (~struct.unpack_from("!H", old, i)[0] & 0xFFFF) + struct.unpack_from("!H", new, i)[0]
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    struct.pack_into("!H", frame, at, ~s & 0xFFFF)


def readdress(frame, copy):
    """The inside 10.20.x.y becomes 10.(20+copy).x.y; None: not IPv4 with one such end."""
    if frame[12:14] != b"\x08\x00":
        return None
    f = bytearray(frame)
    ends = [at for at in (26, 30) if f[at:at + 2] == b"\x0a\x14"]
    if not ends:
        return None
    transport = 14 + (f[14] & 15) * 4
    first = (struct.unpack_from("!H", f, 20)[0] & 0x1FFF) == 0
    sums = [24]
    if first and f[23] == 6:
        sums.append(transport + 16)
    if first and f[23] == 17 and f[transport + 6:transport + 8] != b"\0\0":
        sums.append(transport + 6)
    for at in ends:
        old = bytes(f[at:at + 4])
        f[at + 1] += copy
        for s in sums:
            add_checksum(f, s, old, bytes(f[at:at + 4]))
    return bytes(f)


def inside(frame):
    """The last byte of the inside host's address."""
    return frame[29] if frame[26:28] == b"\x0a\x14" else frame[33]


def make_captures(work):
    real = [(t, f) for t, f in read_frames(os.path.join(ROOT, "tests/cases/real-clients/input.pcap")) if readdress(f, 0)]
    span = real[-1][0] - real[0][0] + 1000000
    out = {}
    for name, mine in (("east", lambda f: inside(f) % 2 == 0), ("west", lambda f: inside(f) % 2 or inside(f) % 4 == 0)):
        out[name] = os.path.join(work, name + ".pcap")
        with open(out[name], "wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
            for copy in range(COPIES):
                for t, f in real:
                    if mine(f):
                        t2, f2 = t + copy * span, readdress(f, copy)
                        file.write(struct.pack("<IIII", t2 // 1000000, t2 % 1000000, len(f2), len(f2)) + f2)
    out["silence"] = os.path.join(work, "silence.pcap")
    with open(out["silence"], "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
    return out


# --- the programs ---

class Redis:
    def __init__(self, work):
        self.dir, self.sock = work, os.path.join(work, "redis.sock")
        self.url = "unix:" + self.sock
        self.proc = None

    def start(self):
        self.proc = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.sock, "--dir", self.dir, "--save", "",
             "--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no"], stdout=subprocess.DEVNULL)
        wait_for("redis", lambda: self.cli("PING") == "PONG")

    def kill(self):
        self.proc.send_signal(signal.SIGKILL)
        self.proc.wait()

    def cli(self, *args):
        return subprocess.run(["redis-cli", "-s", self.sock, *args], capture_output=True, text=True,
                              check=False).stdout.strip()

    def xlen(self, sensor):
        return int(self.cli("XLEN", "phonehome:{%s}:events" % sensor) or 0)

    def empty(self):
        self.cli("FLUSHALL")


class Sensor:
    def __init__(self, name, work, capture, url):
        self.name, self.sock = name, os.path.join(work, name + ".sock")
        self.log = os.path.join(work, name + ".log")
        with open(self.log, "ab") as log:
            self.proc = subprocess.Popen(
                [DAEMON, "--no-huge", "--mirror", f"net_pcap0,rx_pcap={capture}", "--packs", PACKS, "--store", url,
                 "--socket", self.sock, "--sensor", name, "--exit-when-drained", "--linger"], stdout=log, stderr=log)

    def stored(self):
        """True when the capture was read and nothing waits for Redis any more."""
        check(self.proc.poll() is None, f"{self.name} lives: {open(self.log, encoding='utf-8').read()[-400:]}")
        r = subprocess.run([PHONEHOME, "status", "--json", "--socket", self.sock], capture_output=True, check=False)
        if r.returncode != 0:
            return False
        s = json.loads(r.stdout)
        store, recorder = s["store"], s["recorder"]
        lost = store["lost_spool_full"] + store["lost_refused"] + s["engine"]["events_lost"]
        check(lost == 0, f"{self.name} lost {lost}")
        return s["drained"] and s["engine"]["events"] == recorder["events"] and recorder["pending_now"] == 0 and \
            store["records"] == recorder["records"] == store["stored"] and store["rows_pending"] == 0 and store["up"]

    def drained(self):
        r = subprocess.run([PHONEHOME, "status", "--json", "--socket", self.sock], capture_output=True, check=False)
        return r.returncode == 0 and json.loads(r.stdout)["drained"] and json.loads(r.stdout)["store"]["up"]

    def kill(self):
        self.proc.send_signal(signal.SIGKILL)
        self.proc.wait()
        if os.path.exists(self.sock):
            os.unlink(self.sock)

    def stop(self):
        self.proc.send_signal(signal.SIGTERM)
        check(self.proc.wait(timeout=60) == 0, f"{self.name} ends with 0")


def rows_of(*args):
    r = subprocess.run([PHONEHOME, *args], capture_output=True, text=True, check=False, timeout=300)
    check(r.returncode == 0, f"{args}: {r.returncode} {r.stderr}")
    return json.loads(r.stdout)


def as_set(rows):
    return collections.Counter(json.dumps(r, sort_keys=True) for r in rows)


def same(got, want, what):
    got, want = as_set(got), as_set(want)
    check(got == want, f"{what}: {sum(got.values())} rows, not {sum(want.values())}:\n too much {list(got - want)[:2]}\n"
          f" missing {list(want - got)[:2]}")


def totals(rows, sensor):
    return {(r["host"], r.get("vendor_id"), r.get("product_id"), r["function"]): [r[c] for c in COUNTS]
            for r in rows if r["sensor"] == sensor}


class TooLate(Exception):
    """This program had no CPU while it all was stored: the step is taken again."""


class Bench:
    def __init__(self, work):
        self.work = work
        self.captures = make_captures(work)
        self.redis = Redis(work)
        self.running = []
        self.scans, self.records = {}, {}
        for name in ("east", "west"):
            scan = [self.captures[name], "--packs", PACKS, "--sensor", name]
            self.scans[name] = rows_of("scan", "--json", *scan)
            self.records[name] = scan_records(scan)
        self.sum = self.scans["east"] + self.scans["west"]
        shared = {r["host"] for r in self.scans["east"]} & {r["host"] for r in self.scans["west"]}
        check(len(self.sum) > 500 and shared, f"captures worth adding up: {len(self.sum)} rows, {len(shared)} hosts in both")

    def sensor(self, name, capture=None):
        s = Sensor(name, self.work, self.captures[capture or name], self.redis.url)
        self.running.append(s)
        return s

    def report(self, *more):
        return rows_of("report", "--json", "--all-sensors", "--store", self.redis.url, *more)

    def wait_stored(self, sensor, records):
        wait_for(f"{sensor.name} to have stored all", sensor.stored, 90)
        wait_for(f"{records} records of {sensor.name}", lambda: self.redis.xlen(sensor.name) == records)

    def in_the_middle(self, name, start=0):
        """Waits until some of the sensor's records are stored, and not yet all."""
        wait_for("storing", lambda: self.redis.xlen(name) > start, 60)
        if self.redis.xlen(name) == start + self.records[name]:
            raise TooLate

    def quiet(self, name):
        """Redis has read what a sensor that is gone had sent: it turns to each connection between two questions."""
        seen = []

        def the_same_for_long():
            seen.append(self.redis.xlen(name))
            return len(seen) >= 20 and len(set(seen[-20:])) == 1
        wait_for("Redis to have read all", the_same_for_long)

    def again(self):
        for s in self.running:
            if s.proc.poll() is None:
                s.kill()
        self.running.clear()
        if self.redis.proc.poll() is not None:
            self.redis.start()
        self.redis.empty()

    def end(self):
        for s in self.running:
            if s.proc.poll() is None:
                s.kill()
        if self.redis.proc and self.redis.proc.poll() is None:
            self.redis.kill()


def scan_records(scan):
    r = subprocess.run([PHONEHOME, "scan", "--flows", "--json", *scan], capture_output=True, check=True)
    return r.stdout.count(b"\n")


# --- what is held ---

def whole(b):
    """Nothing happens to them: the sum, in every grouping too."""
    east, west = b.sensor("east"), b.sensor("west")
    for s in (east, west):
        b.wait_stored(s, b.records[s.name])
    wait_for("the rows", lambda: as_set(b.report()) == as_set(b.sum))
    hosts = {r["host"] for r in b.sum if r.get("vendor_id") == "crowdstrike" and r["function"] != "portal"}
    vendor = [g for g in b.report("--group-by", "vendor") if g["vendor"] == "CrowdStrike"][0]
    check(vendor["hosts"] == len(hosts), f"a host seen by both sensors is one: {vendor['hosts']}, not {len(hosts)}")
    check(vendor["flows"] == sum(r["flows"] for r in b.sum if r.get("vendor_id") == "crowdstrike"), "flows add up")
    same(b.report("--sensor", "west"), b.scans["west"], "one sensor of the two")
    east.stop()
    west.stop()
    same(b.report(), b.sum, "the sum, after the sensors ended")


def redis_killed(b):
    east, west = b.sensor("east"), b.sensor("west")
    b.in_the_middle("east")
    b.redis.kill()
    time.sleep(1.5)
    b.redis.start()
    for s in (east, west):
        b.wait_stored(s, b.records[s.name])
    wait_for("the rows", lambda: as_set(b.report()) == as_set(b.sum))
    # Again, now that all is stored; what Redis says after its restart is what the sensors told.
    b.redis.kill()
    b.redis.start()
    same(b.report(), b.sum, "after Redis' second restart")
    # A sensor killed and started again on a silent wire: rows are read back, and none is told anew.
    east.kill()
    east = b.sensor("east", "silence")
    b.wait_stored(west, b.records["west"])
    wait_for("the new sensor", east.drained, 60)
    time.sleep(1.5)
    same(b.report(), b.sum, "after a sensor's restart")
    check(b.redis.xlen("east") == b.records["east"], "no record more, none less")
    east.stop()
    west.stop()


def sensor_killed(b):
    west = b.sensor("west")
    east = b.sensor("east")
    b.in_the_middle("east")
    east.kill()
    b.wait_stored(west, b.records["west"])
    b.quiet("east")
    before, told = totals(b.report(), "east"), b.redis.xlen("east")
    scan = totals(b.sum, "east")
    for key, row in before.items():
        check(all(have <= all_ for have, all_ in zip(row, scan[key])), f"{key}: {row} at the kill, of {scan[key]}")
    east = b.sensor("east")
    b.wait_stored(east, told + b.records["east"])
    want = {key: [x + y for x, y in zip(row, before.get(key, [0] * len(COUNTS)))] for key, row in scan.items()}
    wait_for("what stood there and one whole scan", lambda: totals(b.report(), "east") == want)
    same(b.report("--sensor", "west"), b.scans["west"], "the other sensor's rows")
    east.stop()
    west.stop()
    check(totals(b.report(), "east") == want, "the same after the end")
    print(f"the killed sensor had told {told} of {b.records['east']} records and {len(before)} of {len(scan)} rows")


def main():
    if os.geteuid() != 0:
        skip("needs root")
    for tool in ("redis-server", "redis-cli"):
        if not shutil.which(tool):
            skip(f"needs {tool}")
    with tempfile.TemporaryDirectory(prefix="phonehome-sensors-") as work:
        b = Bench(work)
        try:
            b.redis.start()
            for step in (whole, redis_killed, sensor_killed):
                began = time.monotonic()
                for tries in range(5):
                    b.again()
                    try:
                        step(b)
                        break
                    except TooLate:
                        check(tries < 4, "a capture long enough to be struck in the middle")
                print(f"{step.__name__}: {time.monotonic() - began:.1f} s")
        finally:
            b.end()
    print(f"{sum(b.records.values())} records and {len(b.sum)} rows of two sensors: the sum of both scans, each time")


main()
