"""Pictures of earlier steps for the discriminator (Shrivastava et al. 2017, section 2.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from i2i import draws
from i2i.errors import InputError

Sample = dict[str, Tensor]


class PictureHistory:
    """Keeps synthesised pictures, each with the map and the photo it was made for, and exchanges them at random.

    The first ``size`` pictures are kept and passed through. After that every picture has an even chance to be kept in
    the place of a random earlier one, which is passed on instead. What belongs together stays together: an earlier
    picture comes with its own map and photo, which for the discriminator are as good a real pair as the current one.

    The history belongs to its process and lies on the device that trains. Checkpoints keep it, see :meth:`state`. Draws
    are made on the CPU (:mod:`i2i.draws`).

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
        old = draws.uniform((len(fake),)) < 0.5
        places = draws.integers(0, self.size, (len(fake),))
        chosen = [
            self._exchange(
                {name: value[i].clone() for name, value in tensors.items()}, fake[i].clone(), bool(o), int(p)
            )
            for i, (o, p) in enumerate(zip(old, places, strict=True))
        ]
        samples = {name: torch.stack([sample[name] for sample, _ in chosen]) for name in tensors}
        return samples, torch.stack([picture for _, picture in chosen])

    def state(self) -> list[tuple[Sample, Tensor]]:
        """What is kept, on the CPU: each picture after the map and the photo that belong to it."""
        return [
            ({name: value.cpu() for name, value in sample.items()}, picture.cpu()) for sample, picture in self._kept
        ]

    def restore(self, state: Sequence[tuple[Sample, Tensor]]) -> None:
        """Keep what another history kept, of its last pictures as many as have room."""
        self._kept = [(dict(sample), picture) for sample, picture in state[-self.size :]]

    def _exchange(self, sample: Sample, picture: Tensor, old: bool, place: int) -> tuple[Sample, Tensor]:
        if len(self._kept) < self.size:
            self._kept.append((sample, picture))
        elif old and self._kept[place][1].shape == picture.shape:  # else the batch could not be stacked
            kept, self._kept[place] = self._kept[place], (sample, picture)
            sample = {name: value.to(picture.device) for name, value in kept[0].items()}
            picture = kept[1].to(picture)
        return sample, picture


def of_all_processes(state: Any) -> list[Any]:
    """What each process has, by rank. Only the first process gets the others'; elsewhere there is but the own one."""
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return [state]
    states: list[Any] | None = [None] * dist.get_world_size() if dist.get_rank() == 0 else None
    dist.gather_object(state, states)
    return [state] if states is None else states
