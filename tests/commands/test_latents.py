"""`i2i latents` through the real command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from i2i.checkpoint import save_model
from i2i.cli import main
from i2i.map_latents import MapLatents
from i2i.nn.unet import UNetGenerator
from i2i.semantics import LabelSemantics
from i2i.synthesizer import Synthesizer


def latents(model: Path, out: Path, *flags: str | Path) -> int:
    return main(["latents", str(model), str(out), "--device", "cpu", *map(str, flags)])


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_sheets_pictures_and_latents_are_written(
    model: Path, views: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maps, photos = [views / f"labels/view{i}.png" for i in (0, 1)], [views / f"photos/view{i}.png" for i in range(4)]
    flags = ["--towards", photos[0], photos[1], "--away", photos[2], "--base", "5", "--by", "0", "1"]
    ends = ["--from", photos[0], "--to", "8"]
    assert latents(model, tmp_path / "out", "--labels", *maps, *ends, *flags, "--steps", "3") == 0
    said = capsys.readouterr().out.replace("\n", "")
    assert f"wrote {tmp_path / 'out/strips.png'} and {tmp_path / 'out/arithmetic.png'}" in said
    expected = {f"strip0_{way}_{space}": 3 for way in ("spherical", "linear") for space in (0, 1)}
    expected |= {f"{row}_{space}": n for row, n in (("towards", 3), ("away", 2), ("result", 2)) for space in (0, 1)}
    pictures = [f"pictures/{row}/{n:02d}.png" for row, count in expected.items() for n in range(count)]
    assert files(tmp_path / "out") == sorted(["arithmetic.png", "latents.npz", "strips.png", *pictures])
    assert [path.name for path in tmp_path.iterdir()] == ["out"]  # nothing temporary stays

    synthesizer = Synthesizer.load(model)
    with np.load(tmp_path / "out/latents.npz") as found:
        shapes = {name: found[name].shape for name in found.files}
        assert shapes == {
            "strip0_spherical": (3, 4),
            "strip0_linear": (3, 4),
            "towards": (3, 4),
            "away": (2, 4),
            "result": (2, 4),
        }
        of_photo = [synthesizer.latent(photo).numpy() for photo in photos]
        seed5 = torch.randn(1, 4, generator=torch.Generator().manual_seed(5)).numpy()[0]
        assert np.array_equal(found["strip0_linear"][0], of_photo[0]) and np.array_equal(found["result"][0], seed5)
        moved = seed5 + (of_photo[0] + of_photo[1]) / 2 - of_photo[2]
        np.testing.assert_allclose(found["result"][1], moved, atol=1e-6)
        shown = np.asarray(Image.open(tmp_path / "out/pictures/result_1/01.png"))
        assert np.array_equal(shown, synthesizer(maps[1], style=torch.from_numpy(found["result"][1]))[0])


def test_one_way_of_drawn_latents(model: Path, views: Path, tmp_path: Path) -> None:
    labels = views / "labels/view0.png"
    flags = ["--labels", labels, "--count", "2", "--steps", "2", "--way", "linear", "--seed", "3"]
    assert latents(model, tmp_path / "out", *flags) == 0
    assert files(tmp_path / "out") == [
        "latents.npz",
        *(f"pictures/strip{i}_linear/{n:02d}.png" for i in (0, 1) for n in (0, 1)),
        "strips.png",
    ]
    space = MapLatents(Synthesizer.load(model), labels)
    shown = np.asarray(Image.open(tmp_path / "out/pictures/strip1_linear/00.png"))
    assert np.array_equal(shown, space.decode(space.latents(1, seed=5))[0])


def test_only_what_it_has_written_is_replaced(
    model: Path, views: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--labels", views / "labels/view0.png", "--count", "1", "--steps", "2"]
    assert latents(model, tmp_path / "out", *flags) == 0
    before = (tmp_path / "out/latents.npz").read_bytes()
    assert latents(model, tmp_path / "out", *flags, "--seed", "1") == 1
    assert "exists; name another folder, or replace the pictures in it with --overwrite" in capsys.readouterr().err
    assert (tmp_path / "out/latents.npz").read_bytes() == before
    assert latents(model, tmp_path / "out", *flags, "--seed", "1", "--overwrite") == 0
    assert (tmp_path / "out/latents.npz").read_bytes() != before
    (tmp_path / "out/mine.txt").touch()
    assert latents(model, tmp_path / "out", *flags, "--overwrite") == 1
    assert "holds 'mine.txt', which i2i latents has not written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "name one or more with --labels MAP"),
        (["--labels", "nowhere.png"], "nowhere.png: no such file"),
        (["--labels", "MAP", "--from", "1"], "--from names 1 places, --to 0"),
        (["--labels", "MAP", "--from", "photo.png", "--to", "1"], "photo.png"),
        (
            ["--labels", "MAP", "--towards", "1", "--base", "2"],
            "and --base; --away is not given",
        ),
        (["--labels", "MAP", "--steps", "1"], "steps is 1"),
        (["--labels", "MAP", "--count", "0"], "--count is 0, which leaves nothing to draw"),
        (["--labels", "MAP", "--seed", "-1"], "seed is -1"),
        (["--labels", "MAP", "--from", "-1", "--to", "2"], "the seed of a latent is -1"),
        (["--labels", "MAP", "--from", "9" * 23, "--to", "2"], f"the seed of a latent is {'9' * 23}"),
        (["--labels", "MAP", "--from", "9" * 300, "--to", "2"], "the seed of a latent is 999"),
        (
            ["--labels", "MAP", "--towards", "1", "--away", "2", "--base", "3", "--by", "1", "inf"],
            "by has the value inf",
        ),
        (
            ["--labels", "MAP", "--seed", "9" * 22],
            f"the seed of a latent is {'9' * 22}; allowed are integers of 64 bits",
        ),
        (["--labels", "MAP", "--towards", "1", "--away", "2", "--base", "3", "--by", "nan"], "by has the value nan"),
        (["--labels", "MAP", "--way", "round"], "invalid choice: 'round'"),
        (["--labels", "MAP", "--instances", "MAP", "MAP"], "names 1 maps, --instances 2"),
    ],
)
def test_bad_input_is_one_line(
    model: Path, views: Path, tmp_path: Path, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(views / "labels/view0.png") if flag == "MAP" else flag for flag in flags]
    assert latents(model, tmp_path / "out", *given) != 0
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1 and error.startswith("i2i: error:") and message in error, error
    assert not (tmp_path / "out").exists()


def test_a_place_that_takes_no_folder_is_told_before_the_work(
    views: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the model is read, even."""
    (tmp_path / "file").touch()
    assert latents(tmp_path / "none.ckpt", tmp_path / "file/out", "--labels", views / "labels/view0.png") == 1
    assert f"{tmp_path / 'file/out'}: cannot be written: {tmp_path / 'file'} is no folder" in capsys.readouterr().err


def test_a_model_without_latent_or_pictures_is_named(
    judge: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = UNetGenerator(4, width=2, depth=4, dropout=0.0)
    save_model(tmp_path / "unet.ckpt", network, LabelSemantics(4))
    assert latents(tmp_path / "unet.ckpt", tmp_path / "out", "--labels", "x.png") == 1
    assert f"{tmp_path / 'unet.ckpt'}: this model has no latent vector" in capsys.readouterr().err
    assert latents(judge, tmp_path / "out", "--labels", "x.png") == 1
    assert f"{judge}: no generator in this file" in capsys.readouterr().err
