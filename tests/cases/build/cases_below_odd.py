# SPDX-License-Identifier: Apache-2.0
"""Below TCP and UDP: rarer encapsulations and their mixtures, and link types with a head of their own."""
import struct

from cases_below import (A4, A6, B4, B6, HELLO, PQ, carried, datagram, gre, mpls, options, outer, over_udp, pppoe, segment,
                         vxlan)
from packets import ACK, PSH, Tcp, Udp, addr, ether, fragments, ip4, ip6, tcp, vlan
from protocols import crypto, fill, initial, quic_hello, tls
from registry import OTHER, VENDOR, blind, case, counted, hit


def also(cap, n, wrap, v6=False, **expect):
    """One more flow, from port 40000 + n."""
    ends = (A6, B6) if v6 else (A4, B4)
    Tcp(cap, *ends, 40000 + n, wrap=wrap).open().up(HELLO)
    return [hit(src={'ip': ends[0], 'port': 40000 + n}, **expect)]


@case('vxlan-gpe', 'VXLAN\'s generic extension on its own port: IPv4, IPv6, Ethernet, NSH, MPLS inside; Linux\' old port.')
def _(cap):
    def gpe(protocol, body, up):
        return ether(over_udp(4790, b'\x0c\0\0' + bytes([protocol]) + b'\0\0\5\0' + body, up), up)
    nsh = b'\0\x46\1\1\0\0\1\xff' + bytes(16)
    out = also(cap, 1, lambda p, up: gpe(1, p, up), tunnel='vxlan')
    out += also(cap, 2, lambda p, up: gpe(2, p, up), True, tunnel='vxlan')
    out += also(cap, 3, lambda p, up: gpe(3, ether(p, up), up), tunnel='vxlan')
    out += also(cap, 4, lambda p, up: gpe(4, nsh + p, up), tunnel='vxlan')
    out += also(cap, 5, lambda p, up: gpe(5, mpls([16]) + p, up), tunnel='vxlan')
    out += also(cap, 6, lambda p, up: ether(over_udp(8472, vxlan(p, up), up), up), tunnel='vxlan')
    # A protocol that nobody knows, and the plain form on the generic port: what they are outside.
    Udp(cap, sport=40010, dport=4790).up(b'\x0c\0\0\x63\0\0\5\0' + segment(A4, B4, HELLO, 41000))
    Udp(cap, sport=40011, dport=4790).up(vxlan(segment(A4, B4, HELLO, 41000), True))
    return out + [blind(src={'port': 40010 + i}, absent=['tunnel']) for i in range(2)]


@case('l2tp', 'L2TP version 2 with and without length, sequence and offset; control messages stay what they are.')
def _(cap):
    def l2tp(flags, middle, ppp, up):
        body = struct.pack('>HH', 7, 9) + middle + ppp
        head = struct.pack('>H', flags) + (struct.pack('>H', len(body) + 4) if flags & 0x4000 else b'')
        return ether(over_udp(1701, head + body, up), up)
    out = also(cap, 1, lambda p, up: l2tp(0x4002, b'', b'\xff\3\0\x21' + p, up), tunnel='l2tp')
    out += also(cap, 2, lambda p, up: l2tp(0x4a02, b'\0\1\0\2\0\3abc', b'\0\x57' + p, up), True, tunnel='l2tp')
    out += also(cap, 3, lambda p, up: l2tp(0x0002, b'', b'\x21' + p, up), tunnel='l2tp')
    Udp(cap, sport=40010, dport=1701).up(struct.pack('>HHHHHH', 0xc802, 20, 7, 0, 0, 0) + bytes(8))
    Udp(cap, sport=40011, dport=1701).up(initial(crypto(0, quic_hello(VENDOR)), b'\x83' * 8, pad=1200))
    return out + [blind(src={'port': 40010}, absent=['tunnel']), hit('quic.sni', src={'port': 40011}, absent=['tunnel'])]


