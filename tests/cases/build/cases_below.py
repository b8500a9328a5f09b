# SPDX-License-Identifier: Apache-2.0
"""Below TCP and UDP: fragments, extension headers, encapsulations, link types, lies."""
import struct

from packets import ACK, PSH, Tcp, Udp, addr, ether, fragments, ip, ip4, ip6, tcp, udp, vlan
from protocols import crypto, fill, initial, quic_hello, question, tls
from registry import OTHER, VENDOR, blind, case, counted, hit, named

HELLO = tls(VENDOR)
PQ = tls(VENDOR, pq=True)
A4, B4 = '10.1.0.5', '198.51.100.7'
A6, B6 = '2001:db8:1::5', '2001:db8:2::7'


def datagram(src, dst, name=VENDOR, sport=40001):
    """A QUIC Initial as one IP packet of about 1,300 bytes."""
    body = initial(crypto(0, quic_hello(name)), bytes.fromhex('8394c8f03e515708'), pad=1300)
    return ip(src, dst, 17, udp(src, dst, sport, 443, body))


def segment(src, dst, body, sport=40001, seq=1_000_001):
    return ip(src, dst, 6, tcp(src, dst, sport, 443, seq, 7_000_001, ACK | PSH, body))


# --- fragments ---

@case('fragments-ipv4', 'A datagram in three fragments: in order, reversed, each twice.')
def _(cap):
    orders = ((0, 1, 2), (2, 1, 0), (1, 1, 2, 2, 0, 0), (2, 0, 1))
    for i, order in enumerate(orders):
        parts = fragments(datagram(A4, B4, sport=40001 + i), 480, 100 + i)
        for n in order:
            cap.add(ether(parts[n]))
    return counted([hit('quic.sni', flags=['fragmented'])] * len(orders), fragments_rejoined=4, fragments_lost=0, parse__fragment=15)


@case('fragments-head-alone', 'The first fragment of a DNS question, the others lost: the name is told, the loss too.', vary=False)
def _(cap):
    q = udp(A4, B4, 40001, 53, question(VENDOR) + bytes(600))
    cap.add(ether(fragments(ip4(A4, B4, 17, q), 480, 100)[0]))
    return [{'name': VENDOR, 'name_source': 'dns.qname', 'vendor': 'CrowdStrike', 'src': {'port': 40001},
             'flags': ['fragmented', 'fragments-lost']}]


@case('fragments-ipv6', 'The same in IPv6.')
def _(cap):
    orders = ((0, 1, 2), (2, 1, 0), (0, 2, 1))
    for i, order in enumerate(orders):
        parts = fragments(datagram(A6, B6, sport=40001 + i), 480, 100 + i)
        for n in order:
            cap.add(ether(parts[n]))
    return counted([hit('quic.sni', flags=['fragmented'])] * len(orders), fragments_rejoined=3, fragments_lost=0, parse__fragment=9)


@case('fragments-of-tcp', 'A TCP segment with the hello in fragments of 8 and of 64 bytes.')
def _(cap):
    for i, size in enumerate((8, 64)):
        c = Tcp(cap, sport=40001 + i).open()
        for part in fragments(segment(A4, B4, HELLO, 40001 + i), size, 200 + i):
            cap.add(ether(part))
        c.sent = len(HELLO)
        c.peer_ack()
    return [hit(flags=['fragmented'])] * 2


@case('fragments-ipv6-atomic', 'An IPv6 packet with a fragment header that is whole (RFC 6946).')
def _(cap):
    whole = tcp(A6, B6, 40001, 443, 1_000_001, 7_000_001, ACK | PSH, HELLO)
    c = Tcp(cap, A6, B6).open()
    cap.add(ether(ip6(A6, B6, 44, struct.pack('>BBHI', 6, 0, 0, 99) + whole)))
    c.sent = len(HELLO)
    c.peer_ack()
    return counted([hit()], fragments_rejoined=0, parse__fragment=0)


