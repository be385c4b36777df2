"""The service whole: pages, API, guard, and the work behind them, as one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from i2i.service.api import API
from i2i.service.gallery import Mood
from i2i.service.guard import Guard
from i2i.service.limits import Limits
from i2i.service.model import Model
from i2i.service.pages import page_routes
from i2i.service.problem import Problem, answer_failure, answer_http_error, answer_problem


def create_app(
    model: Model,
    name: str = "model",
    maps: Sequence[Any] = (),
    moods: Sequence[Mood] = (),
    limits: Limits | None = None,
    loopback: bool = True,
) -> Starlette:
    """The application, for any ASGI server. Its ``state.api`` is the :class:`API`.

    Args:
        model: that makes the pictures.
        name: of the model, for people.
        maps: label maps to start from; see :func:`i2i.service.gallery.maps`.
        moods: the style gallery; see :func:`i2i.service.gallery.moods`.
        limits: of requests, memory and time.
        loopback: answer only to names of this machine.
    """
    limits = limits or Limits()
    api = API(model, name, maps, moods, limits)

    @asynccontextmanager
    async def running(app: Starlette) -> AsyncIterator[None]:
        api.queue.start()
        yield
        api.painters.close()
        await api.queue.stop()

    app = Starlette(
        routes=[*page_routes(), *api.routes()],
        middleware=[Middleware(Guard, loopback=loopback, body=limits.body)],
        exception_handlers={Problem: answer_problem, HTTPException: answer_http_error, Exception: answer_failure},
        lifespan=running,
    )
    app.state.api = api
    return app
