#!/usr/bin/env python3
"""A TLS client for tests, on nassl: OpenSSL 1.0.2e with everything that was switched off later.

The options are those of pattern.py; suites are OpenSSL's. With fragments=no it sends none of the empty records with
which OpenSSL hides the IV of the next one.
"""

import hashlib
import socket
import ssl
import sys
from pathlib import Path

from nassl.legacy_ssl_client import LegacySslClient
from nassl.ssl_client import (
    ClientCertificateRequested,
    OpenSSLError,
    OpenSslVerifyEnum,
    OpenSslVersionEnum,
    WantReadError,
)

import pattern

VERSIONS = {
    "SSLv2": OpenSslVersionEnum.SSLV2,
    # Whatever the server has, asked for in the format of SSL 2.0.
    "v2hello": OpenSslVersionEnum.SSLV23,
    "SSLv3": OpenSslVersionEnum.SSLV3,
    "TLSv1": OpenSslVersionEnum.TLSV1,
    "TLSv1.1": OpenSslVersionEnum.TLSV1_1,
    "TLSv1.2": OpenSslVersionEnum.TLSV1_2,
}
CHUNK = 16_384
NO_TICKET = 0x4000
DONT_INSERT_EMPTY_FRAGMENTS = 0x0800


def client(plain, options):
    arguments = {"ignore_client_authentication_requests": True}
    if "cert" in options:
        arguments = {
            "client_certificate_chain": Path(options["cert"]),
            "client_key": Path(options["key"]),
        }
    if "ca" in options:
        verify = {"ssl_verify": OpenSslVerifyEnum.PEER, "ssl_verify_locations": Path(options["ca"])}
    else:
        verify = {"ssl_verify": OpenSslVerifyEnum.NONE}
    return LegacySslClient(
        underlying_socket=plain, ssl_version=VERSIONS[options["version"]], **verify, **arguments
    )


def receive(tls, plain):
    """Some bytes; none when the server has closed. A record may be empty, or hold a byte only."""
    while True:
        try:
            return tls._ssl.read(CHUNK)
        except WantReadError:
            data = plain.recv(CHUNK)
            if not data:
                raise EOFError("the connection ended without a close_notify") from None
            tls._network_bio.write(data)
        except OpenSSLError as error:
            # A close_notify is told as an error of which nothing is known.
            if "alert" in str(error) or "bad" in str(error):
                raise
            return b""


def send(tls, data):
    # Twice the pair of buffers between OpenSSL and the socket would hold a whole record.
    for start in range(0, len(data), 8192):
        tls.write(data[start : start + 8192])


def peer_sha256(tls, options):
    """That of the server's certificate. SSL 2.0 has no chain, and nassl asks OpenSSL for nothing else."""
    if options["version"] == "SSLv2":
        return None
    leaf = ssl.PEM_cert_to_DER_cert(tls._ssl.get_peer_cert_chain()[0].as_pem())
    return hashlib.sha256(leaf).hexdigest()


def master_key(session):
    """The line of a session's text that tells which it is."""
    return next((line for line in session.as_text().splitlines() if "Master-Key:" in line), "")


def close(tls, plain):
    """Sends close_notify; whether the server answers with its own."""
    try:
        tls._ssl.shutdown()
        tls._flush_ssl_engine()
        return receive(tls, plain) == b""
    except (OSError, EOFError, OpenSSLError):
        return False


def connect(options, ciphers, session):
    fields = {"bytes": 0, "clean_close": False, "error": None, "version": options["version"]}
    try:
        plain = socket.create_connection(("127.0.0.1", int(options["port"])), timeout=20)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tls = client(plain, options)
        tls.set_cipher_list(ciphers)
        if options.get("tickets") == "no":
            tls._ssl.set_options(NO_TICKET)
        if options.get("fragments") == "no":
            tls._ssl.set_options(DONT_INSERT_EMPTY_FRAGMENTS)
        if session is not None:
            tls._ssl.set_session(session)
        tls.do_handshake()
        new = tls._ssl.get_session()
        fields |= {
            "cipher": tls.get_current_cipher_name(),
            "peer_sha256": peer_sha256(tls, options),
            "resumed": session is not None and master_key(session) == master_key(new),
        }
        session = new
        fields["bytes"] = pattern.exchange(
            lambda data: send(tls, data), lambda: receive(tls, plain), options, window=CHUNK
        )
        fields["clean_close"] = close(tls, plain)
        plain.close()
    except (OSError, OpenSSLError, ClientCertificateRequested, ValueError, EOFError) as error:
        fields["error"] = pattern.reason(error)
    return fields, session


def run_client(options):
    pattern.run_client(lambda ciphers, session: connect(options, ciphers, session), options)


pattern.main(lambda options: sys.exit("nassl is no server"), run_client)
