#!/usr/bin/env python3
"""A TLS peer for tests, on Python's ssl module: an echo server, or a client that checks the echo.

    python_peer.py server cert=FILE key=FILE [ca=FILE clients=request|require] [port=N] [OPTIONS]
    python_peer.py client port=N name=HOST [ca=FILE] [cert=FILE key=FILE] [rounds=N] [bytes=N] [seed=N] [write=N]
                          [OPTIONS]
    OPTIONS: [version=TLSv1.2|TLSv1.3] [ciphers=LIST] [alpn=A,B] [tickets=no]

The server prints {"event": "listening", "port": N}; both print one {"event": "connection", ...} per connection when it
has ended. Byte i of what a client sends is (31 * i + i // 251 + seed) % 256.
"""

import hashlib
import json
import socket
import ssl
import sys
import threading
import time

PERIOD = 64_256
"""After so many bytes the pattern repeats."""

WINDOW = 65_536
"""So many bytes are on their way at most: with more, both ends could wait for each other to read."""

PRINTING = threading.Lock()


def pattern(seed, start, length):
    block = pattern.blocks.get(seed)
    if block is None:
        once = bytes((31 * i + i // 251 + seed) % 256 for i in range(PERIOD))
        block = pattern.blocks[seed] = once * 3
    out = bytearray()
    while len(out) < length:
        at = (start + len(out)) % PERIOD
        out += block[at : at + length - len(out)]
    return bytes(out)


pattern.blocks = {}


def report(**fields):
    with PRINTING:
        print(json.dumps(fields), flush=True)


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


def reason(error):
    return f"{type(error).__name__}: {error}"


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
        fields["error"] = reason(error)
    report(event="connection", **fields)


def run_server(options):
    context = context_for("server", options)
    listener = socket.create_server(("127.0.0.1", int(options.get("port", 0))), backlog=128)
    report(event="listening", port=listener.getsockname()[1])
    while True:
        plain, _ = listener.accept()
        threading.Thread(target=serve, args=(plain, context), daemon=True).start()


def exchange(tls, total, seed, write):
    """Sends the pattern and checks the echo; the number of bytes that came back right."""
    sent = received = 0
    while received < total:
        while sent < total and sent - received < WINDOW:
            chunk = pattern(seed, sent, min(write, total - sent, WINDOW - (sent - received)))
            tls.sendall(chunk)
            sent += len(chunk)
        data = tls.recv(65_536)
        if not data:
            raise EOFError(f"closed after {received} of {total} bytes")
        expected = pattern(seed, received, len(data))
        if data != expected:
            at = next(i for i, pair in enumerate(zip(data, expected)) if pair[0] != pair[1])
            raise ValueError(f"byte {received + at} is {data[at]} where the pattern has {expected[at]}")
        received += len(data)
    return received


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
            total, seed, write = (int(options.get(name, 1)) for name in ("bytes", "seed", "write"))
            fields["bytes"] = exchange(tls, total, seed, write)
            session = tls.session
            # Sends close_notify and waits for the server's, which a server may owe without being wrong.
            try:
                tls.unwrap()
                fields["clean_close"] = True
            except OSError:
                pass
    except (OSError, ValueError, EOFError) as error:
        fields["error"] = reason(error)
    return fields, session


def run_client(options):
    context = context_for("client", options)
    session = None
    for _ in range(int(options.get("rounds", 1))):
        fields, session = connect(context, options, session)
        report(event="connection", **fields)
        if fields["error"]:
            sys.exit(1)
        time.sleep(0.002)


def main():
    role, *arguments = sys.argv[1:]
    options = dict(argument.split("=", 1) for argument in arguments)
    {"server": run_server, "client": run_client}[role](options)


main()
