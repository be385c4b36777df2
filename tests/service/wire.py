"""A service that is slow, busy or broken on the way to its client."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.responses import JSONResponse

Spoil = Callable[[Any], Awaitable[None]]


class Wire:
    """An application whose answers may be late or lost.

    Attributes:
        seen: (path, status) of every answer.
        spoiled: by path what comes in place of the next answers. The service has done the work all the same.
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self.seen: list[tuple[str, int]] = []
        self.spoiled: dict[str, list[Spoil]] = {}
        self._gates: dict[str, threading.Event] = {}

    @contextmanager
    def held(self, path: str) -> Iterator[threading.Event]:
        """Hold all requests of a path until the event is set, which it is at the end."""
        gate = self._gates[path] = threading.Event()
        try:
            yield gate
        finally:
            gate.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        while path in self._gates and not self._gates[path].is_set():
            await asyncio.sleep(0.005)
        spoil = self.spoiled[path].pop(0) if self.spoiled.get(path) else None

        async def send_seen(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.seen.append((path, message["status"]))
            await send(message)

        await self.app(scope, receive, _nowhere if spoil else send_seen)
        if spoil:
            await spoil(send_seen)


async def _nowhere(message: Any) -> None:
    pass


def refused(status: int, reason: str = "not now") -> Spoil:
    """Another answer: a refusal, after which another try makes sense at once."""

    async def answer(send: Any) -> None:
        await JSONResponse({"reason": reason}, status)({"type": "http"}, _nowhere, send)

    return answer


async def cut(send: Any) -> None:
    """An answer that breaks off."""
    headers = [(b"content-type", b"image/png"), (b"content-length", b"5000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"\x89PNG", "more_body": True})


async def no_picture(send: Any) -> None:
    """An answer that is no picture, though it says so."""
    headers = [(b"content-type", b"image/png"), (b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello"})
