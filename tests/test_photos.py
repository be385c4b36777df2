"""A photo is the same in every form."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from i2i.errors import InputError
from i2i.photos import photo_pixels

RGB = np.random.default_rng(0).integers(0, 256, (12, 20, 3)).astype(np.uint8)
EXIF = Image.Exif()
EXIF[0x0112] = 6


def _palette() -> Image.Image:
    return Image.fromarray(RGB).quantize(16)


SAVED: dict[str, tuple[Callable[[], Image.Image], str, dict[str, Any]]] = {
    "plain": (lambda: Image.fromarray(RGB), "png", {}),
    "16 bits": (lambda: Image.fromarray(RGB[:, :, 0].astype(np.uint16) * 257), "png", {}),
    "transparent": (lambda: Image.fromarray(np.dstack([RGB, RGB[:, :, 0]])), "png", {}),
    "palette, one colour transparent": (_palette, "png", {"transparency": 0}),
    "turned by EXIF": (lambda: Image.fromarray(RGB), "jpg", {"exif": EXIF}),
    "turned and transparent": (lambda: Image.fromarray(np.dstack([RGB, RGB[:, :, 0]])), "png", {"exif": EXIF}),
    "turned palette": (_palette, "png", {"transparency": 0, "exif": EXIF}),
    "four inks": (lambda: Image.fromarray(RGB).convert("CMYK"), "jpg", {}),
}


@pytest.mark.parametrize("kind", SAVED)
def test_an_opened_photo_is_its_file(kind: str, tmp_path: Path) -> None:
    make, ending, options = SAVED[kind]
    path = tmp_path / f"photo.{ending}"
    make().save(path, **options)
    expected = photo_pixels(path)
    assert np.array_equal(photo_pixels(Image.open(path)), expected)
    assert expected.shape == ((20, 12, 3) if "turned" in kind else (12, 20, 3))
    if kind == "turned and transparent":  # by hand: over white, then turned clockwise
        over = Image.alpha_composite(Image.new("RGBA", (20, 12), "white"), make()).convert("RGB")
        assert np.array_equal(expected, np.rot90(np.asarray(over), 3))


def test_a_photo_is_not_changed_by_being_read(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "photo.png", exif=EXIF)
    opened = Image.open(tmp_path / "photo.png")
    photo_pixels(opened)
    assert opened.size == (20, 12) and opened.getexif()[0x0112] == 6 and opened.format == "PNG"


@pytest.mark.parametrize(
    ("photo", "message"),
    [
        (RGB[:0], r"uint8 of shape \(0, 20, 3\)"),
        (RGB[:, :0], r"uint8 of shape \(12, 0, 3\)"),
        (RGB / 255, "float64"),
        (Image.fromarray(RGB[:, :, 0].astype(np.float32)), "the style photo: a floating-point image"),
    ],
)
def test_what_is_no_photo(photo: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        photo_pixels(photo)


def test_a_damaged_photo_is_named(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 90, 3)).astype(np.uint8)).save(file, "png")
    with pytest.raises(InputError, match="the style photo: cannot be read as an image"):
        photo_pixels(Image.open(io.BytesIO(file.getvalue()[:3000])))