@case('fragments-overlap', 'Fragments that overlap with other bytes: no verdict comes from them.')
def _(cap):
    good, bad = datagram(A4, B4), datagram(A4, B4, OTHER)
    a, b = fragments(good, 480, 7), fragments(bad, 480, 7)
    for part in (a[1], b[0], a[0], a[2]):
        cap.add(ether(part))
    return counted([{'only': 'no name', 'absent': ['name', 'vendor']}], fragments_overlapped=1, fragments_rejoined=0)


@case('fragments-overlap-ipv6', 'IPv6 fragments that overlap at all, even with the same bytes (RFC 5722).')
def _(cap):
    whole = datagram(A6, B6)
    body = whole[40:]
    for off, end, more in ((0, 800, 1), (400, 1000, 1), (1000, len(body), 0)):
        cap.add(ether(ip6(A6, B6, 44, struct.pack('>BBHI', 17, 0, off | more, 5) + body[off:end])))
    return counted([{'only': 'no name', 'absent': ['name', 'vendor']}], fragments_overlapped=1, fragments_rejoined=0)


@case('fragments-lost', 'The middle fragment never came: unknown, counted.')
def _(cap):
    parts = fragments(datagram(A4, B4), 480, 9)
    cap.add(ether(parts[0]))
    cap.add(ether(parts[2]))
    return counted([{'only': 'no name', 'absent': ['name', 'vendor']}], fragments_rejoined=0, fragments_lost=1,
                   blindness__flows__fragments_lost=1)


@case('fragments-then-real', 'Spoiled fragments with one id, then the real datagram with another.')
def _(cap):
    a, b = fragments(datagram(A4, B4), 480, 7), fragments(datagram(A4, B4, OTHER), 480, 7)
    for part in (a[0], b[0], a[1], a[2]):
        cap.add(ether(part))
    for part in fragments(datagram(A4, B4, sport=40002), 480, 8):
        cap.add(ether(part))
    return [hit('quic.sni', src={'port': 40002})]


@case('fragments-too-long', 'Fragments beyond 65,535 bytes, of no length, and of a length that is no multiple of eight.')
def _(cap):
    cap.add(ether(ip4(A4, B4, 17, fill(1000), ident=1, frag=8190)))
    cap.add(ether(ip4(A4, B4, 17, b'', ident=2, frag=0x2000)))
    cap.add(ether(ip4(A4, B4, 17, fill(13), ident=3, frag=0x2000)))
    Tcp(cap).open().up(HELLO)
    return counted([hit()], fragments_bad=3, fragments_rejoined=0)


# --- IPv6 extension headers ---

def options(nxt, n=1):
    """A destination options header of 8 * n bytes, filled with PadN."""
    size = 8 * n - 4
    return bytes([nxt, n - 1, 1, size]) + b'\0' * size if size < 256 else bytes([nxt, n - 1]) + b'\0' * (8 * n - 2)


def with_chain(chain, body):
    """chain: list of (header number, bytes maker taking the next header)."""
    numbers = [c[0] for c in chain] + [6]
    return ip6(A6, B6, numbers[0], b''.join(make(numbers[i + 1]) for i, (_, make) in enumerate(chain)) + body)


@case('ipv6-extension-chain', 'Hop-by-hop, routing, authentication and options headers before TCP; sixteen headers.')
def _(cap):
    whole = tcp(A6, B6, 40001, 443, 1_000_001, 7_000_001, ACK | PSH, HELLO)
    chain = [(0, options), (43, lambda n: bytes([n, 2, 0, 0, 0, 0, 0, 0]) + addr(B6)),
             (51, lambda n: bytes([n, 4]) + b'\0' * 22), (60, lambda n: options(n, 4))]
    cap.add(ether(with_chain(chain, whole)))
    other = tcp(A6, B6, 40002, 443, 1_000_001, 7_000_001, ACK | PSH, HELLO)
    cap.add(ether(with_chain([(60, options)] * 16, other)))
    return [hit(), hit()]


