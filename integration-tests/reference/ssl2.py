#!/usr/bin/env python3
"""SSL 2.0 written from draft-hickman-netscape-ssl-00, slowly and plainly: a reference to hold an implementation against.

Both roles, every cipher kind of the draft, client certificates, and sessions that are taken up again. Section numbers are
the draft's. Ciphers come from the package cryptography, MD5 from Python, RSA is written out.

    ssl2.py server cert=PEM key=PEM ciphers=010080,... [port=N] [clients=request]
    ssl2.py client port=N ciphers=010080,... [rounds=N] [bytes=N] [cert=PEM key=PEM] [mark=yes]

A server sends back what it gets. A client sends the pattern and checks the echo; with mark=yes its padding says that it has
a newer protocol (RFC 2246, appendix E.2). Each connection is reported as one line of JSON.
"""

import hashlib
import os
import socket
import sys
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")

from cryptography.hazmat.decrepit.ciphers import algorithms  # noqa: E402
from cryptography.hazmat.primitives.ciphers import Cipher, modes  # noqa: E402
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key  # noqa: E402
from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificate  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "peers"))

import pattern  # noqa: E402

# C.3: message types.
ERROR, CLIENT_HELLO, CLIENT_MASTER_KEY, CLIENT_FINISHED = 0, 1, 2, 3
SERVER_HELLO, SERVER_VERIFY, SERVER_FINISHED, REQUEST_CERTIFICATE, CLIENT_CERTIFICATE = 4, 5, 6, 7, 8
# C.5 and C.6.
X509, MD5_WITH_RSA, NO_CERTIFICATE = 1, 1, 2

# C.4 and 5.5.2: kind -> cipher, bytes of the key, bytes of it that are encrypted, bytes of the argument.
KINDS = {
    "010080": ("RC4", 16, 16, 0),
    "020080": ("RC4", 16, 5, 0),
    "030080": ("RC2", 16, 16, 8),
    "040080": ("RC2", 16, 5, 8),
    "050080": ("IDEA", 16, 16, 8),
    "060040": ("DES", 8, 8, 8),
    "0700c0": ("DES3", 24, 24, 8),
}


class ProtocolError(Exception):
    """The other end does what the draft does not allow."""


def require(right, what):
    if not right:
        raise ProtocolError(what)


def md5(*parts):
    return hashlib.md5(b"".join(parts)).digest()


def number(data):
    return int.from_bytes(data, "big")


# ---- 5.5.2: keys


def key_material(kind, master, challenge, connection_id):
    """As much as the kind has. For DES the draft leaves out the digit, and everybody hashes it."""
    blocks = (2 * KINDS[kind][1] + 15) // 16
    return [md5(master, str(n).encode(), challenge, connection_id) for n in range(blocks)]


def session_keys(kind, material):
    """CLIENT-READ-KEY and CLIENT-WRITE-KEY."""
    length = KINDS[kind][1]
    whole = b"".join(material)
    return whole[:length], whole[length : 2 * length]


def with_parity(key):
    """Each byte has an odd number of ones, the lowest bit made to fit."""
    return bytes(byte & 0xFE | (bin(byte >> 1).count("1") + 1) % 2 for byte in key)


def cipher(kind, key, iv):
    name = KINDS[kind][0]
    if name == "RC4":
        return Cipher(algorithms.ARC4(key), None)
    if name == "DES":
        # Three times the same key is the key once.
        return Cipher(algorithms.TripleDES(with_parity(key) * 3), modes.CBC(iv))
    if name == "DES3":
        return Cipher(algorithms.TripleDES(with_parity(key)), modes.CBC(iv))
    return Cipher({"RC2": algorithms.RC2, "IDEA": algorithms.IDEA}[name](key), modes.CBC(iv))


# ---- RSA with the blocks of PKCS #1


def rsa_encrypt(public, message, mark=False):
    """Block type 2."""
    size = (public.n.bit_length() + 7) // 8
    filler = bytes(1 + byte % 255 for byte in os.urandom(size - 3 - len(message)))
    if mark:
        filler = filler[:-8] + b"\x03" * 8
    block = b"\x00\x02" + filler + b"\x00" + message
    return pow(number(block), public.e, public.n).to_bytes(size, "big")


