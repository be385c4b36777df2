"""The latent space over a map is that of plain synthesis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from i2i.errors import InputError
from i2i.latent_strips import latent_strips
from i2i.map_latents import MapLatents
from i2i.nn.generator import Generator
from i2i.nn.oasis import OASISGenerator
from i2i.nn.sean import SEANGenerator
from i2i.nn.spade import SPADEGenerator
from i2i.semantics import LabelSemantics
from i2i.synthesizer import Synthesizer

LABELS = np.kron(np.random.default_rng(0).integers(0, 4, (2, 3)), np.ones((16, 16))).astype(np.uint8)


def test_ends_and_steps_are_plain_synthesis_to_the_bit(model: Path) -> None:
    synthesizer, alone = Synthesizer.load(model), Synthesizer.load(model, keep=0)
    found = latent_strips(MapLatents(synthesizer, LABELS), count=1, steps=3, seed=5)
    first, last = (torch.randn(1, 4, generator=torch.Generator().manual_seed(seed)) for seed in (5, 6))
    for row in found.strips:
        assert row.pictures.shape == (3, 32, 48, 3)
        assert np.array_equal(row.pictures[0], alone(LABELS, seed=5)[0])
        assert np.array_equal(row.pictures[-1], alone(LABELS, seed=6)[0])
        assert torch.equal(row.latents[[0, -1]], torch.cat([first, last]))
        assert np.array_equal(row.pictures[1], alone(LABELS, style=row.latents[1])[0])
    assert not np.array_equal(found.strips[0].pictures[0], found.strips[0].pictures[-1])


def test_drawn_latents_are_those_of_the_synthesizers_pictures(model: Path) -> None:
    synthesizer = Synthesizer.load(model)
    space = MapLatents(synthesizer, LABELS, title="a map")
    assert np.array_equal(space.decode(space.latents(3, seed=9)), synthesizer(LABELS, seed=9, count=3))
    assert space.title == "a map" and space.given is not None
    assert np.array_equal(space.given, synthesizer.to_rgb(LABELS))
    photo = np.random.default_rng(1).integers(0, 256, (40, 56, 3)).astype(np.uint8)
    assert torch.equal(space.latent(photo), synthesizer.latent(photo))


def test_the_noise_of_an_image_is_a_latent_too() -> None:
    synthesizer = Synthesizer(OASISGenerator(4, noise_channels=5, width=1, hidden=4, gain=1.0), LabelSemantics(4))
    space = MapLatents(synthesizer, LABELS)
    assert space.style_dim == 5
    row = latent_strips(space, [(2, 3)], steps=3).strips[0]
    assert np.array_equal(row.pictures[0], synthesizer(LABELS, seed=2)[0])
    assert not np.array_equal(row.pictures[0], row.pictures[1])
    with pytest.raises(InputError, match="no style encoder"):
        space.latent(np.zeros((8, 8, 3), np.uint8))


@pytest.mark.parametrize(
    ("generator", "reason"),
    [
        (SPADEGenerator(4, width=1, hidden=4), "a label map has one picture"),
        (OASISGenerator(4, noise_channels=5, noise="class", width=1, hidden=4), "drawn for each class"),
        (SEANGenerator(4, num_classes=4, region_channels=4, width=2, hidden=4), "a code for each region"),
    ],
    ids=["spade", "oasis", "sean"],
)
def test_models_without_a_vector_say_what_they_have(generator: Generator, reason: str) -> None:
    with pytest.raises(InputError, match=f"no latent vector: .*{reason}"):
        MapLatents(Synthesizer(generator, LabelSemantics(4)), LABELS)
