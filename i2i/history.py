"""Pictures of earlier steps for the discriminator (Shrivastava et al. 2017, section 2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from i2i.errors import InputError

Sample = dict[str, Tensor]


class PictureHistory:
    """Keeps synthesised pictures, each with the map and the photo it was made for, and exchanges them at random.

    The first ``size`` pictures are kept and passed through. After that every picture has an even chance to be kept in
    the place of a random earlier one, which is passed on instead. What belongs together stays together: an earlier
    picture comes with its own map and photo, which for the discriminator are as good a real pair as the current one.

    The history lies on the device that trains and belongs to its process. It is no part of a checkpoint: a resumed run
    fills it anew. Draws come from torch's global generator of the CPU.

    Args:
        size: how many pictures are kept; 50 in CycleGAN, pix2pixHD's ``pool_size``.
    """

    def __init__(self, size: int) -> None:
        if size < 1:
            raise InputError(f"the history's size is {size}; it is a number of pictures, at least 1")
        self.size = size
        self._kept: list[tuple[Sample, Tensor]] = []

    def __call__(self, batch: Mapping[str, Any], fake: Tensor) -> tuple[dict[str, Any], Tensor]:
        """Exchange samples of a batch.

        Args:
            batch: tensors (N, …); what is no tensor is left out.
            fake: (N, 3, H, W), detached.

        Returns:
            A batch of the same shapes, and the pictures that belong to it.
        """
        tensors = {name: value for name, value in batch.items() if isinstance(value, Tensor)}
        chosen = [
            self._exchange({name: value[i].clone() for name, value in tensors.items()}, fake[i].clone())
            for i in range(len(fake))
        ]
        samples = {name: torch.stack([sample[name] for sample, _ in chosen]) for name in tensors}
        return samples, torch.stack([picture for _, picture in chosen])

    def _exchange(self, sample: Sample, picture: Tensor) -> tuple[Sample, Tensor]:
        if len(self._kept) < self.size:
            self._kept.append((sample, picture))
        elif torch.rand(()) < 0.5:
            place = int(torch.randint(self.size, ()))
            if self._kept[place][1].shape == picture.shape:  # else the batch could not be stacked
                (sample, picture), self._kept[place] = self._kept[place], (sample, picture)
        return sample, picture
