# SPDX-License-Identifier: Apache-2.0
"""Names in TCP and TLS."""
import struct

from packets import ACK, FIN, RST, Tcp
from protocols import (CCS, certificate, ech_outer, ext, fill, hello, http, record, records, server_flight12,
                       server_hello, tls, u16)
from registry import OTHER, SECOND, VENDOR, blind, case, counted, doubtful, hit, named

HELLO = tls(VENDOR)
PQ = tls(VENDOR, pq=True)


def finish(c):
    """The server answers and says no more in clear."""
    c.down(record(server_hello(), version=0x0303) + CCS + record(fill(900, 20), 23, 0x0303))
    c.close()


@case('tls-whole', 'A ClientHello in one segment.')
def _(cap):
    c = Tcp(cap).open().up(HELLO)
    finish(c)
    return [hit(src={'ip': '10.1.0.5', 'port': 40001}, dst={'ip': '198.51.100.7', 'port': 443}, transport='tcp',
                evidence=[{'field': 'tls.sni', 'value': VENDOR}], function='telemetry')]


@case('tls-whole-ipv6', 'The same over IPv6.')
def _(cap):
    c = Tcp(cap, '2001:db8:1::5', '2001:db8:2::7').open().up(HELLO)
    finish(c)
    return [hit(src={'ip': '2001:db8:1::5', 'port': 40001})]


@case('tls-cut-two', 'A ClientHello cut into two segments, once in the middle of the name.')
def _(cap):
    at = HELLO.index(VENDOR.encode()) + 5
    for i, cut in enumerate((at, 1, 4, 5, 6, 9, len(HELLO) - 1)):
        c = Tcp(cap, sport=41000 + i).open()
        c.at(0, HELLO[:cut])
        c.at(cut, HELLO[cut:])
        c.sent = len(HELLO)
        finish(c)
    return [hit()] * 7


@case('tls-cut-anywhere', 'The same hello cut once at every 16th place: a flow for each.')
def _(cap):
    cuts = range(1, len(HELLO), 16)
    for i, cut in enumerate(cuts):
        c = Tcp(cap, sport=42000 + i).open()
        c.at(0, HELLO[:cut])
        c.at(cut, HELLO[cut:])
    return [hit()] * len(cuts)


@case('tls-cut-8-bytes', 'A ClientHello in segments of 8 bytes.')
def _(cap):
    c = Tcp(cap).open().up(HELLO, cut=8)
    finish(c)
    return [hit()]


@case('tls-cut-1-byte', 'A ClientHello in segments of one byte.')
def _(cap):
    Tcp(cap).open().up(tls(VENDOR, protocols=()), cut=1)
    return [hit()]


@case('tls-cut-1-byte-reversed', 'Segments of one byte, the last one first.')
def _(cap):
    c = Tcp(cap).open()
    short = tls(VENDOR, protocols=())
    for i in reversed(range(len(short))):
        c.at(i, short[i:i + 1])
    return [hit()]


@case('tls-last-part-first', 'Two segments, the second one first.')
def _(cap):
    c = Tcp(cap).open()
    c.at(200, HELLO[200:])
    c.at(0, HELLO[:200])
    return [hit()]


@case('tls-order-1-3-2', 'Three segments in the order 1, 3, 2.')
def _(cap):
    c = Tcp(cap).open()
    c.at(0, HELLO[:100])
    c.at(200, HELLO[200:])
    c.at(100, HELLO[100:200])
    return [hit()]


@case('tls-post-quantum', 'A hello with an X25519MLKEM768 share: two segments, in order and reversed.')
def _(cap):
    Tcp(cap, sport=40001).open().up(PQ, cut=1388)
    c = Tcp(cap, sport=40002).open()
    c.at(1388, PQ[1388:])
    c.at(0, PQ[:1388])
    # The name after the key share, so that the second segment is needed.
    late = records(hello(None, pq=True, extra=ext(0, u16(b'\0' + u16(VENDOR.encode())))), [16384])
    Tcp(cap, sport=40003).open().up(late, cut=1388)
    return [hit()] * 3


@case('tls-hello-16k', 'A hello of 16 KB in one record, the name at its end.')
def _(cap):
    big = hello(None, before=ext(0xfafa, fill(15000, 30)), extra=ext(0, u16(b'\0' + u16(VENDOR.encode()))))
    Tcp(cap).open().up(records(big, [16384]))
    return [hit()]