@case('ipv6-extension-chain-too-long', 'Seventeen headers, and more than 512 bytes of them: unknown, counted.')
def _(cap):
    whole = tcp(A6, B6, 40001, 443, 1_000_001, 7_000_001, ACK | PSH, HELLO)
    cap.add(ether(with_chain([(60, options)] * 17, whole)))
    cap.add(ether(with_chain([(60, lambda n: options(n, 33)), (60, lambda n: options(n, 33))], whole)))
    return counted({'flows': [], 'count': 0}, parse__extension_chain=2)


# --- encapsulations ---

def carried(cap, wrap, **expect):
    c = Tcp(cap, wrap=wrap).open().up(HELLO)
    c.down(fill(100, 70))
    return [hit(src={'ip': A4, 'port': 40001}, **expect)]


@case('vlan-1', 'One 802.1Q tag.')
def _(cap):
    return carried(cap, lambda p, up: vlan([(0x8100, 42)], p, up), vlan=42)


@case('vlan-2', 'QinQ: 802.1ad outside, 802.1Q inside.')
def _(cap):
    return carried(cap, lambda p, up: vlan([(0x88a8, 100), (0x8100, 42)], p, up), vlan=100)


@case('vlan-3', 'Three tags, the old 0x9100 outside.')
def _(cap):
    return carried(cap, lambda p, up: vlan([(0x9100, 7), (0x88a8, 100), (0x8100, 42)], p, up), vlan=7)


@case('vlan-4', 'Four tags are too many: unknown, counted.')
def _(cap):
    Tcp(cap, wrap=lambda p, up: vlan([(0x8100, 7)] * 4, p, up)).open().up(HELLO)
    return counted({'flows': [], 'count': 0}, parse__too_deep=4)


@case('vlan-priority', 'A priority tag (VLAN 0) is no VLAN.')
def _(cap):
    return carried(cap, lambda p, up: vlan([(0x8100, 0xe000)], p, up), absent=['vlan'])


def mpls(labels):
    return b''.join(struct.pack('>I', x << 12 | (0x100 if i == len(labels) - 1 else 0) | 64) for i, x in enumerate(labels))


@case('mpls-1', 'One MPLS label.')
def _(cap):
    return carried(cap, lambda p, up: ether(mpls([16]) + p, up, 0x8847), tunnel='mpls')


@case('mpls-3', 'Three MPLS labels, IPv6 inside.')
def _(cap):
    c = Tcp(cap, A6, B6, wrap=lambda p, up: ether(mpls([16, 17, 18]) + p, up, 0x8847)).open().up(HELLO)
    c.down(b'x')
    return [hit(tunnel='mpls')]


@case('mpls-pseudowire', 'Ethernet over MPLS, with a control word and without.')
def _(cap):
    a = carried(cap, lambda p, up: ether(mpls([16]) + b'\0\0\0\0' + ether(p, up), up, 0x8847), tunnel='mpls')
    Tcp(cap, sport=40002, wrap=lambda p, up: ether(mpls([17]) + ether(p, up), up, 0x8847)).open().up(HELLO)
    return a + [hit(src={'port': 40002}, tunnel='mpls')]


@case('mpls-4', 'Four labels are too many: unknown, counted.')
def _(cap):
    Tcp(cap, wrap=lambda p, up: ether(mpls([16, 17, 18, 19]) + p, up, 0x8847)).open().up(HELLO)
    return counted({'flows': [], 'count': 0}, parse__too_deep=4)


def pppoe(p, session=0x1234):
    proto = b'\0\x57' if p[0] >> 4 == 6 else b'\0\x21'
    return struct.pack('>BBHH', 0x11, 0, session, len(p) + 2) + proto + p


@case('pppoe', 'A PPPoE session.')
def _(cap):
    return carried(cap, lambda p, up: ether(pppoe(p), up, 0x8864), tunnel='pppoe')


@case('pppoe-vlan', 'A PPPoE session in a VLAN, as access networks have it.')
def _(cap):
    def wrap(p, up):
        return ether(struct.pack('>HH', 35, 0x8864) + pppoe(p), up, 0x8100)
    return carried(cap, wrap, tunnel='pppoe', vlan=35)


OUT_A, OUT_B = '192.0.2.1', '192.0.2.2'


