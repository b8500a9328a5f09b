# SPDX-License-Identifier: Apache-2.0
"""Small captures made from nothing: TCP, UDP, TLS hellos, HTTP, DNS; pcap in every byte order."""
import ipaddress
import struct


def csum(data):
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return ~s & 0xFFFF


def ip(src, dst, proto, payload):
    s, d = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    if s.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(payload), proto, 64) + s.packed + d.packed + payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0x4000, 64, proto, 0) + s.packed + d.packed
    return head[:10] + struct.pack("!H", csum(head)) + head[12:] + payload


def with_csum(src, dst, proto, segment, at):
    s, d = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    pseudo = s + d + struct.pack("!II", len(segment), proto)
    c = csum(pseudo + segment)
    return segment[:at] + struct.pack("!H", c) + segment[at + 2:]


def tcp(src, sport, dst, dport, seq, ack, flags, data=b""):
    seg = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 0x50, flags, 65535, 0, 0) + data
    return ip(src, dst, 6, with_csum(src, dst, 6, seg, 16))


def udp(src, sport, dst, dport, data):
    seg = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    return ip(src, dst, 17, with_csum(src, dst, 17, seg, 6))


def hello(name):
    name = name if isinstance(name, bytes) else name.encode()
    entry = b"\0" + struct.pack("!H", len(name)) + name
    sni = struct.pack("!H", len(entry)) + entry
    ext = struct.pack("!HH", 0, len(sni)) + sni + bytes.fromhex("002b0003020304")
    body = b"\x03\x03" + bytes(32) + b"\0" + b"\0\x02\x13\x01" + b"\x01\0" + struct.pack("!H", len(ext)) + ext
    msg = b"\x01" + struct.pack("!I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack("!H", len(msg)) + msg


def stream(client, sport, server, dport, data):
    """A whole TCP connection that sends `data`."""
    a, b = 1000, 5000
    return [
        tcp(client, sport, server, dport, a, 0, 2),
        tcp(server, dport, client, sport, b, a + 1, 18),
        tcp(client, sport, server, dport, a + 1, b + 1, 16),
        tcp(client, sport, server, dport, a + 1, b + 1, 24, data),
        tcp(server, dport, client, sport, b + 1, a + 1 + len(data), 24, b"x" * 100),
        tcp(client, sport, server, dport, a + 1 + len(data), b + 101, 17),
        tcp(server, dport, client, sport, b + 101, a + 2 + len(data), 17),
        tcp(client, sport, server, dport, a + 2 + len(data), b + 102, 16),
    ]


def tls(client, sport, server, name):
    return stream(client, sport, server, 443, hello(name))


def http(client, sport, server, host, agent=b"curl/8"):
    host = host if isinstance(host, bytes) else host.encode()
    return stream(client, sport, server, 80,
                  b"GET /x HTTP/1.1\r\nHost: " + host + b"\r\nUser-Agent: " + agent + b"\r\n\r\n")


def query(client, sport, server, labels):
    if isinstance(labels, str):
        labels = [x.encode() for x in labels.split(".")]
    q = b"".join(bytes([len(x)]) + x for x in labels) + b"\0" + struct.pack("!HH", 1, 1)
    ask = struct.pack("!HHHHHH", sport, 0x0100, 1, 0, 0, 0) + q
    answer = struct.pack("!HHHHHH", sport, 0x8180, 1, 1, 0, 0) + q + bytes.fromhex("c00c00010001000000780004cb007107")
    return [udp(client, sport, server, 53, ask), udp(server, 53, client, sport, answer)]


ETHER = bytes.fromhex("0200000000020200000000010800")


def frame(packet):
    return ETHER[:12] + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00") + packet


def pcap(packets, order="<", nano=False, link=1, start=1795389322, step_us=1000, snap=262144, first_us=123456):
    out = [struct.pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, snap, link)]
    us = start * 1000000 + first_us
    for p in packets:
        data = frame(p) if link == 1 else p
        frac = us % 1000000 * (1000 if nano else 1) + (789 if nano else 0)
        out.append(struct.pack(order + "IIII", us // 1000000, frac, min(len(data), snap), len(data)) + data[:snap])
        us += step_us
    return b"".join(out)


def pcapng(packets, link=1, start=1795389322, first_us=123456, step_us=1000):
    def block(kind, body):
        body += b"\0" * (-len(body) % 4)
        n = struct.pack("<I", len(body) + 12)
        return struct.pack("<I", kind) + n + body + n
    out = [block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)), block(1, struct.pack("<HHI", link, 0, 0))]
    us = start * 1000000 + first_us
    for p in packets:
        data = frame(p) if link == 1 else p
        out.append(block(6, struct.pack("<IIIII", 0, us >> 32, us & 0xFFFFFFFF, len(data), len(data)) + data))
        us += step_us
    return b"".join(out)
