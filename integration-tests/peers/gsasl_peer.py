#!/usr/bin/env python3
"""One end of DIGEST-MD5 by GNU SASL's library, driven line by line as ntlm_peer.py is.

    gsasl_peer.py client|server USER PASSWORD REALM SERVICE HOST QOP[,QOP]

QOP is qop-auth or qop-int; the library has qop-conf by name only, and fails. A server offers all that it is given."""
import ctypes, sys

gsasl = ctypes.CDLL("libgsasl.so.18")
gsasl.gsasl_strerror.restype = ctypes.c_char_p
session_arguments = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p]
for name in ("step", "encode", "decode"):
    getattr(gsasl, f"gsasl_{name}").argtypes = session_arguments
gsasl.gsasl_property_set.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p]
Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)

OK, NEEDS_MORE, NO_CALLBACK = 0, 1, 51
# GSASL_AUTHID, _PASSWORD, _SERVICE, _HOSTNAME, _REALM, and _QOP for clients, _QOPS for servers.
AUTHID, PASSWORD, SERVICE, HOSTNAME, REALM, QOPS, QOP = 1, 3, 5, 6, 11, 13, 14


class Refused(Exception):
    pass


def check(code):
    if code not in (OK, NEEDS_MORE):
        raise Refused(gsasl.gsasl_strerror(code).decode())
    return code == OK


class End:
    def __init__(self, role, user, password, realm, service, host, qop):
        known = {PASSWORD: password, SERVICE: service, HOSTNAME: host, REALM: realm}
        known.update({AUTHID: user, QOP: qop} if role == "client" else {QOPS: qop.replace(",", ", ")})

        def answer(_, session, wanted):
            if wanted not in known:
                return NO_CALLBACK
            gsasl.gsasl_property_set(session, wanted, known[wanted].encode())
            return OK

        self.library, self.session, self.answer = ctypes.c_void_p(), ctypes.c_void_p(), Callback(answer)
        check(gsasl.gsasl_init(ctypes.byref(self.library)))
        gsasl.gsasl_callback_set(self.library, self.answer)
        start = getattr(gsasl, f"gsasl_{role}_start")
        check(start(self.library, b"DIGEST-MD5", ctypes.byref(self.session)))

    def call(self, name, data):
        out, length = ctypes.c_void_p(), ctypes.c_size_t()
        done = check(getattr(gsasl, f"gsasl_{name}")(
            self.session, data, len(data), ctypes.byref(out), ctypes.byref(length)))
        return done, ctypes.string_at(out, length.value) if length.value else b""


end = End(*sys.argv[1:])
print("ready", flush=True)
for line in sys.stdin:
    command, _, data = line.rstrip("\n").partition(" ")
    try:
        name = {"step": "step", "wrap": "encode", "unwrap": "decode"}[command]
        done, data = end.call(name, bytes.fromhex(data))
        print(f"token {int(done)} {data.hex()}" if command == "step" else f"data {data.hex()}", flush=True)
    except Refused as error:
        print("error", error, flush=True)
