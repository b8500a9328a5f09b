# SPDX-License-Identifier: Apache-2.0
"""Names in TCP and TLS: what clients may do and few do, and what only an evader does."""
from cases_tls import HELLO, finish
from packets import ACK, SYN, Tcp
from protocols import CCS, ext, fill, hello, record, records, sni, tls, u16
from registry import OTHER, SECOND, VENDOR, blind, case, doubtful, hit, named


@case('tls-five-segments', 'A hello in five segments that overlap with the same bytes, in an order of its own.')
def _(cap):
    late = records(hello(None, pq=True, extra=sni(VENDOR)), [16384])
    c = Tcp(cap).open()
    for a, b in ((1200, len(late)), (300, 700), (250, 400), (0, 320), (600, 1300)):
        c.at(a, late[a:b])
    return [hit(flags_not=['ambiguous', 'overlap', 'gap'])]


@case('tls-more-behind-hello', 'A ChangeCipherSpec and early data in the segment of the hello.')
def _(cap):
    c = Tcp(cap).open().up(HELLO + CCS + record(fill(200, 21), 23, 0x0303))
    finish(c)
    return [hit()]


@case('tls-two-hellos', 'Two hellos that nobody asked for: in one segment, in two, in one record. Both names, however it is cut.')
def _(cap):
    both = tls(OTHER) + tls(SECOND)
    Tcp(cap, sport=40001).open().up(both)
    Tcp(cap, sport=40002).open().up(both, cut=len(both) // 2)
    Tcp(cap, sport=40003).open().up(both, cut=7)
    Tcp(cap, sport=40004).open().up(record(hello(OTHER) + hello(SECOND)))
    Tcp(cap, sport=40005).open().up(record(hello(OTHER) + hello(SECOND)), cut=100)
    return [doubtful([OTHER, SECOND], src={'port': 40001 + i}) for i in range(5)]


@case('tls-empty-records', 'Records without a byte, before the hello and inside it: OpenSSL takes 32 in a row.')
def _(cap):
    h = hello(VENDOR)
    for i, at in enumerate((0, 2, 50)):
        first = record(h[:at]) if at else b''
        Tcp(cap, sport=40001 + i).open().up(first + record(b'') * (1, 32, 20)[i] + record(h[at:]))
    Tcp(cap, sport=40004).open().up(record(h[:50]) + record(b'') * 33 + record(h[50:]))
    return [hit(src={'port': 40001 + i}) for i in range(3)] + [blind(src={'port': 40004}, flags=['malformed'])]


@case('tls-record-versions', 'Versions of records that no standard has, and a change inside the hello. Go takes all below 16.0.')
def _(cap):
    h = hello(VENDOR)
    odd = (0x0300, 0x0304, 0x03ff, 0x0000, 0x0200, 0x0fff)
    for i, v in enumerate(odd):
        Tcp(cap, sport=40001 + i).open().up(record(h, version=v), cut=90)
    Tcp(cap, sport=40011).open().up(record(h[:100], version=0x0301) + record(h[100:], version=0x0303))
    return [hit(src={'port': 40001 + i}) for i in range(len(odd))] + [hit(src={'port': 40011})]


@case('tls-slow-hello', 'The second half of the hello comes after 45 seconds: it is named all the same.', vary=False)
def _(cap):
    late = records(hello(None, pq=True, extra=sni(VENDOR)), [16384])
    c = Tcp(cap).open()
    c.at(0, late[:600])
    cap.now += 45_000_000
    c.at(600, late[600:])
    return [hit()]


@case('tls-not-names', 'No name, an empty one, an address, a name with a port, two dots at its end: told as they are, nobody\'s.')
def _(cap):
    Tcp(cap, sport=40001).open().up(tls(''))
    Tcp(cap, sport=40002).open().up(tls(None, before=ext(0, u16(b'\x05' + u16(b'abc')))))
    Tcp(cap, sport=40003).open().up(tls('203.0.113.9'))
    odd = ('2001:db8::1', VENDOR + ':443', VENDOR + '..', '%74s01-b.cloudsink.net')
    for i, name in enumerate(odd):
        Tcp(cap, sport=40010 + i).open().up(tls(name))
    return [blind(src={'port': 40001 + i}, flags=['no-sni']) for i in range(2)] + [
        named('203.0.113.9', src={'port': 40003})] + [
        {'src': {'port': 40010 + i}, 'names': [name], 'flags': ['illegal-name'], 'absent': ['vendor'], 'verdict': 'pass'}
        for i, name in enumerate(odd)]


@case('tls-two-names', 'Two names in one server_name extension, and in two of them.')
def _(cap):
    Tcp(cap, sport=40001).open().up(tls(None, before=ext(0, u16(b'\0' + u16(OTHER.encode()) + b'\0' + u16(VENDOR.encode())))))
    Tcp(cap, sport=40002).open().up(tls(VENDOR, extra=sni(OTHER)))
    return [doubtful([OTHER, VENDOR], src={'port': 40001 + i}) for i in range(2)]


@case('tls-grease', 'GREASE in versions and extensions (RFC 8701), and a name type before host_name that nobody knows.')
def _(cap):
    Tcp(cap, sport=40001).open().up(tls(VENDOR, before=ext(0x0a0a, b'') + ext(0x1a1a, b'\0'), extra=ext(0xfafa, b'\0'),
                                        versions=(0x7a7a, 0x0304, 0x0303)))
    Tcp(cap, sport=40002).open().up(tls(None, before=ext(0, u16(b'\x05' + u16(b'abc') + b'\0' + u16(VENDOR.encode())))))
    return [hit(), hit()]


@case('tls-decoys-no-receiver-takes', 'A decoy with an MD5 option, without ACK, with an ACK of what was never sent: two readings.')
def _(cap):
    for i, what in enumerate((dict(options=b'\x13\x12' + bytes(16) + b'\1\1', flags=ACK), dict(flags=0), dict(flags=ACK, ahead=50000))):
        c = Tcp(cap, sport=40001 + i).open()
        c.segment(True, c.isn + 1, c.peer_isn + 1 + what.get('ahead', 0), what['flags'], tls(OTHER), options=what.get('options', b''))
        c.up(HELLO)
        finish(c)
    return [doubtful([VENDOR, OTHER], src={'port': 40001 + i}) for i in range(3)]


@case('tls-behind-other-words', 'A hello behind STARTTLS of five protocols, both PROXY preambles, SOCKS 4A and 5.')
def _(cap):
    talks = (
        (587, ((0, b'220 mx ESMTP\r\n'), (1, b'EHLO me\r\n'), (0, b'250 STARTTLS\r\n'), (1, b'STARTTLS\r\n'), (0, b'220 go\r\n'))),
        (143, ((0, b'* OK\r\n'), (1, b'a STARTTLS\r\n'), (0, b'a OK\r\n'))),
        (5432, ((1, b'\0\0\0\x08\x04\xd2\x16\x2f'), (0, b'S'))),
        (3389, ((1, bytes.fromhex('030000130ee000000000000100080003000000')), (0, bytes.fromhex('030000130ed000001234000209080002000000')))),
        (389, ((1, bytes.fromhex('301d02010177188016312e332e362e312e342e312e313436362e3230303337')),
               (0, bytes.fromhex('300c02010178070a010004000400')))),
        (8443, ((1, b'PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n'),)),
        (8444, ((1, b'\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c' + bytes(12)),)),
        (1080, ((1, b'\4\1\1\xbb\0\0\0\1u\0' + OTHER.encode() + b'\0'), (0, b'\0\x5a' + bytes(6)))),
        (1081, ((1, b'\5\1\0'), (0, b'\5\0'), (1, b'\5\1\0\1\1\2\3\4\1\xbb'), (0, b'\5\0\0\1' + bytes(6)))),
    )
    for i, (port, words) in enumerate(talks):
        c = Tcp(cap, sport=40001 + i, dport=port).open()
        for up, text in words:
            (c.up if up else c.down)(text)
        c.up(HELLO)
        finish(c)
    return [hit(src={'port': 40001 + i}) for i in range(len(talks))]


@case('tls-port-reuse', 'The same ports again for another connection, after an end and without one: two flows, two names.')
def _(cap):
    for i, close in enumerate((True, False)):
        c = Tcp(cap, sport=40001 + i).open().up(tls(OTHER))
        if close:
            finish(c)
        cap.now += 5_000_000
        d = Tcp(cap, sport=40001 + i, isn=99_000_000, peer_isn=55_000_000).open().up(HELLO)
        finish(d)
    return [named(OTHER), hit()] * 2


@case('tls-simultaneous-open', 'Both sides send a SYN (RFC 9293 3.5); and a hello before the SYN-ACK.')
def _(cap):
    c = Tcp(cap, sport=40001)
    c.syn()
    c.segment(False, c.peer_isn, 0, SYN)
    c.segment(True, c.isn, c.peer_isn + 1, SYN | ACK)
    c.segment(False, c.peer_isn, c.isn + 1, SYN | ACK)
    c.up(HELLO)
    d = Tcp(cap, sport=40002)
    d.syn()
    d.up(HELLO)
    d.synack()
    return [hit(), hit()]
