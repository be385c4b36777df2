"""The two ways in which photos are brought to an extractor's size. They give different figures, so each is named."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Resampling = Literal["bicubic", "tensorflow"]
"""``bicubic``: with antialiasing, as PIL does it (Parmar et al. 2022). ``tensorflow``: bilinear without, on the grid of
TensorFlow 1, as in the FID of the papers (Heusel et al. 2017)."""

DESCRIPTION: dict[Resampling, str] = {
    "bicubic": "bicubic, antialiased",
    "tensorflow": "bilinear, not antialiased, on TensorFlow 1's grid",
}


def resample(photo: Tensor, size: tuple[int, int], how: Resampling) -> Tensor:
    """(N, C, H, W) values in [0, 255] -> (N, C, h, w), floating point, in the same range."""
    if photo.shape[-2:] == size:
        return photo
    if how == "bicubic":
        return F.interpolate(photo, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 255)
    return _at_rows(_at_rows(photo, size[0]).transpose(2, 3), size[1]).transpose(2, 3)


def _at_rows(photo: Tensor, height: int) -> Tensor:
    """Linear interpolation at the rows ``i · H / h``: TensorFlow 1 measures from the pixels' corners."""
    positions = torch.arange(height, device=photo.device, dtype=photo.dtype) * (photo.shape[2] / height)
    below = positions.floor().long().clamp(max=photo.shape[2] - 1)
    above = (below + 1).clamp(max=photo.shape[2] - 1)
    share = (positions - below)[:, None]
    return photo[:, :, below] * (1 - share) + photo[:, :, above] * share
