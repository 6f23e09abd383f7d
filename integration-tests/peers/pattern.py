"""What the Python programs beside this file share: what is sent, how it is checked, and how a connection is reported.

A program is called as `server name=value ...` or `client name=value ...`. The values that all of them know:

    port=N           a server's may be left out: any that is free
    name=HOST        client: the server's name
    cert=FILE key=FILE   PEM; the key is PKCS#8
    ca=FILE          whom to trust, PEM; with clients=request|require whose client certificates a server takes
    version=SSLv3|TLSv1|TLSv1.1|TLSv1.2|TLSv1.3
    ciphers=A,B      suites in the program's own words
    each=yes         client: one connection for each of the ciphers, offering that one only
    rounds=N         client: so many connections of each kind, one after the other, resuming sessions
    bytes=N seed=N   client: so many bytes of the pattern, and back
    get=PATH         client: nothing is sent but an HTTP request for a file, of so many bytes of the pattern with seed 2
    fragments=yes|no whether records of CBC suites are split in SSL 3.0 and TLS 1.0, for programs that can choose
    empty=yes        a record without content goes before each piece of data, for programs that can send one
    write=N|A-B      client: bytes to a write; A-B: A, A+1, ... B and again from A

A server prints {"event": "listening", "port": N}; both print one {"event": "connection", ...} per connection when it has
ended. Byte i of what a client sends is (31 * i + i // 251 + seed) % 256.
"""

import itertools
import json
import socket
import sys
import threading

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


def reason(error):
    return f"{type(error).__name__}: {error}"


def listen(options):
    """A listener on 127.0.0.1, and where it is reported."""
    listener = socket.create_server(("127.0.0.1", int(options.get("port", 0))), backlog=128)
    report(event="listening", port=listener.getsockname()[1])
    return listener


def write_sizes(options):
    """How many bytes each write has, without end."""
    first, _, last = options.get("write", "16384").partition("-")
    return itertools.cycle(range(int(first), int(last or first) + 1))


def exchange(send, receive, options, window=WINDOW):
    """Sends the pattern and checks the echo; the number of bytes that came back right.

    `send` takes bytes, `receive` gives some, and none at the end.
    """
    total, seed = (int(options.get(name, 1)) for name in ("bytes", "seed"))
    if "get" in options:
        return fetch(send, receive, options["get"], total)
    sizes = write_sizes(options)
    sent = received = 0
    size = next(sizes)
    while received < total:
        # No write is cut short to fit: it waits until there is room for all of it.
        while sent < total and (length := min(size, total - sent, window)) <= window - (sent - received):
            send(pattern(seed, sent, length))
            sent += length
            size = next(sizes)
        data = receive()
        if not data:
            raise EOFError(f"closed after {received} of {total} bytes")
        check(data, seed, received)
        received += len(data)
    return received


def fetch(send, receive, path, total):
    """Asks for a file and checks it."""
    send(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    answer = b""
    body = -1
    while body < 0 or len(answer) < body + total:
        data = receive()
        if not data:
            raise EOFError(f"closed after {len(answer)} bytes")
        answer += data
        body = answer.find(b"\r\n\r\n") + 4 if b"\r\n\r\n" in answer else -1
    check(answer[body : body + total], 2, 0)
    return total


def check(data, seed, start):
    expected = pattern(seed, start, len(data))
    if data != expected:
        at = next(i for i, pair in enumerate(zip(data, expected)) if pair[0] != pair[1])
        raise ValueError(f"byte {start + at} is {data[at]} where the pattern has {expected[at]}")


def offers(options):
    """The cipher lists that a client offers, one after the other."""
    ciphers = options.get("ciphers")
    return ciphers.split(",") if options.get("each") == "yes" else [ciphers]


def run_client(connect, options):
    """Connects as often as the options say. `connect(ciphers, session)` gives the report's fields and the next session.

    A connection that fails ends the rounds of its ciphers.
    """
    failed = False
    for ciphers in offers(options):
        session = None
        for _ in range(int(options.get("rounds", 1))):
            fields, session = connect(ciphers, session)
            report(event="connection", **fields)
            if fields["error"]:
                failed = True
                break
    sys.exit(1 if failed else 0)


def main(server, client):
    role, *arguments = sys.argv[1:]
    options = dict(argument.split("=", 1) for argument in arguments)
    {"server": server, "client": client}[role](options)
