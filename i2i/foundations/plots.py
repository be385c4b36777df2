"""Samples as pictures: points as a scatter plot, images as a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from i2i.pictures import Pixels, contact_sheet, to_pixels, visible

REAL, FAKE = (190, 196, 204), (214, 69, 80)
_DRAWN_LARGER = 3
_DOT = 1.6


def scatter(
    sets: Sequence[tuple[Tensor, tuple[int, int, int]]], bounds: Tensor, edge: int = 320, last: float = _DOT
) -> Pixels:
    """Points of the plane on white, later sets over earlier ones.

    Args:
        sets: (n, 2) points and their colour.
        bounds: (2, 2), the lowest and the highest corner of what is shown; points outside are left out.
        edge: pixels of a side.
        last: radius in pixels of the dots of the last set.
    """
    size = edge * _DRAWN_LARGER  # and shrunk afterwards, so that dots are round
    image = Image.new("RGB", (size, size), "white")
    draw = ImageDraw.Draw(image)
    low, high = bounds.double()
    for number, (points, colour) in enumerate(sets, 1):
        radius = (last if number == len(sets) else _DOT) * _DRAWN_LARGER
        places = (points.detach().cpu().double() - low) / (high - low)
        for x, y in places[torch.isfinite(places).all(1)].clamp(-1, 2).tolist():
            at = (x * size, (1 - y) * size)
            draw.circle(at, radius, colour)
    return np.asarray(image.resize((edge, edge), Image.Resampling.LANCZOS))


def plane(points: Tensor) -> Tensor:
    """(2, 2): the corners of the square around points (n, 2), with a margin of a fifth."""
    low, high = points.double().amin(0), points.double().amax(0)
    middle, half = (low + high) / 2, 0.6 * float((high - low).max())
    return torch.stack([middle - half, middle + half])


def grid(images: Tensor, columns: int | None = None) -> Pixels:
    """(N, C, H, W) in [-1, 1] -> one picture of all, in rows; as many rows as columns if ``columns`` is None."""
    columns = math.isqrt(len(images)) if columns is None else columns
    pixels = list(to_pixels(visible(images)))
    return contact_sheet([pixels[i : i + columns] for i in range(0, len(pixels), columns)], gap=2)


def side_by_side(pictures: Sequence[Pixels], captions: Sequence[str]) -> Pixels:
    """Pictures of one size in a row, with a caption over each."""
    return contact_sheet([list(pictures)], captions)
