"""Which data was measured on, in 64 letters: figures of two data sets do not compare, whatever these are called."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from i2i.data.loading import PreparedSplit, collate
from i2i.metrics.collected import Collected
from i2i.pictures import to_pixels

_PARTS = ("photo", "labels", "instances", "condition")
_PROBES = 8  # samples that are read for a probe


class DataDigest(Collected):
    """SHA-256 of names, photos and conditions as they are measured.

    Of the same samples it is the same wherever they lie, from files or a cache, in batches of any size, shared by any
    number of processes; it changes with any pixel of any of them.
    """

    def __init__(self) -> None:
        super().__init__(width=hashlib.sha256().digest_size)

    def update(self, batch: Mapping[str, Any]) -> None:
        """Add a batch of the loader; of equal names the first counts."""
        parts = {name: _bytes_of(name, batch[name]) for name in _PARTS if name in batch}
        digests = []
        for index, name in enumerate(batch["name"]):
            digest = hashlib.sha256(os.fsencode(f"{name}\n"))
            for part, values in parts.items():
                digest.update(f"{part} {values[index].shape}\n".encode())
                digest.update(values[index].tobytes())
            digests.append(list(digest.digest()))
        self.keep(batch["name"], torch.tensor(digests, device=self.device))

    def compute(self) -> str:
        """64 hexadecimal digits."""
        _, rows = self.collected()
        return hashlib.sha256(rows.to(torch.uint8).numpy().tobytes()).hexdigest()


def probe(dataset: PreparedSplit) -> str:
    """As :class:`DataDigest`, of all names, but of the pixels of only a few samples that are spread evenly.

    Raises:
        InputError: a sample cannot be read.
    """
    digest = hashlib.sha256()
    for index in range(len(dataset)):
        digest.update(os.fsencode(f"{dataset.split.name(index)}\n"))
    pixels = DataDigest()
    for index in np.unique(np.linspace(0, len(dataset) - 1, min(_PROBES, len(dataset))).round().astype(int)):
        pixels.update(collate([dataset[int(index)]]))
    digest.update(pixels.compute().encode())
    return digest.hexdigest()


def _bytes_of(part: str, values: Tensor) -> np.ndarray[Any, Any]:
    """(N, …) photos and images as 8-bit values; labels and instances of any type as integers of 32 bits."""
    if part in ("photo", "condition"):
        return to_pixels(values)
    return values.cpu().numpy().astype("<i4")
