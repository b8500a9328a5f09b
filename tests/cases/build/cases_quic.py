# SPDX-License-Identifier: Apache-2.0
"""Names in QUIC Initials."""
import struct

from packets import Udp
from protocols import (DRAFT29, PING, Q050, QUIC_ACK, SALTS, T050, V1, V2, chlo, crypto, ech_outer, ext, fill, gquic, initial,
                       long_header, quic_hello, server_hello, u16, u8, varint)
from registry import OTHER, VENDOR, blind, case, counted, doubtful, hit, named

DCID = bytes.fromhex('8394c8f03e515708')
HELLO = quic_hello(VENDOR)
# The name behind everything else, so that every piece of the hello is needed.
LATE = quic_hello(None, pq=True, extra=ext(0, u16(b'\0' + u16(VENDOR.encode()))))

# RFC 9001 A.2: the CRYPTO frame of the client's Initial, before padding and protection.
RFC9001_A2 = bytes.fromhex(
    '060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c000004130113020100'
    '00c000000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d00170018001000070005'
    '04616c706e000500050100000000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43'
    'e994ec74d748002b0003020304000d0010000e0403050306030203080408050806002d00020101001c00024001003900320408'
    'ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff')
# What the appendices say that the protected packets begin with; RFC 9001's ends in this tag.
TAG_V1 = 'e221af44860018ab0856972e194cd934'
VECTORS = {V1: 'c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11d242b123dc9b',
           V2: 'd76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485dd04de806071'}


def quic(source='quic.sni', **more):
    return hit(source, transport='udp', **more)


def server(u, version=V1, dcid=DCID):
    """ServerHello in the server's Initial, something in its Handshake space."""
    frames = QUIC_ACK + crypto(0, server_hello())
    packet = initial(frames, b'\x11' * 8, b'\x22' * 8, 0, version, dcid, client=False)
    u.down(packet + handshake(version))


def handshake(version=V1, up=False):
    ids = (b'\x22' * 8, b'\x11' * 8) if up else (b'\x11' * 8, b'\x22' * 8)
    return long_header(version, 'handshake', *ids) + varint(600, 2) + fill(600, 60)


def pieces(body, cuts):
    """[(offset, bytes)] of the body cut there."""
    edges = [0] + list(cuts) + [len(body)]
    return [(a, body[a:b]) for a, b in zip(edges, edges[1:])]


@case('quic-v1', 'A client\'s Initial of QUIC version 1, padded to 1,200 bytes.')
def _(cap):
    u = Udp(cap)
    u.up(initial(crypto(0, HELLO), DCID, pad=1200))
    server(u)
    u.up(fill(80, 61))
    return [quic(dst={'port': 443}, evidence=[{'field': 'quic.sni', 'value': VENDOR}])]


@case('quic-v2', 'Version 2 (RFC 9369): another salt, other labels, other packet types.')
def _(cap):
    u = Udp(cap)
    u.up(initial(crypto(0, HELLO), DCID, version=V2, pad=1200))
    server(u, V2)
    return [quic()]


@case('quic-draft-29', 'The last draft that is still met.')
def _(cap):
    u = Udp(cap)
    u.up(initial(crypto(0, HELLO), DCID, version=DRAFT29, pad=1200))
    server(u, DRAFT29)
    return [quic()]


@case('quic-ipv6', 'Version 1 over IPv6.')
def _(cap):
    Udp(cap, '2001:db8:1::5', '2001:db8:2::7').up(initial(crypto(0, HELLO), DCID, pad=1200))
    return [quic()]


@case('quic-rfc-vectors', 'The client Initials of RFC 9001 A.2 and RFC 9369 A.2, byte by byte.')
def _(cap):
    for i, version in enumerate((V1, V2)):
        packet = initial(RFC9001_A2, DCID, b'', 2, version, pad=1200)
        if not packet.hex().startswith(VECTORS[version]) or (version == V1 and not packet.hex().endswith(TAG_V1)):
            raise SystemExit('the builder does not protect as the RFC does')
        Udp(cap, sport=40001 + i).up(packet)
    return [named('example.com', 'quic.sni')] * 2


