"""From a sample as read to the tensors of a batch: resizing, cropping, flipping, colour jitter.

Sizes are (height, width) in pixels throughout. Photos are shrunk by averaging and enlarged by cubics; labels and
instances are always taken from the nearest pixel (the rule of PIL's NEAREST), so that no id is ever invented.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2i.errors import InputError
from i2i.recipe import recorded

if TYPE_CHECKING:
    from i2i.data.augment import Augmentation
    from i2i.data.paired import Sample

Array = NDArray[Any]


class Resize(ABC):
    """How samples come to the size that the networks see: stretched to some size, then cropped to ``size``.

    Attributes:
        size: (height, width) of what comes out; None where that depends on what goes in.
    """

    size: tuple[int, int] | None

    @abstractmethod
    def stretched(self, height: int, width: int, training: bool) -> tuple[int, int]:
        """The (height, width) to which a sample of this size is stretched before it is cropped."""

    def apply_photo(self, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 -> (h, w, 3), as in evaluation: nothing random, cropped at the centre."""
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


@recorded
class Preparation:
    """Makes one item of a batch from a sample. In evaluation nothing is random.

    Args:
        resize: how samples come to size.
        flip: probability of mirroring photo, labels and instances left to right in training.
        colour_jitter: strength of random changes of the photo's colours in training, 0 to 1: brightness, contrast and
            saturation change by up to that share, the hue by up to a tenth of it around the colour circle.
    """

    def __init__(self, resize: Resize, flip: float = 0.0, colour_jitter: float = 0.0) -> None:
        for name, value in (("flip", flip), ("colour_jitter", colour_jitter)):
            if not 0 <= value <= 1:
                raise InputError(f"{name} is {value}; allowed is 0 to 1")
        self.resize = resize
        self.flip = flip
        self.colour_jitter = colour_jitter
        self._augmentation: Augmentation | None = None

    def __call__(self, sample: Sample, seed: int, training: bool) -> dict[str, Any]:
        """One item: ``photo`` (3, h, w) float32 in [-1, 1], ``labels`` (h, w), ``instances`` (h, w) int32, ``name``.

        ``photo`` and ``instances`` are there where the sample has them.

        Args:
            sample: as read.
            seed: of everything random; the same seed gives the same item.
            training: whether to augment.

        Raises:
            InputError: a sample without photo in training.
        """
        photo, labels, instances = sample.photo, sample.labels, sample.instances
        if training:
            if photo is None:
                raise InputError(f"{sample.name} has no photo; training needs one with every label map")
            photo, labels, instances = self._augment(photo, labels, instances, seed)
        else:
            photo = None if photo is None else self.resize.apply_photo(photo)
            labels = self.resize.apply_labels(labels)
            instances = None if instances is None else self.resize.apply_labels(instances)
        item: dict[str, Any] = {"labels": map_tensor(labels), "name": sample.name}
        if photo is not None:
            item["photo"] = photo_tensor(photo)
        if instances is not None:
            item["instances"] = map_tensor(instances)
        return item

    def _augment(
        self, photo: NDArray[np.uint8], labels: Array, instances: Array | None, seed: int
    ) -> tuple[NDArray[np.uint8], Array, Array | None]:
        if self._augmentation is None:
            from i2i.data.augment import Augmentation  # albumentations takes seconds to import; inference needs none

            self._augmentation = Augmentation(self.resize, self.flip, self.colour_jitter)
        return self._augmentation(photo, labels, instances, seed)


def photo_tensor(photo: NDArray[np.uint8]) -> Tensor:
    """(H, W, 3) uint8 -> (3, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(photo.transpose(2, 0, 1))).float().div_(127.5).sub_(1)


def map_tensor(ids: Array) -> Tensor:
    """(H, W) integers -> a tensor of the same type with its own memory."""
    return torch.from_numpy(np.array(ids, order="C"))


def stretch_photo(photo: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W, 3) -> (h, w, 3): sides that shrink are averaged, sides that grow interpolated by cubics."""
    height, width = size
    smaller = min(height, photo.shape[0]), min(width, photo.shape[1])
    if smaller != _size(photo):
        photo = np.asarray(cv2.resize(photo, smaller[::-1], interpolation=cv2.INTER_AREA), dtype=np.uint8)
    if size != smaller:
        photo = np.asarray(cv2.resize(photo, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    return photo


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
