"""Keeps web pages of others away: a browser on this machine may be on any page.

A page elsewhere can make a browser send requests to this service, and, with a name of its own that
resolves to this machine, read the answers. So the host has to be one that the service goes by, and
a request that comes from a page has to come from one of its own.
"""

import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bearing_search.service.metrics import Metrics

LOOPBACK = ("127.0.0.1", "::1", "localhost")

COMPLETE = "bearing_search.complete"
"""Key of a request's scope: whether its body was read to its end."""

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; "
    "style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Guard:
    """Middleware: refuses foreign hosts and pages with 403; adds headers that bind browsers."""

    def __init__(self, app: ASGIApp, *, names: Collection[str], metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics
        self._names = {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if not (line := self._flaw(Headers(scope=scope))):
            await self._app(scope, _noting(scope, receive), _binding(send))
            return
        self._metrics.add_refusal("foreign")
        answer = JSONResponse({"error": line}, status_code=403)
        await answer(scope, receive, _binding(send))

    def _flaw(self, headers: Headers) -> str:
        """Why a request is refused; empty: it is not."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_ours(host):
            return "this service does not go by the host that was asked for; use its address"
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return "requests from web pages of others are not answered"
        return ""

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            if name in self._names:
                return True
            ipaddress.ip_address(name)  # a name is needed to lead a browser here
        except ValueError:
            return False
        return True


def _noting(scope: Scope, receive: Receive) -> Receive:
    """`receive`, which notes in the scope when the body was read to its end."""

    async def noted() -> Message:
        message = await receive()
        if not message.get("more_body", False):
            scope[COMPLETE] = True
        return message

    return noted


def _binding(send: Send) -> Send:
    """`send`, which adds the headers that bind browsers."""

    async def bound(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return bound


def own_names(host: str) -> set[str]:
    """Names that a service on `host` goes by, besides addresses in numbers."""
    names = {*LOOPBACK, host}
    return names if host in LOOPBACK else names | {socket.gethostname(), socket.getfqdn()}
