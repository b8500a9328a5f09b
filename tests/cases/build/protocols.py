# SPDX-License-Identifier: Apache-2.0
"""What clients say first: TLS hellos, QUIC Initials, HTTP requests, DNS messages.

TLS by RFC 8446 and 6066, QUIC by RFC 9000, 9001, 9369, HPACK by RFC 7541. Encryption of Initials
needs python3-cryptography; nothing else here does.
"""
import hashlib
import hmac
import struct


def u8(b):
    return struct.pack('>B', len(b)) + b


def u16(b):
    return struct.pack('>H', len(b)) + b


def u24(b):
    return struct.pack('>I', len(b))[1:] + b


def fill(n, seed=1):
    """n bytes that look random and are always the same."""
    out = b''
    i = 0
    while len(out) < n:
        out += hashlib.sha256(b'%d/%d' % (seed, i)).digest()
        i += 1
    return out[:n]


# --- TLS ---

def ext(kind, body):
    return struct.pack('>H', kind) + u16(body)


def sni(name):
    name = name if isinstance(name, bytes) else name.encode()
    return ext(0, u16(b'\0' + u16(name)))


def alpn(*names):
    return ext(16, u16(b''.join(u8(n.encode()) for n in names)))


def ech_outer():
    """encrypted_client_hello, outer form (RFC 9849): HKDF-SHA256, AES-128-GCM."""
    return ext(0xfe0d, b'\0' + struct.pack('>HHB', 1, 1, 0x42) + u16(fill(32, 9)) + u16(fill(208, 10)))


def hello(name=None, extra=b'', protocols=('h2', 'http/1.1'), pq=False, pad_to=0, session=32, before=b'',
          versions=(0x0304, 0x0303), quic=b''):
    """A ClientHello handshake message, TLS 1.3 with a share on X25519 (and X25519MLKEM768)."""
    shares = struct.pack('>H', 0x001d) + u16(fill(32, 2))
    groups = struct.pack('>HHH', 0x001d, 0x0017, 0x0018)
    if pq:
        shares = struct.pack('>H', 0x11ec) + u16(fill(1216, 3)) + shares
        groups = struct.pack('>H', 0x11ec) + groups
    exts = before
    if name is not None:
        exts += sni(name)
    exts += ext(23, b'') + ext(0xff01, b'\0') + ext(10, u16(groups)) + ext(11, b'\x01\0')
    exts += ext(35, b'')
    if protocols:
        exts += alpn(*protocols)
    exts += ext(5, b'\x01\0\0\0\0')
    exts += ext(13, u16(struct.pack('>8H', 0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)))
    exts += ext(51, u16(shares)) + ext(45, b'\x01\x01')
    exts += ext(43, u8(b''.join(struct.pack('>H', v) for v in versions)))
    exts += extra + quic
    suites = struct.pack('>9H', 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8)

    def message(e):
        body = b'\x03\x03' + fill(32, 1) + u8(fill(session, 4)) + u16(suites) + b'\x01\0' + u16(e)
        return b'\x01' + u24(body)
    short = pad_to - len(message(exts)) - 4
    if pad_to and short >= 0:
        exts += ext(21, b'\0' * short)
    return message(exts)


def record(body, kind=22, version=0x0301):
    return struct.pack('>BHH', kind, version, len(body)) + body


def records(body, sizes):
    """The body over records of these sizes; the last size goes on to the end."""
    out, at, i = b'', 0, 0
    while at < len(body):
        n = sizes[min(i, len(sizes) - 1)]
        out += record(body[at:at + n])
        at += n
        i += 1
    return out


def tls(name, **more):
    return records(hello(name, **more), [16384])


HRR_RANDOM = bytes.fromhex('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c')


def server_hello(retry=False, tls12=False):
    exts = ext(23, b'') if tls12 else ext(43, b'\x03\x04')
    if not tls12:
        exts += ext(51, b'\0\x17' if retry else struct.pack('>H', 0x1d) + u16(fill(32, 6)))
    rnd = HRR_RANDOM if retry else fill(32, 5)
    suite = 0xc02f if tls12 else 0x1301
    body = b'\x03\x03' + rnd + u8(fill(32, 4)) + struct.pack('>HB', suite, 0) + u16(exts)
    return b'\x02' + u24(body)


CCS = record(b'\x01', 20, 0x0303)


