"""The addresses of the API and what they answer."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from torch import Tensor

import i2i
from i2i.errors import InputError
from i2i.pictures import Pixels
from i2i.service import asked as parse
from i2i.service.gallery import Mood
from i2i.service.images import png
from i2i.service.limits import Limits
from i2i.service.model import Model
from i2i.service.openapi import document
from i2i.service.painters import Painters
from i2i.service.problem import Problem
from i2i.service.work import Ticket, WorkQueue

T = TypeVar("T")


class API:
    """Requests to answers.

    Args:
        model: that makes the pictures.
        name: of the model, for people.
        maps: to start from.
        moods: the style gallery.
        limits: see :class:`Limits`.

    Attributes:
        queue: before the model; to be started.
        painters: the canvases.
    """

    def __init__(self, model: Model, name: str, maps: Sequence[Any], moods: Sequence[Mood], limits: Limits) -> None:
        self._model = model
        self._name = name
        self._maps = maps
        self._moods = moods
        self._limits = limits
        self.queue = WorkQueue(limits.queue)
        self.painters = Painters(model.synthesizer.canvas, limits.painters, limits.idle)

    def routes(self) -> list[Route]:
        """All addresses. No part of them is a file's name: numbers are places in lists that are made at the start."""
        get: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/health": self.health,
            "/openapi.json": self.openapi,
            "/api/model": self.model,
            "/api/classes": self.classes,
            "/api/maps/{number}": self.map,
            "/api/styles": self.styles,
            "/api/styles/{number}": self.thumbnail,
            "/api/latent": self.drawn,
        }
        post: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/api/synthesize": self.synthesize,
            "/api/paint": self.paint,
            "/api/labels": self.labels,
            "/api/labels.png": self.labels_png,
            "/api/latent": self.latent,
        }
        routes = [Route(path, answer, methods=["GET"]) for path, answer in get.items() if path not in post]
        routes += [Route(path, answer, methods=["POST"]) for path, answer in post.items() if path not in get]

        async def either(request: Request) -> Response:
            return await (post if request.method == "POST" else get)[request.url.path](request)

        return routes + [Route(path, either, methods=["GET", "POST"]) for path in get.keys() & post.keys()]

    async def health(self, request: Request) -> Response:
        """That the service is there, and how busy."""
        waiting, painters = self.queue.waiting, len(self.painters)
        return JSONResponse({"status": "ok", "version": i2i.__version__, "waiting": waiting, "painters": painters})

    async def openapi(self, request: Request) -> Response:
        """The description of this API."""
        return JSONResponse(document(self._limits))

    async def model(self, request: Request) -> Response:
        """What the page has to know of the model."""
        model, (height, width) = self._model, self._model.size
        return JSONResponse(
            {
                "name": self._name,
                "width": width,
                "height": height,
                "bits": model.palette.bits,
                "background": model.palette.background,
                "style": model.style,
                "style_dim": model.synthesizer.style_dim,
                "photos": model.takes_photos,
                "maps": len(self._maps),
                "device": str(model.synthesizer.device),
            }
        )

    async def classes(self, request: Request) -> Response:
        """The class table."""
        rows = [{"id": c.id, "name": c.name, "colour": list(c.colour)} for c in self._model.palette.classes]
        return JSONResponse({"classes": rows})

    async def map(self, request: Request) -> Response:
        """A label map to start from, as raw ids."""
        return self._raw(_chosen(self._maps, request, "map"))

    async def styles(self, request: Request) -> Response:
        """The style gallery."""
        return JSONResponse({"styles": [{"name": mood.name, "latent": mood.latent} for mood in self._moods]})

    async def thumbnail(self, request: Request) -> Response:
        """A photo of the gallery, small."""
        return Response(_chosen(self._moods, request, "style").thumbnail, media_type="image/jpeg")

    async def drawn(self, request: Request) -> Response:
        """The style vector that a seed draws."""
        asked = await parse.read_request(request, self._limits)
        seed = parse.number(asked, "seed", 0, 2**63 - 1)
        if seed is None:
            raise Problem(400, "the seed is missing")
        if self._model.style != "vector":
            raise Problem(422, "this model has no style vector")
        ticket = self.queue.enter(seed, self._model.drawn)
        return JSONResponse({"latent": (await self._answer(request, ticket)).tolist()})

    async def latent(self, request: Request) -> Response:
        """The style vector of a photo."""
        asked = await parse.read_request(request, self._limits, body="photo")
        if not self._model.takes_photos:
            raise Problem(422, "this model takes no style from photos")
        ticket = self.queue.enter(parse.photo_reader(asked, self._limits), self._latents)
        return JSONResponse({"latent": (await self._answer(request, ticket)).tolist()})

    async def synthesize(self, request: Request) -> Response:
        """Pictures of a label map: a PNG, or several in a ZIP."""
        asked = await parse.read_request(request, self._limits)
        order = await asyncio.to_thread(parse.decode_order, asked, self._model, self._limits)
        together = max(1, min(self._limits.batch, self._limits.pixels // order.labels.size))
        ticket = self.queue.enter(order, self._model.pictures, order.key, together)
        return await _pictures(await self._answer(request, ticket))

    async def paint(self, request: Request) -> Response:
        """The picture after a stroke."""
        asked = await parse.read_request(request, self._limits)
        order = await asyncio.to_thread(parse.decode_order, asked, self._model, self._limits)
        if order.count > 1:
            raise Problem(422, f"count is {order.count}; painting gives one picture")
        stroke = parse.number(asked, "stroke", 1, 2**53)
        if stroke is None:
            raise Problem(400, "the number of the stroke is missing")
        ticket = self.painters.enter(asked.parameters.get("painter", ""), stroke, order, self.queue)
        return await _pictures(await self._answer(request, ticket))

    async def labels(self, request: Request) -> Response:
        """A label map as raw ids, at its own size or fitted to the model's."""
        asked = await parse.read_request(request, self._limits)
        labels = await asyncio.to_thread(parse.decode_labels, asked, self._model, self._limits)
        fit = parse.number(asked, "fit", 0, 1)
        return self._raw(self._model.fitted(labels) if fit else labels)

    async def labels_png(self, request: Request) -> Response:
        """A label map as a PNG of ids."""
        asked = await parse.read_request(request, self._limits)
        labels = await asyncio.to_thread(parse.decode_labels, asked, self._model, self._limits)
        return Response(await asyncio.to_thread(self._model.palette.png, labels), media_type=parse.PNG)

    def _latents(self, photos: Sequence[Callable[[], Pixels]]) -> list[Tensor]:
        return self._model.latents([decoded() for decoded in photos])

    def _raw(self, labels: Any) -> Response:
        ids = self._model.palette.ids(labels)
        headers = {"X-Width": str(ids.shape[1]), "X-Height": str(ids.shape[0])}
        little = np.ascontiguousarray(ids, "<u2") if ids.dtype == np.uint16 else np.ascontiguousarray(ids)
        return Response(little.tobytes(), media_type=parse.RAW, headers=headers)

    async def _answer(self, request: Request, ticket: Ticket) -> Any:
        """Wait for the model's answer as long as the client does."""
        work = asyncio.create_task(self.queue.answer(ticket, self._limits.answer))
        gone = asyncio.create_task(_disconnected(request))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise Problem(400, "the client has gone")  # nobody reads it
            return work.result()
        except InputError as error:  # such as a map that is too small for the network
            raise Problem(422, str(error)) from error
        finally:
            work.cancel()
            gone.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)


def _chosen(things: Sequence[T], request: Request, kind: str) -> T:
    """One of a list, by its place as the address has it."""
    text = request.path_params["number"]
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and int(text) < len(things)):
        raise Problem(404, f"there is no {kind} {text[:20]!r}; there are {len(things)}, from 0 on")
    return things[int(text)]


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _pictures(pictures: Pixels) -> Response:
    """(N, H, W, 3) as a PNG, or as a ZIP of 0.png, 1.png, …"""
    files = await asyncio.to_thread(lambda: [png(picture) for picture in pictures])
    if len(files) == 1:
        return Response(files[0], media_type=parse.PNG)
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for number, data in enumerate(files):
            archive.writestr(f"{number}.png", data)
    return Response(whole.getvalue(), media_type="application/zip")
