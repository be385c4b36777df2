"""Images as conditions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from i2i.errors import InputError
from i2i.image_map import ImageMap, ImageSemantics
from i2i.pixels import Pixels
from i2i.recipe import build, recipe
from i2i.semantics import LabelSemantics


@settings(max_examples=30)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 9), st.integers(1, 9))
def test_it_is_what_it_was_made_of(batch: int, channels: int, height: int, width: int) -> None:
    image = torch.rand(batch, channels, height, width) * 2 - 1
    condition = ImageSemantics(channels).read({"condition": image, "name": ["a"]})
    assert (condition.batch, condition.channels, condition.size) == (batch, channels, (height, width))
    assert torch.equal(condition.dense(), image) and condition.dense(torch.float64).dtype == torch.float64
    assert torch.equal(condition.repeated(3).dense(), torch.cat([image] * 3))
    pixels = Pixels.cropped(torch.tensor([batch - 1]), torch.tensor([0]), torch.tensor([width - 1]), (height, 1))
    assert torch.equal(condition.gathered(pixels).dense(), image[-1:, :, :, -1:])
    assert condition.resized(height, width) is condition
    assert condition.to("cpu").device == torch.device("cpu")


def test_halves_are_averages_smooth_at_their_borders() -> None:
    """The triangle filter of twice the pixels' distance, as PIL's BILINEAR: 1, 3, 3, 1 eighths."""
    image = torch.rand(1, 2, 8, 12)
    condition = ImageMap(image)
    half = condition.resized(4, 6).dense()
    weights = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    kernel = (weights[:, None] * weights[None]).expand(2, 1, 4, 4)
    expected = torch.nn.functional.conv2d(image, kernel, stride=2, padding=1, groups=2)
    torch.testing.assert_close(half[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1])
    assert condition.resized(4, 6) is condition.resized(4, 6)
    plain = ImageMap(torch.full((1, 1, 8, 8), 0.3)).resized(3, 5).dense()
    torch.testing.assert_close(plain, torch.full((1, 1, 3, 5), 0.3))


def test_what_does_not_fit_is_named() -> None:
    semantics = ImageSemantics(3)
    good = torch.zeros(1, 3, 4, 4)
    for bad, text in (
        (good[:, :1], "have 1 channels, the model takes 3"),
        (good[0], r"shape \(3, 4, 4\)"),
        (good.to(torch.uint8), "torch.uint8; a condition image is floating point"),
        (good + 1.5, "values 1.5 to 1.5"),
        (good * float("nan"), "values nan"),
    ):
        with pytest.raises(InputError, match=text):
            semantics(bad)
    with pytest.raises(InputError, match="images of 3 channels, but the data has label maps"):
        semantics.read({"labels": torch.zeros(1, 4, 4, dtype=torch.long)})
    with pytest.raises(InputError, match="label maps of 5 classes, but the data has images"):
        LabelSemantics(5).read({"condition": good})
    with pytest.raises(InputError, match="0 channels"):
        ImageSemantics(0)


def test_a_recipe_rebuilds_it() -> None:
    assert build(recipe(ImageSemantics(4))).channels == 4