def der(tag, *parts):
    body = b''.join(parts)
    n = len(body)
    size = bytes([n]) if n < 128 else (b'\x81' + bytes([n]) if n < 256 else b'\x82' + struct.pack('>H', n))
    return bytes([tag]) + size + body


def certificate(common_name, dns_names, organisation='Example Operations'):
    """An X.509 v3 certificate by its DER; the signature is no signature."""
    def name(cn, o):
        def rdn(oid, text):
            return der(0x31, der(0x30, der(6, bytes.fromhex(oid)), der(0x0c, text.encode())))
        return der(0x30, rdn('55040a', o), rdn('550403', cn))
    algorithm = der(0x30, der(6, bytes.fromhex('2a864886f70d01010b')), der(5))
    key = der(0x30, der(0x30, der(6, bytes.fromhex('2a864886f70d010101')), der(5)),
              der(3, b'\0' + der(0x30, der(2, b'\0' + fill(128, 7)), der(2, b'\x01\0\x01'))))
    alt = der(0x30, *[der(0x82, n.encode()) for n in dns_names])
    exts = der(0xa3, der(0x30, der(0x30, der(6, bytes.fromhex('551d11')), der(4, alt))))
    when = der(0x30, der(0x17, b'260101000000Z'), der(0x17, b'360101000000Z'))
    tbs = der(0x30, der(0xa0, der(2, b'\x02')), der(2, b'\x11'), algorithm,
              name('Example Issuing CA', 'Example Trust'), when, name(common_name, organisation), key, exts)
    return der(0x30, tbs, algorithm, der(3, b'\0' + fill(128, 8)))


def server_flight12(cert):
    message = server_hello(tls12=True) + b'\x0b' + u24(u24(u24(cert))) + b'\x0e\0\0\0'
    return records(message, [16384])


# --- QUIC ---

Q050, T050 = 0x51303530, 0x54303530
SALTS = {Q050: bytes.fromhex('504574efd066fe2f9d945cfcdbd3a7f0d3b56b45'),
         T050: bytes.fromhex('7ff579e5acd072915580304c43a2367c60488310'), 1: bytes.fromhex('38762cf7f55934b34d179ae6a4c80cadccbb7f0a'),
         0x6b3343cf: bytes.fromhex('0dede3def700a6db819381be6e269dcbf9bd2ed9'),
         0xff00001d: bytes.fromhex('afbfec289993d24c9e9786f19c6111e04390a899')}
V1, V2, DRAFT29 = 1, 0x6b3343cf, 0xff00001d


def varint(n, size=None):
    if size == 1 or (size is None and n < 64):
        return struct.pack('>B', n)
    if size == 2 or (size is None and n < 16384):
        return struct.pack('>H', n | 0x4000)
    return struct.pack('>I', n | 0x80000000)


def expand_label(secret, label, n):
    info = struct.pack('>H', n) + u8(b'tls13 ' + label) + b'\0'
    return hmac.new(secret, info + b'\x01', hashlib.sha256).digest()[:n]


def initial_keys(version, dcid, client=True):
    secret = hmac.new(SALTS[version], dcid, hashlib.sha256).digest()
    secret = expand_label(secret, b'client in' if client else b'server in', 32)
    p = b'quicv2 ' if version == V2 else b'quic '
    return expand_label(secret, p + b'key', 16), expand_label(secret, p + b'iv', 12), expand_label(secret, p + b'hp', 16)


def long_header(version, kind, dcid, scid):
    """kind: 'initial', '0rtt', 'handshake', 'retry'."""
    bits = {'initial': 0, '0rtt': 1, 'handshake': 2, 'retry': 3}[kind]
    if version == V2:
        bits = (bits + 1) & 3
    return bytes([0xc0 | bits << 4]) + struct.pack('>I', version) + u8(dcid) + u8(scid)


