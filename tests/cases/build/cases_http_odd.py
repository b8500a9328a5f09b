# SPDX-License-Identifier: Apache-2.0
"""Names in HTTP and DNS: forms that are allowed and rare, and forms on which readers disagree."""
import struct

from cases_http_dns import HOST, ask, dns, inferred, nameless, web
from packets import Tcp, Udp, addr, ether, fragments, ip, udp
from protocols import (A, H2_PREFACE, HTTPS, answer, crypto, dns_name, h2_frame, http, initial, question, quic_hello, rr,
                       tls, u16, u8)
from registry import OTHER, VENDOR, blind, case, counted, doubtful, hit, named

PREFACE = H2_PREFACE + h2_frame(4, 0, 0, b'')
V, O = VENDOR.encode(), OTHER.encode()


def block(authority, method=b'\x82'):
    """A header block: method, scheme http, path /, authority."""
    return method + b'\x86\x44' + u8(b'/') + b'\x41' + u8(authority)


@case('http-authority-forms', 'Absolute URIs and Hosts with user, port, upper case, an address, a query without a path.')
def _(cap):
    forms = (http(VENDOR, target='http://user:pw@' + VENDOR + '/x'), http(VENDOR, target='HTTP://' + VENDOR.upper() + ':80/'),
             http(VENDOR, target='http://' + VENDOR + '?x=http://' + OTHER))
    for i, request in enumerate(forms):
        Tcp(cap, sport=41000 + i, dport=3128).open().up(request)
    Tcp(cap, sport=41010, dport=80).open().up(http(OTHER, target='http://' + OTHER + '@' + VENDOR + '/'))
    Tcp(cap, sport=41011, dport=80).open().up(http('', host_line=b'Host: 203.0.113.7:8080\r\n'))
    Tcp(cap, sport=41012, dport=80).open().up(http('', host_line=b'Host: [2001:db8::1]:8080\r\n'))
    return [hit('http.uri', src={'port': 41000 + i}) for i in range(len(forms))] + [
        doubtful([VENDOR, OTHER], src={'port': 41010}), named('203.0.113.7', 'http.host', src={'port': 41011}),
        {'src': {'port': 41012}, 'names': ['[2001:db8::1]'], 'flags': ['illegal-name'], 'verdict': 'pass'}]


@case('http-lines-disputed', 'A CR alone, a folded line that says Host, a blank before the colon: some read it so, some otherwise.')
def _(cap):
    heads = (b'X: a\rHost: ' + O + b'\r\n' + HOST, b'X: a\r\n Host: ' + O + b'\r\n' + HOST, HOST + b'X: a\rHost : ' + O + b'\r\n')
    for i, head in enumerate(heads):
        Tcp(cap, sport=41000 + i, dport=80).open().up(b'GET / HTTP/1.1\r\n' + head + b'\r\n')
    Tcp(cap, sport=41010, dport=80).open().up(b'GET / HTTP/1.1\r\nHost : ' + V + b'\r\n\r\n')
    return [doubtful([VENDOR, OTHER], src={'port': 41000 + i}) for i in range(len(heads))] + [
        doubtful([VENDOR], src={'port': 41010})]


@case('http-not-hosts', 'An empty Host, none, two in one line, one with a NUL byte: nobody\'s.')
def _(cap):
    lines = (b'Host:\r\n', b'', b'Host: ' + O + b', ' + V + b'\r\n', b'Host: ' + V + b'\0.example.org\r\n')
    for i, line in enumerate(lines):
        Tcp(cap, sport=41000 + i, dport=80).open().up(http('', host_line=line))
    return [blind(src={'port': 41000 + i}) for i in range(2)] + [
        {'src': {'port': 41002 + i}, 'flags': ['illegal-name'], 'absent': ['vendor'], 'verdict': 'pass'} for i in range(2)]


@case('http-request-forms', 'Tabs between the words, a method of WebDAV, an asterisk, a target with blanks and one of 30 KB, lower case.')
def _(cap):
    forms = (b'GET\t/\tHTTP/1.1\r\n' + HOST + b'\r\n', http(VENDOR, method='BPROPFIND'), http(VENDOR, method='OPTIONS', target='*'),
             http(VENDOR, path='/a b c'), http(VENDOR, path='/' + 'a' * 30000), b'get / http/1.1\r\nhost: ' + V + b'\r\n\r\n')
    for i, request in enumerate(forms):
        Tcp(cap, sport=41000 + i, dport=80).open().up(request)
    return [web(src={'port': 41000 + i}) for i in range(len(forms))]


