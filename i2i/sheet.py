"""Rows of pictures on one sheet: each row with a title, each picture with a caption, all cells of one size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from i2i.pictures import Pixels

_GAP, _TITLE, _CAPTION = 4, 22, 16


@dataclass(frozen=True)
class Band:
    """One row of a sheet.

    Attributes:
        title: a line above it.
        pictures: (H, W, 3) each, of any sizes; None leaves a cell empty.
        captions: one for each picture, below it.
    """

    title: str
    pictures: Sequence[Pixels | None]
    captions: Sequence[str]


def banded_sheet(bands: Sequence[Band], smallest: int = 96, largest: int = 256) -> Pixels:
    """(H, W, 3), the rows below one another on white.

    Args:
        bands: one or more, with at least one picture.
        smallest: pictures whose longer side is below half of it are enlarged by a whole number, pixel by pixel.
        largest: pictures whose longer side is above are made smaller.
    """
    rows = [[None if one is None else _fitted(one, smallest, largest) for one in band.pictures] for band in bands]
    there = [picture for row in rows for picture in row if picture is not None]
    height, width = (max(picture.shape[axis] for picture in there) for axis in (0, 1))
    columns = max(len(row) for row in rows)
    font = ImageFont.load_default(12)
    longest = max(int(font.getlength(band.title)) for band in bands)
    pitch = _TITLE + height + _CAPTION
    size = (max(columns * (width + _GAP), longest + _GAP) + _GAP, len(bands) * pitch + _GAP)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for y, (band, row) in enumerate(zip(bands, rows, strict=True)):
        top = y * pitch
        draw.text((_GAP, top + 5), band.title, "black", font)
        for x, (picture, caption) in enumerate(zip(row, band.captions, strict=True)):
            left = _GAP + x * (width + _GAP)
            if picture is not None:
                place = (left + (width - picture.shape[1]) // 2, top + _TITLE + (height - picture.shape[0]) // 2)
                around = (place[0] - 1, place[1] - 1, place[0] + picture.shape[1], place[1] + picture.shape[0])
                draw.rectangle(around, outline="#e2e4e1")  # where pictures are white, too, one sees where they end
                sheet.paste(Image.fromarray(picture), place)
            draw.text((left + width / 2, top + _TITLE + height + 1), caption, "#5d676f", font, anchor="ma")
    return np.asarray(sheet)


def _fitted(picture: Pixels, smallest: int, largest: int) -> Pixels:
    longer = max(picture.shape[:2])
    if longer > largest:
        height, width = (max(1, round(side * largest / longer)) for side in picture.shape[:2])
        return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))
    return np.asarray(picture.repeat(times, 0).repeat(times, 1)) if (times := smallest // longer) > 1 else picture