@case('tls-hello-60k', 'A hello of 60 KB over four records, the name at its end, every other segment late.')
def _(cap):
    big = records(hello(None, before=ext(0xfafa, fill(60000, 31)), extra=ext(0, u16(b'\0' + u16(VENDOR.encode())))),
                  [16384])
    c = Tcp(cap).open()
    parts = [(i, big[i:i + 1400]) for i in range(0, len(big), 1400)]
    for i in range(0, len(parts), 2):
        for off, part in reversed(parts[i:i + 2]):
            c.at(off, part)
    return [hit()]


@case('tls-two-records', 'One handshake message over two records in one segment.')
def _(cap):
    Tcp(cap).open().up(records(hello(VENDOR), [70, 16384]))
    return [hit()]


@case('tls-1-byte-records', 'One handshake message over records of one byte each.')
def _(cap):
    Tcp(cap).open().up(records(hello(VENDOR, protocols=()), [1]))
    return [hit()]


@case('tls-cut-in-handshake-header', 'A record ends inside the four bytes of the handshake header; so does a segment.')
def _(cap):
    for i in range(1, 4):
        Tcp(cap, sport=40000 + i).open().up(records(hello(VENDOR), [i, 16384]))
    c = Tcp(cap, sport=40004).open()
    both = records(hello(VENDOR), [2, 16384])
    c.at(0, both[:7])
    c.at(7, both[7:])
    return [hit()] * 4


@case('tls-retransmission', 'Every segment twice, and a repeat that is cut otherwise.')
def _(cap):
    c = Tcp(cap).open()
    for off, end in ((0, 150), (0, 150), (150, 400), (100, 300), (150, 400), (400, len(HELLO)), (0, len(HELLO))):
        c.at(off, HELLO[off:end])
    return counted([hit(flags_not=['ambiguous', 'overlap'])], overlaps=0, outside_window_ignored=0)


@case('tls-keep-alive', 'A keep-alive probe, one old byte before the sequence, before the hello.')
def _(cap):
    c = Tcp(cap).open()
    c.at(-1, b'\0')
    c.up(HELLO)
    return [hit()]


@case('tls-overlap-differs', 'The name comes twice with different contents before the hello is whole.')
def _(cap):
    a, b = tls('a.' + OTHER), tls('b.' + OTHER)
    c = Tcp(cap).open()
    c.at(100, a[100:])
    c.at(0, b)
    # The vendor's name against another of the same length.
    fake = tls('x' * (len(VENDOR) - 4) + '.org')
    d = Tcp(cap, sport=40002).open()
    d.at(90, fake[90:])
    d.at(0, HELLO)
    return counted([doubtful(['a.' + OTHER, 'b.' + OTHER], src={'port': 40001}, flags=['overlap']),
            doubtful([VENDOR, 'x' * (len(VENDOR) - 4) + '.org'], src={'port': 40002}, flags=['overlap'])], overlaps=2)


@case('tls-decoy-low-ttl', 'A hello with another name whose TTL ends on the way, then the real one.')
def _(cap):
    for i, (first, second) in enumerate(((OTHER, VENDOR), (VENDOR, OTHER))):
        c = Tcp(cap, sport=40001 + i).open()
        c.at(0, tls(first), ttl=4)
        c.up(tls(second))
        finish(c)
    return [doubtful([VENDOR, OTHER], src={'port': 40001}), doubtful([VENDOR, OTHER], src={'port': 40002})]


@case('tls-ttl-drifts', 'A path that changes by a hop or two is no decoy.')
def _(cap):
    c = Tcp(cap).open()
    c.at(0, HELLO, ttl=62)
    return [hit()]


@case('tls-decoy-bad-checksum', 'A decoy with a wrong checksum on a wire where the handshake had right ones.')
def _(cap):
    c = Tcp(cap).open()
    c.at(0, tls(OTHER), bad='wrong')
    c.up(HELLO)
    finish(c)
    return counted([hit(flags=['bad-checksum'], names=[VENDOR], names_not=[OTHER])], bad_checksum_ignored=1)


