"""How samples come to the size that the networks see: stretching and cropping.

Sizes are (height, width) in pixels throughout. Photos are shrunk by averaging and enlarged by cubics; labels and
instances are always taken from the nearest pixel (the rule of PIL's NEAREST), so that no id is ever invented.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from i2i.errors import InputError
from i2i.recipe import recorded

Array = NDArray[Any]


class Resize(ABC):
    """How samples come to the size that the networks see: stretched to some size, then cropped to ``size``.

    Attributes:
        size: (height, width) of what comes out; None where that depends on what goes in.
        enlarge: how much larger samples are stretched in training than in evaluation, to be cropped at random.
    """

    size: tuple[int, int] | None
    enlarge: float = 1.0

    @abstractmethod
    def stretched(self, height: int, width: int, training: bool) -> tuple[int, int]:
        """The (height, width) to which a sample of this size is stretched before it is cropped."""

    def apply_photo(self, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, C) uint8 -> (h, w, C), as in evaluation: nothing random, cropped at the centre."""
        return centre_crop(stretch_photo(photo, self.stretched(*_size(photo), training=False)), self.size)

    def apply_labels(self, labels: Array) -> Array:
        """(H, W) labels or instance ids of any integer type -> (h, w), as in evaluation."""
        return centre_crop(stretch_map(labels, self.stretched(*_size(labels), training=False)), self.size)


@recorded
class ResizeAndCrop(Resize):
    """Stretch, whatever the aspect; in training somewhat larger, to crop at random (SPADE: 286 -> 256).

    Args:
        size: what comes out.
        enlarge: in training the sample is stretched to ``round(size * enlarge)`` first.
    """

    def __init__(self, size: tuple[int, int] = (256, 256), enlarge: float = 1.1171875) -> None:
        self.size = _checked_size(size)
        self.enlarge = _checked_enlarge(enlarge)

    def stretched(self, height: int, width: int, training: bool) -> tuple[int, int]:
        """``size``, enlarged in training."""
        return _enlarged(_checked_size(self.size), self.enlarge if training else 1.0)


@recorded
class ScaleWidthAndCrop(Resize):
    """Scale to a width, keeping the aspect, and crop (pix2pixHD). What is then too low is scaled to the height instead.

    Args:
        size: what comes out.
        enlarge: in training the width is scaled to ``round(width * enlarge)``.
    """

    def __init__(self, size: tuple[int, int] = (256, 256), enlarge: float = 1.0) -> None:
        self.size = _checked_size(size)
        self.enlarge = _checked_enlarge(enlarge)

    def stretched(self, height: int, width: int, training: bool) -> tuple[int, int]:
        """The size of the aspect of the sample whose width is as asked."""
        target = _enlarged(_checked_size(self.size), self.enlarge if training else 1.0)
        scaled = (round(height * target[1] / width), target[1])
        return scaled if scaled[0] >= target[0] else (target[0], round(width * target[0] / height))


@recorded
class ScaleWidth(Resize):
    """Scale to a width, keeping the aspect, without a crop (pix2pixHD's ``scale_width``: 1024 on Cityscapes).

    Args:
        width: what comes out, in training as in evaluation.
        multiple: the height becomes the nearest multiple of it, at least one.
    """

    def __init__(self, width: int = 1024, multiple: int = 32) -> None:
        if multiple < 1 or width < 1 or width % multiple:
            raise InputError(f"width is {width}, multiple {multiple}; the width is a multiple of it, both at least 1")
        self.size = None
        self.width = width
        self.multiple = multiple

    def stretched(self, height: int, width: int, training: bool) -> tuple[int, int]:
        """The size of the aspect of the sample, but for rounding."""
        return max(1, round(height * self.width / width / self.multiple)) * self.multiple, self.width


