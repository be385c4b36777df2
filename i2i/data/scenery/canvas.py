"""The canvas: a photo and its labels, painted from the farthest layer to the nearest at twice the target size."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from i2i.data.scenery.noise import Floats

THING = 1000  # an instance id is class * THING + count for countable things, and the class for everything else

Mask = NDArray[np.bool_]


class Class(IntEnum):
    """The labels, in the order of ``tables/scenes.csv``."""

    SKY = 0
    CLOUD = 1
    SUN = 2
    MOUNTAIN = 3
    HILL = 4
    WATER = 5
    SAND = 6
    GRASS = 7
    FLOWERS = 8
    ROAD = 9
    ROCK = 10
    BUSH = 11
    TREE = 12
    HOUSE = 13
    BOAT = 14


@dataclass(frozen=True)
class Window:
    """A rectangle of the canvas: ``x`` (1, w) and ``y`` (h, 1) are its pixels' scene coordinates."""

    rows: slice
    columns: slice
    x: Floats
    y: Floats


class Canvas:
    """Scene coordinates: y runs from 0 (top) to 1 (bottom); x is 0 in the middle and has the same unit.

    Args:
        height: of the finished picture, in pixels.
        width: of the finished picture, in pixels.

    Attributes:
        photo: (3, 2 height, 2 width) float32, 0 to 1.
        codes: (2 height, 2 width) int32 instance ids (see ``THING``).
    """

    def __init__(self, height: int, width: int) -> None:
        rows, columns = 2 * height, 2 * width
        self.photo = np.zeros((3, rows, columns), np.float32)
        self.codes = np.zeros((rows, columns), np.int32)
        self.unit = rows  # canvas pixels per unit of the scene
        self._x = ((np.arange(columns, dtype=np.float32) + 0.5 - columns / 2) / rows)[None, :]
        self._y = ((np.arange(rows, dtype=np.float32) + 0.5) / rows)[:, None]

    def window(self, left: float, right: float, top: float, bottom: float) -> Window | None:
        """The part of the canvas inside these scene coordinates; None where nothing of it is in the picture."""
        rows, columns = self.photo.shape[1:]
        x0, x1 = (int(np.floor(v * self.unit + columns / 2)) for v in (left, right))
        y0, y1 = (int(np.floor(v * self.unit)) for v in (top, bottom))
        x0, x1, y0, y1 = max(x0, 0), min(x1 + 1, columns), max(y0, 0), min(y1 + 1, rows)
        if x0 >= x1 or y0 >= y1:
            return None
        return Window(slice(y0, y1), slice(x0, x1), self._x[:, x0:x1], self._y[y0:y1])

    def whole(self) -> Window:
        """The whole canvas."""
        return Window(slice(None), slice(None), self._x, self._y)

    def paint(self, window: Window, mask: Mask, colour: Floats, code: int | NDArray[np.int32]) -> None:
        """Cover the masked pixels with ``colour`` (3, h, w) and give them ``code``."""
        np.copyto(self.photo[:, window.rows, window.columns], colour, where=mask[None])
        np.copyto(self.codes[window.rows, window.columns], code, where=mask)

    def finish(self) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
        """The photo (H, W, 3), averaged over 2x2, and the instance ids (H, W): the most frequent of each 2x2."""
        rows, columns = self.codes.shape
        planes = [cv2.resize(p, (columns // 2, rows // 2), interpolation=cv2.INTER_AREA) for p in self.photo]
        photo = np.clip(np.stack(planes, 2) * 255 + 0.5, 0, 255).astype(np.uint8)
        a, b, c, d = (self.codes[i::2, j::2] for i in (0, 1) for j in (0, 1))
        return photo, np.where((b == c) | (b == d), b, np.where(c == d, c, a))


def mix(first: Floats, second: Floats, amount: Floats | float) -> Floats:
    """From ``first`` (amount 0) to ``second`` (amount 1)."""
    return np.asarray(first + (second - first) * amount, dtype=np.float32)


def ramp(low: float, high: float, value: Floats) -> Floats:
    """0 below ``low``, 1 above ``high``, smooth between; ``high`` may lie below ``low``."""
    t = np.clip((value - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def colour(red: float, green: float, blue: float) -> Floats:
    """A colour that broadcasts over (3, h, w)."""
    return np.array([red, green, blue], np.float32)[:, None, None]
