# SPDX-License-Identifier: Apache-2.0
"""Names in HTTP and DNS, and what DNS answers teach."""
import struct

from packets import Tcp, Udp, addr
from protocols import (A, AAAA, CNAME, H2_PREFACE, HTTPS, answer, dns_name, ech_outer, fill, h2_frame, h2_request, http,
                       question, rr, tls, u16)
from registry import OTHER, SECOND, VENDOR, blind, case, counted, doubtful, hit, named

HOST = b'Host: ' + VENDOR.encode() + b'\r\n'


def web(**more):
    return hit('http.host', **more)


def dns(name=VENDOR, **more):
    return hit('dns.qname', name, **more)


@case('http-plain', 'A request with a Host header.')
def _(cap):
    c = Tcp(cap, dport=80).open().up(http(VENDOR, '/agent/v1', 'Falcon/7.1'))
    c.down(b'HTTP/1.1 204 No Content\r\n\r\n')
    c.close()
    return [web(user_agent='Falcon/7.1', evidence=[{'field': 'http.host', 'value': VENDOR}])]


HOST_LINES = {
    'case': b'hOsT: ' + VENDOR.encode() + b'\r\n',
    'no-space': b'Host:' + VENDOR.encode() + b'\r\n',
    'tabs': b'Host:\t ' + VENDOR.encode() + b' \t\r\n',
    'port': b'Host: ' + VENDOR.encode() + b':8080\r\n',
    'trailing-dot': b'Host: ' + VENDOR.encode() + b'.\r\n',
    'mixed-case-name': b'Host: Ts01-B.CloudSink.Net\r\n',
    'bare-lf': b'Host: ' + VENDOR.encode() + b'\n',
    'after-3-kb': b'Cookie: ' + b'x' * 3000 + b'\r\n' + HOST,
    'last-of-many': b''.join(b'X-Header-%d: value\r\n' % i for i in range(60)) + HOST,
}


@case('http-host-forms', 'The Host header as clients and evaders write it: a flow for each form.')
def _(cap):
    for i, line in enumerate(HOST_LINES.values()):
        Tcp(cap, sport=41000 + i, dport=80).open().up(http('', host_line=line))
    return [web(src={'port': 41000 + i}) for i in range(len(HOST_LINES))]


@case('http-leading-crlf', 'Empty lines before the request line, two spaces in it, LF alone everywhere.')
def _(cap):
    Tcp(cap, sport=41000, dport=80).open().up(b'\r\n\r\n' + http(VENDOR))
    Tcp(cap, sport=41001, dport=80).open().up(b'GET  /  HTTP/1.1\r\n' + HOST + b'\r\n')
    Tcp(cap, sport=41002, dport=80).open().up(http(VENDOR).replace(b'\r\n', b'\n'))
    return [web(src={'port': 41000 + i}) for i in range(3)]


@case('http-cut', 'The Host header cut over segments: inside its name, inside the value, byte by byte, reversed.')
def _(cap):
    r = http(VENDOR)
    at = r.index(b'Host')
    for i, cut in enumerate((at + 2, at + 12, len(r) - 1)):
        c = Tcp(cap, sport=41000 + i, dport=80).open()
        c.at(0, r[:cut])
        c.at(cut, r[cut:])
    Tcp(cap, sport=41010, dport=80).open().up(r, cut=1)
    c = Tcp(cap, sport=41011, dport=80).open()
    for off in reversed(range(0, len(r), 7)):
        c.at(off, r[off:off + 7])
    return [web()] * 5


@case('http-absolute-uri', 'A proxy request: the target names the host; Host agrees, or is another.')
def _(cap):
    Tcp(cap, sport=41000, dport=3128).open().up(http(VENDOR, target='http://' + VENDOR + '/x'))
    Tcp(cap, sport=41001, dport=3128).open().up(http(OTHER, target='http://' + VENDOR + '/x'))
    Tcp(cap, sport=41002, dport=3128).open().up(http(VENDOR, target='http://' + OTHER + '/x'))
    return [hit('http.uri', src={'port': 41000}),
            doubtful([VENDOR, OTHER], src={'port': 41001}, name=VENDOR),
            doubtful([OTHER, VENDOR], src={'port': 41002}, name=OTHER)]


