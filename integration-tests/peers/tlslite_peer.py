#!/usr/bin/env python3
"""A TLS peer for tests, on tlslite-ng: SSL 3.0 to TLS 1.2 in Python alone, whatever else is on the machine.

The options are those of pattern.py, and tickets=no; a suite is its number, as in ciphers=0x0005.
"""

import hashlib
import os
import socket
import threading

from tlslite.api import HandshakeSettings, SessionCache, TLSConnection, X509CertChain, parsePEMKey
from tlslite.constants import CipherSuite
from tlslite.errors import TLSAbruptCloseError

import pattern

VERSIONS = {"SSLv3": (3, 0), "TLSv1": (3, 1), "TLSv1.1": (3, 2), "TLSv1.2": (3, 3)}
KEY_EXCHANGES = {
    "RSA": "rsa",
    "DHE_RSA": "dhe_rsa",
    "DHE_DSS": "dhe_dsa",
    "ECDHE_RSA": "ecdhe_rsa",
    "ECDHE_ECDSA": "ecdhe_ecdsa",
}
CIPHERS = {
    "RC4_128": "rc4",
    "3DES_EDE_CBC": "3des",
    "NULL": "null",
    "AES_128_CBC": "aes128",
    "AES_256_CBC": "aes256",
    "AES_128_GCM": "aes128gcm",
    "AES_256_GCM": "aes256gcm",
}
CHUNK = 16_384


def suite_name(number):
    return CipherSuite.ietfNames.get(number, hex(number))


# Of one process, so that each of its connections opens what another has given out.
TICKET_KEYS = [bytearray(os.urandom(32))]


def settings_for(ciphers, version, tickets=True):
    settings = HandshakeSettings()
    settings.minVersion = settings.maxVersion = VERSIONS[version]
    settings.minKeySize = 512
    if tickets:
        settings.ticketKeys = TICKET_KEYS
    # There is no list of suites to be set, but lists of what they are made of.
    names = [suite_name(int(number, 16)) for number in ciphers.split(",")]
    parts = [name.removeprefix("TLS_").split("_WITH_") for name in names]
    settings.keyExchangeNames = sorted({KEY_EXCHANGES[exchange] for exchange, _ in parts})
    protections = [protection.rsplit("_", 1) for _, protection in parts]
    settings.cipherNames = sorted({CIPHERS[cipher] for cipher, _ in protections})
    settings.macNames = sorted({"aead" if "GCM" in cipher else mac.lower() for cipher, mac in protections})
    return settings


def certificate(options):
    if "cert" not in options:
        return None, None
    chain = X509CertChain()
    with open(options["cert"]) as file:
        chain.parsePemList(file.read())
    with open(options["key"]) as file:
        return chain, parsePEMKey(file.read(), private=True)


def connection(plain, options):
    tls = TLSConnection(plain)
    if options.get("fragments") == "no":
        send = tls._sendMsg

        # What splits a byte off the data of a record is an argument that nobody sets.
        def send_whole(message, randomizeFirstBlock=False, **others):
            return send(message, randomizeFirstBlock=False, **others)

        tls._sendMsg = send_whole
    return tls


def send(tls, options, data):
    if options.get("empty") == "yes":
        tls.write(b"")
    tls.write(data)


def negotiated(tls, chain):
    return {
        "version": {number: name for name, number in VERSIONS.items()}[tuple(tls.version)],
        "cipher": suite_name(tls.session.cipherSuite),
        "resumed": bool(tls.resumed),
        "peer_sha256": hashlib.sha256(chain.x509List[0].bytes).hexdigest() if chain else None,
    }


def serve(plain, options, cache, own):
    fields = {"bytes": 0, "clean_close": False, "error": None}
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.settimeout(60)
        tls = connection(plain, options)
        tls.handshakeServer(
            certChain=own[0],
            privateKey=own[1],
            settings=settings_for(options["ciphers"], options["version"], options.get("tickets") != "no"),
            sessionCache=cache,
            reqCert="clients" in options,
        )
        fields |= negotiated(tls, tls.session.clientCertChain)
        if options.get("clients") == "require" and not tls.session.clientCertChain:
            raise ValueError("the client showed no certificate")
        while data := tls.read(max=CHUNK, min=1):
            send(tls, options, data)
            fields["bytes"] += len(data)
        fields["clean_close"] = True
    except Exception as error:  # Whatever it meets, it is to be told.
        fields["error"] = pattern.reason(error)
    finally:
        plain.close()
    pattern.report(event="connection", **fields)


def run_server(options):
    cache, own = SessionCache(), certificate(options)
    listener = pattern.listen(options)
    while True:
        plain, _ = listener.accept()
        threading.Thread(target=serve, args=(plain, options, cache, own), daemon=True).start()


def connect(options, ciphers, session):
    fields = {"bytes": 0, "clean_close": False, "error": None}
    try:
        plain = socket.create_connection(("127.0.0.1", int(options["port"])), timeout=60)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tls = connection(plain, options)
        chain, key = certificate(options)
        settings = settings_for(ciphers, options["version"])
        tls.handshakeClientCert(chain, key, settings=settings, session=session)
        session = tls.session
        fields |= negotiated(tls, session.serverCertChain)
        fields["bytes"] = pattern.exchange(lambda data: send(tls, options, data), lambda: tls.read(max=CHUNK, min=1), options)
        # Sends close_notify, and reads the server's.
        try:
            tls.close()
            fields["clean_close"] = True
        except TLSAbruptCloseError:
            pass
        plain.close()
    except Exception as error:  # Whatever it meets, it is to be told.
        fields["error"] = pattern.reason(error)
    return fields, session


def run_client(options):
    pattern.run_client(lambda ciphers, session: connect(options, ciphers, session), options)


pattern.main(run_server, run_client)