@recorded
class ScaleShortSideAndCrop(Resize):
    """Scale, keeping the aspect, until the sample just covers the size, and crop.

    Args:
        size: what comes out.
        enlarge: in training the sample is scaled until it covers ``round(size * enlarge)``.
    """

    def __init__(self, size: tuple[int, int] = (256, 256), enlarge: float = 1.1171875) -> None:
        self.size = _checked_size(size)
        self.enlarge = _checked_enlarge(enlarge)

    def stretched(self, height: int, width: int, training: bool) -> tuple[int, int]:
        """The smallest size of the aspect of the sample that covers what is asked."""
        target = _enlarged(_checked_size(self.size), self.enlarge if training else 1.0)
        if target[0] * width >= target[1] * height:
            return target[0], max(target[1], round(width * target[0] / height))
        return max(target[0], round(height * target[1] / width)), target[1]


@recorded
class Fixed(Resize):
    """Stretch straight to a size, in training as in evaluation (Cityscapes: 256 rows of 512).

    Args:
        size: what comes out.
    """

    def __init__(self, size: tuple[int, int] = (256, 512)) -> None:
        self.size = _checked_size(size)

    def stretched(self, height: int, width: int, training: bool) -> tuple[int, int]:
        """Always ``size``."""
        return _checked_size(self.size)


class Stretched(Resize):
    """For samples that are stretched already: only the crop is left.

    Args:
        size: (height, width) of the crop; None for none.
    """

    def __init__(self, size: tuple[int, int] | None) -> None:
        self.size = size

    def stretched(self, height: int, width: int, training: bool) -> tuple[int, int]:
        """The size that the sample has."""
        return height, width


@recorded
class NoResize(Resize):
    """Leave the size as it is, but for rounding both sides to a multiple that the networks can halve and double.

    Args:
        multiple: both sides become the nearest multiple of it, at least one.
    """

    def __init__(self, multiple: int = 32) -> None:
        if multiple < 1:
            raise InputError(f"multiple is {multiple}; allowed are 1 and more")
        self.size = None
        self.multiple = multiple

    def stretched(self, height: int, width: int, training: bool) -> tuple[int, int]:
        """The nearest multiples."""
        near = [max(1, round(side / self.multiple)) * self.multiple for side in (height, width)]
        return near[0], near[1]


def stretch_photo(photo: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W, C) -> (h, w, C): sides that shrink are averaged, sides that grow interpolated by cubics."""
    smaller = min(size[0], photo.shape[0]), min(size[1], photo.shape[1])
    if smaller != _size(photo):
        photo = _interpolated(photo, smaller, cv2.INTER_AREA)
    return photo if size == smaller else _interpolated(photo, size, cv2.INTER_CUBIC)


def _interpolated(image: NDArray[np.uint8], size: tuple[int, int], rule: int) -> NDArray[np.uint8]:
    """OpenCV takes up to four channels, and leaves a single one out."""
    groups = [np.ascontiguousarray(image[:, :, i : i + 4]) for i in range(0, image.shape[2], 4)]
    return np.concatenate([cv2.resize(g, size[::-1], interpolation=rule).reshape(*size, -1) for g in groups], axis=2)


def stretch_map(ids: Array, size: tuple[int, int]) -> Array:
    """(H, W) uint8, int16 or int32 -> (h, w) of the same type, each pixel the nearest one's id."""
    if size == _size(ids):
        return ids
    return np.asarray(cv2.resize(ids, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT))


def centre_crop(image: Array, size: tuple[int, int] | None) -> Array:
    """(H, W, …) -> (h, w, …) from the middle; unchanged where ``size`` is None."""
    if size is None:
        return image
    top, left = (image.shape[0] - size[0]) // 2, (image.shape[1] - size[1]) // 2
    return image[top : top + size[0], left : left + size[1]]


def _size(image: Array) -> tuple[int, int]:
    return image.shape[0], image.shape[1]


def _enlarged(size: tuple[int, int], factor: float) -> tuple[int, int]:
    return round(size[0] * factor), round(size[1] * factor)


def _checked_size(size: Sequence[int] | None) -> tuple[int, int]:
    if size is None or len(size) != 2 or min(size) < 1:
        raise InputError(f"size is {size}; it is (height, width) in pixels, both at least 1")
    return int(size[0]), int(size[1])


def _checked_enlarge(enlarge: float) -> float:
    if not 1 <= enlarge <= 8:
        raise InputError(f"enlarge is {enlarge}; allowed are factors from 1 to 8")
    return float(enlarge)
