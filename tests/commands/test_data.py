"""`i2i data check` and `i2i data write-scenes`."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from i2i.cli import main

CONFIG = Path(__file__).resolve().parent.parent / "conf/folder.yaml"


def check(root: Path, *flags: str) -> int:
    return main(["data", "check", "-c", str(CONFIG), "--data.source.root", str(root), *flags])


def test_a_good_set_is_counted(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(pairs) == 0
    said = capsys.readouterr().out
    assert "train: 5 pairs, 5 with a photo" in said and "val: 1 pairs" in said
    assert "64x64 (5)" in said and "house" in said and "no problems found" in said


def test_every_problem_is_named_and_the_status_says_so(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "broken"
    shutil.copytree(pairs, root)
    (root / "photos/view0.jpg").write_bytes((root / "photos/view0.jpg").read_bytes()[:200])
    Image.fromarray(np.full((64, 64), 9, np.uint8)).save(root / "labels/view1.png")
    Image.fromarray(np.zeros((32, 64), np.uint8)).save(root / "labels/view2.png")
    (root / "photos/view3.jpg").rename(root / "photos/other.jpg")
    assert check(root) == 1
    said = capsys.readouterr().out
    problems = [line for line in said.splitlines() if line.startswith("problem:")]
    for word in ("view0.jpg", "view1.png: label 9", "view2.png", "view3", "other.jpg"):
        assert any(word in line for line in problems), word
    assert "training would fail" in said


def test_later_configurations_and_flags_override(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "more.yaml").write_text(
        f"data:\n  source:\n    init_args:\n      root: {pairs}\n      val_share: 0.5\n"
    )
    assert main(["data", "check", "-c", str(CONFIG), "-c", str(tmp_path / "more.yaml")]) == 0
    assert "val: 3 pairs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "-c", "nowhere.yaml"], "nowhere.yaml"),
        (["check"], "-c/--config"),
        (["check", "-c", str(CONFIG), "--data.sorce.root", "x"], "--data.sorce.root"),
        (["write-scenes", "out", "--size", "8", "8"], "out of range"),
        (["write-scenes", "out", "--nonsense"], "--nonsense"),
        (["paint"], "paint"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", *arguments]) != 0
    error = capsys.readouterr().err
    assert error.startswith("i2i: error:") and error.count("\n") == 1 and message in error


def test_written_scenes_are_a_paired_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "scenes"
    assert main(["data", "write-scenes", str(out), "--train", "4", "--val", "2", "--size", "32", "48"]) == 0
    assert Image.open(out / "train/photos/train_00000.png").size == (48, 32)
    assert check(out) == 0
    assert "train: 4 pairs" in capsys.readouterr().out
