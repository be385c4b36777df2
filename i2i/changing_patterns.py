"""The label patterns of a map that is painted on: numbers stay, and only windows that changed are looked at.

As in :mod:`i2i.patterns`, there are windows of codes and windows of their numbers. Here numbers count from 1, in the
order in which windows were first seen, and 0 is what lies outside the image; so a table with a row per number grows at
its end when the map changes, and a map that comes back finds its rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from i2i.patterns import number_padded_windows
from i2i.region import Region

_SLACK = 256
"""So many windows more than twice those in use are kept, or else small maps would be tidied at every stroke."""


class KnownWindows:
    """The windows seen so far, with their numbers; told apart by their contents, byte for byte.

    Args:
        contents: (U, k²) int64, distinct; they get the numbers 1 to U.
    """

    def __init__(self, contents: Tensor | None = None) -> None:
        self._numbers: dict[bytes, int] = {}
        if contents is not None:
            self.number(contents)

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def contents(self) -> Tensor:
        """(U, k²) int64, those of number 1 first."""
        data = bytearray(b"".join(self._numbers))
        return torch.frombuffer(data, dtype=torch.int64).view(len(self), -1)

    def number(self, contents: Tensor) -> tuple[Tensor, Tensor]:
        """Look windows up; those that are not known are given the next numbers.

        Args:
            contents: (U, k²) int64 on the CPU, distinct.

        Returns:
            (U,) int64 numbers, and the contents of those that are new, in the order of their numbers.
        """
        before = len(self)
        numbers = torch.tensor([self._number(key) for key in _rows(contents)])
        return numbers, contents[numbers > before]

    def _number(self, key: bytes) -> int:
        return self._numbers.setdefault(key, len(self._numbers) + 1)


def _rows(contents: Tensor) -> Iterable[bytes]:
    data, width = contents.numpy().tobytes(), contents.shape[1] * contents.element_size()
    return (data[start : start + width] for start in range(0, len(data), width))


@dataclass(frozen=True)
class Change:
    """What another map made of the patterns.

    Attributes:
        region: around the pixels whose pattern changed.
        inner: (U, k²) contents of the windows of codes that are new, in the order of their numbers.
        outer: (U, k²) contents of the windows of inner numbers that are new.
    """

    region: Region
    inner: Tensor
    outer: Tensor


class ChangingPatterns:
    """The patterns of a batch of maps of one size, which change; on the CPU.

    Args:
        shape: (N, H, W) of the maps.
        codes: number of codes; this number itself stands for "outside the image".
        kernel: size k of the windows, odd.

    Attributes:
        index: (N, H, W) int32, the number of the outer window at every pixel.
    """

    def __init__(self, shape: tuple[int, int, int], codes: int, kernel: int) -> None:
        batch, height, width = shape
        padded = (batch, height + kernel - 1, width + kernel - 1)
        self.kernel = kernel
        self._image = Region.whole((height, width)).moved(kernel // 2, kernel // 2)
        self._codes = torch.full(padded, codes)
        self._image.of(self._codes).fill_(-1)  # no code: the first map is new all over
        self._inner_numbers = torch.zeros(padded, dtype=torch.int64)
        self.index = torch.zeros(shape, dtype=torch.int32)
        self._inner, self._outer = KnownWindows(), KnownWindows()
        self._kept = 0

    @property
    def known(self) -> int:
        """How many outer windows have a number."""
        return len(self._outer)

    def update(self, codes: Tensor) -> Change | None:
        """Take another map, (N, H, W) int64 codes; None where it is the same."""
        size = self._image.size
        region = Region.around(self._image.of(self._codes) != codes)
        if region is None:
            return None
        self._image.of(self._codes).copy_(codes)
        region = region.grown(self.kernel // 2, size)
        numbers, inner = self._number(self._inner, self._codes, region)
        region.of(self._image.of(self._inner_numbers)).copy_(numbers)
        region = region.grown(self.kernel // 2, size)
        numbers, outer = self._number(self._outer, self._inner_numbers, region)
        region.of(self.index).copy_(numbers)
        return Change(region, inner, outer)

    def _number(self, known: KnownWindows, padded: Tensor, region: Region) -> tuple[Tensor, Tensor]:
        """The numbers of the windows in a region of the image, and the contents of the new ones."""
        reach = self.kernel - 1
        windows = number_padded_windows(
            padded[:, region.top : region.bottom + reach, region.left : region.right + reach], self.kernel
        )
        numbers, new = known.number(windows.contents)
        return numbers[windows.rows.index], new

    def tidy(self) -> tuple[Tensor, Tensor] | None:
        """Forget the windows that the map has no more, once they are more than those that it had and some.

        Returns:
            The inner and the outer numbers that stay, ascending; they are numbered anew, from 1, in this order. None
            where there is nothing to do yet: the windows are at most twice those after the last time, and 256.
        """
        most = max(len(self._inner), len(self._outer))
        if self._kept == 0:
            self._kept = most  # of the first map, which has them all
        if most <= 2 * self._kept + _SLACK:
            return None
        inner, inner_numbers = torch.unique(self._image.of(self._inner_numbers), return_inverse=True)
        outer, index = torch.unique(self.index, return_inverse=True)
        self._image.of(self._inner_numbers).copy_(inner_numbers + 1)
        self.index.copy_(index + 1)
        renumbered = torch.zeros(len(self._inner) + 1, dtype=torch.int64)
        renumbered[inner] = torch.arange(1, len(inner) + 1)
        # All windows that an outer window in use is made of are in use, too.
        self._outer = KnownWindows(renumbered[self._outer.contents[outer.long() - 1]])
        self._inner = KnownWindows(self._inner.contents[inner - 1])
        self._kept = max(len(inner), len(outer))
        return inner, outer.long()