def initial(frames, dcid, scid=b'\x11' * 8, number=0, version=V1, key_dcid=None, token=b'', client=True, pad=0,
            spoil=False, clear=0):
    """One protected Initial packet. pad: the least size of the whole packet; clear: bits of its first byte."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    key, iv, hp = initial_keys(version, key_dcid or dcid, client)
    head = long_header(version, 'initial', dcid, scid)
    head = bytes([(head[0] | 3) & ~clear]) + head[1:] + varint(len(token)) + token
    size = len(head) + 2 + 4 + len(frames) + 16
    frames += b'\0' * max(0, pad - size)
    head += varint(4 + len(frames) + 16, 2) + struct.pack('>I', number)
    nonce = iv[:8] + bytes(a ^ b for a, b in zip(iv[8:], struct.pack('>I', number)))
    sealed = AESGCM(key).encrypt(nonce, frames, head)
    if spoil:
        sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    e = Cipher(algorithms.AES(hp), modes.ECB()).encryptor()
    mask = e.update(sealed[:16]) + e.finalize()
    head = bytes([head[0] ^ (mask[0] & 15)]) + head[1:-4] + bytes(a ^ b for a, b in zip(head[-4:], mask[1:5]))
    return head + sealed


def crypto(off, body):
    return b'\x06' + varint(off) + varint(len(body)) + body


PING = b'\x01'
QUIC_ACK = b'\x02\0\0\0\0'


def quic_parameters():
    """quic_transport_parameters: initial_source_connection_id and a few limits."""
    p = bytes([0x0f]) + u8(b'\x11' * 8) + b'\x04\x04' + varint(1 << 20) + b'\x08\x02' + varint(100, 2)
    return ext(57, p)


def quic_hello(name, **more):
    more.setdefault('protocols', ('h3',))
    return hello(name, session=0, quic=quic_parameters(), versions=(0x0304,), **more)


# --- Google's QUIC before TLS ---

def chlo(name=None, agent='Chrome/80 Linux'):
    """CHLO: an index of tags in the order of their numbers, little-endian, then their values."""
    tags = [(b'PAD\0', b'-' * 500)] + ([(b'SNI\0', name.encode())] if name else []) + [
        (b'VER\0', b'Q043'), (b'UAID', agent.encode()), (b'PDMD', b'X509')]
    index = values = b''
    for tag, value in tags:
        values += value
        index += tag + struct.pack('<I', len(values))
    return b'CHLO' + struct.pack('<HH', len(tags), 0) + index + values


def gquic(version, message):
    """A client's first packet in clear: Q024 to Q043 with the public header, Q046 with the long one."""
    little = version < 'Q039'
    cid = fill(8, 90)
    size = struct.pack('<H' if little else '>H', len(message))
    if version == 'Q046':
        head = b'\xc3' + version.encode() + b'\x50' + cid + b'\0\0\0\x01'
    else:
        head = b'\x0d' + cid + version.encode() + b'\x01'
    frames = (b'\0' if version < 'Q034' else b'') + b'\xa0\x01' + size + message
    return head + fill(12, 91) + frames + b'\0' * (1350 - len(head) - 12 - len(frames))


# --- HTTP ---

def http(host, path='/', agent='curl/8.5.0', host_line=None, method='GET', target=None, more=b''):
    line = '%s %s HTTP/1.1\r\n' % (method, target or path)
    h = host_line if host_line is not None else b'Host: ' + host.encode() + b'\r\n'
    return line.encode() + h + b'User-Agent: ' + agent.encode() + b'\r\nAccept: */*\r\n' + more + b'\r\n'


H2_PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'


def h2_frame(kind, flags, stream, body):
    return struct.pack('>I', len(body))[1:] + struct.pack('>BBI', kind, flags, stream) + body


def h2_request(authority, path='/', stream=1):
    """HEADERS: :method GET and :scheme http indexed, :path and :authority literal with indexing."""
    block = b'\x82\x86\x44' + u8(path.encode()) + b'\x41' + u8(authority.encode())
    return h2_frame(1, 5, stream, block)


# --- DNS ---

def dns_name(name):
    if isinstance(name, (list, tuple)):
        return b''.join(u8(x) for x in name) + b'\0'
    return b''.join(u8(x.encode()) for x in name.split('.') if x) + b'\0'


A, CNAME, AAAA, HTTPS = 1, 5, 28, 65


def question(name, kind=A, ident=0x1234):
    return struct.pack('>6H', ident, 0x0100, 1, 0, 0, 0) + dns_name(name) + struct.pack('>HH', kind, 1)


def rr(owner, kind, ttl, data):
    return (owner if isinstance(owner, bytes) else dns_name(owner)) + struct.pack('>HHIH', kind, 1, ttl, len(data)) + data


def answer(name, rrs, kind=A, ident=0x1234):
    return struct.pack('>6H', ident, 0x8180, 1, len(rrs), 0, 0) + dns_name(name) + struct.pack('>HH', kind, 1) + b''.join(rrs)
