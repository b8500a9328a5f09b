# SPDX-License-Identifier: Apache-2.0
"""Packets from nothing: link layers, IP, TCP, UDP, tunnels, and the capture file around them.

Checksums are right unless a caller asks for a wrong one. Nothing here is random: the same
description gives the same bytes.
"""
import ipaddress
import struct

LINKTYPE = {'null': 0, 'ethernet': 1, 'ppp': 9, 'raw': 101, 'chdlc': 104, 'wifi': 105, 'loop': 108,
            'sll': 113, 'ppp-serial': 50, 'pppoe': 51, 'sll2': 276, 'radiotap': 127, 'ppi': 192, 'pktap': 258,
            'pflog': 117, 'enc': 109, 'nflog': 239, 'ppp-direction': 204}
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
START = 1_790_000_000_000_000  # microseconds since 1970, in 2026
MAC_UP, MAC_DOWN = b'\x02\0\0\0\0\x01', b'\x02\0\0\0\0\x02'


def addr(text):
    return ipaddress.ip_address(text).packed


def checksum(data):
    if len(data) & 1:
        data += b'\0'
    total = sum(struct.unpack('>%dH' % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def ip4(src, dst, proto, body, ttl=64, ident=1, frag=0, total=None, options=b''):
    head = 20 + len(options)
    total = head + len(body) if total is None else total
    h = struct.pack('>BBHHHBBH', 0x40 | head // 4, 0, total, ident & 0xffff, frag, ttl, proto, 0)
    h += addr(src) + addr(dst) + options
    return h[:10] + struct.pack('>H', checksum(h)) + h[12:] + body


def ip6(src, dst, nxt, body, hops=64, length=None):
    length = len(body) if length is None else length
    return struct.pack('>IHBB', 0x60000000, length, nxt, hops) + addr(src) + addr(dst) + body


def is6(text):
    return ':' in text


def ip(src, dst, proto, body, ttl=64, ident=1):
    if is6(src):
        return ip6(src, dst, proto, body, ttl)
    return ip4(src, dst, proto, body, ttl, ident)


def pseudo(src, dst, proto, length):
    if is6(src):
        return addr(src) + addr(dst) + struct.pack('>II', length, proto)
    return addr(src) + addr(dst) + struct.pack('>BBH', 0, proto, length)


def tcp(src, dst, sport, dport, seq, ack, flags, body=b'', window=64240, options=b'', bad=None):
    """bad: None right, 'wrong', or 'partial' as a capture of transmit offload shows it."""
    off = (20 + len(options)) // 4
    h = struct.pack('>HHIIBBHHH', sport, dport, seq & 0xffffffff, ack & 0xffffffff, off << 4, flags,
                    window, 0, 0) + options
    if bad == 'partial':
        c = checksum(pseudo(src, dst, 6, len(h) + len(body))) ^ 0xffff
    else:
        c = checksum(pseudo(src, dst, 6, len(h) + len(body)) + h + body)
        if bad == 'wrong':
            c ^= 0x5a5a
    return h[:16] + struct.pack('>H', c) + h[18:] + body


def udp(src, dst, sport, dport, body, length=None):
    length = 8 + len(body) if length is None else length
    h = struct.pack('>HHHH', sport, dport, length, 0)
    c = checksum(pseudo(src, dst, 17, 8 + len(body)) + h + body) or 0xffff
    return h[:6] + struct.pack('>H', c) + body


def ether(body, up=True, kind=None):
    if kind is None:
        kind = 0x86dd if body[0] >> 4 == 6 else 0x0800
    macs = MAC_DOWN + MAC_UP if up else MAC_UP + MAC_DOWN
    frame = macs + struct.pack('>H', kind) + body
    return frame + b'\0' * (60 - len(frame))


def vlan(tags, body, up=True):
    """tags: (tpid, vid) from the outside in."""
    inner = struct.pack('>H', 0x86dd if body[0] >> 4 == 6 else 0x0800) + body
    for tpid, vid in reversed(tags):
        inner = struct.pack('>HH', tpid, vid) + inner
    macs = MAC_DOWN + MAC_UP if up else MAC_UP + MAC_DOWN
    return macs + inner


TCP_OPTIONS = bytes.fromhex('020405b4' '01030307' '01010402')


class Capture:
    """A list of (time, frame bytes, original length) of one link type."""

    def __init__(self, link='ethernet', snap=None):
        self.link, self.snap, self.now, self.frames = link, snap, START, []

    def add(self, frame, gap=1000):
        self.now += gap
        kept = frame if self.snap is None else frame[:self.snap]
        self.frames.append((self.now, kept, len(frame)))

    def write(self, path):
        write_pcap(path, self.frames, LINKTYPE[self.link])


def write_pcap(path, frames, linktype, big_endian=False):
    e = '>' if big_endian else '<'
    with open(path, 'wb') as f:
        f.write(struct.pack(e + 'IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 262144, linktype))
        for t, data, length in frames:
            f.write(struct.pack(e + 'IIII', t // 1_000_000, t % 1_000_000, len(data), length) + data)


def read_pcap(path):
    with open(path, 'rb') as f:
        raw = f.read()
    linktype, at, frames = struct.unpack_from('<I', raw, 20)[0], 24, []
    while at < len(raw):
        sec, us, kept, length = struct.unpack_from('<IIII', raw, at)
        at += 16
        frames.append((sec * 1_000_000 + us, raw[at:at + kept], length))
        at += kept
    return linktype, frames


def write_pcapng(path, frames, linktype):
    def block(kind, body):
        body += b'\0' * (-len(body) % 4)
        n = struct.pack('<I', 12 + len(body))
        return struct.pack('<I', kind) + n + body + n
    with open(path, 'wb') as f:
        f.write(block(0x0a0d0d0a, struct.pack('<IHHq', 0x1a2b3c4d, 1, 0, -1)))
        f.write(block(1, struct.pack('<HHI', linktype, 0, 262144)))
        for t, data, length in frames:
            f.write(block(6, struct.pack('<IIIII', 0, t >> 32, t & 0xffffffff, len(data), length) + data))


class Tcp:
    """One connection; every method adds packets to the capture."""

    def __init__(self, cap, src='10.1.0.5', dst='198.51.100.7', sport=40001, dport=443, wrap=None,
                 isn=1_000_000, peer_isn=7_000_000, ttl=64, peer_ttl=57, bad=None):
        self.cap, self.src, self.dst, self.sport, self.dport = cap, src, dst, sport, dport
        self.wrap = wrap or (lambda packet, up: ether(packet, up))
        self.isn, self.peer_isn, self.ttl, self.peer_ttl, self.bad = isn, peer_isn, ttl, peer_ttl, bad
        self.sent = self.got = 0
        self.ident = 100

    def segment(self, up, seq, ack, flags, body=b'', ttl=None, bad=None, options=b'', window=64240):
        src, dst, sp, dp = self.src, self.dst, self.sport, self.dport
        if not up:
            src, dst, sp, dp = dst, src, dp, sp
        self.ident += 1
        t = tcp(src, dst, sp, dp, seq, ack, flags, body, window, options, bad or self.bad)
        ttl = ttl or (self.ttl if up else self.peer_ttl)
        self.cap.add(self.wrap(ip(src, dst, 6, t, ttl, self.ident), up))

    def syn(self, body=b''):
        self.segment(True, self.isn, 0, SYN, body, options=TCP_OPTIONS)

    def synack(self, peer_isn=None):
        self.segment(False, self.peer_isn if peer_isn is None else peer_isn, self.isn + 1, SYN | ACK,
                     options=TCP_OPTIONS)

    def ack(self):
        self.segment(True, self.isn + 1 + self.sent, self.peer_isn + 1 + self.got, ACK)

    def peer_ack(self):
        self.segment(False, self.peer_isn + 1 + self.got, self.isn + 1 + self.sent, ACK)

    def open(self):
        self.syn()
        self.synack()
        self.ack()
        return self

    def at(self, off, body, **more):
        """Initiator's bytes at a stream offset, without moving on."""
        self.segment(True, self.isn + 1 + off, self.peer_isn + 1 + self.got, ACK | PSH, body, **more)

    def up(self, body, cut=1400):
        for i in range(0, len(body), cut):
            self.at(self.sent, body[i:i + cut])
            self.sent += len(body[i:i + cut])
        return self

    def down_at(self, off, body, **more):
        self.segment(False, self.peer_isn + 1 + off, self.isn + 1 + self.sent, ACK | PSH, body, **more)

    def down(self, body, cut=1400):
        for i in range(0, len(body), cut):
            self.down_at(self.got, body[i:i + cut])
            self.got += len(body[i:i + cut])
        return self

    def close(self):
        self.segment(True, self.isn + 1 + self.sent, self.peer_isn + 1 + self.got, FIN | ACK)
        self.segment(False, self.peer_isn + 1 + self.got, self.isn + 2 + self.sent, FIN | ACK)
        self.segment(True, self.isn + 2 + self.sent, self.peer_isn + 2 + self.got, ACK)


class Udp:
    def __init__(self, cap, src='10.1.0.5', dst='198.51.100.7', sport=40001, dport=443, wrap=None):
        self.cap, self.src, self.dst, self.sport, self.dport = cap, src, dst, sport, dport
        self.wrap = wrap or (lambda packet, up: ether(packet, up))

    def up(self, body):
        u = udp(self.src, self.dst, self.sport, self.dport, body)
        self.cap.add(self.wrap(ip(self.src, self.dst, 17, u), True))

    def down(self, body):
        u = udp(self.dst, self.src, self.dport, self.sport, body)
        self.cap.add(self.wrap(ip(self.dst, self.src, 17, u, 57), False))


def fragments(packet, size, ident=777):
    """An IPv4 or IPv6 packet without options cut into fragments of `size` (a multiple of 8)."""
    out = []
    if packet[0] >> 4 == 4:
        head, body = packet[:20], packet[20:]
        for off in range(0, len(body), size):
            part = body[off:off + size]
            more = 0x2000 if off + size < len(body) else 0
            src, dst = (str(ipaddress.ip_address(head[i:i + 4])) for i in (12, 16))
            out.append(ip4(src, dst, head[9], part, head[8], ident, more | off // 8))
        return out
    head, body = packet[:40], packet[40:]
    for off in range(0, len(body), size):
        part = body[off:off + size]
        more = 1 if off + size < len(body) else 0
        ext = struct.pack('>BBHI', head[6], 0, off | more, ident)
        out.append(ip6(str(ipaddress.ip_address(head[8:24])), str(ipaddress.ip_address(head[24:40])), 44,
                       ext + part, head[7]))
    return out
