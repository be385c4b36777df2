"""What stands before every request: whom the service answers, how much it reads, and what a browser may do with it."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from i2i.service.problem import Problem

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Scripts, styles and pictures come from the service itself and from nowhere else."""

_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """Refuses requests that another site made a browser send, and bodies that are too large.

    A page from elsewhere cannot read answers, since there are no CORS headers. It could still send requests, which are
    known by their ``Origin``; and it could have its own name resolve to this machine (DNS rebinding), which is known by
    the ``Host``.

    Args:
        app: what is guarded.
        loopback: whether the service is for this machine alone, so that only its own names are right.
        body: bytes that a request may have.
    """

    def __init__(self, app: ASGIApp, loopback: bool, body: int) -> None:
        self._app = app
        self._loopback = loopback
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        problem = self._wrong(scope["method"], Headers(scope=scope))
        if problem is not None:
            await problem.response()(scope, receive, send_guarded)
            return
        await self._app(scope, _Counted(receive, self._body), send_guarded)

    def _wrong(self, method: str, headers: Headers) -> Problem | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if self._loopback and not is_loopback(_name(host)):
            return Problem(403, f"the service was called by the name {_name(host)!r}; it answers this machine alone")
        if method not in ("GET", "HEAD") and origin is not None and _place(origin) != host:
            return Problem(
                403, f"the request comes from a page of {origin}; only the service's own pages may send some"
            )
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdecimal()):
            return Problem(400, f"the content length is {length[:40]!r}; a number of bytes is needed")
        if len(length) > 18 or int(length) > self._body:
            return _too_large(self._body)
        return None


class _Counted:
    """A request's body, up to a limit."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._most = most
        self._bytes = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._bytes += len(message.get("body", b""))
            if self._bytes > self._most:
                raise _too_large(self._most)
        return message


def is_loopback(host: str) -> bool:
    """Whether a name or an address without port can only be this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _name(host: str) -> str:
    """``[::1]:80`` -> ``::1``, ``localhost:80`` -> ``localhost``."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _place(origin: str) -> str | None:
    """``http://localhost:80`` -> ``localhost:80``; None for what is no address."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _too_large(most: int) -> Problem:
    return Problem(413, f"the request is too large; allowed are {most} bytes")
