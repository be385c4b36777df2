"""SEAN through the real command line: trained, resumed, measured, and pictures with regions of several photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from i2i.cli import main
from i2i.photos import LabelledPhoto
from i2i.synthesizer import Synthesizer

ROOT = Path(__file__).resolve().parent.parent.parent
CONF = str(ROOT / "tests/conf/sean.yaml")


@pytest.fixture(scope="module")
def run(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Left after one epoch, and resumed."""
    folder = tmp_path_factory.mktemp("runs") / "sean"
    fit = ["fit", "-c", CONF, "--data.source.root", str(pairs), "--run", str(folder)]
    assert main([*fit, "--trainer.max_epochs", "1"]) == 0
    before = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    assert main([*fit, "--resume", "auto"]) == 0
    after = torch.load(folder / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    assert int(after["encoder.seen.photos"]) == 2 * int(before["encoder.seen.photos"]) > 0
    trained = [name for name in before if name.startswith(("generator", "encoder")) and name.endswith(".weight")]
    assert trained and not [name for name in trained if torch.equal(before[name], after[name])]
    return folder


def picture(folder: Path, name: str) -> np.ndarray:
    return np.asarray(Image.open(folder / f"{name}.png"))


def test_previews_and_measuring(run: Path, pairs: Path, tmp_path: Path) -> None:
    assert Image.open(run / "previews/epoch_0002.png").width >= 3 * 64
    config = ["-c", str(run / "config.yaml")]
    assert main(["validate", *config, "--run", str(run)]) == 0
    assert main(["data", "check", *config]) == 0
    model = ["evaluate", str(run / "checkpoints/last.ckpt"), *config, "--metrics", "similarity"]
    for style in ("drawn", "photo"):
        assert main([*model, "--style", style, "--out", str(tmp_path / style)]) == 0
    figures = [(tmp_path / style / "photos.csv").read_text() for style in ("drawn", "photo")]
    assert figures[0] != figures[1]


def test_pictures_with_regions_of_several_photos(run: Path, pairs: Path, tmp_path: Path) -> None:
    model, labels = run / "checkpoints/last.ckpt", pairs / "labels"
    base = ["synthesize", str(model), str(labels / "view0.png")]
    style = ["--style", str(pairs / "photos/view1.jpg"), "--style-labels", str(labels / "view1.png")]
    sky = ["--region", "sky", str(pairs / "photos/view2.jpg"), str(labels / "view2.png")]
    assert main([*base, str(tmp_path / "styled"), *style]) == 0
    assert main([*base, str(tmp_path / "mixed"), *style, *sky, "--region", "1", *sky[2:]]) == 0
    synthesizer = Synthesizer.load(model)
    photos = [
        LabelledPhoto(pairs / f"photos/view{i}.jpg", synthesizer.read(labels / f"view{i}.png")[0]) for i in range(3)
    ]
    own = synthesizer.read(labels / "view0.png")[0]
    assert np.array_equal(picture(tmp_path / "styled", "view0"), synthesizer(own, style=photos[1])[0])
    mixed = synthesizer(own, style=photos[1], features={"sky": photos[2], "tree": photos[2]})[0]
    assert np.array_equal(picture(tmp_path / "mixed", "view0"), mixed)
    assert not np.array_equal(mixed, picture(tmp_path / "styled", "view0"))


def test_a_folder_in_drawn_styles_and_in_their_own(run: Path, pairs: Path, tmp_path: Path) -> None:
    model, labels = run / "checkpoints/last.ckpt", pairs / "labels"
    assert main(["synthesize", str(model), str(labels), str(tmp_path / "drawn"), "--count", "2"]) == 0
    assert len(list((tmp_path / "drawn").iterdir())) == 12
    one = [str(labels / "view3.png"), str(tmp_path / "own"), "--style", str(pairs / "photos/view3.jpg")]
    assert main(["synthesize", str(model), *one]) == 0
    again = [str(labels / "view3.png"), str(tmp_path / "again"), *one[2:], "--style-labels", str(labels / "view3.png")]
    assert main(["synthesize", str(model), *again]) == 0
    assert np.array_equal(picture(tmp_path / "own", "view3"), picture(tmp_path / "again", "view3"))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--style-labels", "{labels}/view1.png"], "there is none"),
        (["--region", "sea", "{photos}/view1.jpg", "{labels}/view1.png"], "'sea' is no class of this model"),
        (["--region", "sky", "{photos}/view1.jpg", "{labels}/none.png"], "none.png"),
    ],
)
def test_bad_flags_are_one_line(
    run: Path, pairs: Path, tmp_path: Path, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    named = [flag.format(labels=pairs / "labels", photos=pairs / "photos") for flag in flags]
    model = str(run / "checkpoints/last.ckpt")
    assert main(["synthesize", model, str(pairs / "labels/view0.png"), str(tmp_path), *named]) != 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line]
    assert line.startswith("i2i: error:") and message in line


def test_generator_and_encoder_must_agree(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit = ["fit", "-c", CONF, "--data.source.root", str(pairs), "--run", str(tmp_path / "run")]
    assert main([*fit, "--model.encoder.region_channels", "5"]) != 0
    assert "gives codes of 5 numbers by class, the generator takes codes of 4" in capsys.readouterr().err


def test_one_photo_is_not_that_of_several_maps(
    run: Path, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, photo = str(run / "checkpoints/last.ckpt"), str(pairs / "photos/view1.jpg")
    assert main(["synthesize", model, str(pairs / "labels"), str(tmp_path / "out"), "--style", photo]) != 0
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "there are 6; name its own label map with --style-labels" in error
    assert main(["synthesize", model, str(pairs / "labels/view1.png"), str(tmp_path / "out"), "--style", photo]) == 0
