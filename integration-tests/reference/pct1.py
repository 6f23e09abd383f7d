#!/usr/bin/env python3
"""PCT 1.0, read from draft-benaloh-pct-00 a second time: slow, plain, and on nothing but Python's own library.

It is there so that our implementation talks to somebody else than itself. It takes the points that the draft leaves open as
docs/decisions/0017 does. Section numbers are those of the draft.

    pct1.py vectors FILE                 recomputes crates/legacy-tls/testdata/pct1.txt
    pct1.py server OPTIONS               listens, prints its port, serves `connections` of them
    pct1.py client OPTIONS               connects as often, the second time with the session of the first

OPTIONS are name=value: port, connections, cipher (HHHH), bits, mac (less 64), hash (HHHH), cert, key (DER files), clients=yes
(a server asks), signature (a client signs with it), redo=yes (a second handshake after the first data), oob=yes.
"""

import hashlib
import os
import socket
import sys

# ---- section 5.5: constants ----

CLIENT_HELLO, SERVER_HELLO, CLIENT_MASTER_KEY, SERVER_VERIFY, ERROR = 1, 2, 3, 4, 5
VERSION = 0x8001
DES, IDEA, RC2, RC4, DES_112, DES_168 = 1, 2, 3, 4, 5, 6
STANDARD_BITS = {DES: 56, IDEA: 128, RC2: 128, RC4: 128, DES_112: 112, DES_168: 168}
OOB_DATA, REDO_CONN = 1, 2
NO_SESSION = bytes(32)


def hash_of(code):
    """Section 5.3.3: the function, and the length of its output in bytes."""
    name, length = {1: ("md5", 16), 2: ("md5", 8), 3: ("sha1", 20), 4: ("sha1", 10)}[code]
    return (lambda *parts: hashlib.new(name, b"".join(parts)).digest()[:length]), length


# ---- ciphers ----


class Rc4:
    def __init__(self, key):
        self.s, self.i, self.j = list(range(256)), 0, 0
        j = 0
        for i in range(256):
            j = (j + self.s[i] + key[i % len(key)]) % 256
            self.s[i], self.s[j] = self.s[j], self.s[i]

    def apply(self, data):
        out = bytearray()
        for byte in data:
            self.i = (self.i + 1) % 256
            self.j = (self.j + self.s[self.i]) % 256
            self.s[self.i], self.s[self.j] = self.s[self.j], self.s[self.i]
            out.append(byte ^ self.s[(self.s[self.i] + self.s[self.j]) % 256])
        return bytes(out)

    encrypt = decrypt = apply


def permute(value, width, table):
    out = 0
    for bit in table:
        out = out << 1 | value >> width - bit & 1
    return out


class DesBlock:
    """FIPS 46."""

    IP = [58 + row - 8 * column for row in (0, 2, 4, 6, -1, 1, 3, 5) for column in range(8)]
    E = [(4 * block + i - 1) % 32 + 1 for block in range(8) for i in range(6)]
    P = [16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10]
    P += [2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25]
    PC1 = [57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36]
    PC1 += [63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4]
    PC2 = [14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2]
    PC2 += [41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32]

    def __init__(self, key):
        rounds = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1]
        bits = permute(int.from_bytes(key, "big"), 64, self.PC1)
        c, d = bits >> 28, bits & 0xFFFFFFF
        self.keys = []
        for shift in rounds:
            c = (c << shift | c >> 28 - shift) & 0xFFFFFFF
            d = (d << shift | d >> 28 - shift) & 0xFFFFFFF
            self.keys.append(permute(c << 28 | d, 56, self.PC2))

    def run(self, block, keys):
        bits = permute(int.from_bytes(block, "big"), 64, self.IP)
        left, right = bits >> 32, bits & 0xFFFFFFFF
        for key in keys:
            mixed = permute(right, 32, self.E) ^ key
            out = 0
            for box in range(8):
                six = mixed >> 42 - 6 * box & 0x3F
                row, column = (six >> 4 & 2) | six & 1, six >> 1 & 15
                out = out << 4 | int(BOXES[box][16 * row + column], 16)
            left, right = right, left ^ permute(out, 32, self.P)
        bits = right << 32 | left
        return permute(bits, 64, INVERSE).to_bytes(8, "big")

    def encrypt(self, block):
        return self.run(block, self.keys)

    def decrypt(self, block):
        return self.run(block, self.keys[::-1])


