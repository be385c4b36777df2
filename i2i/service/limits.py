"""What the service takes on: everything that a client could ask for without end has an end here."""

from __future__ import annotations

from dataclasses import dataclass, fields

from i2i.errors import InputError


@dataclass(frozen=True)
class Limits:
    """Bounds of requests, memory and time. Whatever is beyond them is answered with a 4xx or 5xx and a reason.

    Attributes:
        pixels: of a label map; also of all maps together that are synthesised as one batch.
        photo_pixels: of a style photo, before it is decoded.
        body: bytes of a request.
        count: pictures of one map in one request.
        queue: requests that wait; the next one is answered with 429.
        batch: requests of one size that are synthesised together.
        painters: canvases that are kept; the one used longest ago makes room.
        idle: seconds after which an unused canvas is given up.
        upload: seconds that a request may take to arrive.
        answer: seconds that a client waits at most for its picture.
    """

    pixels: int = 2048 * 1024
    photo_pixels: int = 40_000_000
    body: int = 16 * 2**20
    count: int = 8
    queue: int = 32
    batch: int = 8
    painters: int = 8
    idle: float = 600.0
    upload: float = 30.0
    answer: float = 60.0

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise InputError(f"the limit {field.name} is {getattr(self, field.name)}; it must be more than 0")
