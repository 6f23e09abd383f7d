#!/usr/bin/env python3
"""A TLS peer for tests, on Python's ssl module: an echo server, or a client that checks the echo.

The options are those of pattern.py, and alpn=A,B and tickets=no; ciphers is OpenSSL's list.
"""

import hashlib
import socket
import ssl
import threading
import time

import pattern


def context_for(role, options):
    server = role == "server"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    version = options.get("version")
    if version is None:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
    else:
        number = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}[version]
        context.minimum_version = context.maximum_version = number
    if "ciphers" in options:
        context.set_ciphers(options["ciphers"])
    if "alpn" in options:
        context.set_alpn_protocols(options["alpn"].split(","))
    if options.get("tickets") == "no":
        context.options |= ssl.OP_NO_TICKET
    if "cert" in options:
        context.load_cert_chain(options["cert"], options["key"])
    if server:
        modes = {None: ssl.CERT_NONE, "request": ssl.CERT_OPTIONAL, "require": ssl.CERT_REQUIRED}
        context.verify_mode = modes[options.get("clients")]
    elif "ca" not in options:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if "ca" in options:
        context.load_verify_locations(options["ca"])
    return context


def negotiated(tls):
    certificate = tls.getpeercert(True)
    # TLS 1.3 has no tls-unique, whatever OpenSSL answers.
    unique = tls.get_channel_binding("tls-unique") if tls.version() != "TLSv1.3" else None
    return {
        "version": tls.version(),
        "cipher": tls.cipher()[0],
        "alpn": tls.selected_alpn_protocol(),
        "resumed": tls.session_reused,
        "peer_sha256": hashlib.sha256(certificate).hexdigest() if certificate else None,
        "tls_unique": unique.hex() if unique else None,
    }


def serve(plain, context):
    fields = {"bytes": 0, "clean_close": False, "error": None}
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.settimeout(60)
        with context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=False) as tls:
            fields |= negotiated(tls)
            while data := tls.recv(65_536):
                tls.sendall(data)
                fields["bytes"] += len(data)
            fields["clean_close"] = True
            # Answers the close_notify that came; a peer that does not wait for it did nothing wrong.
            try:
                tls.unwrap()
            except OSError:
                pass
    except (OSError, ValueError) as error:
        fields["error"] = pattern.reason(error)
    pattern.report(event="connection", **fields)


def run_server(options):
    context = context_for("server", options)
    listener = pattern.listen(options)
    while True:
        plain, _ = listener.accept()
        threading.Thread(target=serve, args=(plain, context), daemon=True).start()


def connect(context, options, session):
    """One connection; its report and its session."""
    fields = {"bytes": 0, "clean_close": False, "error": None}
    try:
        plain = socket.create_connection(("127.0.0.1", int(options["port"])), timeout=20)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(
            plain, server_hostname=options["name"], session=session, suppress_ragged_eofs=False
        ) as tls:
            fields |= negotiated(tls)
            fields["bytes"] = pattern.exchange(tls.sendall, lambda: tls.recv(65_536), options)
            session = tls.session
            # Sends close_notify and waits for the server's, which a server may owe without being wrong.
            try:
                tls.unwrap()
                fields["clean_close"] = True
            except OSError:
                pass
    except (OSError, ValueError, EOFError) as error:
        fields["error"] = pattern.reason(error)
    return fields, session


def run_client(options):
    context = context_for("client", options)

    def again(_, session):
        if session is not None:
            # A ticket may come after the data.
            time.sleep(0.002)
        return connect(context, options, session)

    pattern.run_client(again, options)


pattern.main(run_server, run_client)