INVERSE = [DesBlock.IP.index(position) + 1 for position in range(1, 65)]

# Each of 64 values of 4 bits, in rows of 16.
BOXES = [
    "e4d12fb83a6c5907" "0f74e2d1a6cb9538" "41e8d62bfc973a50" "fc8249175b3ea06d",
    "f18e6b34972dc05a" "3d47f28ec01a69b5" "0e7ba4d158c6932f" "d8a13f42b67c05e9",
    "a09e63f51dc7b428" "d709346a285ecbf1" "d6498f30b12c5ae7" "1ad069874fe3b52c",
    "7de3069a1285bc4f" "d8b56f03472c1ae9" "a690cb7df13e5284" "3f06a1d8945bc72e",
    "2c417ab6853fd0e9" "eb2c47d150fa3986" "421bad78f9c5630e" "b8c71e2d6f09a453",
    "c1af92680d34e75b" "af427c9561de0b38" "9ef528c3704a1db6" "432c95fabe17608d",
    "4b2ef08d3c975a61" "d0b7491ae35c2f86" "14bdc37eaf680592" "6bd814a7950fe23c",
    "d2846fb1a93e50c7" "1fd8a374c56b0e92" "7b419ce206adf358" "21e74a8dfc90356b",
]


class TripleDesBlock:
    def __init__(self, key):
        self.ciphers = [DesBlock(key[i : i + 8]) for i in (0, 8, 16)]

    def encrypt(self, block):
        a, b, c = self.ciphers
        return c.encrypt(b.decrypt(a.encrypt(block)))

    def decrypt(self, block):
        a, b, c = self.ciphers
        return a.decrypt(b.encrypt(c.decrypt(block)))


class Rc2Block:
    """RFC 2268; all 128 bits are effective."""

    def __init__(self, key):
        table = PI
        l = list(key)
        for i in range(len(key), 128):
            l.append(table[(l[i - 1] + l[i - len(key)]) & 255])
        t8 = 16
        l[128 - t8] = table[l[128 - t8]]
        for i in range(127 - t8, -1, -1):
            l[i] = table[l[i + 1] ^ l[i + t8]]
        self.k = [l[2 * i] | l[2 * i + 1] << 8 for i in range(64)]

    def encrypt(self, block):
        r = [int.from_bytes(block[i : i + 2], "little") for i in (0, 2, 4, 6)]
        j = 0
        for group, count in enumerate((5, 6, 5)):
            for _ in range(count):
                for i, shift in enumerate((1, 2, 3, 5)):
                    value = r[i] + self.k[j] + (r[i - 1] & r[i - 2]) + (~r[i - 1] & r[i - 3])
                    value &= 0xFFFF
                    r[i] = (value << shift | value >> 16 - shift) & 0xFFFF
                    j += 1
            if group < 2:
                for i in range(4):
                    r[i] = (r[i] + self.k[r[i - 1] & 63]) & 0xFFFF
        return b"".join(x.to_bytes(2, "little") for x in r)

    def decrypt(self, block):
        r = [int.from_bytes(block[i : i + 2], "little") for i in (0, 2, 4, 6)]
        j = 63
        for group, count in enumerate((5, 6, 5)):
            for _ in range(count):
                for i, shift in ((3, 5), (2, 3), (1, 2), (0, 1)):
                    value = (r[i] >> shift | r[i] << 16 - shift) & 0xFFFF
                    r[i] = (value - self.k[j] - (r[i - 1] & r[i - 2]) - (~r[i - 1] & r[i - 3])) & 0xFFFF
                    j -= 1
            if group < 2:
                for i in (3, 2, 1, 0):
                    r[i] = (r[i] - self.k[r[i - 1] & 63]) & 0xFFFF
        return b"".join(x.to_bytes(2, "little") for x in r)