@case('tls-decoy-outside-window', 'Decoys far before and far beyond the window.')
def _(cap):
    c = Tcp(cap).open()
    c.at(0x20000000, tls(OTHER))
    c.at(-0x20000000, tls(OTHER))
    c.at(-100000, tls(OTHER))
    c.up(HELLO)
    finish(c)
    return counted([hit(names_not=[OTHER])], outside_window_ignored=3)


@case('tls-reset-ignored', 'RST and FIN that no receiver takes: outside the window, bad checksum. The hello comes after.')
def _(cap):
    c = Tcp(cap).open()
    seq = c.isn + 1
    c.segment(True, seq + 0x10000000, c.peer_isn + 1, RST)
    c.segment(True, seq, c.peer_isn + 1, RST | ACK, bad='wrong')
    c.segment(True, seq - 70000, c.peer_isn + 1, FIN | ACK)
    c.segment(False, c.peer_isn + 1 + 0x10000000, seq, RST | ACK)
    c.segment(False, c.peer_isn + 1, seq, FIN | ACK, bad='wrong')
    c.up(HELLO)
    finish(c)
    return counted([hit()], bad_checksum_ignored=2, outside_window_ignored=3)


@case('tls-transmit-offload', 'A capture taken on the client itself: every checksum is left to the card.')
def _(cap):
    c = Tcp(cap, bad='partial').open().up(PQ)
    finish(c)
    d = Tcp(cap, sport=40002, bad='wrong').open().up(HELLO)
    finish(d)
    return counted([hit(), hit()], bad_checksum_ignored=0)


@case('tls-receive-offload', 'Good handshake, then two segments merged by the card: one large frame, its sum partial.')
def _(cap):
    c = Tcp(cap).open()
    c.at(0, tls(VENDOR, pad_to=3000), bad='partial')
    return [hit()]


@case('tls-fast-open', 'The hello in the SYN (RFC 7413), and one that is half in the SYN.')
def _(cap):
    c = Tcp(cap)
    c.syn(HELLO)
    c.sent = len(HELLO)
    c.segment(False, c.peer_isn, c.isn + 1 + len(HELLO), 2 | ACK)
    finish(c)
    d = Tcp(cap, sport=40002)
    d.syn(HELLO[:300])
    d.segment(False, d.peer_isn, d.isn + 301, 2 | ACK)
    d.at(300, HELLO[300:])
    # Not taken by the server, so sent again.
    e = Tcp(cap, sport=40003)
    e.syn(HELLO[:300])
    e.synack()
    e.up(HELLO)
    return [hit()] * 3


@case('tls-data-on-handshake-ack', 'The third packet of the handshake carries the hello.')
def _(cap):
    c = Tcp(cap)
    c.syn()
    c.synack()
    c.up(HELLO)
    return [hit()]


@case('tls-mid-stream', 'The handshake was not seen; the hello was, whole, cut, and cut with the last part first.')
def _(cap):
    Tcp(cap, sport=40001).up(HELLO)
    Tcp(cap, sport=40002).up(HELLO, cut=200)
    c = Tcp(cap, sport=40003)
    c.at(200, HELLO[200:])
    c.at(0, HELLO[:200])
    return [hit(flags=['midstream'])] * 3


@case('tls-mid-stream-no-hello', 'Picked up in the middle of application data: unknown, passed, counted as blind.')
def _(cap):
    c = Tcp(cap)
    for i in range(6):
        c.up(record(fill(1300, i), 23, 0x0303))
        c.down(record(fill(1300, 50 + i), 23, 0x0303))
    return counted([blind(flags=['midstream'])], blindness__flows__midstream=1)


@case('tls-one-way-up', 'Only the initiator was seen.')
def _(cap):
    c = Tcp(cap)
    c.syn()
    c.ack()
    c.up(PQ)
    # A name that is nobody's: its flow is not dropped, so that only the wire was silent.
    d = Tcp(cap, sport=40002)
    d.syn()
    d.ack()
    d.up(tls(OTHER))
    return [hit(src={'port': 40001}, flags=['one-way']), named(OTHER, src={'port': 40002}, flags=['one-way'])]


