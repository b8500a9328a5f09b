#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bump in the wire, to the byte: what comes in on one port goes out of the other, all of it, unchanged and in order.

A lossless source and sink (net_pcap files on both sides of an inline pair), so that nothing may be missing: exact
order with one worker; with two, order within each pair of addresses. Frames of every kind: the recorded clients many
times over, and frames that are no IP, cut, padded, or longer than a packet buffer.
"""

import collections
import glob
import os
import random
import struct
import subprocess
import sys
import tempfile

from wire import DAEMON, PACKS, ROOT, check, skip

HEAD = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)


def read(path):
    with open(path, "rb") as f:
        data = f.read()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    check(struct.unpack(order + "I", data[20:24])[0] == 1 or len(data) == 24, f"{path} is Ethernet")
    out, at = [], 24
    while at + 16 <= len(data):
        n = struct.unpack(order + "I", data[at + 8:at + 12])[0]
        out.append(data[at + 16:at + 16 + n])
        at += 16 + n
    return out


def write(path, frames):
    with open(path, "wb") as f:
        f.write(HEAD)
        for i, frame in enumerate(frames):
            f.write(struct.pack("<IIII", 1700000000 + i // 1000, i % 1000 * 1000, len(frame), len(frame)) + frame)


def frames_of_all_kinds():
    rnd = random.Random(5)
    real = read(os.path.join(ROOT, "tests/cases/real-clients/input.pcap"))
    out = real * 40
    eth = bytes.fromhex("020000000002020000000001")
    for n in (60, 590, 1500, 2048, 2049, 4000, 9000, 16000):
        out.append(eth + b"\x88\xb5" + rnd.randbytes(n))
        out.append(eth + b"\x08\x00" + rnd.randbytes(n))
    out += [f[:rnd.randrange(14, len(f))] for f in real]
    out += [eth[:n] for n in (1, 6, 13)] * 3 + [eth + b"\x08\x00"]  # not even a head
    out += [f + bytes(rnd.randrange(1, 40)) for f in real[:50]]
    rnd.shuffle(out)
    return out


def addresses(frame):
    """Frames between the same two hosts stay in order; so do all that are no IP."""
    if frame[12:14] == b"\x08\x00" and len(frame) >= 34:
        return frozenset((frame[26:30], frame[30:34]))
    if frame[12:14] == b"\x86\xdd" and len(frame) >= 54:
        return frozenset((frame[22:38], frame[38:54]))
    return None


def run(work, frames, back, workers):
    for f in glob.glob(f"{work}/*"):
        os.unlink(f)
    write(f"{work}/in0", frames)
    write(f"{work}/in1", back)
    pair = " ".join(f"net_pcap{i},rx_pcap={work}/in{i},tx_pcap={work}/out{i}" for i in (0, 1))
    r = subprocess.run([DAEMON, "--no-huge", "--pair", pair, "--workers", str(workers), "--packs", PACKS, "--store",
                        f"{work}/db", "--socket", f"{work}/sock", "--exit-when-drained"], capture_output=True, text=True,
                       check=False, timeout=300)
    check(r.returncode == 0, f"the daemon: {r.returncode} {r.stderr}")
    return read(f"{work}/out1"), read(f"{work}/out0")


def by_hosts(frames):
    out = collections.defaultdict(list)
    for f in frames:
        out[addresses(f)].append(f)
    return out


def main():
    if os.geteuid() != 0:
        skip("needs root")
    frames = frames_of_all_kinds()
    back = frames[:2000]
    with tempfile.TemporaryDirectory() as work:
        there, here = run(work, frames, back, 1)
        check(there == frames and here == back, f"one worker: {len(frames)} in, {len(there)} out; {len(back)}, {len(here)}")
        there, here = run(work, frames, back, 2)
        check(len(there) == len(frames) and len(here) == len(back), f"two workers: {len(frames)} in, {len(there)} out")
        check(by_hosts(there) == by_hosts(frames) and by_hosts(here) == by_hosts(back), "two workers: order within a flow")
    print(f"{len(frames)} frames one way and {len(back)} the other, by one worker and by two: none lost, changed or out of order")


if __name__ == "__main__":
    main()
