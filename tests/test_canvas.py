"""Painting from Python: the synthesizer's own pictures, stroke by stroke."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from i2i.canvas import Canvas
from i2i.classes import ClassTable, LabelEncoding
from i2i.data.transforms import Fixed
from i2i.errors import InputError
from i2i.nn.encoder import StyleEncoder
from i2i.nn.generator import Generator
from i2i.nn.oasis import OASISGenerator
from i2i.nn.spade import SPADEGenerator
from i2i.semantics import LabelSemantics, SemanticMap
from i2i.styles import Mix
from i2i.synthesizer import Synthesizer

CLASSES = 4


def synthesizer(style: bool = True, edges: bool = False) -> Synthesizer:
    torch.manual_seed(3)
    channels = CLASSES + edges
    generator = SPADEGenerator(channels, 6 if style else None, width=4, hidden=8, base_size=(2, 2), gain=1.0)
    return Synthesizer(
        generator,
        LabelSemantics(CLASSES, edges),
        encoder=StyleEncoder(6, width=4, size=16, gain=1.0) if style else None,
        encoding=LabelEncoding(ClassTable.numbered(CLASSES)),
        resize=Fixed((64, 64)),
    )


def blocks(height: int = 96, width: int = 128, seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, CLASSES, (-(-height // 16), -(-width // 16)))
    return np.kron(coarse, np.ones((16, 16)))[:height, :width].astype(np.uint8)


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    """Up to the last step of rounding, which the order of a sum can decide."""
    assert found.shape == expected.shape and found.dtype == expected.dtype == np.uint8
    assert np.abs(found.astype(int) - expected).max() <= 1 and (found != expected).mean() < 1e-3
    assert found.std() > 5


def test_a_map_and_a_style_come_in_any_form(tmp_path: Path) -> None:
    model, labels = synthesizer(), blocks()
    mix = Mix(torch.ones(6), np.zeros((20, 30, 3), np.uint8), 0.25)
    Image.fromarray(labels).save(tmp_path / "map.png")
    assert_same(model.canvas().update(Image.fromarray(labels), style=mix), model(labels, style=mix)[0])
    assert_same(model.canvas().update(tmp_path / "map.png", style=mix), model(tmp_path / "map.png", style=mix)[0])


@pytest.mark.parametrize("edges", [False, True])
@pytest.mark.parametrize("size", [(96, 128), (70, 101)])
def test_every_stroke_gives_the_synthesizers_picture(edges: bool, size: tuple[int, int]) -> None:
    model, style = synthesizer(edges=edges), torch.linspace(-1, 1, 6)
    canvas, labels = model.canvas(), blocks(*size)
    shares = []
    for y, x, brush in [(0, 0, 0), (3, 5, 2), (size[0] - 1, size[1] - 1, 1), (20, 20, 30), (41, 67, 1)]:
        labels[y : y + brush, x : x + brush] = 1 + (labels[y, x] + 1) % 3
        assert_same(canvas.update(labels, style=style), model(labels, style=style)[0])
        assert canvas.work is not None
        shares.append(canvas.work.convolutions)
    assert shares[0] == 1 and min(shares[1:]) < 0.3
    assert canvas.bytes > 0


def test_instances_are_painted_too() -> None:
    model = synthesizer(style=False, edges=True)
    canvas, labels = model.canvas(), blocks()
    ids = labels.astype(np.int32)
    assert_same(canvas.update(labels, ids), model(labels, ids)[0])
    ids[40:50, 33:44] = 99  # an object of the same class
    picture = canvas.update(labels, ids)
    assert_same(picture, model(labels, ids)[0])
    assert not np.array_equal(picture, canvas.update(labels))


def test_the_style_stays_until_another_is_given() -> None:
    model = synthesizer()
    canvas, labels = model.canvas(), blocks()
    seeded = canvas.update(labels, seed=5)
    assert_same(seeded, model(labels, seed=5)[0])
    assert np.array_equal(canvas.update(labels), seeded)
    photo = np.random.default_rng(1).integers(0, 256, (80, 60, 3)).astype(np.uint8)
    of_photo = canvas.update(labels, style=photo)
    assert_same(of_photo, model(labels, style=photo)[0])
    assert not np.array_equal(of_photo, seeded) and np.array_equal(canvas.update(labels), of_photo)
    drawn = model.canvas().update(labels)
    assert not np.array_equal(drawn, model.canvas().update(labels))


def test_maps_are_read_as_by_the_synthesizer() -> None:
    model = synthesizer(style=False)
    labels = blocks(64, 64)
    expected = model.canvas().update(labels)
    for given in (torch.from_numpy(labels), torch.from_numpy(labels)[None], labels.astype(np.int64)[None]):
        assert np.array_equal(model.canvas().update(given), expected)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"labels": np.full((64, 64), 7)}, "label 7 at image 0, row 0, column 0 is out of range"),
        ({"labels": np.zeros((2, 64, 64), int)}, "a canvas takes one label map"),
        ({"labels": np.zeros((64, 64))}, "a map of ids has an integer type"),
        ({"labels": np.zeros(64, int)}, "labels have shape"),
        ({"labels": blocks(), "instances": blocks(96, 100)}, "instances have shape"),
        ({"labels": blocks(), "style": torch.zeros(5)}, "the style has shape"),
    ],
)
def test_what_cannot_be_painted_leaves_the_picture(arguments: dict[str, Any], said: str) -> None:
    model = synthesizer()
    canvas, labels = model.canvas(), blocks()
    picture = canvas.update(labels, seed=0)
    with pytest.raises(InputError, match=said):
        canvas.update(**arguments)
    assert np.array_equal(canvas.update(labels), picture)
    assert canvas.work is not None and canvas.work.convolutions == 0


@pytest.mark.parametrize("noise", ["image", "class", "instance", "pixel"])
def test_noise_follows_the_map(noise: Any) -> None:
    """A model that has another style for each map; it is not SPADE, and makes whole pictures."""
    torch.manual_seed(0)
    generator = OASISGenerator(CLASSES + 1, noise_channels=5, noise=noise, width=2, hidden=4)
    model = Synthesizer(generator, LabelSemantics(CLASSES, edges=True))
    canvas = model.canvas()
    for i, (labels, ids) in enumerate([(blocks(seed=1), blocks(seed=2)), (blocks(64, 70), blocks(64, 70, seed=3))]):
        expected = model(labels, ids, seed=3)[0]
        assert np.array_equal(canvas.update(labels, ids, seed=None if i else 3), expected)
    assert canvas.work is None


class Colours(Generator):
    """Paints every class in its colour, plus the style."""

    multiple = 4

    def forward(self, condition: SemanticMap, style: Tensor | None = None) -> Tensor:
        assert style is not None
        return condition.labels[:, None].float().expand(-1, 3, -1, -1) / 4 - style.mean()

    def draw(self, condition: Any, random: torch.Generator | None = None) -> Tensor:
        return torch.rand(condition.batch, 2, generator=random)


def test_any_generator_can_be_painted_with() -> None:
    canvas = Canvas(Synthesizer(Colours(), LabelSemantics(CLASSES)))
    first = canvas.update(blocks(50, 50), seed=1)
    assert first.shape == (50, 50, 3) and canvas.work is None and canvas.bytes == 0
    assert np.array_equal(first, canvas.update(blocks(50, 50)))
    assert not np.array_equal(first, canvas.update(blocks(50, 50, seed=1)))


def test_a_canvas_of_a_model_file(shared: Path) -> None:
    """The published network, at the size of its fixture."""
    from i2i.convert import load_official

    official = load_official(shared / "golden" / "spade-coco-vae")
    with np.load(shared / "golden" / "spade-coco-vae" / "io.npz") as arrays:
        labels, instances, style = (torch.from_numpy(arrays[n]) for n in ("label", "instance", "z"))
    labels, instances = labels.reshape(-1, *labels.shape[-2:])[0].long(), instances.reshape(-1, *labels.shape[-2:])[0]
    model = Synthesizer(official.generator, official.semantics)
    canvas = model.canvas()
    for place in (None, 3, 17):
        if place is not None:
            labels[place, place] = 5
        found = canvas.update(labels, instances, style=style[0])
        expected = model(labels, instances, style=style[0])[0]
        assert np.abs(found.astype(int) - expected).max() <= 1
