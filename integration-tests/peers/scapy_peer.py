#!/usr/bin/env python3
"""A TLS peer for tests, on scapy: messages and records as Python objects, and the one peer with the EXPORT1024 suites.

The options are those of pattern.py; a suite is its number, as in ciphers=0x0064. A server serves one connection after
the other and prefers the first of its suites.
"""

import hashlib
import logging
import os
import sys
import warnings

logging.getLogger("scapy").setLevel(logging.ERROR)
warnings.filterwarnings("ignore")

from scapy.automaton import ATMT, Automaton  # noqa: E402
from scapy.layers.tls import handshake_sslv2, record_sslv2  # noqa: E402
from scapy.layers.tls.all import (  # noqa: E402
    SSLv2ClientHello,
    TLS_Ext_SignatureAlgorithms,
    TLS_Ext_SupportedGroups,
    TLS_Ext_SupportedPointFormat,
    TLSAlert,
    TLSApplicationData,
    TLSClientAutomaton,
    TLSClientHello,
    TLSServerAutomaton,
)
from scapy.layers.tls.crypto import cipher_block, cipher_stream, kx_algs, prf, suites  # noqa: E402
from scapy.layers.tls.session import tlsSession  # noqa: E402
from scapy.packet import Raw  # noqa: E402

import pattern  # noqa: E402

SSL2 = 0x0002
VERSIONS = {"SSLv2": SSL2, "SSLv3": 0x0300, "TLSv1": 0x0301, "TLSv1.1": 0x0302, "TLSv1.2": 0x0303}
NAMES = {"SSLv2": "sslv2", "SSLv3": "sslv3", "TLSv1": "tls10", "TLSv1.1": "tls11", "TLSv1.2": "tls12"}
CHUNK = 4096


def add_export1024():
    """The suites of draft-ietf-tls-56-bit-ciphersuites with RSA: scapy makes a suite of each class with a `val`, and
    takes what it is made of from the name; an algorithm of key exchange is one of export if its name ends so."""

    class KX_RSA_EXPORT1024_EXPORT(kx_algs.KX_RSA_EXPORT):
        pass

    class Cipher_RC4_56(cipher_stream.Cipher_RC4_128):
        key_len, expanded_key_len = 7, 16

    class Cipher_DES1024_CBC(cipher_block.Cipher_DES_CBC):
        key_len, expanded_key_len = 8, 8

    algorithms, des = suites._tls_cipher_algs, suites._tls_cipher_algs["DES_CBC"]
    suites._tls_kx_algs["RSA_EXPORT1024"] = KX_RSA_EXPORT1024_EXPORT
    algorithms["RC4_56"] = Cipher_RC4_56
    algorithms["DES_CBC"] = Cipher_DES1024_CBC
    bases = (suites._GenericCipherSuite,)
    type(bases[0])("TLS_RSA_EXPORT1024_WITH_RC4_56_SHA", bases, {"val": 0x0064})
    type(bases[0])("TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA", bases, {"val": 0x0062})
    algorithms["DES_CBC"] = des


def hash_a_digit_for_des():
    """The draft hashes no digit where one block of MD5 is enough, and so does scapy; OpenSSL hashes a "0" there as for all
    other kinds, and so does everybody who wants to be understood."""

    def one_block(secret, seed, req_len):
        return hashlib.md5(secret + b"0" + seed).digest()

    several = prf._sslv2_PRF
    prf._sslv2_PRF = lambda secret, seed, req_len: (one_block if req_len <= 16 else several)(secret, seed, req_len)


def mark_export(number):
    """scapy has one flag for all kinds of SSL 2.0, which the last of them set."""
    suites._tls_kx_algs["SSLv2"].export = number in (0x020080, 0x040080)