@case('fabric-tags', 'Tags of switches and fabrics before IP: VN-Tag, Cisco metadata, HSR, NSH.')
def _(cap):
    out = also(cap, 1, lambda p, up: ether(b'\0\0\0\1\x08\0' + p, up, 0x8926))
    out += also(cap, 2, lambda p, up: ether(b'\1\1\0\1\0\2\x08\0' + p, up, 0x8909))
    out += also(cap, 3, lambda p, up: ether(b'\0\x40\0\1\x86\xdd' + p, up, 0x892f), True)
    out += also(cap, 4, lambda p, up: ether(b'\0\x46\1\3\0\0\1\xff' + bytes(16) + ether(p, up), up, 0x894f))
    return out


@case('macsec', 'MACsec: signed alone it is read; encrypted it is not, and counted.')
def _(cap):
    out = also(cap, 1, lambda p, up: ether(b'\x20\0' + struct.pack('>I', 1) + bytes(8) + b'\x08\0' + p + bytes(16), up, 0x88e5))
    out += also(cap, 2, lambda p, up: ether(b'\0\0' + struct.pack('>I', 1) + b'\x08\0' + p + bytes(16), up, 0x88e5))
    for i in range(3):
        cap.add(ether(b'\x2c\0' + struct.pack('>I', i) + bytes(8) + fill(100, i), kind=0x88e5))
    return counted({'flows': out, 'count': 2}, parse__unsupported=3)


@case('tunnel-mixtures', 'PPPoE under two tags, a pseudowire with a tag inside, GRE with all its fields, MPLS and tags in GRE, PPTP, WCCP.')
def _(cap):
    def tagged(p, up):
        return ether(struct.pack('>HHHH', 5, 0x8100, 35, 0x8864) + pppoe(p), up, 0x88a8)
    out = also(cap, 1, tagged, tunnel='pppoe', vlan=5)
    out += also(cap, 2, lambda p, up: ether(mpls([16, 17]) + b'\0\0\0\0' + vlan([(0x8100, 9)], p, up), up, 0x8847), tunnel='mpls')
    out += also(cap, 3, lambda p, up: ether(outer(47, gre(0xb000, 0x0800, bytes(12)) + p, up), up), tunnel='gre')
    out += also(cap, 4, lambda p, up: ether(outer(47, gre(0, 0x8847) + mpls([20]) + p, up), up), tunnel='gre')
    out += also(cap, 5, lambda p, up: ether(outer(47, gre(0x2000, 0x6558, b'\0\0\0\1') + vlan([(0x8100, 3)], p, up), up), up), tunnel='gre')
    out += also(cap, 6, lambda p, up: ether(outer(47, struct.pack('>HHHH', 0x3081, 0x880b, len(p) + 4, 7) + bytes(8)
                                                  + b'\xff\3\0\x21' + p, up), up), tunnel='gre')
    out += also(cap, 7, lambda p, up: ether(outer(47, gre(0, 0x883e) + b'\0\0\0\0' + p, up), up), tunnel='gre')
    out += also(cap, 8, lambda p, up: ether(struct.pack('>HH', 9, 0x8847) + mpls([16, 7, 0xfffff]) + p, up, 0x8100), tunnel='mpls')
    return out


@case('overlay-variants', 'VXLAN with a group policy and a tag inside; GENEVE with options over IPv6; GTP-U with several extension headers.')
def _(cap):
    out = also(cap, 1, lambda p, up: ether(over_udp(4789, b'\x88\0\0\x63' + vxlan(p, up)[4:], up), up), tunnel='vxlan')
    out += also(cap, 2, lambda p, up: ether(over_udp(4789, b'\x08\0\0\0\0\x12\x34\0' + vlan([(0x8100, 7)], p, up), up), up), tunnel='vxlan')
    opts = bytes.fromhex('010301020000000001030103') + bytes(4)
    out += also(cap, 3, lambda p, up: ether(over_udp(6081, b'\x04\x40\x86\xdd\0\0\5\0' + opts + p, up), up), True, tunnel='geneve')
    ext = b'\0\1\0\xc0' + b'\1\0\7\x85' + b'\2' + bytes(6) + b'\0'
    out += also(cap, 4, lambda p, up: ether(over_udp(2152, struct.pack('>BBHI', 0x36, 255, len(ext) + len(p), 9) + ext + p, up), up),
                tunnel='gtp-u')
    out += also(cap, 5, lambda p, up: ether(over_udp(2152, struct.pack('>BBHI', 0x33, 255, 4 + len(p), 9) + b'\0\1\0\0' + p, up), up),
                True, tunnel='gtp-u')
    return out