@case('tls-one-way-down', 'Only the server was seen: no name in TLS 1.3.')
def _(cap):
    c = Tcp(cap)
    c.synack()
    c.sent = len(HELLO)
    c.down(record(server_hello(), version=0x0303) + CCS + record(fill(900, 20), 23, 0x0303))
    return counted([blind(flags=['one-way'])], blindness__flows__one_way=1)


@case('tls-several-syn-acks', 'Two SYN-ACKs with different numbers, and a SYN that came twice.')
def _(cap):
    c = Tcp(cap)
    c.syn()
    c.syn()
    c.synack(12345)
    c.synack()
    c.ack()
    c.up(HELLO)
    finish(c)
    return [hit()]


@case('tls-several-syns', 'SYNs with different numbers; the answer tells which one holds.')
def _(cap):
    c = Tcp(cap)
    c.segment(True, 5_000_000, 0, 2)
    c.syn()
    c.synack()
    c.ack()
    c.up(HELLO)
    finish(c)
    return [hit()]


@case('tls-sequence-wraps', 'The sequence number passes 2^32 inside the hello.')
def _(cap):
    c = Tcp(cap, isn=0xffffff80).open()
    c.at(300, HELLO[300:])
    c.at(0, HELLO[:300])
    finish(c)
    return [hit()]


def retry(cap, sport, first, second):
    c = Tcp(cap, sport=sport).open().up(tls(first))
    c.down(record(server_hello(retry=True), version=0x0303) + CCS)
    c.up(CCS + tls(second))
    finish(c)


@case('tls-hello-retry', 'HelloRetryRequest, and the second hello asks for the same name.')
def _(cap):
    retry(cap, 40001, OTHER, OTHER)
    return [named(OTHER, flags=['hrr'])]


@case('tls-hello-retry-renamed', 'HelloRetryRequest, and the second hello asks for another name.')
def _(cap):
    retry(cap, 40001, OTHER, SECOND)
    return [doubtful([OTHER, SECOND], flags=['hrr'])]


@case('tls-no-sni', 'A whole hello without a name.')
def _(cap):
    c = Tcp(cap).open().up(tls(None))
    finish(c)
    return counted([blind(flags=['no-sni'])], blindness__flows__no_sni=1)


@case('tls-ech', 'Encrypted ClientHello: the outer name is a hint, never a proof, and never dropped.')
def _(cap):
    c = Tcp(cap, sport=40001).open().up(tls('cloudflare-ech.com', extra=ech_outer()))
    finish(c)
    d = Tcp(cap, sport=40002).open().up(tls(VENDOR, extra=ech_outer()))
    finish(d)
    return counted([{'src': {'port': 40001}, 'any_flag': ['ech', 'ech-grease'], 'verdict': 'pass',
             'names': ['cloudflare-ech.com']},
            {'src': {'port': 40002}, 'names': [VENDOR], 'any_flag': ['ech', 'ech-grease']}], blindness__flows__ech=2)


@case('tls-ech-grease', 'An ECH that cannot work (an unknown suite) hides nothing: the name is real. One that could is a hint.')
def _(cap):
    real = ech_outer()
    fake = real.replace(struct.pack('>HHB', 1, 1, 0x42), struct.pack('>HHB', 0x6a6a, 0x7a7a, 0x42))
    Tcp(cap, sport=40001).open().up(tls(VENDOR, extra=fake))
    c = Tcp(cap, sport=40002).open().up(tls(VENDOR, extra=real))
    c.down(b'x')
    return counted([hit(src={'port': 40001}, flags=['ech-grease']),
                    {'src': {'port': 40002}, 'name': VENDOR, 'flags': ['ech'], 'flags_not': ['ech-grease'],
                     'confidence': 'guess', 'verdict': 'pass'}], blindness__flows__ech=1)


@case('tls-esni', 'The encrypted_server_name of old drafts (0xffce).')
def _(cap):
    c = Tcp(cap).open().up(tls(None, extra=ext(0xffce, fill(300, 40))))
    finish(c)
    return counted([blind(flags=['esni'])], blindness__flows__no_sni=1)


@case('tls-certificate-name', 'TLS 1.2 without SNI: the names of the certificate, graded strong.')
def _(cap):
    c = Tcp(cap).open().up(tls(None, versions=(0x0303,)))
    c.down(server_flight12(certificate(VENDOR, [VENDOR, 'lfodown01-b.cloudsink.net'])))
    return [{'name': VENDOR, 'name_source': 'tls.cert', 'vendor': 'CrowdStrike', 'confidence': 'strong',
             'flags': ['no-sni']}]