def outer(proto, body, up, v6=False):
    src, dst = ('2001:db8:a::1', '2001:db8:a::2') if v6 else (OUT_A, OUT_B)
    if not up:
        src, dst = dst, src
    return ip(src, dst, proto, body)


def over_udp(port, body, up):
    src, dst = (OUT_A, OUT_B) if up else (OUT_B, OUT_A)
    return ip(src, dst, 17, udp(src, dst, 55555, port, body))


def gre(flags, kind, more=b''):
    return struct.pack('>HH', flags, kind) + more


def inner_kind(p):
    return 0x86dd if p[0] >> 4 == 6 else 0x0800


@case('gre', 'GRE: plain, with key and sequence, and over IPv6.')
def _(cap):
    a = carried(cap, lambda p, up: ether(outer(47, gre(0, inner_kind(p)) + p, up), up), tunnel='gre')
    Tcp(cap, sport=40002, wrap=lambda p, up: ether(
        outer(47, gre(0x3000, 0x0800, b'\0\0\0\x63\0\0\0\x01') + p, up), up)).open().up(HELLO)
    Tcp(cap, sport=40003, wrap=lambda p, up: ether(outer(47, gre(0, 0x0800) + p, up, True), up)).open().up(HELLO)
    return a + [hit(src={'port': 40002 + i}, tunnel='gre') for i in range(2)]


@case('nvgre', 'NVGRE: Ethernet in GRE with a key.')
def _(cap):
    return carried(cap, lambda p, up: ether(outer(47, gre(0x2000, 0x6558, b'\0\x12\x34\x05') + ether(p, up), up), up),
                   tunnel='gre')


@case('ip-in-ip', 'IPv4 in IPv4, IPv6 in IPv4 (6in4), IPv4 in IPv6, IPv6 in IPv6.')
def _(cap):
    a = carried(cap, lambda p, up: ether(outer(4, p, up), up), tunnel='ipip')
    Tcp(cap, A6, B6, 40002, wrap=lambda p, up: ether(outer(41, p, up), up)).open().up(HELLO)
    Tcp(cap, sport=40003, wrap=lambda p, up: ether(outer(4, p, up, True), up)).open().up(HELLO)
    Tcp(cap, A6, B6, 40004, wrap=lambda p, up: ether(outer(41, p, up, True), up)).open().up(HELLO)
    return a + [hit(src={'port': 40002}, tunnel='6in4'), hit(src={'port': 40003}, tunnel='ipip'),
                hit(src={'port': 40004}, tunnel='ipip')]


def vxlan(p, up, vni=0x1234):
    return b'\x08\0\0\0' + struct.pack('>I', vni << 8) + ether(p, up)


@case('vxlan', 'VXLAN.')
def _(cap):
    return carried(cap, lambda p, up: ether(over_udp(4789, vxlan(p, up), up), up), tunnel='vxlan')


@case('vxlan-generic', 'VXLAN\'s generic extension with Ethernet inside; another protocol inside is not walked.')
def _(cap):
    a = carried(cap, lambda p, up: ether(over_udp(4789, b'\x0c\0\0\x03' + vxlan(p, up)[4:], up), up), tunnel='vxlan')
    Udp(cap, sport=40009, dport=4789).up(b'\x0c\0\0\x04' + vxlan(segment(A4, B4, HELLO, 40002), True)[4:])
    return a + [blind(src={'port': 40009}, absent=['tunnel'])]


@case('geneve', 'GENEVE with options, Ethernet and bare IP inside.')
def _(cap):
    opts = b'\xff\xff\x80\x01' + b'\0\0\0\x01'
    a = carried(cap, lambda p, up: ether(over_udp(6081, b'\x02\0\x65\x58\0\0\x05\0' + opts + ether(p, up), up), up),
                tunnel='geneve')
    Tcp(cap, sport=40002, wrap=lambda p, up: ether(
        over_udp(6081, b'\0\0\x08\0\0\0\x05\0' + p, up), up)).open().up(HELLO)
    return a + [hit(src={'port': 40002}, tunnel='geneve')]


