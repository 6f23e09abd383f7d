#!/usr/bin/env python3
"""One end of an NTLM handshake by another implementation, driven line by line.

    ntlm_peer.py LIBRARY client|server --user U --domain D --password P [--target T] [--bindings HEX] [--negotiate] [--signed] [--level N]

LIBRARY is pyspnego (its own NTLM), gssapi (MIT's libgssapi with gss-ntlmssp), impacket, or samba (ntlm_auth). All but impacket
negotiate, too. With --signed nothing is asked for that encrypts. --level is LmCompatibilityLevel: below 3 a client answers in version 1.
Without a name impacket's client is nobody.

Each line of input is a command, and each has one line of output:

    step HEX        takes a token ("" for the first of a client): "token DONE HEX", DONE 0 or 1
    wrap HEX        signature and ciphertext in one: "data HEX"
    unwrap HEX      "data HEX"
    sign HEX        "data HEX"
    verify HEX HEX  message and signature: "data "
    key             the session key: "data HEX"
    peer            who the other end is: "text …"

What fails is "error …", and the process goes on."""
import argparse, base64, os, subprocess, sys, tempfile


class Pyspnego:
    def __init__(self, a):
        import spnego
        from spnego.channel_bindings import GssChannelBindings
        request = spnego.ContextReq.sequence_detect | spnego.ContextReq.integrity
        if not a.signed:
            request |= spnego.ContextReq.confidentiality
        bindings = GssChannelBindings(application_data=a.bindings) if a.bindings else None
        make = spnego.client if a.role == "client" else spnego.server
        service, _, host = a.target.partition("/")
        options = dict(hostname=host, service=service, protocol="ntlm", context_req=request, channel_bindings=bindings)
        if a.negotiate:
            # Of what it has, its own NTLM alone.
            options.update(protocol="negotiate", options=spnego.NegotiateOptions.use_negotiate)
        if a.role == "client":
            options.update(username=f"{a.domain}\\{a.user}", password=a.password)
        else:
            self.users = tempfile.NamedTemporaryFile("w", suffix=".users")
            self.users.write(f"{a.domain}:{a.user}:{a.password}\n")
            self.users.flush()
            os.environ["NTLM_USER_FILE"] = self.users.name
        self.context = make(**options)

    def step(self, token):
        out = self.context.step(token or None)
        return self.context.complete, out or b""

    def wrap(self, message): return self.context.wrap(message).data
    def unwrap(self, message): return self.context.unwrap(message).data
    def sign(self, message): return self.context.sign(message)
    def verify(self, message, signature): self.context.verify(message, signature)
    def key(self): return self.context.session_key
    def peer(self): return str(self.context.client_principal)


class Gssapi:
    def __init__(self, a):
        import gssapi
        self.gssapi = gssapi
        ntlm = gssapi.OID.from_int_seq("1.3.6.1.4.1.311.2.2.10")
        mech = gssapi.OID.from_int_seq("1.3.6.1.5.5.2") if a.negotiate else ntlm
        flag = gssapi.RequirementFlag
        flags = flag.replay_detection | flag.out_of_sequence_detection | flag.integrity
        if not a.signed:
            flags |= flag.confidentiality
        bindings = gssapi.raw.ChannelBindings(application_data=a.bindings) if a.bindings else None
        if a.role == "client":
            name = gssapi.Name(f"{a.domain}\\{a.user}", gssapi.NameType.user)
            raw = gssapi.raw.acquire_cred_with_password(name, a.password.encode(), usage="initiate", mechs=[mech])
            if a.negotiate:
                gssapi.raw.set_neg_mechs(raw.creds, [ntlm])
            service, _, host = a.target.partition("/")
            target = gssapi.Name(f"{service}@{host}", gssapi.NameType.hostbased_service)
            self.context = gssapi.SecurityContext(name=target, mech=mech, flags=flags, creds=gssapi.Credentials(raw.creds),
                                                  usage="initiate", channel_bindings=bindings)
        else:
            self.users = tempfile.NamedTemporaryFile("w", suffix=".users")
            self.users.write(f"{a.domain}:{a.user}:{a.password}\n")
            self.users.flush()
            os.environ["NTLM_USER_FILE"] = self.users.name
            self.context = gssapi.SecurityContext(creds=gssapi.Credentials(usage="accept", mechs=[mech]), usage="accept",
                                                  channel_bindings=bindings)

    def step(self, token):
        # A server that is given nothing speaks first.
        out = self.context.step(token or (None if self.context.usage == "initiate" else b""))
        return self.context.complete, out or b""

    def wrap(self, message): return self.context.wrap(message, True).message
    def unwrap(self, message): return self.context.unwrap(message).message
    def sign(self, message): return self.context.get_signature(message)
    def verify(self, message, signature): self.context.verify_signature(message, signature)

    def key(self):
        oid = self.gssapi.OID.from_int_seq("1.2.840.113554.1.2.2.5.5")
        return self.gssapi.raw.inquire_sec_context_by_oid(self.context, oid)[0]

    def peer(self): return str(self.context.initiator_name)


