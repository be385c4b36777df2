"""Conditions that are made from the photo itself: its grey values, its edges."""

from __future__ import annotations

from abc import ABC, abstractmethod

import cv2
import numpy as np
from numpy.typing import NDArray

from i2i.data.files import grey_of
from i2i.errors import InputError
from i2i.recipe import recorded


class Derivation(ABC):
    """Makes a condition image from a photo.

    Attributes:
        channels: of the condition image.
    """

    channels: int

    @abstractmethod
    def __call__(self, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) -> (H, W, channels)."""


@recorded
class Greyscale(Derivation):
    """The photo's grey values, for models that colour black-and-white photos."""

    def __init__(self) -> None:
        self.channels = 1

    def __call__(self, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) -> (H, W, 1), the luma of ITU-R BT.601."""
        return grey_of(photo)


@recorded
class CannyEdges(Derivation):
    """The photo's edges, black lines of one pixel on white (Canny 1986).

    Args:
        low: gradient, in grey values per pixel (0 to 255), from which a pixel goes on an edge that has begun.
        high: gradient from which an edge begins, at least ``low``.
        blur: standard deviation in pixels of the Gaussian that the photo is smoothed by first; 0 for none.

    Raises:
        InputError: a value out of range.
    """

    channels = 1

    def __init__(self, low: float = 5.0, high: float = 15.0, blur: float = 1.0) -> None:
        if not 0 <= low <= high <= 255:
            raise InputError(f"low is {low} and high {high}; allowed are gradients 0 to 255, low at most high")
        if not 0 <= blur <= 100:
            raise InputError(f"blur is {blur}; it is a standard deviation of 0 to 100 pixels")
        self.low = low
        self.high = high
        self.blur = blur

    def __call__(self, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) -> (H, W, 1): 0 on edges, 255 elsewhere."""
        grey = grey_of(photo)[:, :, 0]
        if self.blur:
            grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), self.blur), dtype=np.uint8)
        # The 3×3 Sobel kernel weighs a step of one grey value per pixel eightfold.
        found = cv2.Canny(grey, 8 * self.low, 8 * self.high, L2gradient=True)
        return np.asarray(255 - found, dtype=np.uint8)[:, :, None]
