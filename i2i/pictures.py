"""Pictures for people: network values to pixels, contact sheets, PNG files written whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from i2i.checkpoint import write_atomically

Pixels = NDArray[np.uint8]


def to_pixels(photos: Tensor) -> Pixels:
    """(N, 3, H, W) in [-1, 1] -> (N, H, W, 3) uint8; values outside are clipped."""
    scaled = (photos.detach().float().clamp(-1, 1) + 1) * 127.5
    return np.asarray(scaled.round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())


def visible(images: Tensor) -> Tensor:
    """(N, C, H, W) of any number of channels in [-1, 1] -> (N, 3, H, W), for people to look at.

    Three channels are RGB, four RGBA, laid on white; of other numbers the mean is shown, as grey.
    """
    if images.shape[1] == 4:
        alpha = (images[:, 3:] + 1) / 2
        return images[:, :3] * alpha + (1 - alpha)
    return images if images.shape[1] == 3 else images.mean(1, keepdim=True).expand(-1, 3, -1, -1)


def from_pixels(photos: Pixels) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) float32 in [-1, 1]."""
    return torch.from_numpy(np.array(photos, order="C")).permute(0, 3, 1, 2).float() / 127.5 - 1


def contact_sheet(rows: Sequence[Sequence[Pixels]], captions: Sequence[str] = (), gap: int = 4) -> Pixels:
    """Pictures of one size in rows on white, with a caption over each column.

    Args:
        rows: (H, W, 3) pictures; rows may differ in length.
        captions: one per column, or none.
        gap: white pixels between the pictures.
    """
    height, width = rows[0][0].shape[:2]
    head = 18 if captions else 0
    columns = max(len(row) for row in rows)
    sheet = np.full((head + len(rows) * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            top, left = head + gap + y * (height + gap), gap + x * (width + gap)
            sheet[top : top + height, left : left + width] = picture
    if not captions:
        return sheet
    image = Image.fromarray(sheet)
    draw = ImageDraw.Draw(image)
    for x, caption in enumerate(captions):
        draw.text((gap + x * (width + gap) + width / 2, gap), caption, "black", ImageFont.load_default(12), anchor="mt")
    return np.asarray(image)


def write_png(path: Path, picture: Pixels | NDArray[np.uint16]) -> None:
    """Write (H, W, 3) uint8, or (H, W) uint8 or uint16, as PNG, by a temporary name in the same folder."""
    write_atomically(path, lambda file: Image.fromarray(picture).save(file, format="PNG"))