class Impacket:
    """As client its functions in a row, as its protocols call them; as server what its SMB server does."""

    def __init__(self, a):
        from impacket import ntlm
        self.ntlm, self.a, self.exported = ntlm, a, None

    def step(self, token):
        return self.client(token) if self.a.role == "client" else self.server(token)

    def client(self, token):
        ntlm, a = self.ntlm, self.a
        if not token:
            self.negotiate = ntlm.getNTLMSSPType1("", "", signingRequired=True, use_ntlmv2=a.level > 2)
            if a.signed:
                self.negotiate["flags"] &= ~ntlm.NTLMSSP_NEGOTIATE_SEAL
            return False, self.negotiate.getData()
        bindings = self.hash(a.bindings) if a.bindings else b""
        answer, self.exported = ntlm.getNTLMSSPType3(
            self.negotiate, token, a.user, a.password, a.domain, use_ntlmv2=a.level > 2, channel_binding_value=bindings)
        self.begin(answer["flags"])
        return True, answer.getData()

    def server(self, token):
        from impacket.smbserver import computeNTLMv2
        ntlm, a = self.ntlm, self.a
        if token[8] == 1:
            self.negotiate = ntlm.NTLMAuthNegotiate()
            self.negotiate.fromString(token)
            pairs = ntlm.AV_PAIRS()
            for name in (ntlm.NTLMSSP_AV_HOSTNAME, ntlm.NTLMSSP_AV_DOMAINNAME):
                pairs[name] = "IMPACKET".encode("utf-16le")
            self.challenge = ntlm.NTLMAuthChallenge()
            self.challenge["flags"] = self.negotiate["flags"] | ntlm.NTLMSSP_NEGOTIATE_TARGET_INFO
            # It has a version only where it is given one.
            self.challenge["flags"] &= ~ntlm.NTLMSSP_NEGOTIATE_VERSION
            self.challenge["challenge"] = os.urandom(8)
            name = "IMPACKET".encode("utf-16le")
            self.challenge["domain_len"] = self.challenge["domain_max_len"] = len(name)
            self.challenge["domain_offset"] = 40 + 16
            self.challenge["domain_name"] = name
            self.challenge["Version"], self.challenge["VersionLen"] = b"\xff" * 8, 8
            self.challenge["TargetInfoFields_len"] = self.challenge["TargetInfoFields_max_len"] = len(pairs)
            self.challenge["TargetInfoFields"] = pairs
            self.challenge["TargetInfoFields_offset"] = 40 + 16 + len(name)
            return False, self.challenge.getData()
        answer = ntlm.NTLMAuthChallengeResponse()
        answer.fromString(token)
        # It finds every field by its offset but this one.
        at = answer["session_key_offset"]
        answer["session_key"] = token[at:at + answer["session_key_len"]]
        user = answer["user_name"].decode("utf-16le")
        nt_hash, lm_hash = ntlm.compute_nthash(a.password), ntlm.compute_lmhash(a.password)
        status, self.exported = computeNTLMv2(
            user, lm_hash, nt_hash, self.challenge["challenge"], answer, self.challenge, self.negotiate)
        if status != 0 or user != a.user:
            raise RuntimeError(f"logon failure {status:#x}")
        self.name = f"{answer['domain_name'].decode('utf-16le')}\\{user}"
        self.begin(answer["flags"])
        return True, b""

    @staticmethod
    def hash(data):
        import hashlib, struct
        return hashlib.md5(b"\0" * 16 + struct.pack("<I", len(data)) + data).digest()

    def begin(self, flags):
        from Cryptodome.Cipher import ARC4
        self.flags, self.numbers = flags, [0, 0]
        sides = ["Client", "Server"] if self.a.role == "client" else ["Server", "Client"]
        self.sign_keys = [self.ntlm.SIGNKEY(flags, self.exported, side) for side in sides]
        self.streams = [ARC4.new(self.ntlm.SEALKEY(flags, self.exported, side)).encrypt for side in sides]

    def protect(self, way, signed, sealed):
        self.numbers[way] += 1
        number = self.numbers[way] - 1
        if sealed is None:
            return None, self.ntlm.SIGN(self.flags, self.sign_keys[way], signed, number, self.streams[way]).getData()
        data, signature = self.ntlm.SEAL(
            self.flags, self.sign_keys[way], None, signed, sealed, number, self.streams[way])
        return data, signature.getData()

    def wrap(self, message):
        data, signature = self.protect(0, message, message)
        return signature + data

    def unwrap(self, message):
        plain = self.streams[1](message[16:])
        _, signature = self.protect(1, plain, None)
        if signature != message[:16]:
            raise RuntimeError("the signature is another one")
        return plain

    def sign(self, message): return self.protect(0, message, None)[1]

    def verify(self, message, signature):
        if self.protect(1, message, None)[1] != signature:
            raise RuntimeError("the signature is another one")

    def key(self): return self.exported
    def peer(self): return self.name


