"""The examples in the docstrings run, and give what they say: on a tiny model, in a folder with the files they name."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from i2i.checkpoint import save_model
from i2i.classes import ClassTable, LabelEncoding
from i2i.data.transforms import Fixed
from i2i.foundations.condition import ClassSemantics
from i2i.foundations.convolutional import DCGANGenerator
from i2i.map_latents import MapLatents
from i2i.nn.encoder import StyleEncoder
from i2i.nn.spade import SPADEGenerator
from i2i.semantics import LabelSemantics
from i2i.styles import Mix
from i2i.synthesizer import Synthesizer

ROOT = Path(__file__).resolve().parent.parent
TABLE = ClassTable(["sky", "tree", "road", "house"], [[90, 160, 250], [30, 120, 40], [90, 90, 95], [200, 60, 50]])


def modules_with_examples() -> list[str]:
    files = sorted(path for path in (ROOT / "i2i").rglob("*.py") if ">>> " in path.read_text(encoding="utf-8"))
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """model.ckpt (four classes, style, 64 x 64), digits.ckpt, map.png, map2.png, colours.png and three photos."""
    folder = tmp_path_factory.mktemp("examples")
    torch.manual_seed(0)
    save_model(
        folder / "model.ckpt",
        SPADEGenerator(4, style_dim=6, width=2, hidden=8, base_size=(2, 2), gain=1.0).eval(),
        LabelSemantics(4),
        encoder=StyleEncoder(6, width=4, size=16, gain=1.0),
        encoding=LabelEncoding(TABLE),
        resize=Fixed((64, 64)),
    )
    digits = DCGANGenerator([1, 32, 32], num_classes=10, style_dim=4, width=2)
    save_model(folder / "digits.ckpt", digits, ClassSemantics(10))
    random = np.random.default_rng(0)
    for name in ("map", "map2", "colours"):
        labels = random.integers(0, 4, (5, 7)).repeat(16, 0).repeat(16, 1).astype(np.uint8)
        Image.fromarray(TABLE.colourise(labels) if name == "colours" else labels).save(folder / f"{name}.png")
    for name in ("noon", "evening", "dusk"):
        Image.fromarray(random.integers(0, 256, (48, 64, 3)).astype(np.uint8)).save(folder / f"{name}.jpg")
    return folder


@pytest.mark.parametrize("name", modules_with_examples())
def test_the_examples_run(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    labels = np.zeros((96, 160), np.uint8)
    labels[50:] = 2
    at_hand: dict[str, Any] = {"np": np, "torch": torch, "Mix": Mix, "MapLatents": MapLatents, "labels": labels}
    at_hand["synthesizer"] = Synthesizer.load("model.ckpt")
    ran = 0
    module = importlib.import_module(name)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, extraglobs=at_hand):
        said: list[str] = []
        result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append)
        assert result.failed == 0, "".join(said)
        assert not any(doctest.SKIP in example.options for example in test.examples), test.name
        ran += result.attempted
    assert ran > 0