@case('quic-crypto-shuffled', 'The hello over eight CRYPTO frames of one packet, shuffled, PING and PADDING between.')
def _(cap):
    parts = pieces(HELLO, [len(HELLO) * i // 8 for i in range(1, 8)])
    order = [3, 0, 7, 5, 1, 6, 2, 4]
    frames = b''.join(crypto(*parts[i]) + (PING if i & 1 else b'\0' * 5) for i in order)
    Udp(cap).up(initial(frames, DCID, pad=1200))
    return [quic()]


@case('quic-crypto-1-byte', 'CRYPTO frames of one byte each.')
def _(cap):
    short = quic_hello(VENDOR, protocols=())
    half = len(short) // 2
    frames = [crypto(i, short[i:i + 1]) for i in range(len(short))]
    u = Udp(cap)
    u.up(initial(b''.join(reversed(frames[half:])), DCID, number=0, pad=1200))
    u.up(initial(b''.join(frames[:half]), DCID, number=1, pad=1200))
    return [quic()]


@case('quic-crypto-repeats', 'CRYPTO frames that overlap with the same bytes, and a whole Initial sent twice.')
def _(cap):
    packet = initial(crypto(0, HELLO[:200]) + crypto(100, HELLO[100:250]), DCID, pad=1200)
    u = Udp(cap)
    u.up(packet)
    u.up(packet)
    u.up(initial(crypto(150, HELLO[150:]), DCID, number=1, pad=1200))
    return [quic()]


@case('quic-two-datagrams', 'A post-quantum hello over two Initials, in order and reversed.')
def _(cap):
    for i, order in enumerate(((0, 1), (1, 0))):
        u = Udp(cap, sport=40001 + i)
        parts = pieces(LATE, [1000])
        for n in order:
            u.up(initial(crypto(*parts[n]), DCID, number=n, pad=1200))
    return [quic()] * 2


@case('quic-eight-datagrams', 'The hello over eight Initials in several orders.')
def _(cap):
    orders = ((0, 1, 2, 3, 4, 5, 6, 7), (7, 6, 5, 4, 3, 2, 1, 0), (3, 6, 0, 2, 7, 5, 1, 4))
    parts = pieces(LATE, [len(LATE) * i // 8 for i in range(1, 8)])
    for i, order in enumerate(orders):
        u = Udp(cap, sport=40001 + i)
        for n in order:
            u.up(initial(crypto(*parts[n]), DCID, number=n, pad=1200))
    return [quic()] * len(orders)


@case('quic-gap', 'A part of the hello never came: unknown, passed.')
def _(cap):
    u = Udp(cap)
    parts = pieces(LATE, [600, 1200])
    u.up(initial(crypto(*parts[0]), DCID, number=0, pad=1200))
    u.up(initial(crypto(*parts[2]), DCID, number=2, pad=1200))
    return counted([blind(transport='udp', any_flag=['gap', 'truncated', 'malformed'])], blindness__flows__truncated=1)


@case('quic-acks-between', 'The server acknowledges between the client\'s two Initials.')
def _(cap):
    u = Udp(cap)
    parts = pieces(LATE, [1000])
    u.up(initial(crypto(*parts[0]), DCID, number=0, pad=1200))
    u.down(initial(QUIC_ACK, b'\x11' * 8, b'\x22' * 8, 0, V1, DCID, client=False))
    # From here on the client uses the id that the server chose; the keys stay.
    u.up(initial(QUIC_ACK + crypto(*parts[1]), b'\x22' * 8, number=1, key_dcid=DCID, pad=1200))
    return [quic()]


@case('quic-retry', 'Retry: the client starts again with the server\'s connection id, a token and new keys.')
def _(cap):
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    u = Udp(cap)
    u.up(initial(crypto(0, LATE[:1000]), DCID, number=0, pad=1200))
    new, token = b'\x33' * 8, fill(40, 62)
    retry = long_header(V1, 'retry', b'\x11' * 8, new) + token
    tag = AESGCM(bytes.fromhex('be0c690b9f66575a1d766b54e368c84e')).encrypt(
        bytes.fromhex('461599d35d632bf2239825bb'), b'', u8(DCID) + retry)
    u.down(retry + tag)
    u.up(initial(crypto(1000, LATE[1000:]), new, number=1, token=token, pad=1200))
    u.up(initial(crypto(0, LATE[:1000]), new, number=2, token=token, pad=1200))
    return [quic(flags=['quic-retry'])]


def retried(cap, first, second, sport=40001):
    """HelloRetryRequest in the server's Initial; the second hello goes on in the CRYPTO stream."""
    u = Udp(cap, sport=sport)
    a, b = quic_hello(first), quic_hello(second)
    u.up(initial(crypto(0, a), DCID, number=0, pad=1200))
    u.down(initial(QUIC_ACK + crypto(0, server_hello(retry=True)), b'\x11' * 8, b'\x22' * 8, 0, V1, DCID, client=False))
    u.up(initial(QUIC_ACK + crypto(len(a) + 100, b[100:]), b'\x22' * 8, number=2, key_dcid=DCID, pad=1200))
    u.up(initial(QUIC_ACK + crypto(len(a), b[:100]), b'\x22' * 8, number=1, key_dcid=DCID, pad=1200))
    server(u)


@case('quic-hello-retry', 'HelloRetryRequest inside QUIC, and the second hello asks for the same name.')
def _(cap):
    retried(cap, OTHER, OTHER)
    return [named(OTHER, 'quic.sni', flags=['hrr'])]


@case('quic-hello-retry-renamed', 'HelloRetryRequest inside QUIC, and the second hello asks for another name.')
def _(cap):
    retried(cap, OTHER, VENDOR)
    return [doubtful([OTHER, VENDOR], flags=['hrr'])]


@case('quic-decoy', 'Two hellos from one pair of ports with different names: under the same keys, and under others.')
def _(cap):
    for i, second in enumerate((DCID, b'\x77' * 8)):
        u = Udp(cap, sport=40001 + i)
        u.up(initial(crypto(0, quic_hello(OTHER)), DCID, pad=1200))
        u.up(initial(crypto(0, HELLO), second, pad=1200))
    return [doubtful([OTHER, VENDOR], src={'port': 40001}), doubtful([OTHER, VENDOR], src={'port': 40002})]


@case('quic-tried-again', 'A client that gets no answer starts again under another connection id: the same name, no doubt.')
def _(cap):
    u = Udp(cap)
    for i, dcid in enumerate((DCID, b'\x77' * 8)):
        u.up(initial(crypto(0, quic_hello(OTHER, extra=ext(0xfafa, fill(8, i)))), dcid, pad=1200))
    return [named(OTHER, 'quic.sni', flags=['one-way'], flags_not=['ambiguous', 'hrr'])]


@case('quic-coalesced', 'Other packets before and after the Initial in one datagram.')
def _(cap):
    u = Udp(cap, sport=40001)
    u.up(initial(crypto(0, HELLO), DCID) + handshake(up=True))
    v = Udp(cap, sport=40002)
    parts = pieces(HELLO, [150])
    v.up(initial(crypto(*parts[1]), DCID, number=0) + initial(crypto(*parts[0]), DCID, number=1))
    return [quic()] * 2


@case('quic-0rtt-first', 'A 0-RTT packet overtook the Initial.')
def _(cap):
    u = Udp(cap)
    u.up(long_header(V1, '0rtt', DCID, b'\x11' * 8) + varint(900, 2) + fill(900, 63))
    u.up(initial(crypto(0, HELLO), DCID, pad=1200))
    return [quic()]


@case('quic-junk-first', 'Datagrams of junk before the Initial.')
def _(cap):
    u = Udp(cap)
    u.up(fill(60, 64))
    u.up(b'\x40' + fill(33, 65))
    u.up(initial(crypto(0, HELLO), DCID, pad=1200))
    return [quic()]


@case('quic-version-negotiation', 'The server wants another version; the client starts again with it.')
def _(cap):
    u = Udp(cap)
    u.up(b'\xc0\x1a\x2a\x3a\x4a' + u8(DCID) + u8(b'\x11' * 8) + fill(1180, 66))
    u.down(b'\x80\0\0\0\0' + u8(b'\x11' * 8) + u8(DCID) + b'\0\0\0\x01' + b'\x6b\x33\x43\xcf')
    u.up(initial(crypto(0, HELLO), DCID, pad=1200))
    return [quic()]


@case('quic-odd-port', 'QUIC where nobody expects it.')
def _(cap):
    Udp(cap, dport=50443).up(initial(crypto(0, HELLO), DCID, pad=1200))
    return [quic()]


@case('quic-connection-ids', 'Connection ids of 20 bytes, and a token.')
def _(cap):
    Udp(cap).up(initial(crypto(0, HELLO), fill(20, 67), fill(20, 68), token=fill(90, 69), pad=1200))
    return [quic()]


@case('quic-malformed', 'A tag that does not verify, a length that lies, a datagram that ends in its header: unknown, passed.')
def _(cap):
    good = initial(crypto(0, HELLO), DCID, pad=1200)
    head = 1 + 4 + 9 + 9 + 1
    bad = [initial(crypto(0, HELLO), DCID, pad=1200, spoil=True), good[:head] + b'\x7f\xff' + good[head + 2:], good[:20],
           good[:700], b'\xc0\0\0\0\x01\xff' + good[6:]]
    for i, datagram in enumerate(bad):
        Udp(cap, sport=40001 + i).up(datagram)
    return counted([blind(src={'port': 40001 + i}) for i in range(len(bad))], blindness__flows__malformed=3,
                   blindness__flows__no_name_in_protocol=2)


@case('quic-bad-then-good', 'A datagram that does not verify, then the real one.')
def _(cap):
    u = Udp(cap)
    u.up(initial(crypto(0, quic_hello(OTHER)), DCID, pad=1200, spoil=True))
    u.up(initial(crypto(0, HELLO), DCID, pad=1200))
    return [quic(names_not=[OTHER])]


@case('quic-spoofed', 'An Initial in somebody else\'s name says nothing about any other flow.')
def _(cap):
    spoofed = initial(crypto(0, HELLO), DCID, pad=1200)
    Udp(cap, sport=40001).up(spoofed)
    u = Udp(cap, sport=40002)
    u.up(initial(crypto(0, quic_hello(OTHER)), DCID, pad=1200))
    server(u)
    return [quic(src={'port': 40001}), named(OTHER, 'quic.sni', src={'port': 40002})]


@case('quic-ech', 'Encrypted ClientHello in QUIC: the outer name is a hint only.')
def _(cap):
    Udp(cap).up(initial(crypto(0, quic_hello('cloudflare-ech.com', extra=ech_outer())), DCID, pad=1200))
    return counted([{'any_flag': ['ech', 'ech-grease'], 'verdict': 'pass', 'names': ['cloudflare-ech.com']}], blindness__flows__ech=1)


@case('quic-google', 'Google\'s QUIC before TLS: the hello in clear (Q035 to Q046), protected (Q050), and TLS in its own frames (T050).')
def _(cap):
    for i, version in enumerate(('Q030', 'Q035', 'Q039', 'Q043', 'Q046')):
        Udp(cap, sport=40001 + i).up(gquic(version, chlo(VENDOR)))
    for i, (version, body) in enumerate(((Q050, chlo(VENDOR)), (T050, HELLO))):
        frames = b'\x08' + crypto(0, body)[1:]
        Udp(cap, sport=40011 + i).up(initial(frames, DCID, b'', 1, version, pad=1350))
    return [quic(src={'port': 40001 + i}) for i in range(5)] + [quic(src={'port': 40011 + i}) for i in range(2)]


@case('quic-google-malformed', 'Tags whose ends go back or beyond the datagram, no tags at all, no name: unknown, passed.')
def _(cap):
    good = chlo(VENDOR)
    bad = [good.replace(b'SNI\0' + struct.pack('<I', 500 + len(VENDOR)), b'SNI\0' + struct.pack('<I', 10)),
           good.replace(b'SNI\0' + struct.pack('<I', 500 + len(VENDOR)), b'SNI\0' + struct.pack('<I', 1 << 30)),
           good[:4] + b'\0\0' + good[6:], good[:4] + b'\xff\xff' + good[6:], b'REJ\0' + good[4:]]
    for i, message in enumerate(bad):
        Udp(cap, sport=40001 + i).up(gquic('Q043', message))
    Udp(cap, sport=40020).up(gquic('Q043', chlo(None)))
    return [blind(src={'port': 40001 + i}) for i in range(len(bad))] + [blind(src={'port': 40020}, flags=['no-sni'])]


@case('doq-no-sni', 'DNS over QUIC without a name: blind, for the reason that DNS is encrypted.')
def _(cap):
    Udp(cap, dport=853).up(initial(crypto(0, quic_hello(None, protocols=('doq',))), DCID, pad=1200))
    return counted([blind(flags=['encrypted-dns', 'no-sni'])], blindness__flows__encrypted_dns=1)


@case('quic-no-sni', 'An Initial whose hello has no name.')
def _(cap):
    Udp(cap).up(initial(crypto(0, quic_hello(None)), DCID, pad=1200))
    return counted([blind(flags=['no-sni'])], blindness__flows__no_sni=1)


@case('doq', 'DNS over QUIC on port 853: encrypted DNS, and named so.')
def _(cap):
    Udp(cap, dport=853).up(initial(crypto(0, quic_hello('dns.example.org', protocols=('doq',))), DCID, pad=1200))
    return [named('dns.example.org', 'quic.sni', flags=['encrypted-dns'])]


@case('quic-version-switched', 'Version 1 first, the server goes on in version 2 (RFC 9368): the hello is whole before, or goes on in it.')
def _(cap):
    parts = pieces(LATE, [1000])
    u = Udp(cap, sport=40001)
    for n in range(2):
        u.up(initial(crypto(*parts[n]), DCID, number=n, pad=1200))
    server(u, V2)
    u.up(initial(QUIC_ACK, b'\x22' * 8, number=2, version=V2, key_dcid=DCID, pad=1200))
    v = Udp(cap, sport=40002)
    v.up(initial(crypto(*parts[0]), DCID, number=0, pad=1200))
    v.down(initial(QUIC_ACK, b'\x11' * 8, b'\x22' * 8, 0, V2, DCID, client=False))
    v.up(initial(crypto(*parts[1]), b'\x22' * 8, number=1, version=V2, key_dcid=DCID, pad=1200))
    return [quic(), quic()]


@case('quic-long-token', 'A token of 500 bytes, and Retry to an id of 20 bytes with a token and another id of the client\'s own.')
def _(cap):
    Udp(cap, sport=40001).up(initial(crypto(0, HELLO), DCID, token=fill(500, 70), pad=1350))
    u = Udp(cap, sport=40002)
    u.up(initial(crypto(0, LATE[:900]), DCID, pad=1200))
    u.down(long_header(V1, 'retry', b'\x11' * 8, b'\x33' * 20) + fill(200, 71) + bytes(16))
    u.up(initial(crypto(0, LATE[:1000]), b'\x33' * 20, b'\x44' * 5, 1, token=fill(200, 71), pad=1300))
    u.up(initial(crypto(1000, LATE[1000:]), b'\x33' * 20, b'\x44' * 5, 2, token=fill(200, 71), pad=1300))
    return [quic(src={'port': 40001}), quic(src={'port': 40002}, flags=['quic-retry'])]


@case('quic-fixed-bit-clear', 'A client that was here before clears the fixed bit (RFC 9287).')
def _(cap):
    packet = initial(crypto(0, HELLO), DCID, pad=1200, clear=0x40)
    Udp(cap).up(packet)
    return [quic()]


@case('quic-coalesced-0rtt', '0-RTT before the Initial in its datagram, and behind it; junk and zeros behind it.')
def _(cap):
    early = long_header(V1, '0rtt', DCID, b'\x11' * 8) + varint(200, 2) + fill(200, 72)
    good = initial(crypto(0, HELLO), DCID)
    for i, datagram in enumerate((early + good, good + early, good + fill(300, 73), good + bytes(600))):
        Udp(cap, sport=40001 + i).up(datagram)
    return [quic()] * 4


@case('quic-coalesced-other-id', 'A second packet to another id in one datagram: receivers ignore it (RFC 9000 12.2).')
def _(cap):
    Udp(cap).up(initial(crypto(0, quic_hello(OTHER)), DCID) + initial(crypto(0, HELLO), b'\x77' * 8))
    return [named(OTHER, 'quic.sni', names_not=[VENDOR])]


@case('quic-hello-16k', 'A hello of 16 KB over sixteen datagrams, in order and reversed, PING and PADDING between.')
def _(cap):
    big = quic_hello(None, before=ext(0xfafa, fill(15000, 74)), extra=ext(0, u16(b'\0' + u16(VENDOR.encode()))))
    parts = [(i, big[i:i + 1000]) for i in range(0, len(big), 1000)]
    for i, order in enumerate((parts, parts[::-1])):
        u = Udp(cap, sport=40001 + i)
        for off, part in order:
            u.up(initial(PING + bytes(5) + crypto(off, part) + PING, DCID, number=off // 1000, pad=1200))
    return [quic()] * 2


@case('quic-odd-frames', 'ACKs with ranges and ECN counts before the hello; a frame that may not be, then the hello in another packet.')
def _(cap):
    Udp(cap, sport=40001).up(initial(b'\x03\x05\0\1\0\0\0\1\2\3' + crypto(0, HELLO), DCID, pad=1200))
    u = Udp(cap, sport=40002)
    u.up(initial(b'\x08\0abc', DCID, pad=1200))
    u.up(initial(crypto(0, HELLO), DCID, number=1, pad=1200))
    v = Udp(cap, sport=40003)
    v.up(initial(PING, DCID, pad=1200))
    v.up(initial(crypto(0, HELLO), DCID, number=0xffffff, pad=1200))
    return [quic(src={'port': 40001}), quic(src={'port': 40002}, flags=['malformed']), quic(src={'port': 40003})]


@case('quic-crypto-differs', 'CRYPTO bytes that come twice with other contents: two readings.')
def _(cap):
    other = HELLO.replace(VENDOR.encode(), b'x' * (len(VENDOR) - 4) + b'.org')
    Udp(cap).up(initial(crypto(0, HELLO[:250]) + crypto(0, other[:200]) + crypto(250, HELLO[250:]), DCID, pad=1200))
    return [doubtful([VENDOR])]


@case('quic-post-quantum-orders', 'A post-quantum hello over three datagrams in all six orders.')
def _(cap):
    parts = pieces(LATE, [600, 1200])
    orders = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
    for i, order in enumerate(orders):
        u = Udp(cap, sport=40001 + i)
        for n in order:
            u.up(initial(crypto(*parts[n]), DCID, number=n, pad=1200))
    return [quic()] * 6


@case('quic-drafts', 'The drafts that are still in captures, with both salts.')
def _(cap):
    for i, version in enumerate((0xff00001b, 0xff00001c, 0xff00001f, 0xff000020)):
        SALTS[version] = SALTS[DRAFT29] if version > 0xff00001c else bytes.fromhex('c3eef712c72ebb5a11a7d2432bb46365bef9f502')
        Udp(cap, sport=40001 + i).up(initial(crypto(0, HELLO), DCID, version=version, pad=1200))
    return [quic()] * 4


@case('quic-many-that-fail', 'Twenty Initials that do not verify, or twenty 0-RTT packets, before the real one.')
def _(cap):
    u, v = Udp(cap, sport=40001), Udp(cap, sport=40002)
    for i in range(20):
        u.up(initial(crypto(0, quic_hello(OTHER)), b'%08d' % i, spoil=True, pad=1200))
        v.up(long_header(V1, '0rtt', DCID, b'\x11' * 8) + varint(900, 2) + fill(900, 75 + i))
    u.up(initial(crypto(0, HELLO), DCID, pad=1200))
    v.up(initial(crypto(0, HELLO), DCID, pad=1200))
    return [quic(names_not=[OTHER])] * 2
