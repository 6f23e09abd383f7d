"""http_digest.py LIBRARY METHOD URL USER PASSWORD [TIMES]: requests with Digest by a library of Python, one unless TIMES says more,
one after the other with what the library remembers. Prints of the last one the status, and the quality of protection that the
library chose, and of all how often a nonce was called stale, as one line of JSON. httpx-2 is httpx over HTTP/2."""

import json
import re
import sys

library, method, url, user, password = sys.argv[1:6]
times = int(sys.argv[6]) if len(sys.argv) > 6 else 1
body = b"a=1&b=2" if method == "POST" else None
challenges = []


def qop(authorization):
    found = re.search(r'qop="?([a-z-]+)"?', authorization or "")
    return found and found.group(1)


def algorithm(authorization):
    found = re.search(r'algorithm="?([A-Za-z0-9-]+)"?', authorization or "")
    return found and found.group(1)


def with_requests():
    import requests
    from requests.auth import HTTPDigestAuth

    auth = HTTPDigestAuth(user, password)
    for _ in range(times):
        answer = requests.request(method, url, data=body, auth=auth, timeout=20)
        challenges.extend(before.headers.get("WWW-Authenticate", "") for before in answer.history)
    return answer.status_code, answer.text, answer.request.headers.get("Authorization")


def with_httpx():
    import httpx

    def watch(response):
        challenges.append(response.headers.get("WWW-Authenticate", ""))

    client = httpx.Client(event_hooks={"response": [watch]}, timeout=20)
    auth = httpx.DigestAuth(user, password)
    for _ in range(times):
        answer = client.request(method, url, content=body, auth=auth)
    return answer.status_code, answer.text, answer.request.headers.get("Authorization")


def with_httpx_2():
    import httpx

    client = httpx.Client(http1=False, http2=True, trust_env=False, timeout=20)
    answer = client.request(method, url, content=body, auth=httpx.DigestAuth(user, password))
    assert answer.http_version == "HTTP/2", answer.http_version
    return answer.status_code, answer.text, answer.request.headers.get("Authorization")


def with_aiohttp():
    import asyncio

    import aiohttp

    async def fetch():
        seen = []
        digest = aiohttp.DigestAuthMiddleware(login=user, password=password)

        async def watch(request, handler):
            seen.append(request.headers.get("Authorization"))
            answer = await handler(request)
            challenges.append(answer.headers.get("WWW-Authenticate", ""))
            return answer

        async with aiohttp.ClientSession(middlewares=(digest, watch)) as session:
            for _ in range(times):
                async with session.request(method, url, data=body) as answer:
                    said = answer.status, await answer.text(), seen[-1]
            return said

    return asyncio.run(fetch())


libraries = {"requests": with_requests, "httpx": with_httpx, "httpx-2": with_httpx_2, "aiohttp": with_aiohttp}
status, text, authorization = libraries[library]()
said = {"status": status, "text": text, "qop": qop(authorization), "algorithm": algorithm(authorization),
        "stale": sum("stale=true" in challenge for challenge in challenges)}
print(json.dumps(said))
