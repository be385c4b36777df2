"""Parts of a picture: rectangles of pixels, and what a convolution's reach makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Size = tuple[int, int]
"""(H, W) in pixels."""


@dataclass(frozen=True)
class Region:
    """The pixels in rows [top, bottom) and columns [left, right); never empty."""

    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def whole(cls, size: Size) -> Region:
        """All of a picture."""
        return cls(0, size[0], 0, size[1])

    @classmethod
    def around(cls, mask: Tensor) -> Region | None:
        """The smallest region with all true pixels of all maps (N, H, W); None where there are none."""
        mask = mask.any(0)
        rows, columns = (torch.nonzero(mask.any(axis)).flatten().tolist() for axis in (1, 0))
        return cls(rows[0], rows[-1] + 1, columns[0], columns[-1] + 1) if rows else None

    @property
    def size(self) -> Size:
        """(H, W) in pixels."""
        return self.bottom - self.top, self.right - self.left

    @property
    def area(self) -> int:
        """In pixels."""
        return self.size[0] * self.size[1]

    def grown(self, by: int, size: Size) -> Region:
        """Wider by so many pixels on every side, as far as the picture of this size reaches."""
        return Region(
            max(self.top - by, 0), min(self.bottom + by, size[0]), max(self.left - by, 0), min(self.right + by, size[1])
        )

    def joined(self, other: Region | None) -> Region:
        """The smallest region with both in it."""
        if other is None:
            return self
        return Region(
            min(self.top, other.top),
            max(self.bottom, other.bottom),
            min(self.left, other.left),
            max(self.right, other.right),
        )

    def times(self, factor: int) -> Region:
        """The same part of a picture that is so many times as large."""
        return Region(self.top * factor, self.bottom * factor, self.left * factor, self.right * factor)

    def over(self, factor: int) -> Region:
        """The part of a picture so many times smaller that covers it all."""
        return Region(self.top // factor, -(-self.bottom // factor), self.left // factor, -(-self.right // factor))

    def moved(self, down: int, right: int) -> Region:
        """So many pixels further."""
        return Region(self.top + down, self.bottom + down, self.left + right, self.right + right)

    def within(self, other: Region) -> Region:
        """The same pixels, counted from the corner of a region that holds them."""
        return self.moved(-other.top, -other.left)

    def of(self, maps: Tensor) -> Tensor:
        """The pixels of (…, H, W) in the region, a view."""
        return maps[..., self.top : self.bottom, self.left : self.right]
