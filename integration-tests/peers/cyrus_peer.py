#!/usr/bin/env python3
"""One end of DIGEST-MD5 by Cyrus SASL's library, driven line by line as ntlm_peer.py is.

    cyrus_peer.py client|server USER PASSWORD REALM SERVICE HOST STRENGTH MAXBUF

STRENGTH is what the library calls security strength factor: 0 is no layer, 1 protects against changes, and 128 is rc4.
MAXBUF is the longest message that it takes, in bytes. Beside the commands of the others there is

    again    another connection of the same process, which remembers what it remembers of those before"""
import ctypes, os, sys, tempfile

sasl = ctypes.CDLL("libsasl2.so.2")
Text, Number, Pointer = ctypes.c_char_p, ctypes.c_uint, ctypes.c_void_p
for name in ("client_new", "client_start", "client_step", "server_new", "server_start", "server_step",
             "setprop", "setpass", "encode", "decode"):
    getattr(sasl, f"sasl_{name}").restype = ctypes.c_int
sasl.sasl_errdetail.restype = Text
sasl.sasl_errdetail.argtypes = [Pointer]
sasl.sasl_dispose.argtypes = [Pointer]

OK, CONTINUE, FAILED = 0, 1, -1
# SASL_CB_*, SASL_SEC_PROPS, SASL_SUCCESS_DATA, SASL_SET_CREATE.
GETOPT, LOG, USER, AUTHNAME, PASS, GETREALM = 1, 2, 0x4001, 0x4002, 0x4004, 0x4008
SECURITY, SUCCESS_DATA, CREATE = 101, 4, 1

GetOption = ctypes.CFUNCTYPE(ctypes.c_int, Pointer, Text, Text, ctypes.POINTER(Text), ctypes.POINTER(Number))
GetName = ctypes.CFUNCTYPE(ctypes.c_int, Pointer, ctypes.c_int, ctypes.POINTER(Text), ctypes.POINTER(Number))
GetSecret = ctypes.CFUNCTYPE(ctypes.c_int, Pointer, Pointer, ctypes.c_int, ctypes.POINTER(Pointer))
GetRealm = ctypes.CFUNCTYPE(ctypes.c_int, Pointer, ctypes.c_int, Pointer, ctypes.POINTER(Text))
Log = ctypes.CFUNCTYPE(ctypes.c_int, Pointer, ctypes.c_int, Text)


class Callback(ctypes.Structure):
    _fields_ = [("id", ctypes.c_ulong), ("procedure", Pointer), ("context", Pointer)]


class Security(ctypes.Structure):
    _fields_ = [("least", Number), ("most", Number), ("maxbuf", Number), ("flags", Number),
                ("names", Pointer), ("values", Pointer)]


class Refused(Exception):
    pass


class End:
    def __init__(self, role, user, password, realm, service, host, strength, maxbuf):
        self.role, self.user, self.realm, self.service, self.host = role, user, realm, service, host
        self.security = Security(int(strength), int(strength), int(maxbuf), 0, None, None)
        self.said = ""
        self.folder = tempfile.TemporaryDirectory()
        # A server remembers for so many minutes whom it had; by default it does not.
        options = {b"auxprop_plugin": b"sasldb", b"sasldb_path": os.path.join(self.folder.name, "db").encode(),
                   b"reauth_timeout": b"10"}
        # sasl_secret_t: its length, and what it is.
        self.secret = ctypes.create_string_buffer(
            len(password).to_bytes(ctypes.sizeof(ctypes.c_ulong), sys.byteorder) + password.encode())

        def option(_, plugin, name, value, length):
            if name not in options:
                return FAILED
            value[0] = options[name]
            if length:
                length[0] = len(options[name])
            return OK

        def name(_, which, value, length):
            value[0] = user.encode()
            if length:
                length[0] = len(user.encode())
            return OK

        def secret(_, context, which, value):
            value[0] = ctypes.addressof(self.secret)
            return OK

        def its_realm(_, which, offered, value):
            value[0] = realm.encode()
            return OK

        def log(_, level, message):
            self.said = message.decode(errors="replace")
            print(self.said, file=sys.stderr, flush=True)
            return OK

        name = GetName(name)
        procedures = {GETOPT: GetOption(option), LOG: Log(log), USER: name, AUTHNAME: name,
                      PASS: GetSecret(secret), GETREALM: GetRealm(its_realm)}
        self.procedures = procedures
        known = (Callback * (len(procedures) + 1))()
        for place, (which, procedure) in enumerate(procedures.items()):
            known[place] = Callback(which, ctypes.cast(procedure, Pointer), None)
        self.known, self.connection = known, Pointer()
        if role == "client":
            self.check(sasl.sasl_client_init(known))
        else:
            self.check(sasl.sasl_server_init(known, b"cyrus_peer"))
        self.again()
        if role == "server":
            password = password.encode()
            self.check(sasl.sasl_setpass(
                self.connection, user.encode(), password, len(password), None, 0, CREATE))
            self.again()

    def check(self, code):
        if code not in (OK, CONTINUE):
            detail = sasl.sasl_errdetail(self.connection) if self.connection else None
            raise Refused(f"{code}: {(detail or b'').decode(errors='replace')}; {self.said}".replace("\n", " "))
        return code == OK

    def again(self):
        if self.connection:
            sasl.sasl_dispose(ctypes.byref(self.connection))
        self.connection, self.has_begun = Pointer(), False
        service, host, made = self.service.encode(), self.host.encode(), ctypes.byref(self.connection)
        if self.role == "client":
            self.check(sasl.sasl_client_new(service, host, None, None, None, SUCCESS_DATA, made))
        else:
            realm = self.realm.encode()
            self.check(sasl.sasl_server_new(service, host, realm, None, None, None, SUCCESS_DATA, made))
        self.check(sasl.sasl_setprop(self.connection, SECURITY, ctypes.byref(self.security)))

    def step(self, token):
        out, length = Pointer(), Number()
        said = ctypes.byref(out), ctypes.byref(length)
        begins, self.has_begun = not self.has_begun, True
        if self.role == "client" and begins:
            code = sasl.sasl_client_start(self.connection, b"DIGEST-MD5", None, *said, None)
        elif self.role == "client":
            code = sasl.sasl_client_step(self.connection, token, len(token), None, *said)
        elif begins:
            # Nothing, where the client says nothing first, is not the same as what is empty.
            code = sasl.sasl_server_start(self.connection, b"DIGEST-MD5", token or None, len(token), *said)
        else:
            code = sasl.sasl_server_step(self.connection, token, len(token), *said)
        done = self.check(code)
        return done, ctypes.string_at(out, length.value) if out and length.value else b""

    def data(self, name, data):
        out, length = Pointer(), Number()
        self.check(getattr(sasl, f"sasl_{name}")(
            self.connection, data, len(data), ctypes.byref(out), ctypes.byref(length)))
        return ctypes.string_at(out, length.value) if out and length.value else b""


end = End(*sys.argv[1:])
print("ready", flush=True)
for line in sys.stdin:
    command, _, data = line.rstrip("\n").partition(" ")
    try:
        data = bytes.fromhex(data)
        if command == "again":
            end.again()
            print("data", flush=True)
        elif command == "step":
            done, token = end.step(data)
            print(f"token {int(done)} {token.hex()}", flush=True)
        else:
            name = {"wrap": "encode", "unwrap": "decode"}[command]
            print(f"data {end.data(name, data).hex()}", flush=True)
    except Refused as error:
        print("error", error, flush=True)
