"""The API's description in the OpenAPI format, for /openapi.json and the page /docs that shows it."""

from __future__ import annotations

from typing import Any

import i2i
from i2i.service.asked import FORM, PNG, RAW
from i2i.service.limits import Limits

Schema = dict[str, Any]

_INTEGER: Schema = {"type": "integer", "minimum": 1}
_BINARY: Schema = {"type": "string", "format": "binary"}
_LATENT: Schema = {"type": "object", "properties": {"latent": {"type": "array", "items": {"type": "number"}}}}
_REASON: Schema = {"type": "object", "required": ["reason"], "properties": {"reason": {"type": "string"}}}

_SIZE: dict[str, tuple[str, Schema]] = {
    "width": ("of raw ids, in pixels", _INTEGER),
    "height": ("of raw ids, in pixels", _INTEGER),
}
_STYLE: dict[str, tuple[str, Schema]] = {
    "seed": ("of the style that is drawn; without it another one each time", {"type": "integer", "minimum": 0}),
    "latent": ("the style vector, a JSON list of numbers", {"type": "string"}),
}


def document(limits: Limits) -> Schema:
    """The whole description.

    Args:
        limits: that are told in it.
    """
    count: Schema = {"type": "integer", "minimum": 1, "maximum": limits.count, "default": 1}
    several = {"count": ("pictures, each in a style of its own; more than one come as a ZIP", count)}
    painter: dict[str, tuple[str, Schema]] = {
        "painter": ("drawn by the page", {"type": "string", "pattern": "^[0-9a-f]{32}$"}),
        "stroke": ("its number, which counts up; asking again counts, too", _INTEGER),
    }
    fit = {"fit": ("1 brings the map to the size the model was trained for", {"type": "integer", "enum": [0, 1]})}
    maps = f"A label map is a PNG of ids or class colours, or raw ids (a byte each, or two, the lower first), of at \
most {limits.pixels} pixels."
    paths = {
        "/api/synthesize": {
            "post": _operation(
                "Pictures of a label map",
                f"{maps} Requests of one size that come at the same time are synthesised together.",
                _maps({**_SIZE, **_STYLE, **several}, "instances", "photo"),
                {PNG: _BINARY, "application/zip": _BINARY},
                {**_SIZE, **_STYLE, **several},
            )
        },
        "/api/paint": {
            "post": _operation(
                "The picture after a stroke",
                "Computes only what changed since the painter's last stroke. A stroke that still waits when a newer "
                "one comes is answered with 409.",
                _maps({**_SIZE, **_STYLE, **painter}, "instances", "photo"),
                {PNG: _BINARY},
                {**_SIZE, **_STYLE, **painter},
            )
        },
        "/api/latent": {
            "get": _operation(
                "The style vector that a seed draws", "", None, {_JSON: _LATENT}, {"seed": _STYLE["seed"]}
            ),
            "post": _operation(
                "The style vector of a photo",
                f"At most {limits.photo_pixels} pixels.",
                {PNG: _BINARY, "image/jpeg": _BINARY, "image/webp": _BINARY},
                {_JSON: _LATENT},
            ),
        },
        "/api/classes": {"get": _operation("The classes: ids, names, colours", "", None, {_JSON: {"type": "object"}})},
        "/api/model": {"get": _operation("What the model takes", "", None, {_JSON: {"type": "object"}})},
        "/api/styles": {"get": _operation("The style gallery", "", None, {_JSON: {"type": "object"}})},
        "/api/styles/{number}": {"get": _operation("A photo of it", "", None, {"image/jpeg": _BINARY}, _place())},
        "/api/maps/{number}": {"get": _operation("A map to start from", _RAW_TEXT, None, {RAW: _BINARY}, _place())},
        "/api/labels": {
            "post": _operation(
                "A label map as raw ids", _RAW_TEXT, _maps({**_SIZE, **fit}), {RAW: _BINARY}, {**_SIZE, **fit}
            )
        },
        "/api/labels.png": {
            "post": _operation("A label map as PNG", "", _maps({**_SIZE}), {PNG: _BINARY}, {**_SIZE}),
        },
        "/health": {"get": _operation("Whether the service is there", "", None, {_JSON: {"type": "object"}})},
    }
    about = f"{maps} A request has at most {limits.body} bytes. Whatever is refused is answered with a reason."
    info = {"title": "i2i: semantic image synthesis", "version": i2i.__version__, "description": about}
    return {"openapi": "3.1.0", "info": info, "paths": paths}


_JSON = "application/json"
_RAW_TEXT = "Its width and height are in the headers X-Width and X-Height."


def _operation(
    summary: str,
    text: str,
    body: dict[str, Schema] | None,
    answers: dict[str, Schema],
    parameters: dict[str, tuple[str, Schema]] | None = None,
) -> Schema:
    refused = {_JSON: {"schema": _REASON}}
    operation: Schema = {
        "summary": summary,
        "description": text,
        "parameters": [
            {
                "name": name,
                "in": "path" if name == "number" else "query",
                "required": name in ("number", "painter", "stroke"),
                "description": words,
                "schema": schema,
            }
            for name, (words, schema) in (parameters or {}).items()
        ],
        "responses": {
            "200": {"description": "done", "content": {kind: {"schema": schema} for kind, schema in answers.items()}},
            "4XX": {"description": "refused; 429 and 503 say when to try again (Retry-After)", "content": refused},
            "5XX": {"description": "too slow, or a fault of the service", "content": refused},
        },
    }
    if body is not None:
        content = {kind: {"schema": schema} for kind, schema in body.items()}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _maps(parameters: dict[str, tuple[str, Schema]], *files: str) -> dict[str, Schema]:
    """The bodies that hold a label map: by itself, or in a form, which can also have the parameters and more files."""
    fields = {name: schema | {"description": words} for name, (words, schema) in parameters.items()}
    form = {"labels": _BINARY, **dict.fromkeys(files, _BINARY), **fields}
    return {PNG: _BINARY, RAW: _BINARY, FORM: {"type": "object", "required": ["labels"], "properties": form}}


def _place() -> dict[str, tuple[str, Schema]]:
    return {"number": ("its place, from 0", {"type": "integer", "minimum": 0})}