def gtpu(p, teid=0x1001):
    ext = b'\0\0\0\x85\x01\x10\x09\0'  # a PDU session container, as in 5G
    return struct.pack('>BBHI', 0x34, 255, len(ext) + len(p), teid) + ext + p


@case('gtp-u', 'GTP-U with and without an extension header.')
def _(cap):
    a = carried(cap, lambda p, up: ether(over_udp(2152, gtpu(p), up), up), tunnel='gtp-u')
    Tcp(cap, sport=40002, wrap=lambda p, up: ether(over_udp(
        2152, struct.pack('>BBHI', 0x30, 255, len(p), 9) + p, up), up)).open().up(HELLO)
    return a + [hit(src={'port': 40002}, tunnel='gtp-u')]


@case('erspan', 'ERSPAN I, II and III, as mirror ports wrap what they saw.')
def _(cap):
    heads = (gre(0, 0x88be), gre(0x1000, 0x88be, b'\0\0\0\x01' + b'\x10\x07\0\x65\0\0\0\0'),
             gre(0x1000, 0x22eb, b'\0\0\0\x01' + b'\x20\x07\0\x66' + b'\0' * 8))
    for i, head in enumerate(heads):
        Tcp(cap, sport=40001 + i, wrap=lambda p, up, h=head: ether(outer(47, h + ether(p, up), True), True)).open().up(
            HELLO)
    return [hit(src={'port': 40001 + i}, tunnel='erspan') for i in range(len(heads))]


@case('tzsp', 'TZSP, as access points and some routers mirror.')
def _(cap):
    return carried(cap, lambda p, up: ether(over_udp(37008, b'\x01\0\0\x01\x0a\x01\x50\x01' + ether(p, up), True), True),
                   tunnel='tzsp')


@case('tunnels-4-deep', 'Four tunnels in each other: GRE, VXLAN, IP-in-IP, GENEVE. The outermost is told.')
def _(cap):
    def wrap(p, up):
        p = over_udp(6081, b'\0\0\x08\0\0\0\x05\0' + p, up)
        p = outer(4, p, up)
        p = over_udp(4789, vxlan(p, up), up)
        return ether(outer(47, gre(0, 0x0800) + p, up), up)
    return carried(cap, wrap, tunnel='gre')


@case('nesting-bomb', 'Five tunnels, forty IP headers, VXLAN in VXLAN to the end of a jumbo frame: unknown, counted, no more.')
def _(cap):
    def bomb(p, n):
        for _ in range(n):
            p = outer(4, p, True)
        return p
    p = segment(A4, B4, HELLO)
    cap.add(ether(bomb(p, 5)))
    cap.add(ether(bomb(p, 40)))
    for _ in range(60):
        p = over_udp(4789, vxlan(p, True), True)
    cap.add(ether(p))
    return counted({'flows': [], 'count': 0}, parse__too_deep=3)


@case('tunnel-port-ordinary-udp', 'Ordinary datagrams to the ports of VXLAN, GENEVE, GTP-U and TZSP stay what they are.')
def _(cap):
    for i, port in enumerate((4789, 6081, 2152, 37008)):
        body = initial(crypto(0, quic_hello(VENDOR)), b'\x08\x39\x4c\x8f\x03\xe5\x15\x70', pad=1200)
        Udp(cap, sport=40001 + i, dport=port).up(body)
    return [hit('quic.sni', src={'port': 40001 + i}, absent=['tunnel']) for i in range(4)]


@case('tunnel-in-fragments', 'A GRE packet too large for its path, in fragments outside; inside, a post-quantum hello.')
def _(cap):
    c = Tcp(cap, wrap=lambda p, up: ether(outer(47, gre(0, 0x0800) + p, up), up)).open()
    p = outer(47, gre(0, 0x0800) + segment(A4, B4, PQ), True)
    for part in reversed(fragments(p, 1000, 31)):
        cap.add(ether(part))
    c.sent = len(PQ)
    c.peer_ack()
    return [hit(tunnel='gre')]


# --- lies and cuts ---