def rsa_decrypt(private, data):
    public = private.public_numbers
    size = (public.n.bit_length() + 7) // 8
    block = pow(number(data), private.d, public.n).to_bytes(size, "big")
    require(block[:2] == b"\x00\x02", "the block of the master key")
    return block[2:].split(b"\x00", 1)[1]


# DigestInfo of MD5: PKCS #1, section 10.1.2.
MD5_INFO = bytes.fromhex("3020300c06082a864886f70d020505000410")


def signature_block(size, message):
    info = MD5_INFO + md5(message)
    return b"\x00\x01" + b"\xff" * (size - 3 - len(info)) + b"\x00" + info


def rsa_sign(private, message):
    public = private.public_numbers
    size = (public.n.bit_length() + 7) // 8
    return pow(number(signature_block(size, message)), private.d, public.n).to_bytes(size, "big")


def rsa_verify(public, message, signature):
    size = (public.n.bit_length() + 7) // 8
    return pow(number(signature), public.e, public.n).to_bytes(size, "big") == signature_block(size, message)


# ---- Section 4: records


class Direction:
    """One way of a connection: the number of the next record, and from some moment on a key."""

    def __init__(self):
        self.sequence, self.key, self.context, self.block = 0, None, None, 1

    def protect(self, kind, key, context):
        self.key, self.context = key, context
        self.block = 1 if KINDS[kind][0] == "RC4" else 8

    def mac(self, data, padding):
        return md5(self.key, data, padding, self.sequence.to_bytes(4, "big"))

    def count(self):
        self.sequence = (self.sequence + 1) % 2**32


class Records:
    def __init__(self, plain):
        self.plain, self.sending, self.receiving = plain, Direction(), Direction()

    def protect(self, kind, keys, iv, is_client):
        read, write = keys if is_client else keys[::-1]
        self.receiving.protect(kind, read, cipher(kind, read, iv).decryptor())
        self.sending.protect(kind, write, cipher(kind, write, iv).encryptor())

    def exactly(self, length):
        data = b""
        while len(data) < length:
            more = self.plain.recv(length - len(data))
            if not more:
                raise EOFError(f"closed after {len(data)} of {length} bytes of a record")
            data += more
        return data

    def send(self, data):
        way, padding = self.sending, b""
        if way.key:
            padding = os.urandom(-len(data) % way.block)
            body = way.context.update(way.mac(data, padding) + data + padding)
        else:
            body = data
        if padding:
            header = len(body).to_bytes(2, "big") + bytes([len(padding)])
        else:
            header = (len(body) | 0x8000).to_bytes(2, "big")
        way.count()
        self.plain.sendall(header + body)

    def receive(self):
        way = self.receiving
        header = number(self.exactly(2))
        padding = 0
        if header & 0x8000:
            length = header & 0x7FFF
        else:
            require(not header & 0x4000, "a security escape")
            length, padding = header & 0x3FFF, self.exactly(1)[0]
        body = self.exactly(length)
        if way.key:
            require(length % way.block == 0, "a record of whole blocks")
            body = way.context.update(body)
            mac, body = body[:16], body[16:]
            end = len(body) - padding
            require(mac == way.mac(body[:end], body[end:]), "the MAC of a record")
            body = body[:end]
        else:
            require(padding == 0, "no padding in clear")
        way.count()
        return body

    def message(self, *kinds):
        body = self.receive()
        require(body and body[0] in kinds, f"a message of {kinds}, not {body[:3].hex()}")
        return body[0], body[1:]


def fields(body, *lengths):
    """The parts of `body` that have these lengths, and nothing behind them."""
    parts, at = [], 0
    for length in lengths:
        parts.append(body[at : at + length])
        at += length
    require(at == len(body), "lengths that fill the message")
    return parts


def u16(value):
    return len(value).to_bytes(2, "big")


# ---- Section 5: the two roles


class Session:
    """What is taken up again: 5.2.2."""

    def __init__(self, kind, master, key_arg, certificate):
        self.kind, self.master, self.key_arg, self.certificate = kind, master, key_arg, certificate
        self.id = b""


