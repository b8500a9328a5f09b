#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes one large capture out of many small ones: merged in turn, and repeated with other addresses.

    tests/bench/make_mix.py FOLDER OUT.pcap [COPIES]

Every Ethernet capture below FOLDER (pcap or pcapng, read through editcap of wireshark-common) is written COPIES
times (default 10). Copy k shifts the second byte of every IPv4 address and the last byte of the prefix of every
IPv6 address, so that flows of different copies never meet; checksums are corrected (RFC 1624). Copies follow one
another in time, a second apart. What is inside tunnels keeps its addresses. The result is the same for the same input.
"""
import pathlib
import struct
import subprocess
import sys
import tempfile


def fix(frame, at, change):
    """Adds a 16-bit word's change (old, new) to the checksum at offset `at`, RFC 1624 eqn. 3."""
    if at + 2 > len(frame):
        return
    old, new = change
    check = struct.unpack_from("!H", frame, at)[0]
    if check == 0:
        return
    total = (~check & 0xFFFF) + (~old & 0xFFFF) + new
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    struct.pack_into("!H", frame, at, ~total & 0xFFFF)


def readdress(frame, k):
    """Shifts the addresses of an Ethernet frame in place."""
    off = 12
    while off + 4 <= len(frame) and frame[off:off + 2] in (b"\x81\x00", b"\x88\xa8"):
        off += 4
    kind, ip = frame[off:off + 2], off + 2
    if kind == b"\x08\x00" and ip + 20 <= len(frame):
        l4 = ip + (frame[ip] & 15) * 4
        first_fragment = (struct.unpack_from("!H", frame, ip + 6)[0] & 0x1FFF) == 0
        check = {6: l4 + 16, 17: l4 + 6}.get(frame[ip + 9]) if first_fragment else None
        for addr in (ip + 12, ip + 16):
            if frame[addr] >= 224:
                continue  # multicast and broadcast stay what they are
            old = struct.unpack_from("!H", frame, addr)[0]
            frame[addr + 1] = (frame[addr + 1] + k) & 0xFF
            new = struct.unpack_from("!H", frame, addr)[0]
            fix(frame, ip + 10, (old, new))
            if check:
                fix(frame, check, (old, new))
    elif kind == b"\x86\xdd" and ip + 40 <= len(frame):
        l4 = ip + 40
        check = {6: l4 + 16, 17: l4 + 6, 58: l4 + 2}.get(frame[ip + 6])
        for addr in (ip + 8, ip + 24):
            if frame[addr] == 0xFF:
                continue
            old = struct.unpack_from("!H", frame, addr + 6)[0]
            frame[addr + 7] = (frame[addr + 7] + k) & 0xFF
            new = struct.unpack_from("!H", frame, addr + 6)[0]
            if check:
                fix(frame, check, (old, new))


def packets(path):
    """(seconds, microseconds, original length, bytes) of each packet of an Ethernet capture."""
    with tempfile.NamedTemporaryFile(suffix=".pcap") as plain:
        done = subprocess.run(["editcap", "-F", "pcap", path, plain.name], capture_output=True, check=False)
        if done.returncode != 0:
            return
        data = pathlib.Path(plain.name).read_bytes()
    if len(data) < 24 or data[:4] != b"\xd4\xc3\xb2\xa1" or struct.unpack_from("<I", data, 20)[0] != 1:
        return
    at = 24
    while at + 16 <= len(data):
        sec, usec, have, orig = struct.unpack_from("<IIII", data, at)
        at += 16
        yield sec, usec, orig, data[at:at + have]
        at += have


def main():
    if len(sys.argv) not in (3, 4):
        print(__doc__, file=sys.stderr)
        return 2
    folder, out = sys.argv[1], sys.argv[2]
    copies = int(sys.argv[3]) if len(sys.argv) == 4 else 10
    files = sorted(p for p in pathlib.Path(folder).rglob("*") if p.suffix in (".pcap", ".pcapng", ".cap", ".trace"))
    loaded = [list(packets(str(p))) for p in files]
    clock, count = 1_700_000_000, 0
    with open(out, "wb") as mix:
        mix.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        for k in range(copies):
            for capture in loaded:
                if not capture:
                    continue
                start = capture[0][0]
                last = 0
                for sec, usec, orig, data in capture:
                    frame = bytearray(data)
                    readdress(frame, k)
                    last = max(last, min(max(sec - start, 0), 600))
                    mix.write(struct.pack("<IIII", clock + min(max(sec - start, 0), 600), usec, len(frame), orig) + frame)
                    count += 1
                clock += last + 1
    print(f"{count} packets of {sum(1 for c in loaded if c)} captures, {copies} copies, in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
