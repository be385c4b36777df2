"""Strips and arithmetic over a space whose pictures tell their latents, against the textbook's formulas."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from i2i.errors import InputError
from i2i.latent_space import LatentSpace
from i2i.latent_strips import Arithmetic, latent_strips
from i2i.photos import Photo, photo_pixels
from i2i.pictures import Pixels


class Telling(LatentSpace):
    """The pixels of a picture are the numbers of its latent, times 20 and shifted."""

    def __init__(self, title: str = "", given: Pixels | None = None) -> None:
        self.title = title
        self.given = given
        self.decoded: list[Tensor] = []

    @property
    def style_dim(self) -> int:
        return 3

    def latents(self, count: int, seed: int) -> Tensor:
        return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))

    def latent(self, photo: Photo) -> Tensor:
        return torch.from_numpy(photo_pixels(photo).mean((0, 1)) / 100).float()

    def decode(self, latents: Tensor) -> Pixels:
        self.decoded += list(latents)
        values = (latents * 20 + 128).round().clamp(0, 255).to(torch.uint8).numpy()
        return np.broadcast_to(values[:, None, None, :], (len(values), 8, 8, 3)).copy()


def drawn(seed: int) -> Tensor:
    return torch.randn(1, 3, generator=torch.Generator().manual_seed(seed))[0]


def test_drawn_strips_go_from_one_seed_to_the_next_by_the_textbook() -> None:
    found = latent_strips(Telling(), count=2, steps=5, seed=11)
    assert [row.name for row in found.strips] == [
        "strip0_spherical",
        "strip0_linear",
        "strip1_spherical",
        "strip1_linear",
    ]
    for pair, seed in enumerate((11, 13)):
        a, b = drawn(seed).double(), drawn(seed + 1).double()
        angle = math.acos(float(a @ b / (a.norm() * b.norm())))
        for step, weight in enumerate((0, 0.25, 0.5, 0.75, 1)):
            turned = (math.sin((1 - weight) * angle) * a + math.sin(weight * angle) * b) / math.sin(angle)
            torch.testing.assert_close(
                found.latents[f"strip{pair}_spherical"][step].double(), turned, atol=1e-5, rtol=0
            )
            straight = (1 - weight) * a + weight * b
            torch.testing.assert_close(found.latents[f"strip{pair}_linear"][step].double(), straight, atol=1e-6, rtol=0)
    assert found.arithmetic == [] and found.arithmetic_sheet is None
    assert "seed 13 to seed 14" in found.strips[2].title


def test_every_picture_is_that_of_its_latent_and_the_ends_are_exact() -> None:
    space = Telling()
    found = latent_strips(space, [(3, torch.tensor([1.0, 2.0, 3.0]))], steps=4)
    for row in found.strips:
        assert np.array_equal(row.pictures, space.decode(row.latents))
        assert torch.equal(row.latents[0], drawn(3)) and torch.equal(row.latents[-1], torch.tensor([1.0, 2.0, 3.0]))


def test_the_same_seed_gives_the_same_and_another_another() -> None:
    one, again, other = (latent_strips(Telling(), count=1, seed=seed) for seed in (4, 4, 6))
    assert np.array_equal(one.sheet, again.sheet)  # type: ignore[arg-type]
    assert not torch.equal(one.strips[0].latents, other.strips[0].latents)


def test_several_maps_get_the_same_latents_side_by_side() -> None:
    one, two = Telling("a.png", np.zeros((8, 8, 3), np.uint8)), Telling("b.png", np.zeros((8, 8, 3), np.uint8))
    told: list[tuple[int, int]] = []
    found = latent_strips([one, two], count=1, steps=3, progress=lambda done, total: told.append((done, total)))
    assert [(row.name, row.space) for row in found.strips] == [
        ("strip0_spherical", 0),
        ("strip0_linear", 0),
        ("strip0_spherical", 1),
        ("strip0_linear", 1),
    ]
    assert torch.equal(torch.stack(one.decoded), torch.stack(two.decoded))
    assert [row.title.split(" · ")[-1] for row in found.strips] == ["a.png", "a.png", "b.png", "b.png"]
    assert told == [(done, 12) for done in range(1, 13)] and set(found.latents) == {"strip0_spherical", "strip0_linear"}


def test_arithmetic_is_that_of_means(tmp_path: Path) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (6, 5, 3)).astype(np.uint8)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    asked = Arithmetic(towards=[1, 2, tmp_path / "photo.png"], away=[3], base=photo, by=(-1, 0, 0.5, 2))
    found = latent_strips(Telling(), arithmetic=asked, count=0)
    assert found.strips == [] and found.sheet is None
    towards, away, result = found.arithmetic
    of_photo = torch.from_numpy(photo.mean((0, 1)) / 100).float()
    mean = (drawn(1) + drawn(2) + of_photo) / 3
    torch.testing.assert_close(towards.latents, torch.stack([drawn(1), drawn(2), of_photo, mean]))
    assert torch.equal(away.latents, torch.stack([drawn(3), drawn(3)]))
    for by, latent in zip(asked.by, result.latents, strict=True):
        torch.testing.assert_close(latent, of_photo + by * (mean - drawn(3)))
    assert torch.equal(result.latents[1], of_photo)
    assert towards.captions == ["seed 1", "seed 2", "photo.png", "mean"] and result.captions[2] == "by 0.5"
    assert [photo is not None for photo in towards.photos] == [False, False, True]


def test_a_difference_of_nothing_leaves_the_base_to_the_bit() -> None:
    asked = Arithmetic(towards=[5, 6], away=[5, 6], base=7, by=(0, 1, 100))
    for latent in latent_strips(Telling(), arithmetic=asked, count=0).arithmetic[-1].latents:
        assert torch.equal(latent, drawn(7))


def test_sheets_show_the_map_and_the_photos() -> None:
    green, red = np.full((8, 8, 3), (1, 250, 2), np.uint8), np.full((8, 8, 3), (251, 3, 4), np.uint8)
    found = latent_strips(Telling("map", green), [(red, 1)], Arithmetic([red], [2], 3), steps=3, ways=["linear"])
    assert found.sheet is not None and found.arithmetic_sheet is not None
    cell = 96**2
    for sheet, maps, photos in ((found.sheet, 1, 1), (found.arithmetic_sheet, 3, 1)):
        assert (sheet == (1, 250, 2)).all(-1).sum() == maps * cell
        assert (sheet == (251, 3, 4)).all(-1).sum() == photos * cell


def test_what_cannot_be_drawn() -> None:
    space = Telling()
    of_numpy = latent_strips(Telling(), [(np.int64(7), np.uint8(2))], steps=2, ways=["linear"]).strips[0]
    assert torch.equal(of_numpy.latents, torch.stack([drawn(7), drawn(2)])) and "seed 7 to seed 2" in of_numpy.title
    for wrong, message in (
        ({"steps": 1}, "steps is 1"),
        ({"count": -1}, "count is -1"),
        ({"seed": -3}, "seed is -3"),
        ({"ways": ["round"]}, "way is 'round'"),
        ({"pairs": [(-1, 2)]}, "seed of a latent is -1"),
        ({"pairs": [(1, torch.zeros(4))]}, r"shape \(4,\); this model's are \(3,\)"),
        ({"pairs": [(1, np.zeros((2, 3)))]}, r"shape \(2, 3\)"),
        ({"pairs": [("nowhere.png", 1)]}, "nowhere.png"),
        ({"pairs": [(1, torch.full((3,), torch.nan))]}, "a latent has the value nan"),
        ({"pairs": [(np.int64(-2), 1)]}, "seed of a latent is -2"),
        ({"count": 2.5}, "count is 2.5; it is a whole number"),
        ({"arithmetic": Arithmetic([1], [1], 2, by=(0.0, float("nan")))}, "by has the value nan"),
        ({"arithmetic": Arithmetic([], [1], 2)}, "towards has 0"),
        ({"arithmetic": Arithmetic([1], [1], 2, by=())}, "by is empty"),
    ):
        with pytest.raises(InputError, match=message):
            latent_strips(space, **wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="spaces is 0"):
        latent_strips([])
    assert space.decoded == []  # nothing is drawn before all is known to be right
