"""http_ntlm.py client URL USER PASSWORD [CA]: two requests over one connection with NTLM by requests-ntlm; prints each status and
the text, as lines of JSON. http_ntlm.py server PORT DOMAIN:USER:PASSWORD: a server that authenticates its connections with
pyspnego; prints "ready"."""

import base64
import json
import os
import sys
import tempfile


def client(url, user, password, ca=None):
    import requests
    from requests_ntlm import HttpNtlmAuth

    session = requests.Session()
    session.auth = HttpNtlmAuth(user, password, send_cbt=True)
    session.verify = ca or True
    # Whatever the environment trusts.
    session.trust_env = False
    for _ in range(2):
        answer = session.post(url, data=b"a=1", timeout=20)
        print(json.dumps({"status": answer.status_code, "text": answer.text}), flush=True)


def server(port, account):
    import http.server

    import spnego

    with tempfile.NamedTemporaryFile("w", delete=False) as accounts:
        accounts.write(account + "\n")
    os.environ["NTLM_USER_FILE"] = accounts.name

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
            if not said.startswith("NTLM "):
                return self.answer(401, b"who?", "NTLM")
            try:
                if self.context is None:
                    self.context = spnego.server(hostname="localhost", service="HTTP", protocol="ntlm")
                token = self.context.step(base64.b64decode(said[5:]))
            except Exception as error:
                self.context = None
                return self.answer(401, type(error).__name__.encode(), "NTLM")
            if not self.context.complete:
                return self.answer(401, b"go on", "NTLM " + base64.b64encode(token).decode())
            self.user, self.context = self.context.client_principal, None
            return self.answer(200, self.user.encode() + b" " + body)

        def log_message(self, *_):
            pass

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    print("ready", flush=True)
    listening.serve_forever()


{"client": client, "server": server}[sys.argv[1]](*sys.argv[2:])