@case('lying-lengths', 'Lengths that lie in IPv4, TCP, UDP and IPv6: nothing is read that was not captured; what follows is read.')
def _(cap):
    t = tcp(A4, B4, 41000, 443, 1, 1, ACK, HELLO)
    cap.add(ether(ip4(A4, B4, 6, t, total=19)))
    cap.add(ether(b'\x44' + ip4(A4, B4, 6, t)[1:]))
    cap.add(ether(b'\x4f' + ip4(A4, B4, 6, b'')[1:]))
    cap.add(ether(ip4(A4, B4, 6, t[:12] + b'\x10' + t[13:])))
    cap.add(ether(ip4(A4, B4, 6, t[:12] + b'\xf0' + t[13:40])))
    q = question(VENDOR)
    cap.add(ether(ip4(A4, B4, 17, udp(A4, B4, 41001, 53, q, length=4))))
    cap.add(ether(ip4(A4, B4, 17, udp(A4, B4, 41001, 53, q, length=8 + len(q) + 50))))
    cap.add(ether(ip6(A6, B6, 6, b'\0' * 12)))
    Tcp(cap).open().up(HELLO)
    return counted({'flows': [hit()], 'count': 1}, parse__bad_length=8)


@case('udp-length-shorter', 'The UDP length is shorter than the packet: what lies beyond is none of it.')
def _(cap):
    q = question(VENDOR)
    cap.add(ether(ip4(A4, B4, 17, udp(A4, B4, 41001, 53, q + b'junk beyond', length=8 + len(q)))))
    return [hit('dns.qname')]


@case('ethernet-padding', 'Padding after a short packet is no payload.')
def _(cap):
    c = Tcp(cap, wrap=lambda p, up: ether(p, up) + b'\x16\x03\x01').open()
    c.ack()
    c.up(HELLO)
    return [hit(flags_not=['ambiguous', 'midstream'])]


@case('truncated-headers', 'Frames cut at every byte of their headers.')
def _(cap):
    whole = ether(vlan([], segment(A4, B4, b'hi'))[14:])
    for n in range(1, 54):
        cap.frames.append((cap.now + n, whole[:n], len(whole)))
    return counted({'flows': [], 'count': 0}, parse__truncated=53)


@case('snap-length-96', 'A capture of 96 bytes a packet: the hello is cut, unknown, and said so. Bytes count as on the wire.', snap=96)
def _(cap):
    c = Tcp(cap).open().up(HELLO)
    c.down(fill(1000, 80))
    return counted([blind(flags=['truncated'], bytes={'up': 66 + 60 + 54 + len(HELLO), 'down': 66 + 54 + 1000})],
                   blindness__flows__truncated=1)


@case('snap-length-enough', 'A capture of 2,000 bytes a packet: the hello is whole, only later frames are cut.', snap=2000)
def _(cap):
    c = Tcp(cap).open().up(HELLO)
    c.down(fill(4000, 80), cut=4000)
    return [hit()]


@case('jumbo', 'A hello in one frame of 9 KB.')
def _(cap):
    Tcp(cap).open().up(tls(VENDOR, pad_to=8900), cut=8960)
    return [hit()]


@case('segmentation-offload', 'A frame of 20 KB whose IP length is zero, as the sender\'s own capture has it.')
def _(cap):
    Tcp(cap).open()
    t = tcp(A4, B4, 40001, 443, 1_000_001, 7_000_001, ACK | PSH, tls(VENDOR, pad_to=16000), bad='partial')
    cap.add(ether(ip4(A4, B4, 6, t, total=0)))
    return [hit()]


@case('ipv4-options', 'IPv4 with options: router alert, record route to the end.')
def _(cap):
    t = tcp(A4, B4, 40001, 443, 1, 1, ACK | PSH, HELLO)
    cap.add(ether(ip4(A4, B4, 6, t, options=b'\x94\x04\0\0')))
    t = tcp(A4, B4, 40002, 443, 1, 1, ACK | PSH, HELLO)
    cap.add(ether(ip4(A4, B4, 6, t, options=b'\x07\x27\x04' + b'\0' * 36 + b'\0')))
    return [hit(), hit()]