@case('http-connect-differs', 'CONNECT to one host, Host names another: the target wins, doubtful.')
def _(cap):
    Tcp(cap, dport=3128).open().up(http(OTHER, method='CONNECT', target=VENDOR + ':443'))
    return [doubtful([VENDOR, OTHER], name=VENDOR)]


@case('http-connect', 'CONNECT, and nothing readable inside.')
def _(cap):
    c = Tcp(cap, dport=3128).open().up(http(VENDOR, method='CONNECT', target=VENDOR + ':443'))
    c.down(b'HTTP/1.1 403 Forbidden\r\n\r\n')
    return [hit('http.connect')]


@case('http-two-hosts', 'Two Host headers with different names.')
def _(cap):
    Tcp(cap, dport=80).open().up(http('', host_line=HOST + b'Host: ' + OTHER.encode() + b'\r\n'))
    return [doubtful([VENDOR, OTHER])]


@case('http-folded', 'A folded Host header (obsolete line folding).')
def _(cap):
    Tcp(cap, dport=80).open().up(http('', host_line=b'Host:\r\n ' + VENDOR.encode() + b'\r\n'))
    return [{'flags': ['ambiguous'], 'verdict': 'pass'}]


@case('http-later-request', 'The third request on a connection is the vendor\'s: judged anew, only stricter.')
def _(cap):
    c = Tcp(cap, dport=3128).open()
    for name in (OTHER, SECOND, VENDOR, OTHER):
        c.up(http(name, target='http://' + name + '/'))
        c.down(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    return [{'names': [OTHER, SECOND, VENDOR], 'vendor': 'CrowdStrike', 'verdict': 'drop', 'flags_not': ['ambiguous']}]


@case('http-later-request-after-body', 'Bodies between the requests, with a length and chunked.')
def _(cap):
    c = Tcp(cap, dport=80).open()
    c.up(http(OTHER, method='POST', more=b'Content-Length: 3000\r\n') + b'Host: decoy.example.net\r\n' * 120)
    c.down(b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    c.up(http(SECOND, method='POST', more=b'Transfer-Encoding: chunked\r\n') + b'5\r\nhello\r\n0\r\n\r\n')
    c.up(http(VENDOR))
    return [{'names': [OTHER, SECOND, VENDOR], 'names_not': ['decoy.example.net'], 'vendor': 'CrowdStrike'}]


@case('http-eight-requests', 'The eighth request on a connection is judged, the ninth is not.')
def _(cap):
    for i, place in enumerate((7, 8)):
        c = Tcp(cap, sport=41000 + i, dport=3128).open()
        for n in range(10):
            name = VENDOR if n == place else 'h%d.example.org' % (n % 3)
            c.up(http(name, target='http://' + name + '/'))
            c.down(b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    return [{'src': {'port': 41000}, 'names': [VENDOR, 'h0.example.org'], 'vendor': 'CrowdStrike', 'verdict': 'drop'},
            {'src': {'port': 41001}, 'names_not': [VENDOR], 'absent': ['vendor'], 'verdict': 'pass'}]


@case('http-pipelined', 'Several requests in one segment.')
def _(cap):
    Tcp(cap, dport=80).open().up(http(OTHER) + http(VENDOR))
    return [{'names': [OTHER, VENDOR], 'vendor': 'CrowdStrike'}]


@case('http-odd-port', 'HTTP where nobody expects it.')
def _(cap):
    Tcp(cap, dport=7547).open().up(http(VENDOR))
    return [web()]


@case('http2-prior-knowledge', 'HTTP/2 without TLS: the name is in HPACK; also cut in small segments.')
def _(cap):
    first = H2_PREFACE + h2_frame(4, 0, 0, b'\0\x03\0\0\0\x64') + h2_request(VENDOR)
    Tcp(cap, sport=41000, dport=80).open().up(first)
    Tcp(cap, sport=41001, dport=80).open().up(first, cut=5)
    return [web()] * 2


@case('http2-upgrade', 'h2c by Upgrade: the request of HTTP/1 names the host.')
def _(cap):
    more = b'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n'
    c = Tcp(cap, dport=80).open().up(http(VENDOR, more=more))
    c.down(b'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n')
    c.up(H2_PREFACE + h2_frame(4, 0, 0, b''))
    return [web()]


@case('dns-question', 'A question over UDP is a flow of its own, and so is the next one on the same socket.')
def _(cap):
    u = Udp(cap, dport=53)
    u.up(question(VENDOR, ident=1))
    u.down(answer(VENDOR, [rr(VENDOR, A, 300, addr('203.0.113.10'))], ident=1))
    u.up(question(OTHER, ident=2))
    u.down(answer(OTHER, [rr(OTHER, A, 300, addr('203.0.113.11'))], ident=2))
    return counted([dns(), named(OTHER, 'dns.qname')], dns_questions=2, dns_answers_learned=2)


@case('dns-ipv6', 'A question for AAAA over IPv6.')
def _(cap):
    Udp(cap, '2001:db8:1::5', '2001:db8::53', dport=53).up(question(VENDOR, AAAA))
    return [dns()]


@case('dns-mixed-case', 'Case is mixed at random by resolvers (0x20).')
def _(cap):
    Udp(cap, dport=53).up(question('tS01-b.cLouDsInK.nEt'))
    return [dns()]


@case('dns-tcp', 'DNS over TCP: whole, cut anywhere, and two messages in one segment.')
def _(cap):
    q = u16(question(VENDOR, ident=7))
    Tcp(cap, sport=41000, dport=53).open().up(q)
    Tcp(cap, sport=41001, dport=53).open().up(q, cut=1)
    c = Tcp(cap, sport=41002, dport=53).open()
    c.at(9, q[9:])
    c.at(0, q[:9])
    # Each message is a record; the connection has one too.
    Tcp(cap, sport=41003, dport=53).open().up(u16(question(OTHER, ident=8)) + q)
    return [dns(src={'port': 41000 + i}, transport='tcp') for i in range(4)] + [
        named(OTHER, 'dns.qname', src={'port': 41003}, transport='tcp')]


@case('dns-any-byte', 'Labels of any byte: shown escaped, matched by no suffix rule.')
def _(cap):
    Udp(cap, sport=41000, dport=53).up(question([b'a\0b', b'\x1b[31m', b'cloudsink', b'net']))
    Udp(cap, sport=41001, dport=53).up(question([b'ts01-b.x', b'cloudsink', b'net']))
    return [{'src': {'port': 41000}, 'absent': ['vendor'], 'verdict': 'pass'},
            {'src': {'port': 41001}, 'absent': ['vendor'], 'verdict': 'pass'}]


@case('dns-compression-loop', 'Pointers that point at themselves and at each other, in questions and answers.')
def _(cap):
    head = struct.pack('>6H', 9, 0x0100, 1, 0, 0, 0)
    for i, name in enumerate((b'\xc0\x0c', b'\x01a\xc0\x0c', b'\xc0\x0e\xc0\x0c', b'\xc0\xff', b'\x40a\0')):
        Udp(cap, sport=41000 + i, dport=53).up(head + name + struct.pack('>HH', A, 1))
    u = Udp(cap, sport=41010, dport=53)
    u.up(question(VENDOR, ident=5))
    u.down(answer(VENDOR, [rr(b'\xc0\x0c', CNAME, 60, b'\xc0\x2a')], ident=5))
    return [dns(src={'port': 41010})]


LONG = '.'.join(['a' * 63] * 3 + ['b' * 61])  # 255 bytes on the wire with their lengths


@case('dns-longest-name', 'A name of 255 bytes is read; one of more is none.')
def _(cap):
    Udp(cap, sport=41000, dport=53).up(question(LONG))
    Udp(cap, sport=41001, dport=53).up(question('a.' + LONG))
    return [{'src': {'port': 41000}, 'name': LONG, 'name_source': 'dns.qname'}]


def ask(cap, rrs, client='10.1.0.5', name=VENDOR, kind=A, sport=50000):
    u = Udp(cap, client, '10.1.0.53', sport, 53)
    u.up(question(name, kind, ident=77))
    u.down(answer(name, rrs, kind, ident=77))


def nameless(cap, server='203.0.113.10', client='10.1.0.5', **more):
    c = Tcp(cap, client, server, **more).open().up(tls(None))
    c.close()


def inferred(**more):
    return {'name': VENDOR, 'name_source': 'dns.memory', 'vendor': 'CrowdStrike', 'confidence': 'inferred',
            'dst': {'port': 443}, **more}


@case('dns-memory-a', 'A flow without a name goes to an address that this client was given for one.')
def _(cap):
    ask(cap, [rr(VENDOR, A, 300, addr('203.0.113.10'))])
    nameless(cap)
    return [dns(), inferred()]


@case('dns-memory-aaaa', 'The same with AAAA; the question went over IPv6.')
def _(cap):
    u = Udp(cap, '2001:db8:1::5', '2001:db8:1::53', 50000, 53)
    u.up(question(VENDOR, AAAA, ident=77))
    u.down(answer(VENDOR, [rr(VENDOR, AAAA, 300, addr('2001:db8:9::1'))], AAAA, ident=77))
    nameless(cap, '2001:db8:9::1', '2001:db8:1::5')
    return [dns(), inferred()]


@case('dns-memory-cname', 'A chain of two aliases leads to the address: the asked name is remembered.')
def _(cap):
    alias, edge = 'sensor.edge.example.net', 'e17.edge.example.net'
    ask(cap, [rr(VENDOR, CNAME, 300, dns_name(alias)), rr(alias, CNAME, 300, dns_name(edge)),
              rr(edge, A, 60, addr('203.0.113.10'))])
    nameless(cap)
    return [dns(), inferred()]


@case('dns-memory-https-hint', 'An HTTPS record whose hints give the address (RFC 9460).')
def _(cap):
    params = struct.pack('>HH', 1, 3) + b'\x02h3' + struct.pack('>HH', 4, 4) + addr('203.0.113.10')
    ask(cap, [rr(VENDOR, HTTPS, 300, b'\0\x01\0' + params)], kind=HTTPS)
    nameless(cap)
    return [dns(), inferred()]


@case('dns-memory-ech', 'With ECH the name is the outer one; the DNS memory says more.')
def _(cap):
    ask(cap, [rr(VENDOR, A, 300, addr('203.0.113.10'))])
    Tcp(cap, dst='203.0.113.10').open().up(tls('cloudflare-ech.com', extra=ech_outer()))
    return counted([dns(), {'dst': {'port': 443}, 'name': VENDOR, 'name_source': 'dns.memory', 'confidence': 'inferred',
                            'flags': ['ech'], 'names': ['cloudflare-ech.com', VENDOR], 'verdict': 'pass'}],
                   blindness__named__flows=2)


@case('dns-memory-ech-grease', 'The name in the hello is the one that this client looked up to come here: it is no outer one.')
def _(cap):
    ask(cap, [rr(VENDOR, A, 300, addr('203.0.113.10'))])
    Tcp(cap, dst='203.0.113.10').open().up(tls(VENDOR, extra=ech_outer()))
    # Looked up by another client: nothing lifts the doubt.
    Tcp(cap, '10.1.0.6', dst='203.0.113.10').open().up(tls(VENDOR, extra=ech_outer()))
    return [dns(), hit(src={'ip': '10.1.0.5'}, dst={'port': 443}, flags=['ech-grease']),
            {'src': {'ip': '10.1.0.6'}, 'flags': ['ech'], 'confidence': 'guess', 'verdict': 'pass'}]


@case('dns-memory-other-client', 'What one client was told says nothing about another one.')
def _(cap):
    ask(cap, [rr(VENDOR, A, 300, addr('203.0.113.10'))], client='10.1.0.6')
    nameless(cap)
    return [dns(), blind(dst={'port': 443})]


@case('dns-memory-unsolicited', 'An answer to a question that nobody asked teaches nothing.')
def _(cap):
    u = Udp(cap, '10.1.0.5', '10.1.0.53', 50000, 53)
    u.down(answer(VENDOR, [rr(VENDOR, A, 300, addr('203.0.113.10'))], ident=77))
    v = Udp(cap, '10.1.0.5', '10.1.0.53', 50001, 53)
    v.up(question(OTHER, ident=78))
    v.down(answer(VENDOR, [rr(VENDOR, A, 300, addr('203.0.113.10'))], ident=78))  # another question
    v.down(answer(OTHER, [rr(VENDOR, A, 300, addr('203.0.113.10'))], ident=79))   # another id
    nameless(cap)
    return counted([named(OTHER, 'dns.qname'), blind(dst={'port': 443})], dns_unsolicited=3, dns_answers_learned=0)


@case('dns-answer-alone', 'An answer whose question was not captured names what was asked, as a guess: never dropped.')
def _(cap):
    u = Udp(cap, '10.1.0.5', '10.1.0.53', 50000, 53)
    u.down(answer(VENDOR, [rr(VENDOR, A, 300, addr('203.0.113.10'))], ident=77))
    return [{'name': VENDOR, 'name_source': 'dns.qname', 'vendor': 'CrowdStrike', 'confidence': 'guess', 'verdict': 'pass',
             'src': {'ip': '10.1.0.5'}, 'flags': ['midstream', 'one-way']}]


@case('dns-tcp-answer-alone', 'The same over TCP, the handshake missed; two answers in one segment. The answers\' first half came before.')
def _(cap):
    two = u16(answer(VENDOR, [rr(VENDOR, A, 300, addr('203.0.113.10'))], ident=77)) + u16(
        answer(OTHER, [rr(OTHER, A, 300, addr('203.0.113.11'))], ident=78))
    Tcp(cap, sport=50000, dport=53).down(two)
    Tcp(cap, sport=50001, dport=53).open().down(two, cut=30)
    nameless(cap)
    guess = {'name_source': 'dns.qname', 'transport': 'tcp', 'flags': ['midstream', 'one-way', 'dns-only'], 'src': {'ip': '10.1.0.5'}}
    return [{'name': VENDOR, 'vendor': 'CrowdStrike', 'confidence': 'guess', 'verdict': 'pass', **guess}] * 2 + [
        {'name': OTHER, **guess}] * 2 + [blind(dst={'port': 443})]


@case('dns-memory-bailiwick', 'An answer\'s records for other names than the asked one teach nothing.')
def _(cap):
    ask(cap, [rr(OTHER, A, 300, addr('203.0.113.20')), rr(VENDOR, A, 300, addr('203.0.113.10'))], name=OTHER)
    nameless(cap)
    return [named(OTHER, 'dns.qname'), blind(dst={'port': 443})]


@case('dns-memory-expired', 'The answer\'s time to live has passed.', vary=False)
def _(cap):
    ask(cap, [rr(VENDOR, A, 120, addr('203.0.113.10'))])
    cap.now += 600_000_000
    nameless(cap)
    return [dns(), blind(dst={'port': 443})]


@case('dns-memory-two-names', 'The client was given the address for two names: a guess at best, never dropped.')
def _(cap):
    ask(cap, [rr(VENDOR, A, 300, addr('203.0.113.10'))])
    ask(cap, [rr(OTHER, A, 300, addr('203.0.113.10'))], name=OTHER, sport=50001)
    nameless(cap)
    return [dns(), named(OTHER, 'dns.qname'), {'dst': {'port': 443}, 'verdict': 'pass'}]


@case('dns-odd-port', 'DNS where nobody expects it: only what can be nothing else, and its answer is learnt.')
def _(cap):
    u = Udp(cap, '10.1.0.5', '10.1.0.53', 50000, 5333)
    u.up(question(VENDOR, ident=77))
    u.down(answer(VENDOR, [rr(VENDOR, A, 300, addr('203.0.113.10'))], ident=77))
    nameless(cap)
    # With an OPT record; and things that only look like it: a label alone, an odd type, bytes behind, NetBIOS.
    edns = question(VENDOR, ident=78)[:10] + b'\0\x01' + question(VENDOR)[12:] + b'\0\0\x29\x04\xd0\0\0\0\0\0\0'
    Udp(cap, sport=50001, dport=5333).up(edns)
    for i, body in enumerate((question('cloudsink'), question(VENDOR, 0x1234), question(VENDOR) + b'more',
                              question(VENDOR, A, 79)[:2] + b'\x85' + question(VENDOR)[3:])):
        Udp(cap, sport=50010 + i, dport=5333).up(body)
    Udp(cap, sport=137, dport=137).up(question(VENDOR, ident=80))
    return counted([dns(src={'port': 50000}), inferred(), dns(src={'port': 50001})] + [
        blind(src={'port': 50010 + i}) for i in range(4)] + [blind(src={'port': 137})], dns_questions=2, dns_answers_learned=1)


@case('dns-of-the-link', 'Multicast DNS and LLMNR ask the link, not DNS: shown, never a vendor\'s, nothing is learnt.')
def _(cap):
    Udp(cap, '10.1.0.5', '224.0.0.251', 5353, 5353).up(question(VENDOR, ident=0))
    Udp(cap, '10.1.0.5', '224.0.0.252', 50000, 5355).up(question(VENDOR, ident=5))
    u = Udp(cap, '10.1.0.5', '10.1.0.9', 50001, 5355)
    u.up(question(VENDOR, ident=6))
    u.down(answer(VENDOR, [rr(VENDOR, A, 300, addr('203.0.113.10'))], ident=6))
    nameless(cap)
    link = {'name': VENDOR, 'absent': ['vendor'], 'verdict': 'pass'}
    return counted([{'dst': {'port': 5353}, **link}, {'dst': {'port': 5355}, **link}, {'dst': {'port': 5355}, **link},
                    blind(dst={'port': 443})], dns_questions=0, dns_answers_learned=0)


@case('dnscrypt', 'DNSCrypt: known by the magic of its answers, and counted as encrypted DNS.')
def _(cap):
    u = Udp(cap, dport=8443)
    u.up(fill(512, 95))
    u.down(b'r6fnvWj8' + fill(304, 96))
    return counted([blind(flags=['encrypted-dns'])], blindness__flows__encrypted_dns=1)


@case('dot-no-sni', 'DNS over TLS without a name: blind, for the reason that DNS is encrypted.')
def _(cap):
    c = Tcp(cap, dport=853).open().up(tls(None, protocols=()))
    c.close()
    return counted([blind(flags=['encrypted-dns', 'no-sni'])], blindness__flows__encrypted_dns=1)


@case('dot', 'DNS over TLS on port 853: encrypted DNS, and named so.')
def _(cap):
    Tcp(cap, dport=853).open().up(tls('dns.example.org', protocols=('dot',)))
    return [named('dns.example.org', flags=['encrypted-dns'])]


@case('doh', 'DNS over HTTPS to a resolver that is known for it.')
def _(cap):
    Tcp(cap, dst='8.8.8.8').open().up(tls('dns.google'))
    return [{'name': 'dns.google', 'flags': ['encrypted-dns']}]