class Messages:
    """How scapy reads records of SSL 2.0: by their first byte in the handshake, and as what they are behind it."""

    known = dict(handshake_sslv2._sslv2_handshake_cls)

    @classmethod
    def of_the_handshake(cls):
        record_sslv2._sslv2_handshake_cls.update(cls.known)

    @staticmethod
    def of_the_application():
        record_sslv2._sslv2_handshake_cls.clear()


def ending(alert):
    """What an alert means: None for close_notify, which ends a connection in order."""
    return None if alert.descr == 0 else f"alert {alert.descr}"


class Connection:
    """What both automatons do once the handshake is over."""

    def begin(self):
        Messages.of_the_handshake()
        self.fields = {"bytes": 0, "clean_close": False, "error": None}
        self.remain_in = b""

    def tell(self, certificates):
        session = self.cur_session
        self.is_ssl2 = session.tls_version == SSL2
        if self.is_ssl2:
            Messages.of_the_application()
        self.fields |= {
            "version": {number: name for name, number in VERSIONS.items()}[session.tls_version],
            "cipher": session.wcs.ciphersuite.name,
            "peer_sha256": hashlib.sha256(bytes(certificates[0].der)).hexdigest() if certificates else None,
        }

    def send(self, data):
        if self.options.get("empty") == "yes":
            self.send_record(b"")
        if self.options.get("fragments") == "yes":
            self.send_record(data[:1])
            data = data[1:]
        for start in range(0, len(data), CHUNK):
            self.send_record(data[start : start + CHUNK])

    def send_record(self, data):
        self.add_record(is_sslv2=self.is_ssl2)
        self.add_msg(Raw(data) if self.is_ssl2 else TLSApplicationData(data=data))
        self.flush_records()

    def receive(self):
        """Some bytes; none at a close_notify."""
        while True:
            self.get_next_msg(socket_timeout=20, retry=1)
            if not self.buffer_in:
                raise EOFError("nothing came")
            message = self.buffer_in.pop(0)
            if self.is_ssl2:
                return bytes(message)
            if isinstance(message, TLSAlert):
                if ending(message) is None:
                    self.fields["clean_close"] = True
                    return b""
                raise EOFError(ending(message))
            if isinstance(message, TLSApplicationData) and message.data:
                return bytes(message.data)

    def close(self):
        if self.is_ssl2:
            # It has no word for the end.
            return
        self.add_record()
        self.add_msg(TLSAlert(level=1, descr=0))
        self.flush_records()

    def failed(self, state):
        waiting = self.buffer_in[0] if self.buffer_in else None
        what = ending(waiting) if isinstance(waiting, TLSAlert) else None
        self.fields["error"] = what or f"the handshake ended in {state}: {waiting!r}"


class Server(Connection, TLSServerAutomaton):
    """Sends back what it gets."""

    told = False

    @ATMT.state()
    def WAITING_CLIENT(self):
        if not self.told:
            # Only now it is bound.
            pattern.report(event="listening", port=self.serversocket.getsockname()[1])
            self.told = True
        self.buffer_in, self.buffer_out = [], []
        self.socket, (self.remote_ip, self.remote_port) = self.serversocket.accept()
        raise self.INIT_TLS_SESSION()

    @ATMT.state()
    def INIT_TLS_SESSION(self):
        self.begin()
        self.is_ssl2 = self.reported = False
        self.cur_session = tlsSession(connection_end="server")
        self.cur_session.server_certs = [self.mycert]
        self.cur_session.server_key = self.cur_session.server_rsa_key = self.mykey
        raise self.WAITING_CLIENTFLIGHT1()

    @ATMT.state()
    def SSLv2_SENT_SERVERFINISHED(self):
        self.serve()

    @ATMT.state()
    def SENT_SERVERFLIGHT2(self):
        self.serve()

    def serve(self):
        try:
            self.tell(self.cur_session.client_certs)
            while data := self.receive():
                self.send(data)
                self.fields["bytes"] += len(data)
            self.close()
        except (OSError, EOFError, ValueError) as error:
            self.fields["error"] = pattern.reason(error)
        raise self.SOCKET_CLOSED()

    @ATMT.state()
    def CLOSE_NOTIFY(self):
        self.failed("CLOSE_NOTIFY")
        raise self.SOCKET_CLOSED()

    @ATMT.state()
    def SSLv2_CLOSE_NOTIFY(self):
        self.failed("SSLv2_CLOSE_NOTIFY")
        raise self.SOCKET_CLOSED()

    @ATMT.state()
    def SOCKET_CLOSED(self):
        self.socket.close()
        if not self.reported:
            closed = self.fields["clean_close"] or (self.is_ssl2 and "version" in self.fields)
            if self.fields["error"] is None and not closed:
                self.failed("SOCKET_CLOSED")
            pattern.report(event="connection", **self.fields)
            self.reported = True
        raise self.WAITING_CLIENT()


