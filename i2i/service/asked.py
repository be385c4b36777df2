"""What a request asks for: its parameters and body, checked, as an order to the model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray
from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect, Request
from torch import Tensor

from i2i.pictures import Pixels
from i2i.service.images import read_instance_png, read_label_png, read_raw_ids, read_style_photo
from i2i.service.limits import Limits
from i2i.service.model import Model, Order
from i2i.service.problem import Problem

T = TypeVar("T")

PNG, RAW, FORM = "image/png", "application/octet-stream", "multipart/form-data"
PARAMETERS = ("width", "height", "seed", "count", "latent", "painter", "stroke", "fit")
_FILES = ("labels", "instances", "photo")
_LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Asked:
    """A request as it came, nothing decoded yet.

    Attributes:
        parameters: of the address or the form, by name.
        files: (content type, bytes) by name; a body that is no form is "labels", or "photo" where that is asked for.
    """

    parameters: Mapping[str, str]
    files: Mapping[str, tuple[str, bytes]]


async def read_request(request: Request, limits: Limits, body: str = "labels") -> Asked:
    """Read a request to its end.

    Args:
        request: with an image or raw ids as body, or a form with files.
        limits: how long it may take.
        body: what a body that is no form is called.

    Raises:
        Problem: 408 if it takes too long, 415 for another type, 400 for unknown or repeated parameters.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    pairs: list[tuple[str, str]] = list(request.query_params.multi_items())
    files: dict[str, tuple[str, bytes]] = {}
    if kind == FORM:
        form = await _in_time(_form(request, limits), limits.upload)
        try:
            for name, value in form.multi_items():
                if not isinstance(value, UploadFile):
                    pairs.append((name, value))
                elif name not in _FILES or name in files:
                    raise Problem(400, f"file {name[:40]!r} is unknown or comes twice; there are {', '.join(_FILES)}")
                else:
                    files[name] = ((value.content_type or "").lower(), await value.read())
        finally:
            await form.close()
    else:
        files[body] = (kind, await _in_time(request.body(), limits.upload))
    parameters = dict(pairs)
    unknown = [name for name in parameters if name not in PARAMETERS]
    if unknown:
        raise Problem(400, f"parameter {unknown[0][:40]!r} is unknown; there are {', '.join(PARAMETERS)}")
    if len(parameters) < len(pairs):
        raise Problem(400, "a parameter is given twice")
    return Asked(parameters, files)


def decode_order(asked: Asked, model: Model, limits: Limits) -> Order:
    """What is to be synthesised. Takes the time of decoding, but for a style photo, which is decoded in its turn.

    Raises:
        Problem: something is missing, damaged, too large, or not what this model takes.
    """
    labels = decode_labels(asked, model, limits)
    instances = None
    if "instances" in asked.files:
        instances = read_instance_png(_file(asked, "instances", PNG)[1], limits.pixels)
        if instances.shape != labels.shape:
            raise Problem(422, f"instances are {instances.shape[::-1]} pixels, the labels {labels.shape[::-1]}")
    count = number(asked, "count", 1, limits.count) or 1
    if count > 1 and model.style == "none":
        raise Problem(422, f"count is {count}, but this model makes one picture of a map: it has no style")
    if count > 1 and count * labels.size > limits.pixels:
        raise Problem(413, f"{count} pictures of {labels.size} pixels; allowed are {limits.pixels} in all")
    photo = _photo(asked, model, limits)
    style = _style(asked, model)
    return Order(labels, instances, style, photo, number(asked, "seed", 0, _LARGEST_SEED), count)


def decode_labels(asked: Asked, model: Model, limits: Limits) -> NDArray[Any]:
    """The label map of a request: a PNG, or raw ids with width and height."""
    kind, data = _file(asked, "labels", PNG, RAW)
    if kind == PNG:
        return read_label_png(data, model.palette, limits.pixels)
    width, height = (number(asked, name, 1, limits.pixels) for name in ("width", "height"))
    if width is None or height is None:
        raise Problem(400, "raw ids need width and height as parameters")
    return read_raw_ids(data, (height, width), model.palette, limits.pixels)


def photo_reader(asked: Asked, limits: Limits) -> Callable[[], Pixels]:
    """Decodes the style photo of a request; see :func:`i2i.service.images.read_style_photo`."""
    return partial(read_style_photo, _file(asked, "photo", PNG, "image/jpeg", "image/webp")[1], limits.photo_pixels)


def number(asked: Asked, name: str, low: int, high: int) -> int | None:
    """An integer parameter; None where it is not given."""
    text = asked.parameters.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 20 and low <= int(text) <= high):
        raise Problem(422, f"{name} is {text[:40]!r}; allowed are integers from {low} to {high}")
    return int(text)


def _photo(asked: Asked, model: Model, limits: Limits) -> Callable[[], Pixels] | None:
    if "photo" not in asked.files:
        return None
    if "latent" in asked.parameters:
        raise Problem(400, "a latent and a photo are given; the style comes from one of them")
    if not model.takes_photos:
        raise Problem(422, "this model takes no style from photos")
    return photo_reader(asked, limits)


def _style(asked: Asked, model: Model) -> Tensor | None:
    latent = asked.parameters.get("latent")
    if latent is None:
        return None
    length = model.synthesizer.style_dim
    if length is None:
        raise Problem(422, "this model has no style vector; leave the latent out")
    try:
        values = torch.tensor(json.loads(latent), dtype=torch.float32)
    except (ValueError, TypeError, RuntimeError, RecursionError, OverflowError) as error:
        raise Problem(422, f"latent is {latent[:40]!r}; a JSON list of {length} numbers is needed") from error
    if values.shape != (length,) or not torch.isfinite(values).all():
        raise Problem(422, f"latent is of shape {tuple(values.shape)}; {length} finite numbers are needed")
    return values


def _file(asked: Asked, name: str, *kinds: str) -> tuple[str, bytes]:
    if name not in asked.files:
        raise Problem(400, f"the form has no file {name!r}")
    kind, data = asked.files[name]
    if kind not in kinds:
        raise Problem(415, f"{name}: content type {kind[:60]!r}; allowed are {', '.join(kinds)}")
    if not data:
        raise Problem(400, f"{name}: no bytes came")
    return kind, data


def _form(request: Request, limits: Limits) -> Awaitable[FormData]:
    return request.form(max_files=len(_FILES), max_fields=len(PARAMETERS), max_part_size=limits.body)


async def _in_time(work: Awaitable[T], seconds: float) -> T:
    try:
        return await asyncio.wait_for(work, seconds)
    except TimeoutError as error:
        raise Problem(408, f"the request did not arrive within {seconds:g} seconds") from error
    except ClientDisconnect as error:
        raise Problem(400, "the client left in the middle of its request") from error
