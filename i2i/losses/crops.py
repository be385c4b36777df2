"""Crops instead of whole photos before the discriminator, for photos too large for it."""

from __future__ import annotations

import torch
from torch import Tensor

from i2i import draws
from i2i.condition import Condition
from i2i.errors import InputError
from i2i.losses.objective import View
from i2i.pixels import Pixels


class RandomCrops(View):
    """The discriminator judges random crops, each with its part of the condition.

    So does the patch discriminator of Park et al. 2020 ("Swapping Autoencoder for Deep Image Manipulation"), there
    without a condition. Memory and time of the discriminator, and of feature matching, then follow the crops and not
    the photo, and each step shows it other places of the same few photos. What is larger than a crop it does not see;
    losses on whole pictures (perceptual, reconstruction) still do. Condition, synthesised and real photo are cropped at
    the same place. Edges between instances are those of the whole map: where a crop ends, no instance does.

    Args:
        size: (height, width) of the crops in pixels.
        count: crops of each pair; the discriminator's batch is so many times the training batch.

    Raises:
        InputError: a size or a count below 1, or photos smaller than a crop.
    """

    def __init__(self, size: tuple[int, int], count: int = 4) -> None:
        super().__init__()
        if count < 1 or min(size) < 1:
            raise InputError(f"RandomCrops: size {size[0]} x {size[1]}, count {count}; each must be at least 1")
        self.size = (size[0], size[1])
        self.count = count

    def forward(self, condition: Condition, fake: Tensor, real: Tensor) -> tuple[Condition, Tensor, Tensor]:
        """N maps and photos (N, C, H, W) -> N · count of :attr:`size`, those of one pair side by side.

        The places are drawn evenly, on the CPU (:mod:`i2i.draws`).
        """
        room = [whole - part for whole, part in zip(condition.size, self.size, strict=True)]
        if min(room) < 0:
            raise InputError(
                f"RandomCrops: crops of {self.size[0]} x {self.size[1]} do not fit into photos of "
                f"{condition.size[0]} x {condition.size[1]}; choose a smaller size"
            )
        images = torch.arange(len(real)).repeat_interleave(self.count)
        top, left = (draws.integers(0, most + 1, images.shape) for most in room)
        pixels = Pixels.cropped(images, top, left, self.size).to(real.device)
        return condition.gathered(pixels), pixels.of_photos(fake), pixels.of_photos(real)