@case('mirror-variants', 'ERSPAN II with a tag inside and over IPv6, III with its sub-header; TZSP with several fields.')
def _(cap):
    two, three = b'\0\0\0\1\x10\7\0\x65\0\0\0\0', b'\0\0\0\1\x20\7\0\x66' + bytes(6) + b'\0\1' + bytes(8)
    out = also(cap, 1, lambda p, up: ether(outer(47, gre(0x1000, 0x88be, two) + vlan([(0x8100, 7)], p, up), True), True), tunnel='erspan')
    out += also(cap, 2, lambda p, up: ether(outer(47, gre(0x1000, 0x88be, two) + ether(p, up), True, True), True), tunnel='erspan')
    out += also(cap, 3, lambda p, up: ether(outer(47, gre(0x1000, 0x22eb, three) + ether(p, up), True), True), tunnel='erspan')
    out += also(cap, 4, lambda p, up: ether(over_udp(37008, b'\1\0\0\1\0\x0a\1\x50\x28\2\0\1\1' + ether(p, up), True), True), tunnel='tzsp')
    return out


@case('authenticated', 'Authentication headers in IPv4 and as a tunnel; segment routing before TCP and around a packet; mobility.')
def _(cap):
    def signed(p, up):
        src, dst = (A4, B4) if up else (B4, A4)
        return ether(ip4(src, dst, 51, bytes([6, 4, 0, 0]) + bytes(20) + p[20:]), up)
    out = also(cap, 1, signed)
    out += also(cap, 2, lambda p, up: ether(outer(51, bytes([4, 4, 0, 0]) + bytes(20) + p, up), up), tunnel='ipip')
    t = tcp(A6, B6, 40003, 443, 1_000_001, 7_000_001, ACK | PSH, HELLO)
    cap.add(ether(ip6(A6, '2001:db8:3::9', 43, bytes([6, 4, 4, 1, 1, 0, 0, 0]) + addr(B6) + addr('2001:db8:3::9') + t)))
    cap.add(ether(ip6('2001:db8:f::1', '2001:db8:3::9', 43, bytes([4, 2, 4, 0, 0, 0, 0, 0]) + addr('2001:db8:3::9')
                      + segment(A4, B4, HELLO, 40004))))
    t = tcp(A6, B6, 40005, 443, 1_000_001, 7_000_001, ACK | PSH, HELLO)
    cap.add(ether(ip6(A6, B6, 135, bytes([6, 0, 0, 0, 0, 0, 0, 0]) + t)))
    return out + [hit(src={'port': 40003}), hit(src={'port': 40004}, tunnel='ipip'), hit(src={'port': 40005})]


