"""From a sample as read to the tensors of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2i.data.transforms import Resize
from i2i.errors import InputError
from i2i.recipe import recorded

if TYPE_CHECKING:
    from i2i.data.augment import Augmentation
    from i2i.data.paired import Sample

Array = NDArray[Any]


@recorded
class Preparation:
    """Makes one item of a batch from a sample. In evaluation nothing is random.

    Args:
        resize: how samples come to size.
        flip: probability of mirroring photo and condition left to right in training.
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

        ``condition`` (C, h, w) is as the photo. All but the name are there where the sample has them.

        Args:
            sample: as read.
            seed: of everything random; the same seed gives the same item.
            training: whether to augment.

        Raises:
            InputError: a sample without photo in training.
        """
        given: dict[str, Array | None] = {
            "labels": sample.labels,
            "instances": sample.instances,
            "condition": sample.condition,
        }
        photo, maps = sample.photo, {name: one for name, one in given.items() if one is not None}
        if training:
            if photo is None:
                raise InputError(f"{sample.name} has no photo; training needs one with every condition")
            photo, maps = self._augment(photo, maps, seed)
        else:
            photo = None if photo is None else self.resize.apply_photo(photo)
            maps = {name: self._resized(one) for name, one in maps.items()}
        item: dict[str, Any] = {"name": sample.name}
        if photo is not None:
            item["photo"] = photo_tensor(photo)
        for name, one in maps.items():
            item[name] = photo_tensor(one) if name == "condition" else map_tensor(one)
        return item

    def _resized(self, one: Array) -> Array:
        return self.resize.apply_labels(one) if one.ndim == 2 else self.resize.apply_photo(one)

    def _augment(
        self, photo: NDArray[np.uint8], maps: dict[str, Array], seed: int
    ) -> tuple[NDArray[np.uint8], dict[str, Array]]:
        if self._augmentation is None:
            from i2i.data.augment import Augmentation  # albumentations takes seconds to import; inference needs none

            self._augmentation = Augmentation(self.resize, self.flip, self.colour_jitter)
        return self._augmentation(photo, maps, seed)


def photo_tensor(photo: NDArray[np.uint8]) -> Tensor:
    """(H, W, C) uint8 -> (C, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(np.array(photo.transpose(2, 0, 1), order="C")).float().div_(127.5).sub_(1)


def map_tensor(ids: Array) -> Tensor:
    """(H, W) integers -> a tensor of the same type with its own memory."""
    return torch.from_numpy(np.array(ids, order="C"))
