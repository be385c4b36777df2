"""Features of instances where the map has to be padded, and what is given in their place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from i2i.errors import InputError
from i2i.nn.instance_encoder import InstanceEncoder
from i2i.nn.pix2pixhd import GlobalGenerator
from i2i.semantics import LabelSemantics
from i2i.synthesizer import Synthesizer

FEATURES = 3


@pytest.fixture(scope="module")
def synthesizer() -> Synthesizer:
    torch.manual_seed(0)
    generator = GlobalGenerator(5, FEATURES, width=8, downsamplings=4, blocks=1, gain=0.2)
    return Synthesizer(generator, LabelSemantics(4, edges=True), InstanceEncoder(FEATURES, 4, 2, gain=0.5))


@pytest.mark.parametrize("size", [(64, 64), (61, 67), (49, 33), (5, 70)])
def test_what_the_map_is_padded_with_belongs_to_no_instance(synthesizer: Synthesizer, size: tuple[int, int]) -> None:
    """A photo and the features of its instances are one style, at any size."""
    random = np.random.default_rng(1)
    labels, ids = random.integers(0, 4, size), random.integers(0, 6, size)
    photo = random.integers(0, 256, (*size, 3)).astype(np.uint8)
    photo[:, -1] = 255  # it would count too often
    features = synthesizer.instance_features(photo, labels, ids)
    found = synthesizer(labels, ids, style=photo)
    assert np.array_equal(found, synthesizer(labels, ids, features=dict(features)))
    assert np.array_equal(found[0], synthesizer.canvas().update(labels, ids, style=photo))
    other = photo.copy()
    other[-1, -1] = 0
    assert not np.array_equal(found, synthesizer(labels, ids, style=other))

    # The encoder by itself, on a size that it takes, and plain means.
    condition = synthesizer.condition(labels, ids)
    style = synthesizer.style(condition, size, photo)
    assert style is not None and style.shape == (1, FEATURES, *condition.size)
    padded_ids = np.pad(ids, [(0, whole - side) for whole, side in zip(condition.size, size, strict=True)], "edge")
    for number, vector in features.items():
        here = torch.from_numpy(padded_ids == number)
        torch.testing.assert_close(style[0, :, here], vector[:, None].expand(-1, int(here.sum())))


@pytest.mark.parametrize("wrong", [None, 2.5])
def test_what_is_no_instance(synthesizer: Synthesizer, wrong: Any) -> None:
    with pytest.raises(InputError, match=f"what features are given for is {wrong}; it is a whole number"):
        synthesizer(np.full((64, 64), 2), features={wrong: [0.0, 0.0, 0.0]})


@pytest.mark.parametrize("wrong", [None, "red", {"a": 1}, ["red", "green", "blue"]])
def test_what_is_no_vector(synthesizer: Synthesizer, wrong: Any) -> None:
    with pytest.raises(InputError, match=r"the vector of instance 2 is .*; numbers are needed"):
        synthesizer(np.full((64, 64), 2), features={2: wrong})


def test_the_smallest_maps(synthesizer: Synthesizer) -> None:
    """They are padded as far as the generator needs it: to twice its multiple."""
    assert (synthesizer.generator.multiple, synthesizer.generator.least) == (16, 32)
    for height, width in ((1, 1), (3, 40), (40, 16)):
        labels = np.random.default_rng(2).integers(0, 4, (height, width))
        sides = [(0, max(32, -(-side // 16) * 16) - side) for side in labels.shape]
        features = {label: [0.1 * label] * FEATURES for label in range(4) if label in labels}
        expected = synthesizer(np.pad(labels, sides, "edge"), features=features)[:, :height, :width]
        assert np.array_equal(synthesizer(labels, features=features), expected)
