"""The instances of a batch by number, so that what belongs to each of them is gathered and spread without a loop."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from i2i.condition import Condition
from i2i.errors import InputError


@dataclass(frozen=True)
class InstanceIndex:
    """Which pixel belongs to which instance. An instance ends with its map: equal ids in two maps are two instances.

    Attributes:
        of_pixel: (N, H, W), the number of the pixel's instance, in [0, count).
        ids: (count,), the id that each instance has in its map; sorted within the map.
        maps: (count,), the map that each instance is in, in [0, N); sorted.
        pixels: (count,), how many pixels each has.
    """

    of_pixel: Tensor
    ids: Tensor
    maps: Tensor
    pixels: Tensor

    @classmethod
    def of(cls, condition: Condition) -> InstanceIndex:
        """Number the instances of maps.

        Raises:
            InputError: the condition has no instances.
        """
        instances: Tensor | None = getattr(condition, "instances", None)
        if instances is None:
            raise InputError(
                "instance features need instance maps, and these labels come without; use a data set with instances, "
                "or a model without features"
            )
        ids = instances.long()
        lowest, highest = torch.aminmax(ids)
        span = highest - lowest + 1
        first = torch.arange(len(ids), device=ids.device)[:, None, None] * span - lowest
        keys, of_pixel, pixels = torch.unique(ids + first, return_inverse=True, return_counts=True)
        maps = torch.div(keys, span, rounding_mode="floor")
        return cls(of_pixel, keys - maps * span + lowest, maps, pixels)

    @property
    def count(self) -> int:
        """How many instances there are in the batch."""
        return len(self.ids)

    def average(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (count, C), the mean over the pixels of each instance, of float32 at least."""
        return sums_of_regions(x, self.of_pixel, self.count) / self.pixels[:, None]

    def spread(self, values: Tensor) -> Tensor:
        """(count, C) -> (N, C, H, W), each pixel the values of its instance."""
        return values[self.of_pixel].permute(0, 3, 1, 2)

    def classes(self, labels: Tensor, num_classes: int) -> Tensor:
        """(N, H, W) labels -> (count,), the class that most pixels of each instance have; the lowest of equals."""
        pairs = self.of_pixel * num_classes + labels.long()
        return torch.bincount(pairs.flatten(), minlength=self.count * num_classes).view(-1, num_classes).argmax(1)


def sums_of_regions(x: Tensor, of_pixel: Tensor, count: int) -> Tensor:
    """Sums over the pixels of each region, of float32 at least.

    Args:
        x: (N, C, H, W).
        of_pixel: (N, H, W) in [0, count), the region of each pixel.
        count: number of regions.

    Returns:
        (count, C).
    """
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    by_pixel = wide.permute(0, 2, 3, 1).flatten(0, 2)  # (N · H · W, C)
    return by_pixel.new_zeros(count, x.shape[1]).index_add(0, of_pixel.flatten(), by_pixel)