@case('fragments-variants', 'Fragments in a VLAN, in VXLAN, outside and inside a tunnel, with options before and behind the fragment header.')
def _(cap):
    for part in fragments(datagram(A4, B4, sport=40001), 480, 1):
        cap.add(vlan([(0x8100, 9)], part))
    for part in fragments(datagram(A4, B4, sport=40002), 480, 2):
        cap.add(ether(over_udp(4789, vxlan(part, True), True)))
    for i, part in enumerate(fragments(datagram(A4, B4, sport=40003), 800, 3)):
        for piece in fragments(outer(4, part, True), 400, 900 + i):
            cap.add(ether(piece))
    body = options(17) + datagram(A6, B6, sport=40004)[40:]
    for off in range(0, len(body), 800):
        more = 1 if off + 800 < len(body) else 0
        cap.add(ether(ip6(A6, B6, 0, options(44) + struct.pack('>BBHI', 60, 0, off | more, 99) + body[off:off + 800])))
    # Overlapping in IPv4 with the same bytes is no contradiction.
    body = datagram(A4, B4, sport=40005)[20:]
    for off, end in ((0, 800), (400, 1000), (1000, len(body))):
        cap.add(ether(ip4(A4, B4, 17, body[off:end], ident=5, frag=(0x2000 if end < len(body) else 0) | off // 8)))
    return [hit('quic.sni', src={'port': 40001 + i}, flags=['fragmented']) for i in range(5)]


@case('snap-length-behind-name', 'A capture cut behind the name: the name, and that something is missing. Fragments that are cut give none.', snap=260)
def _(cap):
    Tcp(cap).open().up(HELLO)
    for part in fragments(datagram(A4, B4, sport=40002), 480, 1):
        cap.add(ether(part))
    return [{'src': {'port': 40001}, 'name': VENDOR, 'flags': ['truncated', 'gap']},
            {'only': 'the fragments name nobody', 'names_not': [OTHER]}]


@case('jumbogram', 'An IPv6 jumbogram whose length stands in an option (RFC 2675).')
def _(cap):
    t = tcp(A6, B6, 40001, 443, 1_000_001, 7_000_001, ACK | PSH, tls(VENDOR, pad_to=15000))
    cap.add(ether(ip6(A6, B6, 0, bytes([6, 0, 0xc2, 4]) + struct.pack('>I', 8 + len(t)) + t, length=0)))
    return [hit()]


@case('llc-snap', 'IP behind an 802.2 SNAP header instead of a type.')
def _(cap):
    def wrap(p, up):
        kind = b'\x86\xdd' if p[0] >> 4 == 6 else b'\x08\0'
        return ether(p, up)[:12] + struct.pack('>H', 8 + len(p)) + b'\xaa\xaa\3\0\0\0' + kind + p
    return also(cap, 1, wrap) + also(cap, 2, wrap, True)


def headed(name, link, text, head, inside=lambda p, up: p, vary=True):
    def build(cap):
        Tcp(cap, wrap=lambda p, up: head + inside(p, up)).open().up(HELLO)
        Tcp(cap, sport=40002, wrap=lambda p, up: head + inside(p, up)).open().up(PQ)
        cap.add(head[:3])  # one that ends in its head
        return counted({'flows': [hit(src={'port': 40001}), hit(src={'port': 40002})], 'count': 2}, parse__truncated=1)
    case(name, text, link=link, vary=vary)(build)


headed('link-radiotap', 'radiotap', '802.11 behind a radiotap head.', b'\0\0\x08\0' + bytes(4) + b'\x88\1\0\0'
       + b'\2\0\0\0\0\1' * 3 + b'\0\0\0\0\xaa\xaa\3\0\0\0\x08\0')
headed('link-ppi', 'ppi', 'Ethernet behind a PPI head.', b'\0\0\x08\0' + struct.pack('<I', 1), ether)
headed('link-pktap', 'pktap', 'macOS\' PKTAP, Ethernet inside.', struct.pack('<III', 108, 1, 1) + bytes(96), ether)
headed('link-pflog', 'pflog', 'The packet filter\'s log of OpenBSD and FreeBSD.', bytes([61, 2, 0, 0]) + bytes(60))
headed('link-enc', 'enc', 'OpenBSD\'s IPsec interface.', struct.pack('<III', 2, 0, 0))
# Its attributes are in the order of who captured, so libpcap turns them in a file of the other order.
headed('link-nflog', 'nflog', 'Linux\' netfilter log: attributes, then the packet.', b'\2\0\0\0' + struct.pack('<HHI', 8, 1, 0x0800)
       + struct.pack('<HH', 2000, 9), vary=False)
headed('link-ppp-direction', 'ppp-direction', 'PPP with a byte of direction in front.', b'\1\xff\3\0\x21')