@case('tls-certificate-cut', 'The same, the certificate over several records and segments in another order.')
def _(cap):
    flight = records(server_hello(tls12=True) + server_flight12(certificate(VENDOR, [VENDOR]))[5 + len(
        server_hello(tls12=True)):], [300, 200, 16384])
    c = Tcp(cap).open().up(tls(None, versions=(0x0303,)))
    c.down_at(400, flight[400:])
    c.down_at(0, flight[:400])
    return [{'name': VENDOR, 'name_source': 'tls.cert', 'vendor': 'CrowdStrike', 'confidence': 'strong'}]


ODD_NAMES = {
    'nul': b'ts01-b.cloudsink.net\0.example.org',
    'escape': b'ts01-b\x1b[31m.cloudsink.net',
    'crlf': b'ts01-b\r\n.cloudsink.net',
    'quotes': b'"ts01-b\'.cloudsink.net',
    'space': b'ts01 b.cloudsink.net',
    'too-long': b'.'.join([b'a' * 60] * 5) + b'.cloudsink.net',
    'empty-label': b'ts01-b..cloudsink.net',
    'long-label': b'a' * 64 + b'.cloudsink.net',
}


@case('tls-illegal-names', 'Names that no host has: shown escaped, matched by no suffix rule.')
def _(cap):
    out = []
    for i, raw in enumerate(ODD_NAMES.values()):
        Tcp(cap, sport=40001 + i).open().up(tls(raw))
        # Shown escaped, 300 bytes of it at most.
        shown = ''.join(chr(b) if 32 <= b < 127 else '\\x%02x' % b for b in raw[:300])
        out.append({'src': {'port': 40001 + i}, 'names': [shown], 'flags': ['illegal-name'], 'absent': ['vendor'],
                    'verdict': 'pass'})
    return out


@case('tls-legal-odd-names', 'Mixed case, a trailing dot: the same host. xn-- is kept as it is.')
def _(cap):
    Tcp(cap, sport=40001).open().up(tls('TS01-b.CloudSink.NET'))
    Tcp(cap, sport=40002).open().up(tls(VENDOR + '.'))
    Tcp(cap, sport=40003).open().up(tls('xn--bcher-kva.example.org'))
    return [hit(src={'port': 40001}), hit(src={'port': 40002}),
            named('xn--bcher-kva.example.org', src={'port': 40003})]


@case('tls-whole-labels', 'Suffixes go by whole labels: a look-alike is nobody\'s.')
def _(cap):
    Tcp(cap, sport=40001).open().up(tls('evilcloudsink.net'))
    Tcp(cap, sport=40002).open().up(tls('cloudsink.net.example.org'))
    return [named('evilcloudsink.net', src={'port': 40001}), named('cloudsink.net.example.org', src={'port': 40002})]


@case('tls-odd-port', 'TLS where nobody expects it.')
def _(cap):
    Tcp(cap, dport=10443).open().up(HELLO)
    Tcp(cap, sport=40002, dport=25).open().up(HELLO)
    return [hit(), hit()]


@case('connect-then-tls', 'CONNECT to a proxy, then TLS inside: the inner name.')
def _(cap):
    c = Tcp(cap, dport=3128).open()
    c.up(http(OTHER, method='CONNECT', target=OTHER + ':443'))
    c.down(b'HTTP/1.1 200 Connection established\r\n\r\n')
    c.up(HELLO)
    finish(c)
    return [{'names': [OTHER, VENDOR], 'name': VENDOR, 'vendor': 'CrowdStrike'}]


@case('connect-cut-anywhere', 'CONNECT, then a hello whose first segment is one byte, two, or five.')
def _(cap):
    for i, cut in enumerate((1, 2, 5)):
        c = Tcp(cap, sport=40001 + i, dport=3128).open()
        c.up(http(OTHER, method='CONNECT', target=OTHER + ':443')).down(b'HTTP/1.1 200 OK\r\n\r\n')
        c.up(HELLO[:cut]).up(HELLO[cut:])
        finish(c)
    return [{'src': {'port': 40001 + i}, 'name': VENDOR, 'names': [OTHER, VENDOR], 'vendor': 'CrowdStrike'} for i in range(3)]