PI = bytes.fromhex(
    "d978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2"
    "179a59f587b34f1361456d8d09817d32bd8f40eb86b77b0bf09521225c6b4e82"
    "54d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626"
    "6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed7"
    "08e8eade8052eef784aa72ac354d6a2a961ad2715a1549744b9fd05e0418a4ec"
    "c2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731"
    "2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a9"
    "0d38341bab33ffb0bb480c5fb9b1cd2ec5f3db47e5a59c770aa62068fe7fc1ad"
)


class IdeaBlock:
    """Lai and Massey: eight rounds and a half of multiplication, addition and exclusive or of 16 bits."""

    def __init__(self, key):
        bits = int.from_bytes(key, "big")
        k = []
        while len(k) < 52:
            k += [bits >> 112 - 16 * i & 0xFFFF for i in range(8)]
            bits = (bits << 25 | bits >> 103) & (1 << 128) - 1
        self.forth = k[:52]
        self.back = self.inverse(self.forth)

    @staticmethod
    def inverse(k):
        multiply = lambda x: pow(x or 0x10000, -1, 0x10001) & 0xFFFF
        add = lambda x: -x & 0xFFFF
        out = []
        for r in range(9):
            a, b, c, d = k[48 - 6 * r : 52 - 6 * r]
            middle = (b, c) if r in (0, 8) else (c, b)
            out += [multiply(a), add(middle[0]), add(middle[1]), multiply(d)]
            if r < 8:
                out += k[46 - 6 * r : 48 - 6 * r]
        return out

    @staticmethod
    def run(block, k):
        multiply = lambda x, y: (x or 0x10000) * (y or 0x10000) % 0x10001 & 0xFFFF
        a, b, c, d = (int.from_bytes(block[i : i + 2], "big") for i in (0, 2, 4, 6))
        for r in range(8):
            k1, k2, k3, k4, k5, k6 = k[6 * r : 6 * r + 6]
            a, b, c, d = multiply(a, k1), b + k2 & 0xFFFF, c + k3 & 0xFFFF, multiply(d, k4)
            e = multiply(a ^ c, k5)
            f = multiply((b ^ d) + e & 0xFFFF, k6)
            e = e + f & 0xFFFF
            a, b, c, d = a ^ f, c ^ f, b ^ e, d ^ e
        k1, k2, k3, k4 = k[48:]
        words = multiply(a, k1), c + k2 & 0xFFFF, b + k3 & 0xFFFF, multiply(d, k4)
        return b"".join(word.to_bytes(2, "big") for word in words)

    def encrypt(self, block):
        return self.run(block, self.forth)

    def decrypt(self, block):
        return self.run(block, self.back)


class Cbc:
    def __init__(self, block, iv):
        self.block, self.last = block, iv

    def encrypt(self, data):
        out = b""
        for i in range(0, len(data), 8):
            self.last = self.block.encrypt(bytes(x ^ y for x, y in zip(data[i : i + 8], self.last)))
            out += self.last
        return out

    def decrypt(self, data):
        out = b""
        for i in range(0, len(data), 8):
            plain = self.block.decrypt(data[i : i + 8])
            out += bytes(x ^ y for x, y in zip(plain, self.last))
            self.last = data[i : i + 8]
        return out


class Plain:
    def encrypt(self, data):
        return data

    decrypt = encrypt


# ---- section 5.3: keys ----


def truncated(data, bits):
    """The first `bits` bits, as whole bytes with zeros at the end."""
    length = (bits + 7) // 8
    number = int.from_bytes(data[:length], "big")
    spare = 8 * length - bits
    return (number >> spare << spare).to_bytes(length, "big")