@case('http-bodies', 'A request behind chunked bodies with trailers and extensions, cut to bytes, behind 100 KB, behind 100-continue.')
def _(cap):
    chunks = b'5;x=y\r\nhello\r\n10\r\n' + bytes(16) + b'\r\n0\r\nTrailer: v\r\n\r\n'
    post = http(OTHER, method='POST', more=b'Transfer-Encoding: gzip, chunked\r\n')
    Tcp(cap, sport=41000, dport=80).open().up(post + chunks + http(VENDOR))
    Tcp(cap, sport=41001, dport=80).open().up(post + chunks + http(VENDOR), cut=1)
    Tcp(cap, sport=41002, dport=80).open().up(
        http(OTHER, method='POST', more=b'Content-Length: 100000\r\n') + bytes(100000) + http(VENDOR))
    c = Tcp(cap, sport=41003, dport=80).open().up(http(OTHER, method='POST', more=b'Expect: 100-continue\r\nContent-Length: 4\r\n'))
    c.down(b'HTTP/1.1 100 Continue\r\n\r\n')
    c.up(b'abcd')
    c.down(b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    c.up(http(VENDOR))
    return [{'names': [OTHER, VENDOR], 'vendor': 'CrowdStrike', 'verdict': 'drop', 'src': {'port': 41000 + i}} for i in range(4)]


@case('http-body-disputed', 'Both lengths of a body, and a length with a sign: where the next request begins is open.')
def _(cap):
    Tcp(cap, sport=41000, dport=80).open().up(
        http(OTHER, method='POST', more=b'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n') + b'0\r\n\r\n' + http(VENDOR))
    Tcp(cap, sport=41001, dport=80).open().up(http(OTHER, method='POST', more=b'Content-Length: +4\r\n') + b'abcd' + http(VENDOR))
    return [{'src': {'port': 41000 + i}, 'flags': ['ambiguous'], 'verdict': 'pass'} for i in range(2)]


@case('http-upgrades', 'WebSocket keeps its Host; TLS by upgrade (RFC 2817) shows its name; h2c goes on in HTTP/2.')
def _(cap):
    c = Tcp(cap, sport=41000, dport=80).open().up(http(VENDOR, more=b'Connection: Upgrade\r\nUpgrade: websocket\r\n'))
    c.down(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n')
    c.up(b'\x81\x85\1\2\3\4abcde')
    c = Tcp(cap, sport=41001, dport=631).open().up(http(OTHER, method='OPTIONS', target='*', more=b'Upgrade: TLS/1.2\r\n'))
    c.down(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: TLS/1.2\r\n\r\n')
    c.up(tls(VENDOR))
    c = Tcp(cap, sport=41002, dport=80).open().up(http(OTHER, more=b'Connection: Upgrade\r\nUpgrade: h2c\r\n'))
    c.down(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n')
    c.up(PREFACE + h2_frame(1, 5, 3, block(V)))
    c = Tcp(cap, sport=41003, dport=80).open().up(http(OTHER, more=b'Connection: Upgrade\r\nUpgrade: h2c\r\n'))
    c.down(b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n')
    c.up(PREFACE[:18]).up(PREFACE[18:] + h2_frame(1, 5, 3, block(V)))
    return [web(src={'port': 41000})] + [{'src': {'port': 41001 + i}, 'names': [OTHER, VENDOR], 'vendor': 'CrowdStrike'} for i in range(3)]


@case('http-connect-forms', 'CONNECT refused and tried again; CONNECT in CONNECT; the hello in its segment; an address as target.')
def _(cap):
    c = Tcp(cap, sport=41000, dport=3128).open().up(http(OTHER, method='CONNECT', target=OTHER + ':443'))
    c.down(b'HTTP/1.1 407 Authenticate\r\nContent-Length: 0\r\n\r\n')
    c.up(http(OTHER, method='CONNECT', target=OTHER + ':443', more=b'Proxy-Authorization: Basic eA==\r\n'))
    c.down(b'HTTP/1.1 200 OK\r\n\r\n')
    c.up(tls(VENDOR))
    c = Tcp(cap, sport=41001, dport=3128).open()
    for target in (OTHER + ':8080', 'www.example.com:443'):
        c.up(http(target, method='CONNECT', target=target))
        c.down(b'HTTP/1.1 200 OK\r\n\r\n')
    c.up(tls(VENDOR))
    Tcp(cap, sport=41002, dport=3128).open().up(http(OTHER, method='CONNECT', target=OTHER + ':443') + tls(VENDOR))
    c = Tcp(cap, sport=41003, dport=3128).open().up(http('', host_line=b'', method='CONNECT', target='[2001:db8::7]:443'))
    c.down(b'HTTP/1.1 200 OK\r\n\r\n')
    c.up(tls(VENDOR), cut=50)
    return [{'src': {'port': 41000 + i}, 'names': [VENDOR], 'vendor': 'CrowdStrike'} for i in range(4)]


@case('http-unfinished', 'A head that never ends: the Host that it showed, and that something is missing.')
def _(cap):
    Tcp(cap, dport=80).open().up(b'GET / HTTP/1.1\r\n' + HOST + b'Cookie: abc')
    return [{'name': VENDOR, 'name_source': 'http.host', 'vendor': 'CrowdStrike', 'flags': ['gap']}]


@case('http2-frames', 'HEADERS padded, with priority, over CONTINUATIONs (3 and 40), after frames of kinds that nobody knows.')
def _(cap):
    b = block(V)
    many = b + b''.join(b'\0' + u8(b'x%d' % i) + u8(b'y' * 50) for i in range(30))
    parts = [many[i:i + 43] for i in range(0, len(many), 43)]
    bodies = (h2_frame(1, 0x2d, 1, b'\x20' + bytes(4) + b'\x10' + b + bytes(32)),
              h2_frame(1, 1, 1, b[:3]) + h2_frame(9, 0, 1, b[3:10]) + h2_frame(9, 4, 1, b[10:]),
              h2_frame(1, 1, 1, parts[0]) + b''.join(h2_frame(9, 4 if p is parts[-1] else 0, 1, p) for p in parts[1:]),
              h2_frame(0xfa, 0, 0, b'grease') + h2_frame(2, 0, 1, bytes(5)) + h2_frame(8, 0, 0, b'\0\0\1\0') + h2_frame(1, 5, 1, b))
    for i, body in enumerate(bodies):
        Tcp(cap, sport=41000 + 2 * i, dport=80).open().up(PREFACE + body)
        Tcp(cap, sport=41001 + 2 * i, dport=80).open().up(PREFACE + body, cut=11)
    return [web()] * (2 * len(bodies))


@case('http2-tables', 'Names by the dynamic table, by Huffman code (RFC 7541 C.4.1), with a table of 1 MB, after 96 KB of DATA.')
def _(cap):
    Tcp(cap, sport=41000, dport=80).open().up(
        PREFACE + h2_frame(1, 5, 1, b'\x82\x86\x84\x41' + u8(O)) + h2_frame(1, 5, 3, block(V)) + h2_frame(1, 5, 5, b'\x82\x86\x84\xbf'))
    Tcp(cap, sport=41001, dport=80).open().up(PREFACE + h2_frame(1, 5, 1, bytes.fromhex('828684418cf1e3c2e5f23a6ba0ab90f4ff')))
    Tcp(cap, sport=41002, dport=80).open().up(PREFACE + h2_frame(1, 5, 1, b'\x3f\xe1\xff\x3f' + block(V)))
    Tcp(cap, sport=41003, dport=80).open().up(
        PREFACE + h2_frame(1, 4, 1, block(O, b'\x83')) + h2_frame(0, 0, 1, bytes(16384)) * 6 + h2_frame(1, 5, 3, block(V)))
    return [{'src': {'port': 41000}, 'names': [OTHER, VENDOR], 'verdict': 'drop'},
            named('www.example.com', 'http.host', src={'port': 41001}), web(src={'port': 41002}),
            {'src': {'port': 41003}, 'names': [OTHER, VENDOR], 'verdict': 'drop'}]


@case('http2-two-readings', 'Two authorities, an authority that Host contradicts, a block that goes on without end.')
def _(cap):
    Tcp(cap, sport=41000, dport=80).open().up(PREFACE + h2_frame(1, 5, 1, block(O) + b'\x41' + u8(V)))
    Tcp(cap, sport=41001, dport=80).open().up(PREFACE + h2_frame(1, 5, 1, block(V) + b'\x66' + u8(O)))
    Tcp(cap, sport=41002, dport=80).open().up(PREFACE + h2_frame(1, 1, 1, block(V)) + h2_frame(9, 0, 1, b'') * 100)
    return [doubtful([OTHER], src={'port': 41000}), doubtful([VENDOR], src={'port': 41001}),
            doubtful([VENDOR], src={'port': 41002}, flags=['malformed'])]


@case('dns-question-forms', 'EDNS with a cookie, any type, bytes behind the question, LLMNR\'s port aside; a label with a dot in it is nobody\'s.')
def _(cap):
    q = question(VENDOR)
    edns = q[:10] + b'\0\1' + q[12:] + b'\0\0\x29\x04\xd0\0\0\x80\0\0\x0c\0\x0a\0\x08' + bytes(8)
    for i, body in enumerate((edns, question(VENDOR, 255), q + b'more')):
        Udp(cap, sport=41000 + i, dport=53).up(body)
    Udp(cap, sport=41010, dport=53).up(question([b'ts01-b.cloudsink', b'net']))
    return [dns(src={'port': 41000 + i}) for i in range(3)] + [{'src': {'port': 41010}, 'absent': ['vendor'], 'verdict': 'pass'}]


@case('dns-tcp-forms', 'DNS over TCP cut inside the length, with an OPT record of 60 KB, and on a port that is not DNS\'s.')
def _(cap):
    q = question(VENDOR)
    big = q[:10] + b'\0\1' + q[12:] + b'\0\0\x29\x04\xd0\0\0\0\0' + struct.pack('>HHH', 60000, 12, 59996) + bytes(59996)
    Tcp(cap, sport=41000, dport=53).open().up(u16(q), cut=1)
    Tcp(cap, sport=41001, dport=53).open().up(u16(big))
    Tcp(cap, sport=41002, dport=5300).open().up(u16(q))
    Tcp(cap, sport=41003, dport=5300).open().up(u16(q), cut=7)
    # Lengths and heads that fit, a name that does not; a head alone.
    Tcp(cap, sport=41010, dport=5300).open().up(u16(question('cloudsink')))
    Tcp(cap, sport=41011, dport=5300).open().up(u16(q)[:14])
    return [dns(src={'port': 41000 + i}, transport='tcp') for i in range(4)] + [blind(src={'port': 41010 + i}) for i in range(2)]


@case('dns-tcp-odd-port-learnt', 'Question and answer over TCP on another port: the answer is learnt; and after a cut answer over UDP.')
def _(cap):
    c = Tcp(cap, '10.1.0.5', '10.1.0.53', 50000, 5300).open().up(u16(question(OTHER, A, 77)))
    c.down(u16(answer(OTHER, [rr(b'\xc0\x0c', A, 300, addr('203.0.113.10'))], A, 77)), cut=9)
    nameless(cap)
    u = Udp(cap, '10.1.0.5', '10.1.0.53', 50001, 53)
    u.up(question('www.example.com', A, 77))
    cut = bytearray(answer('www.example.com', [], A, 77))
    cut[2] |= 2
    u.down(bytes(cut))
    c = Tcp(cap, '10.1.0.5', '10.1.0.53', 50002, 53).open().up(u16(question('www.example.com', A, 78)))
    c.down(u16(answer('www.example.com', [rr(b'\xc0\x0c', A, 300, addr('203.0.113.11'))], A, 78)))
    nameless(cap, '203.0.113.11', sport=40002)
    return [{'dst': {'ip': '203.0.113.10'}, 'name': OTHER, 'name_source': 'dns.memory'},
            {'dst': {'ip': '203.0.113.11'}, 'name': 'www.example.com', 'name_source': 'dns.memory'}]


@case('dns-memory-forms', 'Learnt from a fragmented answer behind 2 KB of text, from an alias by SVCB, from forty addresses.')
def _(cap):
    u = Udp(cap, '10.1.0.5', '10.1.0.53', 50000, 53)
    u.up(question(VENDOR, A, 77))
    text = [rr(b'\xc0\x0c', 16, 300, u8(b'x' * 250)) for _ in range(8)]
    body = answer(VENDOR, text + [rr(b'\xc0\x0c', A, 300, addr('203.0.113.10'))], A, 77)
    for part in fragments(ip('10.1.0.53', '10.1.0.5', 17, udp('10.1.0.53', '10.1.0.5', 53, 50000, body)), 1000):
        cap.add(ether(part, False))
    nameless(cap)
    alias = [rr(VENDOR, HTTPS, 300, b'\0\0' + dns_name('svc.example.net')),
             rr('svc.example.net', HTTPS, 300, b'\0\1\0' + struct.pack('>HH', 4, 4) + addr('203.0.113.11'))]
    ask(cap, alias, kind=HTTPS, sport=50001)
    nameless(cap, '203.0.113.11', sport=40002)
    ask(cap, [rr(b'\xc0\x0c', A, 300, addr('203.0.113.%d' % (100 + i))) for i in range(40)], sport=50002)
    nameless(cap, '203.0.113.130', sport=40003)
    return [dns()] * 3 + [inferred(src={'port': 40001}), inferred(src={'port': 40002}), inferred(src={'port': 40003})]


@case('encrypted-dns-drafts', 'DNS over QUIC under a draft\'s protocol name, on a port of its own.')
def _(cap):
    Udp(cap, dport=8853).up(initial(crypto(0, quic_hello('dns.example.org', protocols=('doq-i02',))), b'\x83' * 8, pad=1200))
    return counted([named('dns.example.org', 'quic.sni', flags=['encrypted-dns'])], blindness__named__flows=1)
