"""What protocols say of data and styles; the figures are in tests/commands/test_evaluate.py."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from i2i.data.datamodule import DataModule
from i2i.data.folder import Folder
from i2i.data.transforms import Fixed, Resize, ResizeAndCrop, ScaleWidthAndCrop
from i2i.evaluation.evaluation import Evaluation, Wish
from i2i.evaluation.painter import Painter
from i2i.metrics.extractors import Extractor
from i2i.metrics.result import Result
from i2i.nn.encoder import StyleEncoder
from i2i.synthesizer import Synthesizer
from tests.features import Colours

SIZE = (40, 56)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("i2i.metrics.reference.cache_folder", lambda: tmp_path / "cache")


@pytest.fixture
def copy(views: Path, tmp_path: Path) -> Path:
    return shutil.copytree(views, tmp_path / "elsewhere")


def results(
    painter: Painter, root: Path, resize: Resize | None = None, val_share: float = 0.75, **wish: Any
) -> dict[str, Result]:
    data = DataModule(Folder(str(root), val_share=val_share), resize or Fixed(SIZE), batch_size=2, workers=0)
    evaluation = Evaluation(data, painter, Wish(**{"metrics": ["similarity"], "limit": 3, **wish}))
    found = {result.name: result for result in evaluation.run()}
    of_run = {"styles drawn from", "data resize"}  # of which the figures say what matters in other words
    told = {name: value for name, value in evaluation.protocol.items() if name not in of_run}
    assert {"data", "data sha256", "split", "size", "style", "seed"} == set(told)
    for result in found.values():  # nothing that a measure says of itself takes the place of what all say
        assert result.protocol.items() >= told.items()
    return found


@pytest.fixture(scope="module")
def painter(model: Path) -> Painter:
    return Painter.of(Synthesizer.load(model, device="cpu"))


def test_figures_say_of_which_data_they_are(painter: Painter, views: Path, copy: Path) -> None:
    def data(root: Path, **wish: Any) -> str:
        digest: str = results(painter, root, **wish)["SSIM"].protocol["data sha256"]
        return digest

    assert len(data(views)) == 64
    assert data(views) == data(copy)
    assert len({data(views, limit=2), data(views), data(views, split="train")}) == 3
    measured = Folder(str(copy), val_share=0.75).split("val").pairs[1].photo
    assert measured is not None
    Image.new("RGB", (64, 64)).save(measured)
    assert data(views) != data(copy)


def test_reports_say_how_photos_come_to_their_size(painter: Painter, views: Path) -> None:
    def resize(one: Resize) -> str:
        data = DataModule(Folder(str(views), val_share=0.75), one, batch_size=2, workers=0)
        evaluation = Evaluation(data, painter, Wish(metrics=["similarity"], limit=1))
        (protocol,) = {str(result.protocol.get("data resize")) for result in evaluation.run()}
        assert protocol == "None"  # the digest is of the pixels that come of it
        text: str = evaluation.protocol["data resize"]
        return text

    assert resize(Fixed(SIZE)) == "Fixed, size 56x40"
    assert resize(ScaleWidthAndCrop(SIZE)) == "ScaleWidthAndCrop, size 56x40"
    # What is enlarged in training is not in evaluation.
    assert resize(ResizeAndCrop(SIZE, 1.0)) == resize(ResizeAndCrop(SIZE, 1.2)) == "ResizeAndCrop, size 56x40"


def test_the_real_photos_of_another_split_are_identified(painter: Painter, views: Path, copy: Path) -> None:
    def protocols(root: Path) -> tuple[dict[str, Any], dict[str, Any]]:
        extractor = Extractor(Colours(), size=SIZE, mean=[0.0] * 3, std=[1.0] * 3)
        wish = {"metrics": ["fid", "similarity"], "extractor": extractor, "split": "train", "reference": "val"}
        found = results(painter, root, val_share=0.5, limit=None, **wish)
        return dict(found["FID"].protocol), dict(found["SSIM"].protocol)

    before, others = protocols(views)
    assert len(before["reference sha256"]) == 64 and "reference sha256" not in others
    assert protocols(copy)[0] == before
    photo = Folder(str(copy), val_share=0.5).split("val").pairs[0].photo
    assert photo is not None
    Image.new("RGB", (64, 64)).save(photo)
    after = protocols(copy)[0]
    assert {name for name in after if after[name] != before[name]} == {"reference sha256"}


@torch.no_grad()
def test_style_figures_say_what_the_styles_are_drawn_from(model: Path, views: Path) -> None:
    def protocol(painter: Painter) -> dict[str, Any]:
        return dict(results(painter, views, metrics=["style"])["style correlation"].protocol)

    synthesizer = Synthesizer.load(model, device="cpu")
    assert protocol(Painter.of(synthesizer))["styles"] == "drawn from the standard normal distribution, one a map"
    encoder = StyleEncoder(style_dim=4, width=2, size=16, gain=1.0, remembered=3).train()
    painter = Painter(synthesizer.generator, synthesizer.semantics, encoder.eval(), torch.device("cpu"))
    before = protocol(painter)
    assert before["styles"] == "drawn from the standard normal distribution, one a map"  # nothing is remembered yet
    encoder.train()(torch.rand(2, 3, 16, 16), None)
    encoder.eval()
    after = protocol(painter)
    assert after["styles"] == "drawn from the styles of training photos that the encoder remembers, one a map"
    # The way a model draws is the model's own: all other figures compare nevertheless.
    assert {name for name in after if after[name] != before[name]} == {"styles"}


@torch.no_grad()
def test_the_common_protocol_says_what_styles_are_drawn_from(model: Path, views: Path) -> None:
    synthesizer = Synthesizer.load(model, device="cpu")
    data = DataModule(Folder(str(views), val_share=0.75), Fixed(SIZE), workers=0)

    def told(**arguments: Any) -> str | None:
        painter = Painter(synthesizer.generator, synthesizer.semantics, **arguments)
        text: str | None = Evaluation(data, painter, Wish(["similarity"], limit=1)).protocol.get("styles drawn from")
        return text

    encoder = StyleEncoder(style_dim=4, width=2, size=16, remembered=3)
    cpu = torch.device("cpu")
    assert told(encoder=encoder, device=cpu) == "the standard normal distribution"
    encoder.train()(torch.rand(2, 3, 16, 16), None)
    assert told(encoder=encoder.eval(), device=cpu) == "the styles of training photos that the encoder remembers"
    assert told(encoder=encoder, device=cpu, style="photo") is None