@case('connect-then-tls-same', 'CONNECT and the hello inside name the same host.')
def _(cap):
    c = Tcp(cap, dport=8080).open()
    c.up(http(VENDOR, method='CONNECT', target=VENDOR + ':443'))
    c.down(b'HTTP/1.1 200 OK\r\n\r\n')
    c.up(HELLO, cut=100)
    finish(c)
    return [{'name': VENDOR, 'names': [VENDOR], 'vendor': 'CrowdStrike', 'verdict': 'drop'}]


@case('tunnel-hello-retry', 'HelloRetryRequest behind CONNECT and behind SOCKS, and the second hello asks for another name.')
def _(cap):
    c = Tcp(cap, sport=40001, dport=3128).open()
    c.up(http(OTHER, method='CONNECT', target=OTHER + ':443'))
    c.down(b'HTTP/1.1 200 Connection established\r\n\r\n')
    d = Tcp(cap, sport=40002, dport=1080).open()
    d.up(b'\5\1\0').down(b'\5\0')
    d.up(b'\5\1\0\1\xc6\x33\x64\x07\1\xbb').down(b'\5\0\0\1' + bytes(6))
    for x in (c, d):
        x.up(tls(OTHER)).down(record(server_hello(retry=True), version=0x0303) + CCS)
        x.up(CCS + tls(SECOND))
        finish(x)
    return [doubtful([OTHER, SECOND], src={'port': p}, flags=['hrr']) for p in (40001, 40002)]


@case('tunnel-certificate-name', 'TLS 1.2 without SNI behind STARTTLS, SOCKS and CONNECT: the names of the certificate.')
def _(cap):
    talks = (
        (25, ((0, b'220 mx ESMTP\r\n'), (1, b'EHLO me\r\n'), (0, b'250 STARTTLS\r\n'), (1, b'STARTTLS\r\n'), (0, b'220 go\r\n'))),
        (1080, ((1, b'\5\1\0'), (0, b'\5\0'), (1, b'\5\1\0\1\xc6\x33\x64\x07\1\xbb'), (0, b'\5\0\0\1' + bytes(6)))),
        (3128, ((1, http('198.51.100.7:443', method='CONNECT', target='198.51.100.7:443')),
                (0, b'HTTP/1.1 200 Connection established\r\n\r\n'))))
    flight = server_flight12(certificate(VENDOR, [VENDOR]))
    for i, (port, words) in enumerate(talks + talks):
        c = Tcp(cap, sport=40001 + i, dport=port).open()
        for up, text in words:
            (c.up if up else c.down)(text)
        c.up(tls(None, versions=(0x0303,)))
        if i >= len(talks):  # the last part first
            c.down_at(c.got + 300, flight[300:])
            c.down_at(c.got, flight[:300])
            c.got += len(flight)
        else:
            c.down(flight)
        finish(c)
    return [{'src': {'port': 40001 + i}, 'names': [VENDOR], 'vendor': 'CrowdStrike', 'confidence': 'strong', 'flags': ['no-sni'],
             **more} for i, more in enumerate((({'name': VENDOR, 'name_source': 'tls.cert'},) * 2 +
                                               ({'names': ['198.51.100.7', VENDOR]},)) * 2)]


@case('tls-gap', 'A segment of the hello never came: unknown, and said so.')
def _(cap):
    c = Tcp(cap).open()
    late = records(hello(None, pq=True, extra=ext(0, u16(b'\0' + u16(VENDOR.encode())))), [16384])
    c.at(0, late[:600])
    c.at(1200, late[1200:])
    c.sent = len(late)
    finish(c)
    return counted([blind(any_flag=['gap', 'malformed', 'truncated'])], blindness__flows__truncated=1)


@case('tls-vendor-among-others', 'Three flows at once, their segments interleaved.')
def _(cap):
    flows = [(Tcp(cap, sport=40001 + i).open(), tls(n)) for i, n in enumerate((OTHER, VENDOR, SECOND))]
    for off in range(0, 600, 100):
        for c, h in flows:
            if h[off:off + 100]:
                c.at(off, h[off:off + 100])
    return [named(OTHER), hit(), named(SECOND)]