def start(records, session, challenge, connection_id, is_client):
    """Keys from a session and both hellos."""
    material = key_material(session.kind, session.master, challenge, connection_id)
    records.protect(session.kind, session_keys(session.kind, material), session.key_arg, is_client)
    # Keys of DES use one block of 16 bytes, those of the others all that there are.
    return b"".join(material)


def client_handshake(records, options, kinds, session):
    challenge = os.urandom(16)
    specs, session_id = bytes.fromhex("".join(kinds)), session.id if session else b""
    hello = bytes([CLIENT_HELLO]) + b"\x00\x02" + u16(specs) + u16(session_id) + u16(challenge)
    records.send(hello + specs + session_id + challenge)

    _, body = records.message(SERVER_HELLO)
    hit, certificate_type, version = body[0], body[1], body[2:4]
    require(version == b"\x00\x02", "version 2")
    lengths = [number(body[at : at + 2]) for at in (4, 6, 8)]
    certificate, specs, connection_id = fields(body[10:], *lengths)
    require(16 <= len(connection_id) <= 32, "a connection identifier of 16 to 32 bytes")
    if hit:
        require(session is not None and body[1] == 0 and not certificate and not specs, "a hit of what was offered")
    else:
        require(certificate_type == X509, "an X.509 certificate")
        offered = [specs[at : at + 3].hex() for at in range(0, len(specs), 3)]
        kind = next((kind for kind in kinds if kind in offered), None)
        require(kind is not None, f"a common kind, not {offered}")
        _, length, secret, arg = KINDS[kind]
        master, key_arg = os.urandom(length), os.urandom(arg)
        public = load_der_x509_certificate(certificate).public_key().public_numbers()
        clear = master[: length - secret]
        encrypted = rsa_encrypt(public, master[length - secret :], options.get("mark") == "yes")
        head = bytes([CLIENT_MASTER_KEY]) + bytes.fromhex(kind) + u16(clear) + u16(encrypted) + u16(key_arg)
        records.send(head + clear + encrypted + key_arg)
        session = Session(kind, master, key_arg, certificate)

    material = start(records, session, challenge, connection_id, True)
    records.send(bytes([CLIENT_FINISHED]) + connection_id)
    _, body = records.message(SERVER_VERIFY)
    require(body == challenge, "the challenge in SERVER-VERIFY")
    kind, body = records.message(REQUEST_CERTIFICATE, SERVER_FINISHED)
    if kind == REQUEST_CERTIFICATE:
        require(body[0] == MD5_WITH_RSA and 16 <= len(body[1:]) <= 32, "a request for a signature with MD5 and RSA")
        if "cert" in options:
            certificate, private = identity(options)
            response = rsa_sign(private, material + body[1:] + session.certificate)
            head = bytes([CLIENT_CERTIFICATE, X509]) + u16(certificate) + u16(response)
            records.send(head + certificate + response)
        else:
            records.send(bytes([ERROR, 0, NO_CERTIFICATE]))
        _, body = records.message(SERVER_FINISHED)
    require(len(body) == 16, "a session identifier of 16 bytes")
    require(not hit or body == session.id, "the identifier of the session that was taken up")
    session.id = body
    return session, bool(hit), session.certificate


