"""http_ntlm.py client URL USER PASSWORD bound|unbound [CA]: two requests over one connection with NTLM by requests-ntlm; prints each
status and the text, as lines of JSON. http_ntlm.py server PORT DOMAIN:USER:PASSWORD ntlm|negotiate [PEM]: a server that authenticates
its connections with pyspnego; prints "ready". With a certificate and its key it speaks TLS, and takes nobody who is bound to another
one; pyspnego takes bindings that are zero, which say that a client has none."""

import base64
import json
import os
import sys
import tempfile


def client(url, user, password, binding, ca=None):
    import requests
    from requests_ntlm import HttpNtlmAuth

    session = requests.Session()
    session.auth = HttpNtlmAuth(user, password, send_cbt=binding == "bound")
    session.verify = ca or True
    # Whatever the environment trusts.
    session.trust_env = False
    for _ in range(2):
        answer = session.post(url, data=b"a=1", timeout=20)
        print(json.dumps({"status": answer.status_code, "text": answer.text}), flush=True)


def server(port, account, protocol, certificate=None):
    import hashlib
    import http.server
    import ssl

    import spnego
    from spnego.channel_bindings import GssChannelBindings

    with tempfile.NamedTemporaryFile("w", delete=False) as accounts:
        accounts.write(account + "\n")
    os.environ["NTLM_USER_FILE"] = accounts.name

    scheme, options, bindings = "NTLM", spnego.NegotiateOptions.none, None
    if protocol == "negotiate":
        scheme, options = "Negotiate", spnego.NegotiateOptions.use_negotiate
    if certificate:
        with open(certificate) as file:
            text = file.read()
        end = "-----END CERTIFICATE-----"
        first = ssl.PEM_cert_to_DER_cert(text[:text.index(end)] + end)
        data = b"tls-server-end-point:" + hashlib.sha256(first).digest()
        bindings = GssChannelBindings(application_data=data)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self):
            super().setup()
            self.context, self.user = None, None

        def answer(self, status, text, challenge=None):
            self.send_response(status)
            if challenge:
                self.send_header("WWW-Authenticate", challenge)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            said = self.headers.get("Authorization", "")
            if not said and self.user:
                return self.answer(200, self.user.encode() + b" " + body)
            if not said.startswith(scheme + " "):
                return self.answer(401, b"who?", scheme)
            try:
                if self.context is None:
                    self.context = spnego.server(
                        hostname="localhost", service="HTTP", protocol=protocol, options=options, channel_bindings=bindings)
                token = self.context.step(base64.b64decode(said[len(scheme) + 1:]))
            except Exception as error:
                self.context = None
                print(repr(error), file=sys.stderr, flush=True)
                return self.answer(401, type(error).__name__.encode(), scheme)
            challenge = scheme + " " + base64.b64encode(token).decode() if token else None
            if not self.context.complete:
                return self.answer(401, b"go on", challenge)
            self.user, self.context = self.context.client_principal, None
            return self.answer(200, self.user.encode() + b" " + body, challenge)

        def log_message(self, *_):
            pass

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        listening.socket = tls.wrap_socket(listening.socket, server_side=True)
    print("ready", flush=True)
    listening.serve_forever()


{"client": client, "server": server}[sys.argv[1]](*sys.argv[2:])
