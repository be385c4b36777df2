"""Colours of classes in and out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from i2i.classes import ClassTable, LabelEncoding
from i2i.errors import InputError
from i2i.image_map import ImageSemantics
from i2i.reader import Reader
from i2i.semantics import LabelSemantics
from i2i.synthesizer import Synthesizer

LABELS = np.random.default_rng(0).integers(0, 4, (12, 20)).astype(np.uint8)


@pytest.fixture(scope="module")
def synthesizer(model: Path) -> Synthesizer:
    return Synthesizer.load(model)


def test_colours_are_the_way_back_to_labels(synthesizer: Synthesizer, tmp_path: Path) -> None:
    colours = synthesizer.to_rgb(LABELS)
    table = synthesizer.encoding.classes.colours  # type: ignore[union-attr]
    assert colours.dtype == np.uint8 and all((colours[i == LABELS] == table[i]).all() for i in range(4))
    assert np.array_equal(synthesizer.to_rgb(torch.from_numpy(LABELS)), colours)
    assert np.array_equal(synthesizer.to_rgb(np.stack([LABELS, LABELS])), np.stack([colours, colours]))
    Image.fromarray(colours).save(tmp_path / "colours.png")
    Image.fromarray(colours).quantize(4).save(tmp_path / "palette.png")
    for form in (colours, Image.fromarray(colours), tmp_path / "colours.png", str(tmp_path / "palette.png")):
        assert np.array_equal(synthesizer.from_rgb(form), LABELS)
    assert np.array_equal(synthesizer.to_rgb(tmp_path / "colours.png"), colours)


def test_unknown_colours_are_named_or_the_nearest_taken(synthesizer: Synthesizer, tmp_path: Path) -> None:
    colours = synthesizer.to_rgb(LABELS).astype(int)
    antialiased = (0.7 * colours + 0.3 * np.roll(colours, 1, axis=1)).astype(np.uint8)
    Image.fromarray(antialiased).save(tmp_path / "soft.png")
    with pytest.raises(InputError, match=r"soft.png: colour \(\d+, \d+, \d+\) is no class; the nearest of the 4 class"):
        synthesizer.from_rgb(tmp_path / "soft.png")
    with pytest.raises(InputError, match=r"the picture: colour"):
        synthesizer.from_rgb(antialiased)
    table = synthesizer.encoding.classes.colours  # type: ignore[union-attr]
    distance = np.abs(antialiased[:, :, None].astype(int) - table).max(-1)
    assert np.array_equal(synthesizer.from_rgb(antialiased, nearest=True), distance.argmin(-1))


def test_a_model_without_a_table_has_numbered_classes() -> None:
    reader = Reader(LabelSemantics(4), None, None)
    assert np.array_equal(reader.from_rgb(reader.to_rgb(LABELS), nearest=False), LABELS)
    with pytest.raises(InputError, match="translates images; it has no classes"):
        _ = Reader(ImageSemantics(3), None, None).encoding


def test_classes_are_found_by_name_and_by_label() -> None:
    encoding = LabelEncoding(ClassTable(["sky", "tree"], [[0, 0, 9], [0, 9, 0]], ids=[4, 9]), unknown=[0])
    assert [encoding.label_of(name) for name in ("tree", 0, 1, 2)] == [1, 0, 1, 2]
    for name in ("sea", 3, -1):
        with pytest.raises(
            InputError, match=f"{name!r} is no class of this model; there are the labels 0 to 2 and sky"
        ):
            encoding.label_of(name)