@case('not-ip', 'ARP, LLDP, STP and an unknown type: no flow, and the TLS flow beside them is read.')
def _(cap):
    cap.add(ether(b'\0\x01\x08\0\x06\x04\0\x01' + b'\0' * 20, kind=0x0806))
    cap.add(ether(b'\x02\x07\x04' + b'\0' * 40, kind=0x88cc))
    cap.add(ether(b'\x42\x42\x03' + b'\0' * 40, kind=38))
    cap.add(ether(b'\0' * 46, kind=0x1234))
    Tcp(cap).open().up(HELLO)
    return counted({'flows': [hit()], 'count': 1}, parse__not_ip=4)


# --- link types ---

def link_case(name, link, text, head, head6=None):
    def build(cap):
        Tcp(cap, wrap=lambda p, up: (head6 if head6 and p[0] >> 4 == 6 else head) + p).open().up(HELLO)
        Tcp(cap, A6, B6, 40002, wrap=lambda p, up: (head6 or head) + p).open().up(HELLO)
        return [hit(src={'ip': A4, 'port': 40001}), hit(src={'ip': A6, 'port': 40002})]
    case(name, text, link=link)(build)


link_case('link-raw', 'raw', 'Raw IP.', b'')
link_case('link-sll', 'sll', 'Linux cooked capture.', b'\0\0\0\x01\0\x06' + b'\x02' * 6 + b'\0\0\x08\0',
          b'\0\0\0\x01\0\x06' + b'\x02' * 6 + b'\0\0\x86\xdd')
link_case('link-sll2', 'sll2', 'Linux cooked capture, version 2.', b'\x08\0\0\0\0\0\0\x02\0\x01\0\x06' + b'\x02' * 6 + b'\0\0',
          b'\x86\xdd\0\0\0\0\0\x02\0\x01\0\x06' + b'\x02' * 6 + b'\0\0')
link_case('link-null', 'null', 'BSD loopback, the family in the capturing machine\'s order.', b'\x02\0\0\0', b'\x1e\0\0\0')
link_case('link-null-swapped', 'null', 'The same from a machine of the other byte order.', b'\0\0\0\x02', b'\0\0\0\x18')
link_case('link-loop', 'loop', 'OpenBSD loopback.', b'\0\0\0\x02', b'\0\0\0\x18')
link_case('link-ppp', 'ppp', 'PPP.', b'\0\x21', b'\0\x57')
link_case('link-ppp-hdlc', 'ppp-serial', 'PPP in HDLC-like framing.', b'\xff\x03\0\x21', b'\xff\x03\0\x57')
link_case('link-chdlc', 'chdlc', 'Cisco HDLC.', b'\x0f\0\x08\0', b'\x0f\0\x86\xdd')


@case('link-pppoe', 'PPP over Ethernet without its Ethernet header.', link='pppoe')
def _(cap):
    Tcp(cap, wrap=lambda p, up: pppoe(p)).open().up(HELLO)
    return [hit(tunnel='pppoe')]


@case('link-wifi', 'IEEE 802.11 data frames in the clear.', link='wifi')
def _(cap):
    def wrap(p, up):
        kind = b'\x86\xdd' if p[0] >> 4 == 6 else b'\x08\0'
        return b'\x88\x01\0\0' + b'\x02\0\0\0\0\x01' * 3 + b'\0\0' + b'\0\0' + b'\xaa\xaa\x03\0\0\0' + kind + p
    Tcp(cap, wrap=wrap).open().up(HELLO)
    return [hit()]


@case('mixed-tunnels-apart', 'The same addresses and ports inside two VXLAN networks: names do not mix.')
def _(cap):
    for vni, name in ((1, VENDOR), (2, OTHER)):
        c = Tcp(cap, sport=40000 + vni, wrap=lambda p, up, v=vni: ether(over_udp(4789, vxlan(p, up, v), up), up)).open()
        c.up(tls(name))
    return [hit(src={'port': 40001}), named(OTHER, src={'port': 40002})]
