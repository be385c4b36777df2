"""Choosing pixels: shifted pictures and crops, of photos and of integer maps by one rule."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


def padded(maps: Tensor, multiple: int, least: int = 1) -> Tensor:
    """(…, H, W) with the last row and column repeated until both sides are multiples, as networks halve sizes often.

    Args:
        maps: of any type.
        multiple: of which both sides are to be.
        least: that both sides are to have, too.
    """
    height, width = (-(-max(side, least) // multiple) * multiple for side in maps.shape[-2:])
    rows = torch.arange(height).clamp(max=maps.shape[-2] - 1)
    columns = torch.arange(width).clamp(max=maps.shape[-1] - 1)
    return maps[..., rows[:, None], columns]


@dataclass(frozen=True)
class Pixels:
    """For every pixel of M new pictures (h, w), the pixel of N given ones (H, W) that it is taken from.

    Nothing is interpolated, so maps of ids stay maps of ids, and what belongs together stays together: the same
    choice is made in the photo, its label map and the map's edges.

    Attributes:
        images: (M, 1, 1) int64 in [0, N), the picture that each new one is taken from.
        rows: (M, h, 1) int64 in [0, H).
        columns: (M, 1, w) int64 in [0, W).
    """

    images: Tensor
    rows: Tensor
    columns: Tensor

    @classmethod
    def shifted(cls, size: tuple[int, int], down: Tensor, right: Tensor) -> Pixels:
        """Every picture shifted; what comes in from outside is its mirror image.

        Args:
            size: (H, W) of the pictures.
            down: (N,) int64, pixels to shift by, of at most H either way.
            right: (N,) int64, of at most W.
        """
        height, width = size
        images = torch.arange(len(down), device=down.device)[:, None, None]
        rows = _mirrored(torch.arange(height, device=down.device) - down[:, None], height)
        columns = _mirrored(torch.arange(width, device=down.device) - right[:, None], width)
        return cls(images, rows[:, :, None], columns[:, None, :])

    @classmethod
    def cropped(cls, images: Tensor, top: Tensor, left: Tensor, size: tuple[int, int]) -> Pixels:
        """Crops of one size.

        Args:
            images: (M,) int64, the picture that each crop is taken from.
            top: (M,) int64, its first row.
            left: (M,) int64, its first column.
            size: (h, w) of the crops.
        """
        rows = top[:, None] + torch.arange(size[0], device=top.device)
        columns = left[:, None] + torch.arange(size[1], device=top.device)
        return cls(images[:, None, None], rows[:, :, None], columns[:, None, :])

    def to(self, device: torch.device | str) -> Pixels:
        """The same choice on another device."""
        return Pixels(self.images.to(device), self.rows.to(device), self.columns.to(device))

    def of_maps(self, maps: Tensor) -> Tensor:
        """(N, H, W) of any type -> (M, h, w)."""
        return maps[self.images, self.rows, self.columns]

    def of_photos(self, photos: Tensor) -> Tensor:
        """(N, C, H, W) -> (M, C, h, w), differentiable."""
        return photos.permute(0, 2, 3, 1)[self.images, self.rows, self.columns].permute(0, 3, 1, 2).contiguous()


def _mirrored(positions: Tensor, length: int) -> Tensor:
    """Positions up to ``length`` beyond either end -> [0, length), reflected at the outer side of the last pixel."""
    inside = torch.where(positions < 0, -1 - positions, positions)
    return torch.where(inside >= length, 2 * length - 1 - inside, inside)
