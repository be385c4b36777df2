"""The measure of style control gives full marks to a renderer that obeys the style, and chance to one that does not."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from i2i.data.paired import Sample
from i2i.data.scenes import LIGHTINGS, Scenes, render

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/scenes_style_control.py"
COUNT = 12


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("scenes_style_control", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def scenes() -> Scenes:
    return Scenes(size=(32, 32), train=1, val=1, test=COUNT + 1)


def renderer(scenes: Scenes, obeys: bool):  # type: ignore[no-untyped-def]
    """Knows the light of every photo; paints each landscape in that of the style, or always of its own photo."""
    seeds = {scenes.split("test").name(i): scenes.layout_seed("test", i) for i in range(COUNT)}
    lights = {
        render(scenes.layout_seed("test", i), scenes.size, lighting).photo.tobytes(): lighting  # type: ignore[union-attr]
        for i in range(COUNT + 1)
        for lighting in LIGHTINGS
    }

    def synthesise(sample: Sample, style: np.ndarray) -> np.ndarray:
        assert sample.photo is not None
        lighting = lights[(style if obeys else sample.photo).tobytes()]
        photo = render(seeds[sample.name], scenes.size, lighting).photo
        assert photo is not None
        return photo

    return synthesise


def test_one_that_obeys_gets_all(script: ModuleType, scenes: Scenes) -> None:
    found = script.measure(renderer(scenes, obeys=True), scenes, COUNT)
    assert found.own.total() == found.scene.total() == COUNT
    assert found.style.total() >= 0.8 * COUNT  # two landscapes share few classes, and no two days are alike
    assert found.way == pytest.approx(1)
    assert "share: 100.0%" in script.report(found)


def test_one_that_ignores_the_style_gets_nothing(script: ModuleType, scenes: Scenes) -> None:
    found = script.measure(renderer(scenes, obeys=False), scenes, COUNT)
    assert found.own.total() == COUNT and found.scene.total() == 0
    assert found.style.total() <= 0.4 * COUNT
    assert found.way == pytest.approx(0)