class Samba:
    """Samba's ntlm_auth, which knows keys but signs nothing. As server it compares with the password that it is given."""

    def __init__(self, a):
        self.a, self.begun, self.user = a, False, ""
        protocol = {"client": "ntlmssp-client-1", "server": "squid-2.5-ntlmssp"}[a.role]
        if a.negotiate:
            protocol = {"client": "gss-spnego-client", "server": "gss-spnego"}[a.role]
        self.folder = tempfile.TemporaryDirectory()
        settings = "".join(f"{kind} directory = {self.folder.name}\n" for kind in ("state", "cache", "lock", "pid", "private"))
        with open(f"{self.folder.name}/smb.conf", "w") as conf:
            conf.write(f"[global]\nworkgroup = {a.domain}\nnetbios name = SAMBA\n{settings}")
            if a.level < 3:
                conf.write("client NTLMv2 auth = no\nntlm auth = ntlmv1-permitted\n")
        self.process = subprocess.Popen(
            ["ntlm_auth", f"--helper-protocol={protocol}", f"--username={a.user}", f"--domain={a.domain}",
             f"--password={a.password}", f"--configfile={self.folder.name}/smb.conf"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer:
            raise RuntimeError("ntlm_auth ended")
        return (answer.split(" ", 1) + [""])[:2]

    def step(self, token):
        if not self.begun:
            # It takes what is asked of a context first.
            seal = "" if self.a.signed else " NTLMSSP_FEATURE_SEAL"
            self.ask(f"SF NTLMSSP_FEATURE_SESSION_KEY NTLMSSP_FEATURE_SIGN{seal}")
        word = "TT" if self.begun and self.a.role == "client" else "KK" if self.begun else "YR"
        self.begun = True
        encoded = base64.b64encode(token).decode()
        kind, rest = self.ask(f"{word} {encoded}".strip())
        if kind in ("YR", "KK", "AF") and self.a.role == "client":
            return kind == "AF" or word == "TT" and not self.a.negotiate, base64.b64decode(rest)
        if kind == "TT":
            return False, base64.b64decode(rest)
        if kind == "AF":
            # Its last token, or an asterisk, stands before the name where it negotiates.
            token, _, self.user = rest.partition(" ") if self.a.negotiate else ("*", "", rest)
            return True, b"" if token == "*" else base64.b64decode(token)
        raise RuntimeError(f"{kind} {rest}")

    def key(self):
        kind, rest = self.ask("GK")
        if kind != "GK":
            raise RuntimeError(f"{kind} {rest}")
        return base64.b64decode(rest)

    def peer(self): return self.user


def answer(context, line):
    command, *arguments = line.split(" ")
    arguments = [bytes.fromhex(argument) for argument in arguments]
    if command == "step":
        done, token = context.step(*arguments)
        return f"token {int(done)} {token.hex()}"
    if command == "peer":
        return f"text {context.peer()}"
    return f"data {(getattr(context, command)(*arguments) or b'').hex()}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("library", choices=["pyspnego", "gssapi", "impacket", "samba"])
    parser.add_argument("role", choices=["client", "server"])
    for name in ("user", "domain", "password"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--target", default="host/localhost")
    parser.add_argument("--negotiate", action="store_true")
    parser.add_argument("--signed", action="store_true")
    parser.add_argument("--level", type=int, default=3)
    parser.add_argument("--bindings", type=bytes.fromhex, default=b"")
    a = parser.parse_args()
    # pyspnego and gss-ntlmssp look there.
    os.environ["LM_COMPAT_LEVEL"] = str(a.level)
    context = {"pyspnego": Pyspnego, "gssapi": Gssapi, "impacket": Impacket, "samba": Samba}[a.library](a)
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            print(answer(context, line.rstrip("\n")), flush=True)
        except Exception as error:
            print("error", type(error).__name__, str(error).replace("\n", " "), flush=True)


main()
