"""FID, KID, precision and recall: the synthesised photos as a set against the real ones as a set."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from i2i.errors import InputError
from i2i.metrics.collected import Collected, check_photos
from i2i.metrics.extractors import Extractor
from i2i.metrics.frechet import Gaussian, frechet_distance
from i2i.metrics.kernel import kernel_distance
from i2i.metrics.manifold import Manifolds, compare_manifolds
from i2i.metrics.result import Result

NEIGHBOURS = 5
"""k of precision, recall, density and coverage, where nothing else is said."""

FEW = 2048
"""Photos in a set below which the Fréchet distance is far too large and only compares with figures of equal counts."""


def check_count(photos: int, kind: str, neighbours: int = NEIGHBOURS) -> None:
    """Raise :class:`InputError` where there are too few photos of a kind, "real" or "synthesised"."""
    if photos <= max(neighbours, 1):
        raise InputError(f"FID and its kin need more than {max(neighbours, 1)} {kind} photos; there are {photos}")


class Distribution(Collected):
    """Collects features of synthesised photos; compares them with those of real ones at the end.

    Args:
        extractor: gives the features; it is no part of the metric's state.
        real: (n, d) features of the real photos, by the same extractor; see :mod:`i2i.metrics.reference`.
        about: what the real photos are (data, split, size), for the protocol.
        subsets: random subsets of the kernel distance.
        subset_size: photos in each, at most as many as there are.
        neighbours: k of precision, recall, density and coverage.
        seed: of the subsets.

    Raises:
        InputError: too few real photos.
    """

    def __init__(
        self,
        extractor: Extractor,
        real: Tensor,
        about: Mapping[str, Any],
        subsets: int = 100,
        subset_size: int = 1000,
        neighbours: int = NEIGHBOURS,
        seed: int = 0,
    ) -> None:
        super().__init__(width=real.shape[1])
        check_count(len(real), "real", neighbours)
        self._extractor = (extractor,)  # a tuple: a submodule would enter checkpoints
        self.real = real.double().cpu()
        self.about = dict(about)
        self.subsets = subsets
        self.subset_size = subset_size
        self.neighbours = neighbours
        self.seed = seed
        self._real_gaussian: Gaussian | None = None

    def update(self, photo: Tensor, names: Sequence[str]) -> None:
        """Add synthesised photos (N, 3, H, W) in [-1, 1]; of equal names the first counts."""
        check_photos(photo, names)
        self.collect(names, self._extractor[0](photo))

    def compute(self) -> dict[str, Tensor]:
        """Scalars ``fid``, ``kid``, ``kid_deviation``, ``subsets``, ``subset_size``, ``count``, those of ``Manifolds``.

        The deviation is NaN where there is none.

        Raises:
            InputError: too few synthesised photos.
        """
        _, fake = self.collected()
        check_count(len(fake), "synthesised", self.neighbours)
        if self._real_gaussian is None:
            self._real_gaussian = Gaussian.from_features(self.real)
        kernel = kernel_distance(fake, self.real, self.subsets, self.subset_size, self.seed)
        values = {
            "fid": frechet_distance(Gaussian.from_features(fake), self._real_gaussian),
            "kid": kernel.mean,
            "kid_deviation": math.nan if kernel.deviation is None else kernel.deviation,
            "subsets": kernel.subsets,
            "subset_size": kernel.size,
            "count": len(fake),
            **compare_manifolds(self.real, fake, self.neighbours)._asdict(),
        }
        return {name: torch.tensor(value, dtype=torch.double) for name, value in values.items()}

    def results(self) -> list[Result]:
        """FID, KID, precision, recall, density, coverage."""
        values = {name: float(value) for name, value in self.compute().items()}
        count = int(values["count"])
        protocol = {**self._extractor[0].describe(), **self.about, "photos": count, "real photos": len(self.real)}
        fid = dict(protocol)
        if min(count, len(self.real)) < FEW:
            fid["note"] = f"biased upwards: fewer than {FEW} photos; only compare with figures of the same counts"
        subsets, size, deviation = int(values["subsets"]), int(values["subset_size"]), values["kid_deviation"]
        kernel = {"kernel": "(x·y / d + 1)³, unbiased", "subsets": subsets, "subset size": size}
        if size < max(count, len(self.real)):  # else nothing is drawn
            kernel["seed of the subsets"] = self.seed
        near = {"nearest neighbours": self.neighbours}
        return [
            Result("FID", values["fid"], fid, "lower"),
            Result("KID", values["kid"], protocol | kernel, "lower", deviation=None if subsets == 1 else deviation),
            *(Result(name, values[name], protocol | near, "higher") for name in Manifolds._fields),
        ]
