"""http_digest.py LIBRARY METHOD URL USER PASSWORD: one request with Digest by a library of Python. Prints the status, and the
quality of protection that the library chose, as one line of JSON. httpx-2 is httpx over HTTP/2."""

import json
import re
import sys

library, method, url, user, password = sys.argv[1:]
body = b"a=1&b=2" if method == "POST" else None


def qop(authorization):
    found = re.search(r'qop="?([a-z-]+)"?', authorization or "")
    return found and found.group(1)


def algorithm(authorization):
    found = re.search(r'algorithm="?([A-Za-z0-9-]+)"?', authorization or "")
    return found and found.group(1)


def with_requests():
    import requests
    from requests.auth import HTTPDigestAuth

    answer = requests.request(method, url, data=body, auth=HTTPDigestAuth(user, password), timeout=20)
    return answer.status_code, answer.text, answer.request.headers.get("Authorization")


def with_httpx():
    import httpx

    answer = httpx.request(method, url, content=body, auth=httpx.DigestAuth(user, password), timeout=20)
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
            return await handler(request)

        async with aiohttp.ClientSession(middlewares=(digest, watch)) as session:
            async with session.request(method, url, data=body) as answer:
                return answer.status, await answer.text(), seen[-1]

    return asyncio.run(fetch())


libraries = {"requests": with_requests, "httpx": with_httpx, "httpx-2": with_httpx_2, "aiohttp": with_aiohttp}
status, text, authorization = libraries[library]()
print(json.dumps({"status": status, "text": text, "qop": qop(authorization), "algorithm": algorithm(authorization)}))
