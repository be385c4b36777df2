"""The files of the page. They are read at the start, so that no address of a request is ever looked up as a file."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_ADDRESSES = {"index.html": "/", "docs.html": "/docs", "icon.svg": "/favicon.ico"}


def page_files() -> dict[str, bytes]:
    """Name -> content."""
    folder = resources.files("i2i.service") / "page"
    found = {entry.name: entry for entry in folder.iterdir()}
    return {name: found[name].read_bytes() for name in sorted(found) if name.rpartition(".")[2] in TYPES}


def page_routes() -> list[Route]:
    """An address for each file: ``/page/NAME``, and ``/`` for the page itself."""
    routes = []
    for name, content in page_files().items():
        addresses = [f"/page/{name}", *([_ADDRESSES[name]] if name in _ADDRESSES else [])]
        routes += [Route(address, _answer(content, TYPES[name.rpartition(".")[2]])) for address in addresses]
    return routes


def _answer(content: bytes, kind: str) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})

    return answer
