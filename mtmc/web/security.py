"""Who may ask the page what: loopback without a password, other addresses with a token, other sites never.

Three rules, checked before anything else runs:

- Without a token the page answers only under a loopback name, so that no web site whose name resolves to 127.0.0.1 can
  read it (DNS rebinding). With a token every request must carry it, in a cookie or as a bearer.
- A request that changes something must come from the page itself: browsers say where a request comes from (`Origin`,
  `Sec-Fetch-Site`), and it must carry a header that no other site can add without being allowed to.
- Answers may not be framed, sniffed, or load anything from elsewhere.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "mtmc-token"
HEADER = "x-requested-by"
"""Must be sent, with any value, by requests that change something."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
    "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Access:
    """Who may come in.

    Attributes:
        token: what every request must carry; "" admits requests to loopback names only.
    """

    token: str = ""


class Guard:
    """ASGI middleware that applies the rules above."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refused request, or pass it on and add the headers."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        request = Request(scope)
        refusal = self._refusal(request)
        if refusal is not None:
            await refusal(scope, receive, _with_headers(send))
            return
        await self._app(scope, receive, _with_headers(send))

    def _refusal(self, request: Request) -> Response | None:
        if self._access.token:
            refused = self._without_token(request)
            if refused is not None:
                return refused
        elif host_of(request.headers.get("host", "")) not in LOOPBACK:
            return PlainTextResponse("this page answers under 127.0.0.1 and localhost only\n", 421)
        if request.method not in _SAFE and not _from_the_page(request.headers, request.url.scheme):
            return PlainTextResponse("refused: the request comes from another site\n", 403)
        return None

    def _without_token(self, request: Request) -> Response | None:
        token = self._access.token
        given = request.query_params.get("token")
        if given is not None and request.method == "GET" and _equal(given, token):
            # The address is cleaned, so that the token does not stay in the history and in bookmarks.
            answer = RedirectResponse(str(request.url.remove_query_params("token").path), 303)
            secure = request.url.scheme == "https"
            answer.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=secure, path="/")
            return answer
        kind, _, bearer = request.headers.get("authorization", "").partition(" ")
        known = _equal(request.cookies.get(COOKIE, ""), token)
        if known or (kind.lower() == "bearer" and _equal(bearer, token)):
            return None
        return PlainTextResponse("a token is needed: open the address that the server printed\n", 401)


def host_of(header: str) -> str:
    """The name in a Host header, without the port; "" if it cannot be read.

    >>> host_of("localhost:8000"), host_of("[::1]:8000"), host_of("evil.example@127.0.0.1")
    ('localhost', '::1', '')
    """
    if "@" in header or "/" in header:
        return ""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _from_the_page(headers: Headers, scheme: str) -> bool:
    if HEADER not in headers:
        return False
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    # A program that is no browser sends no origin; it cannot be made to act by a web site.
    return origin is None or origin == f"{scheme}://{headers.get('host', '')}"


def _equal(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def _with_headers(send: Send) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["content-security-policy"] = _POLICY
            headers["x-content-type-options"] = "nosniff"
            headers["referrer-policy"] = "same-origin"
            headers["cross-origin-resource-policy"] = "same-origin"
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return answer
