"""Figures of single photos, collected over batches and processes; the ground that most metrics stand on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from i2i.errors import InputError


class Collected(Metric):
    """Keeps a row of numbers for each photo.

    Rows carry the photo's name as a key. What comes out is in the order of the keys and each photo is there once, so it
    depends neither on how many processes shared the work, nor on the order of the photos, nor on photos that a
    sampler gave to two processes to make their shares equal.

    Args:
        width: numbers in a row.
    """

    full_state_update = False
    rows: list[Tensor]
    keys: list[Tensor]

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.add_state("rows", [], dist_reduce_fx="cat")
        self.add_state("keys", [], dist_reduce_fx="cat")
        self._start()

    def reset(self) -> None:
        """Forget everything."""
        super().reset()
        self._start()

    def collect(self, names: Sequence[str], rows: Tensor) -> None:
        """Add the rows (N, width) of the photos of these names.

        Raises:
            InputError: a row is not finite; the photo is named.
        """
        for name, finite in zip(names, torch.isfinite(rows).all(dim=1).tolist(), strict=True):
            if not finite:
                raise InputError(f"{name}: {type(self).__name__} is not a finite number there")
        self.keep(names, rows)

    def keep(self, names: Sequence[str], rows: Tensor) -> None:
        """As :meth:`collect`, but whether the rows are finite or not."""
        self.rows.append(rows.detach().float())
        self.keys.append(torch.tensor([key(name) for name in names], dtype=torch.long, device=rows.device))

    def collected(self) -> tuple[Tensor, Tensor]:
        """(n,) keys in rising order and their (n, width) rows, on the CPU in float64."""
        keys, rows = (torch.cat(x) if isinstance(x, list) else x for x in (self.keys, self.rows))
        keys, rows = keys.cpu(), rows.cpu().double()
        order = torch.argsort(keys, stable=True)
        keys, rows = keys[order], rows[order]
        first = torch.ones_like(keys, dtype=torch.bool)
        first[1:] = keys[1:] != keys[:-1]
        return keys[first], rows[first]

    def rows_of(self, names: Sequence[str]) -> dict[str, list[float]]:
        """The row of each of the named photos that were measured; after ``compute``, those of this process alone."""
        keys, rows = self.collected()
        by_key = dict(zip(keys.tolist(), rows.tolist(), strict=True))
        return {name: by_key[key(name)] for name in names if key(name) in by_key}

    def _start(self) -> None:
        # A process that got no photo must still have a tensor of the right shape and type to share.
        self.rows.append(torch.zeros(0, self.width, device=self.device))
        self.keys.append(torch.zeros(0, dtype=torch.long, device=self.device))


def key(name: str) -> int:
    """64 bits that stand for a photo's name, the same on every machine."""
    return int.from_bytes(hashlib.sha256(os.fsencode(name)).digest()[:8], "big", signed=True)


def check_photos(photo: Tensor, names: Sequence[str]) -> None:
    """Refuse photos that no metric can be trusted on.

    Args:
        photo: (N, 3, H, W), meant to be in [-1, 1].
        names: of the photos, for the error.

    Raises:
        InputError: another shape, a value that is not finite, or one out of range.
    """
    if photo.dim() != 4 or photo.shape[1] != 3 or not photo.is_floating_point():
        raise InputError(f"photos are {photo.dtype} of shape {tuple(photo.shape)}; expected (N, 3, H, W) in [-1, 1]")
    if len(names) != len(photo):
        raise InputError(f"{len(photo)} photos came with {len(names)} names; each needs its own")
    largest = photo.detach().flatten(1).abs().amax(dim=1)  # NaN wins
    for name, value in zip(names, largest.tolist(), strict=True):
        if not value < float("inf"):
            raise InputError(f"{name}: the photo has pixels that are NaN or infinite")
        if value > 1.001:
            raise InputError(f"{name}: the photo has the value {value:.4g}; photos are measured in [-1, 1]")


def mean_of(rows: Tensor, what: str) -> Tensor:
    """The mean over the photos.

    Raises:
        InputError: there are none.
    """
    if not len(rows):
        raise InputError(f"{what}: no photos were measured")
    return rows.mean(dim=0)
