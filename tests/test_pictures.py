"""Pictures for people."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from i2i.pictures import from_pixels, to_pixels, visible


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_images_of_any_number_of_channels_are_made_visible(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1, 6, 8, channels)).astype(np.uint8)
    shown = to_pixels(visible(from_pixels(pixels)))[0].astype(int)
    if channels == 4:
        image = Image.fromarray(pixels[0])
        expected = np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB"))
    elif channels == 3:
        expected = pixels[0]
    else:
        expected = np.repeat(pixels[0].mean(2, keepdims=True), 3, axis=2)
    assert shown.shape == (6, 8, 3) and np.abs(shown - expected).max() <= 1


def test_pixels_and_network_values_are_each_others_inverse() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, 3)
    assert np.array_equal(to_pixels(from_pixels(pixels)), pixels)
    assert to_pixels(torch.full((1, 3, 1, 1), 2.0)).tolist() == [[[[255, 255, 255]]]]
