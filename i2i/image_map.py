"""Images as the condition of the networks: what a label map is to semantic synthesis, a picture is to pix2pix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from i2i.condition import Semantics
from i2i.errors import InputError
from i2i.pixels import Pixels
from i2i.recipe import recorded


class ImageMap:
    """A batch of condition images with any number of channels: grey, RGB, RGBA, edges, …

    Args:
        image: (N, C, H, W) floating point in [-1, 1].
    """

    def __init__(self, image: Tensor) -> None:
        self.image = image
        self._resized: dict[tuple[int, int], ImageMap] = {}

    @property
    def channels(self) -> int:
        """C."""
        return self.image.shape[1]

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.image.shape[-2], self.image.shape[-1]

    @property
    def batch(self) -> int:
        """N, the number of images."""
        return self.image.shape[0]

    @property
    def device(self) -> torch.device:
        """Where the images lie."""
        return self.image.device

    def to(self, device: torch.device | str) -> ImageMap:
        """The same images on another device."""
        return ImageMap(self.image.to(device))

    def dense(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """(N, channels, H, W), the images themselves."""
        return self.image.to(dtype)

    def resized(self, height: int, width: int) -> ImageMap:
        """A copy of another size, interpolated linearly and averaged where it shrinks; made once per size."""
        if (height, width) == self.size:
            return self
        if (height, width) not in self._resized:
            image = F.interpolate(self.image, (height, width), mode="bilinear", align_corners=False, antialias=True)
            self._resized[height, width] = ImageMap(image)
        return self._resized[height, width]

    def repeated(self, times: int) -> ImageMap:
        """The batch ``times`` over."""
        return ImageMap(self.image.repeat(times, 1, 1, 1))

    def gathered(self, pixels: Pixels) -> ImageMap:
        """The chosen pixels."""
        return ImageMap(pixels.of_photos(self.image))


@recorded
class ImageSemantics(Semantics):
    """How a model reads its condition where that is an image.

    Args:
        channels: of the image: 1 for grey or edges, 3 for RGB, 4 for RGBA; any other number for images given as arrays.
    """

    def __init__(self, channels: int) -> None:
        if channels < 1:
            raise InputError(f"the condition has {channels} channels; allowed are 1 and more")
        self._channels = channels

    @property
    def channels(self) -> int:
        """What the networks take as ``label_channels``."""
        return self._channels

    def read(self, batch: Mapping[str, Any]) -> ImageMap:
        """The condition of a batch, from its "condition": (N, channels, H, W) in [-1, 1]."""
        if "condition" not in batch:
            raise InputError(f"the model translates images of {self.channels} channels, but the data has label maps")
        return self(batch["condition"])

    def __call__(self, images: Tensor) -> ImageMap:
        """(N, channels, H, W) floating point in [-1, 1] to a checked condition.

        Raises:
            InputError: another shape, type or range.
        """
        if images.dim() != 4 or 0 in images.shape:
            raise InputError(f"the images have shape {tuple(images.shape)}; expected (N, {self.channels}, H, W)")
        if images.shape[1] != self.channels:
            raise InputError(f"the images have {images.shape[1]} channels, the model takes {self.channels}")
        if not images.is_floating_point():
            raise InputError(f"the images are {images.dtype}; a condition image is floating point in [-1, 1]")
        low, high = (float(x) for x in torch.aminmax(images))
        if not (low >= -1 and high <= 1):  # a NaN is in no range either
            raise InputError(f"the images have values {low:g} to {high:g}; a condition image lies in [-1, 1]")
        return ImageMap(images)