class Spec:
    def __init__(self, cipher, bits, mac, hash_code):
        self.cipher, self.bits, self.mac_bits, self.hash_code = cipher, bits, mac + 64, hash_code
        self.wire = cipher.to_bytes(2, "big") + bytes([bits, mac])
        self.hash, self.hash_len = hash_of(hash_code)
        self.standard = STANDARD_BITS[cipher] if bits else 0
        self.has_blocks = bits > 0 and cipher != RC4
        self.parts = 0
        if bits < self.standard:
            self.parts = -(-self.standard // (8 * self.hash_len))

    def keyed(self, key, *parts):
        return self.hash(key, self.hash(*parts))

    def join(self, bits, piece):
        count = -(-bits // (8 * self.hash_len))
        return truncated(b"".join(piece(i) for i in range(1, count + 1)), bits)

    def cipher_with(self, write_key, clear, iv):
        if self.bits == 0:
            return Plain()
        key = write_key
        if self.parts:
            size = len(clear) // self.parts
            part = lambda i: clear[(i - 1) * size : i * size]
            key = self.join(
                self.standard,
                lambda i: self.hash(bytes([i]), b"sl" * i, write_key, b"sl" * i, part(i)),
            )
        if self.cipher == RC4:
            return Rc4(key)
        if self.cipher == RC2:
            return Cbc(Rc2Block(key), iv)
        if self.cipher == IDEA:
            return Cbc(IdeaBlock(key), iv)
        keys = [with_parity(key[i : i + 7]) for i in range(0, len(key), 7)]
        if self.cipher == DES:
            return Cbc(DesBlock(keys[0]), iv)
        if self.cipher == DES_112:
            keys.append(keys[0])
        return Cbc(TripleDesBlock(b"".join(keys)), iv)


def with_parity(seven):
    """Section 5.3.2: 56 bits become eight bytes, each with an odd number of ones."""
    bits = format(int.from_bytes(seven, "big"), "056b")
    out = bytearray()
    for i in range(0, 56, 7):
        group = bits[i : i + 7]
        out.append(int(group + ("0" if group.count("1") % 2 else "1"), 2))
    return bytes(out)


class Keys:
    """Section 5.3.1."""

    def __init__(self, spec, master, connection_id, challenge, certificate):
        n = lambda i: bytes([i])
        h = spec.hash
        self.client_write = spec.join(
            spec.bits,
            lambda i: h(
                n(i), b"cw", master, b"cw" * i, connection_id, b"cw" * i, certificate, b"cw" * i, challenge, b"cw" * i
            ),
        )
        self.server_write = spec.join(
            spec.bits,
            lambda i: h(n(i), b"svw", master, b"svw" * i, connection_id, b"svw" * i, challenge, b"svw" * i),
        )
        self.client_mac = spec.join(
            spec.mac_bits,
            lambda i: h(
                n(i), master, b"cmac" * i, connection_id, b"cmac" * i, certificate, b"cmac" * i, challenge, b"cmac" * i
            ),
        )
        self.server_mac = spec.join(
            spec.mac_bits,
            lambda i: h(n(i), master, b"svmac" * i, connection_id, b"svmac" * i, challenge, b"svmac" * i),
        )


# ---- section 4: records ----


class Direction:
    def __init__(self, spec, mac_key, cipher, sequence):
        self.spec, self.mac_key, self.cipher, self.sequence = spec, mac_key, cipher, sequence

    def mac(self, text):
        return self.spec.keyed(self.mac_key, text, self.sequence.to_bytes(4, "big"))

    def seal(self, data, escape=False):
        padding = -len(data) % 8 if self.spec.has_blocks else 0
        text = data + os.urandom(padding)
        mac = self.mac(text)
        body = self.cipher.encrypt(text) + mac
        self.sequence += 1
        if padding or escape:
            return (len(body) | (0x4000 if escape else 0)).to_bytes(2, "big") + bytes([padding]) + body
        return (len(body) | 0x8000).to_bytes(2, "big") + body

    def open(self, padding, body):
        length = len(body) - self.spec.hash_len
        text = self.cipher.decrypt(body[:length])
        assert self.mac(text) == body[length:], "a MAC is not right"
        self.sequence += 1
        return text[: length - padding]


class Wire:
    """A socket with records, in clear until there are keys."""

    def __init__(self, plain):
        self.plain, self.sent, self.received = plain, 0, 0
        self.out = self.into = None

    def exactly(self, length):
        data = b""
        while len(data) < length:
            more = self.plain.recv(length - len(data))
            if not more:
                raise EOFError("the peer has closed")
            data += more
        return data

    def record(self):
        first = self.exactly(2)
        if first[0] & 0x80:
            return False, 0, self.exactly((first[0] & 0x7F) << 8 | first[1])
        padding = self.exactly(1)[0]
        return bool(first[0] & 0x40), padding, self.exactly((first[0] & 0x3F) << 8 | first[1])

    def send_message(self, message):
        self.plain.sendall((len(message) | 0x8000).to_bytes(2, "big") + message)
        self.sent += 1
        if self.out:
            self.out.sequence += 1

    def message(self, kind):
        escape, padding, body = self.record()
        assert not escape and not padding
        self.received += 1
        if self.into:
            self.into.sequence += 1
        assert body[0] == kind, f"message {body.hex()}, not of type {kind}"
        return body

    def send(self, data, escape=False):
        self.plain.sendall(self.out.seal(data, escape))
        self.sent += 1

    def receive(self):
        """An escape's code, or data."""
        escape, padding, body = self.record()
        self.received += 1
        data = self.into.open(padding, body)
        return (data[0], b"") if escape else (None, data)

    def expect_escape(self, code):
        """Data that are under way before it are dropped."""
        while True:
            escape, _ = self.receive()
            if escape == code:
                return


# ---- RSA: PKCS #1 version 1.5, and just enough DER ----


def der(data, at=0):
    """Tag, content, and where the next element begins."""
    tag, length, at = data[at], data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(data[at : at + size], "big")
        at += size
    return tag, data[at : at + length], at + length


def elements(content):
    at, out = 0, []
    while at < len(content):
        tag, inside, at = der(content, at)
        out.append((tag, inside))
    return out


def public_key(certificate):
    fields = elements(elements(der(certificate)[1])[0][1])
    if fields[0][0] == 0xA0:
        fields = fields[1:]
    bits = elements(fields[5][1])[1][1][1:]
    n, e = elements(der(bits)[1])
    return int.from_bytes(n[1], "big"), int.from_bytes(e[1], "big")


def private_key(data):
    fields = elements(der(data)[1])
    if fields[1][0] == 0x30:
        fields = elements(der(fields[2][1])[1])
    return tuple(int.from_bytes(fields[i][1], "big") for i in (1, 2, 3))


def encrypt(certificate, message):
    n, e = public_key(certificate)
    size = (n.bit_length() + 7) // 8
    padding = bytes(b or 1 for b in os.urandom(size - 3 - len(message)))
    block = b"\0\2" + padding + b"\0" + message
    return pow(int.from_bytes(block, "big"), e, n).to_bytes(size, "big")


def decrypt(key, message):
    n, _, d = key
    size = (n.bit_length() + 7) // 8
    block = pow(int.from_bytes(message, "big"), d, n).to_bytes(size, "big")
    assert block[:2] == b"\0\2"
    return block[block.index(b"\0", 2) + 1 :]


DIGEST_INFO = {
    1: ("md5", bytes.fromhex("3020300c06082a864886f70d020505000410")),
    2: ("sha1", bytes.fromhex("3021300906052b0e03021a05000414")),
}


def signature_block(size, kind, message):
    name, prefix = DIGEST_INFO[kind]
    info = prefix + hashlib.new(name, message).digest()
    return b"\0\1" + b"\xff" * (size - 3 - len(info)) + b"\0" + info


def sign(key, kind, message):
    n, _, d = key
    size = (n.bit_length() + 7) // 8
    return pow(int.from_bytes(signature_block(size, kind, message), "big"), d, n).to_bytes(size, "big")


def verify(certificate, kind, message, signature):
    n, e = public_key(certificate)
    size = (n.bit_length() + 7) // 8
    block = pow(int.from_bytes(signature, "big"), e, n).to_bytes(size, "big")
    assert block == signature_block(size, kind, message), "a signature is not right"


# ---- section 5.2: messages ----


def u16(value):
    return value.to_bytes(2, "big")


def lengths(message, at, count):
    """So many lengths from `at` on, and the fields that follow them."""
    sizes = [int.from_bytes(message[at + 2 * i : at + 2 * i + 2], "big") for i in range(count)]
    at += 2 * count
    fields = []
    for size in sizes:
        assert at + size <= len(message)
        fields.append(message[at : at + size])
        at += size
    assert at == len(message)
    return fields


def with_lengths(head, *fields):
    return head + b"".join(u16(len(field)) for field in fields) + b"".join(fields)


def codes(field):
    return [int.from_bytes(field[i : i + 2], "big") for i in range(0, len(field), 2)]


class Session:
    def __init__(self, spec, master, clear, certificate, certificate_type, client):
        self.spec, self.master, self.clear = spec, master, clear
        self.certificate, self.certificate_type, self.client = certificate, certificate_type, client
        self.id = NO_SESSION


def use_keys(wire, keys, spec, clear, iv, is_client):
    out_key, in_key = (keys.client_write, keys.server_write) if is_client else (keys.server_write, keys.client_write)
    out_mac, in_mac = (keys.client_mac, keys.server_mac) if is_client else (keys.server_mac, keys.client_mac)
    # Sequence numbers go on over a second handshake.
    wire.out = Direction(spec, out_mac, spec.cipher_with(out_key, clear, iv), wire.sent)
    wire.into = Direction(spec, in_mac, spec.cipher_with(in_key, clear, iv), wire.received)


def client_handshake(wire, options, session):
    spec = session.spec if session else options["spec"]
    challenge = os.urandom(32)
    key_arg = os.urandom(8) if session and spec.has_blocks else b""
    head = bytes([CLIENT_HELLO]) + u16(VERSION) + b"\x5a" + (session.id if session else NO_SESSION) + challenge
    lists = [options["spec"].wire, u16(options["spec"].hash_code), u16(options["certificate_type"]), u16(1)]
    hello = with_lengths(head + u16(10), *lists, key_arg)
    wire.send_message(hello)
    answer = wire.message(SERVER_HELLO)
    assert answer[2] & 0x80 and answer[6:10] == spec.wire and answer[10:12] == u16(spec.hash_code)
    assert answer[14:16] == u16(1)
    restarts, asks, connection_id = answer[4] != 0, answer[5] != 0, answer[16:48]
    certificate, certs, sigs, response = lengths(answer, 48, 4)
    assert asks == bool(certs) == bool(sigs)
    result = {"resumed": restarts}
    if restarts:
        assert session and not certificate
        keys = Keys(spec, session.master, connection_id, challenge, b"")
        assert response == spec.keyed(keys.server_mac, b"sr", challenge, connection_id, session.id)
        clear, encrypted, iv = session.clear, b"", key_arg
        new = session
    else:
        assert not response and certificate
        master = os.urandom(16)
        keys = Keys(spec, master, connection_id, challenge, certificate)
        clear = os.urandom(3 * spec.parts)
        encrypted = encrypt(certificate, master)
        iv = os.urandom(8) if spec.has_blocks else b""
        new = Session(spec, master, clear, certificate, codes(answer[12:14])[0], None)
    if not restarts or asks:
        prelude = spec.keyed(keys.client_mac, b"cvp", hello, answer)
        own, signature, kinds = b"", b"", u16(0) + u16(0)
        if asks and "client_key" in options:
            kind = options["signature"]
            assert kind in codes(sigs) and 1 in codes(certs)
            own, signature = options["client_cert"], sign(options["client_key"], kind, prelude)
            kinds = u16(1) + u16(kind)
        sent_clear = b"" if restarts else clear
        sent_iv = b"" if restarts else iv
        head = bytes([CLIENT_MASTER_KEY, 0xA5]) + kinds
        wire.send_message(with_lengths(head, sent_clear, encrypted, sent_iv, prelude, own, signature))
        verified = wire.message(SERVER_VERIFY)
        (response,) = lengths(verified, 34, 1)
        if restarts:
            assert not response
        else:
            new.id = verified[2:34]
            assert response == spec.keyed(keys.server_mac, b"sr", challenge, connection_id, new.id)
    use_keys(wire, keys, spec, clear, iv, True)
    return new, result


def server_handshake(wire, options, sessions):
    hello = wire.message(CLIENT_HELLO)
    assert int.from_bytes(hello[1:3], "big") >= VERSION and hello[68:70] == u16(10)
    session_id, challenge = hello[4:36], hello[36:68]
    ciphers, hashes, certificates, exchanges, key_arg = lengths(hello, 70, 5)
    session = sessions.get(session_id)
    spec = session.spec if session else options["spec"]
    connection_id = os.urandom(32)
    asks = bool(options.get("clients"))
    if session:
        keys = Keys(spec, session.master, connection_id, challenge, b"")
        certificate = b""
        certificate_type = session.certificate_type
        response = spec.keyed(keys.server_mac, b"sr", challenge, connection_id, session_id)
        iv = key_arg
    else:
        assert spec.wire in [ciphers[i : i + 4] for i in range(0, len(ciphers), 4)], "no cipher in common"
        assert spec.hash_code in codes(hashes) and 1 in codes(exchanges)
        certificate_type = options["certificate_type"]
        assert certificate_type in codes(certificates)
        certificate, response, keys = options["cert"], b"", None
    head = bytes([SERVER_HELLO, 0x33]) + u16(VERSION) + bytes([int(bool(session)), int(asks)])
    head += spec.wire + u16(spec.hash_code) + u16(certificate_type) + u16(1) + connection_id
    lists = (u16(1), u16(options.get("signature", 2))) if asks else (b"", b"")
    answer = with_lengths(head, certificate, *lists, response)
    wire.send_message(answer)
    result = {"resumed": bool(session)}
    if not session or asks:
        message = wire.message(CLIENT_MASTER_KEY)
        clear, encrypted, sent_iv, prelude, own, signature = lengths(message, 6, 6)
        if session:
            assert not clear and not encrypted and not sent_iv
            new = session
        else:
            assert (len(clear) % spec.parts == 0 and clear) if spec.parts else not clear
            assert len(sent_iv) == (8 if spec.has_blocks else 0)
            master = decrypt(options["key"], encrypted)
            assert len(master) == 16
            keys = Keys(spec, master, connection_id, challenge, certificate)
            new = Session(spec, master, clear, certificate, certificate_type, None)
            iv = sent_iv
        assert prelude == spec.keyed(keys.client_mac, b"cvp", hello, answer), "the prelude is not right"
        kinds = codes(message[2:6])
        if asks:
            assert kinds[0] == 1
            verify(own, kinds[1], prelude, signature)
            new.client = own
        else:
            assert kinds == [0, 0] and not own and not signature
        response = b""
        if not session:
            new.id = os.urandom(32)
            response = spec.keyed(keys.server_mac, b"sr", challenge, connection_id, new.id)
            sessions[new.id] = new
        wire.send_message(with_lengths(bytes([SERVER_VERIFY, 0x77]) + new.id, response))
    else:
        new = session
    use_keys(wire, keys, spec, new.clear, iv, False)
    return new, result


# ---- programs ----

PIECES = [b"x", b"", b"hello, world", bytes(range(256)) + bytes(range(4)), b"12345678"]


def talk(wire):
    """Sends pieces, and takes each back."""
    for piece in PIECES:
        wire.send(piece)
        back = b""
        while len(back) < len(piece):
            escape, data = wire.receive()
            assert escape is None
            back += data
        assert back == piece


def out_of_band(wire):
    """What goes out of band comes back in upper case, in the usual way."""
    wire.send(bytes([OOB_DATA]), escape=True)
    wire.send(b"urgent")
    assert wire.receive() == (None, b"URGENT")


def run_client(options):
    session = None
    for number in range(options["connections"]):
        with socket.create_connection(("127.0.0.1", options["port"]), timeout=20) as plain:
            wire = Wire(plain)
            session, result = client_handshake(wire, options, session)
            assert result["resumed"] == (number > 0), "a session was not taken up"
            talk(wire)
            if options.get("oob"):
                out_of_band(wire)
            if options.get("redo"):
                wire.send(bytes([REDO_CONN]), escape=True)
                # The server's escape comes before its hello, so ours may go out at once.
                session, _ = redo_as_client(wire, options, session)
                talk(wire)


def redo_as_client(wire, options, session):
    class Waiting(Wire):
        def __init__(self):
            self.__dict__ = wire.__dict__

        def message(self, kind):
            if kind == SERVER_HELLO:
                wire.expect_escape(REDO_CONN)
            return wire.message(kind)

    return client_handshake(Waiting(), options, session)


def run_server(options):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        sessions = {}
        for number in range(options["connections"]):
            plain, _ = listener.accept()
            plain.settimeout(20)
            with plain:
                wire = Wire(plain)
                _, result = server_handshake(wire, options, sessions)
                assert result["resumed"] == (number > 0), "a session was not taken up"
                echo(wire)
                if options.get("redo"):
                    wire.send(bytes([REDO_CONN]), escape=True)
                    wire.expect_escape(REDO_CONN)
                    server_handshake(wire, options, sessions)
                    echo(wire)


def echo(wire):
    """Sends back what comes, until all pieces were there."""
    left, is_urgent = sum(map(len, PIECES)), False
    while left > 0:
        escape, data = wire.receive()
        if escape == OOB_DATA:
            is_urgent = True
        elif is_urgent:
            wire.send(data.upper())
            is_urgent = False
        else:
            wire.send(data)
            left -= len(data)


def recompute(path):
    """Every key, proof, message and record of the known answers."""
    blocks, count = [], 0
    for line in open(path, encoding="ascii"):
        row = line.split()
        if not line.startswith("#"):
            if row[0] == "session":
                blocks.append((row, {}, []))
            elif row[0] in ("restart", "error", "unified"):
                blocks.append((row, {}, []))
            elif row[0].endswith("-record") and len(row) > 2:
                blocks[-1][2].append(row)
            else:
                blocks[-1][1][row[0]] = bytes.fromhex(row[1].replace("-", ""))
    for head, values, records in blocks:
        if head[0] != "session":
            continue
        cipher = bytes.fromhex(head[2])
        spec = Spec(codes(cipher[:2])[0], cipher[2], cipher[3], int(head[1], 16))
        keys = Keys(
            spec, values["master-key"], values["connection-id"], values["challenge"], values["server-certificate"]
        )
        clear = values["clear-key-data"]
        for name in ("client-write-key", "server-write-key", "client-mac-key", "server-mac-key"):
            assert getattr(keys, name[:-4].replace("-", "_")) == values[name], name
        prelude = spec.keyed(keys.client_mac, b"cvp", values["client-hello"], values["server-hello"])
        assert prelude == values["verify-prelude"]
        response = spec.keyed(
            keys.server_mac, b"sr", values["challenge"], values["connection-id"], values["session-id"]
        )
        assert response == values["server-response"]
        for side, write, mac in (
            ("client-record", keys.client_write, keys.client_mac),
            ("server-record", keys.server_write, keys.server_mac),
        ):
            direction = Direction(spec, mac, spec.cipher_with(write, clear, b""), 2)
            for row in (row for row in records if row[0] == side):
                assert direction.seal(bytes.fromhex(row[2].replace("-", ""))).hex() == row[4], side
                count += 1
            if side == "client-record":
                escape = direction.seal(bytes([REDO_CONN]), escape=True)
                assert escape == values["client-redo-escape-record"]
        count += 1
    print(f"{count} answers are right")


def read(options):
    out = dict(options)
    content = lambda name: open(options[name], "rb").read()
    out["spec"] = Spec(int(options["cipher"], 16), int(options["bits"]), int(options.get("mac", 64)), int(options["hash"], 16))
    out["connections"] = int(options.get("connections", 2))
    out["certificate_type"] = int(options.get("certificate_type", 1))
    if "port" in options:
        out["port"] = int(options["port"])
    if "signature" in options:
        out["signature"] = int(options["signature"])
    if "cert" in options:
        out["cert"], out["key"] = content("cert"), private_key(content("key"))
    if "client_cert" in options:
        out["client_cert"], out["client_key"] = content("client_cert"), private_key(content("client_key"))
    return out


def main():
    mode, rest = sys.argv[1], sys.argv[2:]
    if mode == "vectors":
        return recompute(rest[0])
    options = read(dict(item.split("=", 1) for item in rest))
    return run_client(options) if mode == "client" else run_server(options)


if __name__ == "__main__":
    main()
