"""Condition images in every form that a user has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from i2i.data.conditions import image_batch
from i2i.data.transforms import Fixed
from i2i.errors import InputError


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_form_gives_the_same(tmp_path: Path, channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, channels)).astype(np.uint8)
    image = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)
    path = tmp_path / "image.png"
    image.save(path)
    expected = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    for given in (pixels, pixels[None], image, path, str(path), [pixels], [image], expected):
        torch.testing.assert_close(image_batch(given, channels), expected)
    if channels == 1:
        torch.testing.assert_close(image_batch(pixels[:, :, 0], channels), expected)
    several = image_batch([path, pixels, image], channels)
    torch.testing.assert_close(several, expected.expand(3, -1, -1, -1))


def test_files_come_to_the_training_size_and_arrays_keep_theirs(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    resize = Fixed((8, 8))
    assert image_batch(tmp_path / "image.png", 3, resize).shape == (1, 3, 8, 8)
    assert image_batch(pixels, 3, resize).shape == (1, 3, 12, 16)


def test_one_rule_converts_files_and_pil_images(tmp_path: Path) -> None:
    grey, colour = np.full((4, 4), 60, np.uint8), np.full((4, 4, 3), (200, 30, 90), np.uint8)
    deep = np.full((4, 4), 60 * 257, np.uint16)
    half = np.dstack([colour, np.full((4, 4), 51, np.uint8)])  # a fifth of it covers

    def pixel(given: object, channels: int) -> list[int]:
        return ((image_batch(given, channels)[0, :, 0, 0] + 1) * 127.5).round().int().tolist()  # type: ignore[arg-type]

    for array, by_channels in (
        (grey, {1: [60], 3: [60] * 3, 4: [60, 60, 60, 255]}),
        (deep, {1: [60], 3: [60] * 3, 4: [60, 60, 60, 255]}),
        (colour, {1: [round(0.299 * 200 + 0.587 * 30 + 0.114 * 90)], 3: [200, 30, 90], 4: [200, 30, 90, 255]}),
        (half, {3: [244, 210, 222], 4: [200, 30, 90, 51]}),
    ):
        Image.fromarray(array).save(tmp_path / "image.png")
        for channels, expected in by_channels.items():
            assert pixel(tmp_path / "image.png", channels) == expected
            assert pixel(Image.fromarray(array), channels) == expected


def test_opened_images_are_turned_as_their_files_are(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 3)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "image.png", exif=exif)
    expected = image_batch(np.ascontiguousarray(np.rot90(pixels, 3)), 3)
    for given in (tmp_path / "image.png", Image.open(tmp_path / "image.png")):
        torch.testing.assert_close(image_batch(given, 3), expected)


@pytest.mark.parametrize(
    ("given", "channels", "text"),
    [
        (np.zeros((4, 4, 4), np.uint8), 3, r"uint8 of shape \(4, 4, 4\); the model takes \(H, W, 3\) uint8"),
        (np.zeros((4, 4), np.uint8), 3, r"of shape \(4, 4\)"),
        (np.zeros((4, 4, 3)), 3, "float64"),
        (np.zeros((0, 4, 3), np.uint8), 3, r"\(0, 4, 3\)"),
        ([], 3, "no images"),
        ([np.zeros((4, 4, 3), np.uint8), np.zeros((5, 4, 3), np.uint8)], 3, "4x4 and 4x5 pixels"),
        ("nowhere.png", 3, "nowhere.png: no such file"),
        (Image.new("RGB", (4, 4)), 5, "the image: images give 1 .* 5 are asked for"),
        (Image.new("F", (4, 4)), 3, "floating-point"),
        (7, 3, "given as a int"),
    ],
)
def test_what_cannot_be_taken_is_named(given, channels: int, text: str) -> None:
    with pytest.raises(InputError, match=text):
        image_batch(given, channels)