def run_server(options):
    number = int(options["ciphers"].split(",")[0], 16)
    mark_export(number)
    server = Server(
        server="127.0.0.1",
        sport=int(options.get("port", 0)),
        mycert=options["cert"],
        mykey=options["key"],
        preferred_ciphersuite=number,
        client_auth="clients" in options,
        preferred_signature_algorithm="sha256+rsa",
        verbose=False,
    )
    server.options = options
    server.run()


class Client(Connection, TLSClientAutomaton):
    """Checks the echo."""

    @ATMT.state()
    def SSLv2_HANDLED_SERVERFINISHED(self):
        self.check()

    @ATMT.state()
    def HANDLED_SERVERFINISHED(self):
        self.check()

    def check(self):
        try:
            self.tell(self.cur_session.server_certs)
            self.fields["bytes"] = pattern.exchange(self.send, self.receive, self.options, window=CHUNK)
            self.close()
            self.fields["clean_close"] = self.is_ssl2 or self.receive() == b""
        except (OSError, EOFError, ValueError) as error:
            self.fields["error"] = pattern.reason(error)
        raise self.FINAL()

    @ATMT.state()
    def CLOSE_NOTIFY(self):
        self.failed("CLOSE_NOTIFY")
        raise self.FINAL()

    @ATMT.state()
    def SSLv2_CLOSE_NOTIFY(self):
        self.failed("SSLv2_CLOSE_NOTIFY")
        raise self.FINAL()


def extensions(version):
    """What a server needs to know for ECDHE, and for signatures in TLS 1.2."""
    if version == "SSLv3":
        return []
    found = [TLS_Ext_SupportedGroups(groups=["secp256r1"]), TLS_Ext_SupportedPointFormat(ecpl=["uncompressed"])]
    if version == "TLSv1.2":
        found.append(TLS_Ext_SignatureAlgorithms(sig_algs=["sha256+rsa", "sha1+rsa", "sha256+ecdsa", "sha1+ecdsa"]))
    return found


def connect(options, ciphers):
    version = options["version"]
    number = int(ciphers, 16)
    if version == "SSLv2":
        mark_export(number)
        hello = SSLv2ClientHello(ciphers=[number], challenge=os.urandom(16))
    else:
        hello = TLSClientHello(version=VERSIONS[version], ciphers=[number], comp=[0], ext=extensions(version))
    certificate = {"mycert": options["cert"], "mykey": options["key"]} if "cert" in options else {}
    client = Client(
        server="127.0.0.1",
        dport=int(options["port"]),
        version=NAMES[version],
        client_hello=hello,
        verbose=False,
        **certificate,
    )
    client.options = options
    client.begin()
    try:
        client.run()
    except Automaton.Stuck as error:
        client.failed(error)
    if "version" not in client.fields and client.fields["error"] is None:
        client.failed("FINAL")
    return client.fields, None


def run_client(options):
    pattern.run_client(lambda ciphers, _: connect(options, ciphers), options)


add_export1024()
hash_a_digit_for_des()
pattern.main(run_server, run_client)
