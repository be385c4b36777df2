"""Styles as they can be given: photos, vectors, mixes, several of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from i2i.errors import InputError
from i2i.nn.spade import SPADEGenerator
from i2i.semantics import LabelSemantics
from i2i.styles import Mix, spread
from i2i.synthesizer import Synthesizer

LABELS = np.random.default_rng(0).integers(0, 4, (2, 5, 7)).repeat(8, 1).repeat(8, 2).astype(np.uint8)


@pytest.fixture(scope="module")
def synthesizer(model: Path) -> Synthesizer:
    return Synthesizer.load(model)


@pytest.fixture(scope="module")
def photos() -> list[np.ndarray]:
    return list(np.random.default_rng(1).integers(0, 256, (4, 40, 56, 3)).astype(np.uint8))


def test_a_mix_lies_between_its_styles(synthesizer: Synthesizer, photos: list[np.ndarray]) -> None:
    a, b = (synthesizer.latent(photo) for photo in photos[:2])
    straight = synthesizer.latent(Mix(photos[0], b, 0.25, "linear"))
    torch.testing.assert_close(straight, 0.75 * a + 0.25 * b)
    turned = synthesizer.latent(Mix(a, photos[1], 0.25))
    torch.testing.assert_close(turned, synthesizer.interpolate(a, b, 5)[1])
    nested = synthesizer.latent(Mix(Mix(a, b, 0.5, "linear"), a, 0.5, "linear"))
    torch.testing.assert_close(nested, 0.75 * a + 0.25 * b)
    pictures = synthesizer(LABELS[0], style=[Mix(photos[0], photos[1], weight) for weight in (0.0, 1.0)])
    assert np.array_equal(pictures, synthesizer(LABELS[0], style=[a, b]))
    assert not np.array_equal(pictures[0], pictures[1])


def test_a_list_gives_each_map_or_each_picture_its_style(synthesizer: Synthesizer, photos: list[np.ndarray]) -> None:
    vectors = [synthesizer.latent(photo) for photo in photos]
    alone = [[synthesizer(labels, style=z)[0] for z in vectors] for labels in LABELS]
    of_maps = synthesizer(LABELS, style=[photos[0], vectors[1]])
    assert np.array_equal(of_maps, [alone[0][0], alone[1][1]])
    of_pictures = synthesizer(LABELS, style=[photos[0], vectors[1], vectors[2], photos[3]], count=2)
    assert np.array_equal(of_pictures, [alone[0][0], alone[0][1], alone[1][2], alone[1][3]])
    of_one_map = synthesizer(LABELS[0], style=torch.stack(vectors))
    assert np.array_equal(of_one_map, alone[0])
    assert np.array_equal(synthesizer(LABELS[0], style=[z.numpy() for z in vectors]), alone[0])
    assert np.array_equal(synthesizer(LABELS[0], style=torch.stack(vectors).numpy()), alone[0])
    varied = synthesizer(LABELS, style=photos[:2], count=3, seed=1)
    assert np.array_equal(varied[[0, 3]], of_maps)  # the first has the photo's own
    assert len({picture.tobytes() for picture in varied}) == 6


def test_a_photo_is_its_style_in_every_form(synthesizer: Synthesizer, photos: list[np.ndarray], tmp_path: Path) -> None:
    Image.fromarray(photos[0]).save(tmp_path / "photo.png")
    expected = synthesizer.latent(photos[0])
    for form in (Image.fromarray(photos[0]), tmp_path / "photo.png", str(tmp_path / "photo.png")):
        assert torch.equal(synthesizer.latent(form), expected)


def test_latents_are_ordinary_tensors(synthesizer: Synthesizer, photos: list[np.ndarray]) -> None:
    """A gradient by a latent can be had: it was not made in inference mode."""
    z = synthesizer.latent(photos[0]).requires_grad_()
    condition = synthesizer.condition(LABELS[0])
    synthesizer.generator(condition, z[None]).square().mean().backward()
    assert z.grad is not None and z.grad.abs().max() > 0


def test_arithmetic_of_photos(synthesizer: Synthesizer, photos: list[np.ndarray]) -> None:
    a, b, c, d = (synthesizer.latent(photo) for photo in photos)
    torch.testing.assert_close(synthesizer.move(photos[0], [photos[1], c], [photos[3]]), a + (b + c) / 2 - d)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"style": [torch.zeros(4)] * 3}, r"3 styles are given; allowed are one, 2 \(one for each map\)$"),
        (
            {"style": torch.zeros(3, 4), "count": 2},
            r"3 styles .* one, 2 \(one for each map\) or 4 \(one for each picture",
        ),
        ({"style": []}, "0 styles are given"),
        ({"style": torch.zeros(2, 5)}, r"the style has shape \(5,\); allowed are \(4,\)"),
        ({"style": Mix(torch.zeros(4), torch.ones(4), 1.5)}, "weight of a mix is 1.5"),
        ({"style": Mix(torch.zeros(4), torch.ones(4), "0.5")}, "the weight of a mix is '0.5'; numbers are needed"),
        ({"style": torch.full((4,), torch.nan)}, "the style has the value nan; allowed are finite numbers"),
        ({"style": np.array([0, 0, np.inf, 0])}, "the style has the value inf"),
        ({"style": np.full(4, 1e300)}, "the style has the value inf"),
        ({"style": "nowhere.jpg"}, "nowhere.jpg: no such file"),
        ({"count": 2.0}, "count is 2.0; it is a whole number"),
        ({"seed": 2**64}, f"the seed is {2**64}; allowed are integers of 64 bits"),
        ({"seed": -(2**63) - 1}, "allowed are integers of 64 bits, -9223372036854775808 to 18446744073709551615"),
        ({"seed": 1.5}, "the seed is 1.5; it is a whole number"),
        ({"seed": "a"}, "the seed is 'a'; it is a whole number"),
    ],
)
def test_what_is_no_style(synthesizer: Synthesizer, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        synthesizer(LABELS, **arguments)


def test_seeds_of_every_integer_type(synthesizer: Synthesizer) -> None:
    expected = synthesizer(LABELS, seed=3)
    for seed in (np.int64(3), np.uint8(3), torch.tensor(3)):
        assert np.array_equal(synthesizer(LABELS, seed=seed), expected)
        assert np.array_equal(synthesizer.canvas().update(LABELS[0], seed=seed), expected[0])
    for seed in (-(2**63), -1, 2**64 - 1):
        assert synthesizer(LABELS[0], seed=seed).shape == (1, 40, 56, 3)
    with pytest.raises(InputError, match=r"the seed is 1\.5"):
        synthesizer.canvas().update(LABELS[0], seed=1.5)  # type: ignore[arg-type]


def test_nothing_leads_to_latents_that_are_not_finite(synthesizer: Synthesizer, photos: list[np.ndarray]) -> None:
    for by in (float("nan"), float("-inf")):
        with pytest.raises(InputError, match=f"by has the value {by}; allowed are finite numbers"):
            synthesizer.move(photos[0], [photos[1]], [photos[2]], by)
    with pytest.raises(InputError, match=r"n is 2\.5; it is a whole number"):
        synthesizer.interpolate(photos[0], photos[1], 2.5)  # type: ignore[arg-type]


def test_a_model_without_style_has_no_latents() -> None:
    plain = Synthesizer(SPADEGenerator(4, width=1, hidden=2), LabelSemantics(4))
    for style in (np.zeros((8, 8, 3), np.uint8), torch.zeros(4), Mix(torch.zeros(4), torch.zeros(4))):
        with pytest.raises(InputError, match="this model has no style; train one with an encoder"):
            plain(LABELS, style=style)


def test_styles_are_spread_over_maps_and_pictures() -> None:
    assert spread("a.png", 2, 3) == [[("a.png", 3)], [("a.png", 3)]]
    assert spread(None, 1, 2) == [[(None, 2)]]
    assert spread(["a", "b"], 2, 3) == [[("a", 3)], [("b", 3)]]
    assert spread(["a", "b", "c"], 1, 1) == [[("a", 1), ("b", 1), ("c", 1)]]
    assert spread(list("abcdef"), 2, 3) == [[("a", 1), ("b", 1), ("c", 1)], [("d", 1), ("e", 1), ("f", 1)]]
