#!/usr/bin/env python3
"""neon_peer.py METHOD PORT TARGET USER PASSWORD: two requests over one connection with HTTP Digest by neon, which compares what a
server says to prove that it knows the password. Prints for each the status, the text, and what neon has against it (nothing where
all is well), as a line of JSON."""
import ctypes
import json
import sys

neon = ctypes.CDLL("libneon.so.27")
for name in ("ne_session_create", "ne_request_create"):
    getattr(neon, name).restype = ctypes.c_void_p
neon.ne_get_error.restype = ctypes.c_char_p
Credentials = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_uint, ctypes.c_char_p,
                               ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
Read = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)

# NE_AUTH_DIGEST, with NE_AUTH_LEGACY_DIGEST for servers of RFC 2069.
DIGEST = 0x0080 | 0x0002


class Status(ctypes.Structure):
    _fields_ = [("major", ctypes.c_int), ("minor", ctypes.c_int), ("code", ctypes.c_int), ("klass", ctypes.c_int)]


neon.ne_get_status.restype = ctypes.POINTER(Status)
method, port, target, user, password = (argument.encode() for argument in sys.argv[1:])


@Credentials
def credentials(_, attempt, __, ___, name, secret, room):
    ctypes.memmove(name, user + b"\0", min(len(user) + 1, room))
    ctypes.memmove(secret, password + b"\0", min(len(password) + 1, room))
    return attempt


@Read
def read(_, data, length):
    received.append(ctypes.string_at(data, length))
    return 0


neon.ne_sock_init()
session = ctypes.c_void_p(neon.ne_session_create(b"http", b"127.0.0.1", int(port)))
neon.ne_add_auth(session, DIGEST, credentials, None)
for _ in range(2):
    received = []
    request = ctypes.c_void_p(neon.ne_request_create(session, method, target))
    if method == b"POST":
        neon.ne_set_request_body_buffer(request, b"a=1", ctypes.c_size_t(3))
    neon.ne_add_response_body_reader(request, neon.ne_accept_2xx, read, None)
    failed = neon.ne_request_dispatch(request)
    said = {"status": neon.ne_get_status(request).contents.code, "text": b"".join(received).decode(),
            "against": neon.ne_get_error(session).decode() if failed else ""}
    print(json.dumps(said), flush=True)
    neon.ne_request_destroy(request)
