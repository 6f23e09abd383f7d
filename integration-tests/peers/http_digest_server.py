"""http_digest_server.py PORT: a server of HTTP Digest on hashlib alone, with what RFC 7616 has and other servers do not. Prints
"ready". It knows alice, and the user of RFC 7616 section 3.9.2. What it asks for is said in the query of the target:

    algorithm=A     MD5, SHA-256, SHA-512-256, each with -sess behind it or not
    qop=Q           auth, auth-int, both with a comma between them, or none, as in RFC 2069
    userhash=1      names may be hashed
    uses=N          a nonce is stale when it was used as often
    next=1          each response names the next nonce, and a nonce is stale when it was used
    opaque=quoted   the opaque value has a quotation mark in it
    proof=wrong     what should prove that it knows the password does not; proof=none leaves it out

It answers with one line of JSON: the user, the algorithm and the quality of the request, its body, and how many requests this
connection has brought."""

import hashlib
import http.server
import json
import re
import secrets
import sys
import urllib.parse

REALM = "corp.test"
USERS = {"alice": "alice-pw", "J\u00e4s\u00f8n Doe": "Secret, or whoa?"}
HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
OPAQUE = {"quoted": '"opaque", they say'}
DIRECTIVE = re.compile(r'([A-Za-z*]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


def hashed(algorithm, *parts):
    data = ":".join(parts).encode()
    return hashlib.new(HASHES[algorithm.removesuffix("-sess")], data).hexdigest()


def directives(field):
    # The module has read it as Latin-1.
    field = field.encode("latin-1").decode("utf-8", "replace")
    return {name.lower(): re.sub(r"\\(.)", r"\1", quoted) or token for name, quoted, token in DIRECTIVE.findall(field)}


def opaque_of(asked):
    return OPAQUE.get(asked.get("opaque"), "opaque")


def user_of(said, algorithm):
    """Whom a response is about: their name, or None."""
    if "username*" in said:
        charset, _, name = said["username*"].split("'", 2)
        name = urllib.parse.unquote(name, charset)
    elif said.get("userhash") == "true":
        return next((user for user in USERS if hashed(algorithm, user, REALM) == said["username"]), None)
    else:
        name = said.get("username")
    return name if name in USERS else None


class Logon:
    """What one response claims, and what would be true."""

    def __init__(self, said, asked, method, body):
        self.said, self.method = said, method
        self.algorithm, self.qop = asked["algorithm"], said.get("qop")
        self.user = user_of(said, self.algorithm)
        if self.user is None or said.get("realm") != REALM or said.get("algorithm", "MD5") != self.algorithm:
            raise ValueError("user, realm or algorithm")
        if (self.qop or "none") not in asked["qop"].split(","):
            raise ValueError("qop")
        self.secret = hashed(self.algorithm, self.user, REALM, USERS[self.user])
        if self.algorithm.endswith("-sess"):
            self.secret = hashed(self.algorithm, self.secret, said["nonce"], said["cnonce"])
        if said["response"] != self.value(method, body):
            raise ValueError("response")

    def value(self, method, body):
        what = [method, self.said["uri"]]
        if self.qop == "auth-int":
            what.append(hashlib.new(HASHES[self.algorithm.removesuffix("-sess")], body).hexdigest())
        between = [self.said["nonce"]]
        if self.qop:
            between += [self.said["nc"], self.said["cnonce"], self.qop]
        return hashed(self.algorithm, self.secret, *between, hashed(self.algorithm, *what))

    def proof(self, body):
        value = self.value("", body)
        fields = [f'rspauth="{value}"']
        if self.qop:
            fields += [f"qop={self.qop}", f"nc={self.said['nc']}", f'cnonce="{self.said["cnonce"]}"']
        return fields


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    nonces = {}

    def setup(self):
        super().setup()
        self.requests = 0

    def new_nonce(self):
        nonce = secrets.token_urlsafe(18)
        self.nonces[nonce] = 0
        return nonce

    def answer(self, status, body, **fields):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def challenge(self, asked, stale, why):
        opaque = opaque_of(asked).replace('"', '\\"')
        fields = [f'realm="{REALM}"', f'nonce="{self.new_nonce()}"', f'opaque="{opaque}"',
                  f"algorithm={asked['algorithm']}", "charset=UTF-8"]
        if asked["qop"] != "none":
            fields.append(f'qop="{asked["qop"]}"')
        if "userhash" in asked:
            fields.append("userhash=true")
        if stale:
            fields.append("stale=true")
        self.answer(401, why.encode(), WWW_Authenticate="Digest " + ", ".join(fields))

    def is_fresh(self, asked, said):
        """Whether the nonce can still be used, and its count goes on."""
        nonce, uses = said.get("nonce"), 1 if "next" in asked else int(asked.get("uses", 1000))
        if self.nonces.get(nonce, uses) >= uses:
            return False
        count = int(said["nc"], 16) if "nc" in said else self.nonces[nonce] + 1
        if count != self.nonces[nonce] + 1:
            return False
        self.nonces[nonce] = count
        return True

    def do_GET(self):
        self.requests += 1
        received = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        field = self.headers.get("Authorization", "")
        if not field.startswith("Digest "):
            return self.challenge(asked, False, "who?")
        said = directives(field[7:])
        if said.get("uri") != self.path or said.get("opaque") != opaque_of(asked):
            return self.answer(400, b"another target, or an opaque value of somebody else")
        try:
            logon = Logon(said, asked, self.command, received)
        except (ValueError, KeyError) as error:
            print(repr(error), file=sys.stderr, flush=True)
            return self.challenge(asked, False, "refused")
        if not self.is_fresh(asked, said):
            return self.challenge(asked, True, "stale")
        body = json.dumps({"user": logon.user, "algorithm": logon.algorithm, "qop": logon.qop or "none",
                           "body": received.decode(), "requests": self.requests}).encode()
        proof = [] if asked.get("proof") == "none" else logon.proof(body)
        if asked.get("proof") == "wrong":
            proof[0] = 'rspauth="' + hashed(logon.algorithm, "forged") + '"'
        if "next" in asked:
            proof.append(f'nextnonce="{self.new_nonce()}"')
        return self.answer(200, body, **({"Authentication_Info": ", ".join(proof)} if proof else {}))

    do_POST = do_GET

    def log_message(self, *_):
        pass


listening = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
listening.daemon_threads = True
print("ready", flush=True)
listening.serve_forever()
