"""Style fidelity: does the picture carry the style that it was made with, so that the encoder finds it again?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from i2i.errors import InputError
from i2i.metrics.collected import Collected
from i2i.metrics.result import Result

_LEAST = 3  # styles from which a correlation says something


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Pearson's r of each column of two (n, d) tables: (d,) in [-1, 1]; 0 where a column is constant."""
    a, b = a.double(), b.double()
    a, b = a - a.mean(dim=0), b - b.mean(dim=0)
    scale = (a.square().sum(dim=0) * b.square().sum(dim=0)).sqrt()
    product = (a * b).sum(dim=0)
    return torch.where(scale > 1e-12 * len(a), product / scale.clamp(min=1e-300), torch.zeros_like(product))


def explained_variance(given: Tensor, found: Tensor) -> Tensor:
    """1 - Σ(given - found)² / Σ(given - mean)² over samples and dimensions: 1 is perfect, 0 as bad as the mean."""
    given, found = given.double(), found.double()
    return 1 - (given - found).square().sum() / (given - given.mean(dim=0)).square().sum()


def check_count(photos: int) -> None:
    """Raise :class:`InputError` where there are too few photos for a correlation."""
    if photos < _LEAST:
        raise InputError(f"style fidelity is a correlation over photos and needs {_LEAST}; there are {photos}")


class StyleFidelity(Collected):
    """Compares styles with what the encoder reads off the pictures that were made with them.

    Args:
        style_dim: numbers in a style.
        about: what the styles are drawn from, for the protocol.
    """

    def __init__(self, style_dim: int, about: Mapping[str, Any]) -> None:
        super().__init__(width=2 * style_dim)
        self.style_dim = style_dim
        self.about = dict(about)

    def update(self, given: Tensor, found: Tensor, names: Sequence[str]) -> None:
        """Add the styles (N, style_dim) that pictures were made with and the encoder's means for those pictures.

        Raises:
            InputError: shapes that do not fit.
        """
        if given.shape != found.shape or given.shape[1:] != (self.style_dim,):
            raise InputError(
                f"styles of shape {tuple(given.shape)} and {tuple(found.shape)}; expected (N, {self.style_dim}) twice"
            )
        self.collect(names, torch.cat([given.float(), found.float()], dim=1))

    def compute(self) -> dict[str, Tensor]:
        """``correlation`` (style_dim,) of each dimension, scalars ``explained`` and ``count``.

        Raises:
            InputError: fewer than three styles.
        """
        _, rows = self.collected()
        check_count(len(rows))
        given, found = rows.chunk(2, dim=1)
        return {
            "correlation": correlation(given, found),
            "explained": explained_variance(given, found),
            "count": torch.tensor(len(rows)),
        }

    def results(self) -> list[Result]:
        """The mean correlation, with that of each dimension, and the explained variance."""
        values = self.compute()
        each = values["correlation"].reshape(-1)
        protocol = {
            **self.about,
            "found by": "the encoder's mean for the synthesised photo",
            "dimensions": self.style_dim,
            "photos": int(values["count"]),
        }
        parts = {f"dimension {index}": float(value) for index, value in enumerate(each)}
        return [
            Result("style correlation", float(each.mean()), protocol, "higher", parts=parts),
            Result("style explained variance", float(values["explained"]), protocol, "higher"),
        ]