def server_handshake(records, options, kinds, sessions):
    own, private = identity(options)
    _, body = records.message(CLIENT_HELLO)
    require(body[:2] >= b"\x00\x02", "version 2 or newer")
    lengths = [number(body[at : at + 2]) for at in (2, 4, 6)]
    specs, session_id, challenge = fields(body[8:], *lengths)
    require(len(session_id) in (0, 16) and 16 <= len(challenge) <= 32, "lengths of identifier and challenge")
    offered = [specs[at : at + 3].hex() for at in range(0, len(specs), 3)]
    common = [kind for kind in kinds if kind in offered]
    connection_id = os.urandom(16)
    session = sessions.get(session_id)
    hit = session is not None and session.kind in common
    if hit:
        head = bytes([SERVER_HELLO, 1, 0, 0, 2]) + u16(b"") + u16(b"") + u16(connection_id)
        records.send(head + connection_id)
    else:
        specs = bytes.fromhex("".join(common))
        head = bytes([SERVER_HELLO, 0, X509, 0, 2]) + u16(own) + u16(specs) + u16(connection_id)
        records.send(head + own + specs + connection_id)
        _, body = records.message(CLIENT_MASTER_KEY)
        kind = body[:3].hex()
        require(kind in common, "a kind that was offered")
        _, length, secret, arg = KINDS[kind]
        clear, encrypted, key_arg = fields(body[9:], *(number(body[at : at + 2]) for at in (3, 5, 7)))
        require(len(clear) == length - secret and len(key_arg) == arg, "the lengths of the kind")
        decrypted = rsa_decrypt(private, encrypted)
        require(len(decrypted) == secret, "a secret as long as the kind says")
        session = Session(kind, clear + decrypted, key_arg, own)
        session.id = os.urandom(16)

    material = start(records, session, challenge, connection_id, False)
    records.send(bytes([SERVER_VERIFY]) + challenge)
    _, body = records.message(CLIENT_FINISHED)
    require(body == connection_id, "the connection identifier in CLIENT-FINISHED")
    shown = None
    if "clients" in options and not hit:
        certificate_challenge = os.urandom(16)
        records.send(bytes([REQUEST_CERTIFICATE, MD5_WITH_RSA]) + certificate_challenge)
        kind, body = records.message(CLIENT_CERTIFICATE, ERROR)
        if kind == CLIENT_CERTIFICATE:
            require(body[0] == X509, "an X.509 certificate")
            shown, response = fields(body[5:], number(body[1:3]), number(body[3:5]))
            public = load_der_x509_certificate(shown).public_key().public_numbers()
            require(rsa_verify(public, material + certificate_challenge + own, response), "the client's signature")
        else:
            require(body == bytes([0, NO_CERTIFICATE]), "an error that says that there is no certificate")
    records.send(bytes([SERVER_FINISHED]) + session.id)
    sessions[session.id] = session
    return session, hit, shown


def identity(options):
    certificate = load_pem_x509_certificate(Path(options["cert"]).read_bytes()).public_bytes(Encoding.DER)
    return certificate, load_pem_private_key(Path(options["key"]).read_bytes(), None).private_numbers()


# ---- The program


def connected(plain):
    plain.settimeout(20)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Records(plain)


def begin():
    return {"bytes": 0, "clean_close": False, "error": None, "version": "SSLv2"}


def told(session, resumed, certificate):
    shown = hashlib.sha256(certificate).hexdigest() if certificate else None
    return {"cipher": session.kind, "resumed": resumed, "peer_sha256": shown}


def run_server(options):
    listener, sessions = pattern.listen(options), {}
    while True:
        fields, plain = begin(), listener.accept()[0]
        try:
            records = connected(plain)
            fields |= told(*server_handshake(records, options, options["ciphers"].split(","), sessions))
            while True:
                # SSL 2.0 has no word for the end.
                try:
                    data = records.receive()
                except EOFError:
                    break
                fields["bytes"] += len(data)
                records.send(data)
        except (OSError, EOFError, ProtocolError, ValueError, IndexError) as error:
            fields["error"] = pattern.reason(error)
        plain.close()
        pattern.report(event="connection", **fields)


def connect(options, ciphers, session):
    fields = begin()
    try:
        plain = socket.create_connection(("127.0.0.1", int(options["port"])), timeout=20)
        records = connected(plain)
        session, resumed, certificate = client_handshake(records, options, ciphers.split(","), session)
        fields |= told(session, resumed, certificate)
        fields["bytes"] = pattern.exchange(records.send, records.receive, options, window=16_384)
        fields["clean_close"] = True
        plain.close()
    except (OSError, EOFError, ProtocolError, ValueError, IndexError) as error:
        fields["error"] = pattern.reason(error)
    return fields, session


def run_client(options):
    pattern.run_client(lambda ciphers, session: connect(options, ciphers, session), options)


if __name__ == "__main__":
    pattern.main(run_server, run_client)
