"""Edges and the sets that are made of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from i2i.cli import main
from i2i.data import DataModule, Fixed, PairedImages
from i2i.data.check import check_all
from i2i.data.derive import CannyEdges, Greyscale


def test_grey_is_the_luma_of_bt601() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    expected = photo @ np.array([0.299, 0.587, 0.114])
    grey = Greyscale()(photo)
    assert grey.shape == (20, 30, 1) and np.abs(grey[:, :, 0] - expected).max() <= 0.51


def ramp(slope: float) -> np.ndarray:
    """Grey, rising by ``slope`` a column over two columns in the middle."""
    column = np.clip((np.arange(40) - 19) * slope, 0, 2 * slope) + 20
    return np.repeat(np.tile(column, (30, 1)).astype(np.uint8)[:, :, None], 3, axis=2)


@pytest.mark.parametrize("slope", [10, 20, 40])
def test_thresholds_are_grey_values_per_pixel(slope: int) -> None:
    """The gradient in the middle of the ramp is its slope: an edge is found if that is above the threshold."""
    assert (CannyEdges(low=slope - 2, high=slope - 2, blur=0)(ramp(slope)) == 0).any()
    assert (CannyEdges(low=slope + 2, high=slope + 2, blur=0)(ramp(slope)) == 255).all()


def test_edges_are_thin_black_lines_where_the_photo_changes() -> None:
    photo = np.full((40, 60, 3), 30, np.uint8)
    photo[:, 30:] = 200
    edges = CannyEdges()(photo)
    assert edges.shape == (40, 60, 1) and set(np.unique(edges)) == {0, 255}
    columns = np.unique(np.nonzero(edges[:, :, 0] == 0)[1])
    assert len(columns) == 1 and columns[0] in (29, 30)
    assert (CannyEdges()(np.full((20, 20, 3), 90, np.uint8)) == 255).all()


@pytest.fixture
def photos(tmp_path: Path, write) -> Path:
    for i in range(5):
        blocks = np.kron(np.random.default_rng(i).integers(0, 256, (4, 5, 3)), np.ones((8, 8, 1))).astype(np.uint8)
        write(f"photos/view{i}.jpg", blocks)
    return tmp_path / "photos"


def edges(photos: Path, out: Path, *flags: str) -> int:
    return main(["data", "edges", str(photos), str(out), *flags])


def test_the_set_is_a_paired_one(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert edges(photos, out) == 0
    assert "5 pairs" in capsys.readouterr().out
    source = PairedImages(str(out), channels=1)
    assert check_all(DataModule(source, Fixed((8, 8))), progress=False).ok
    sample = source.split("train").read(0)
    original = np.asarray(Image.open(photos / f"{sample.name}.jpg"))
    assert np.array_equal(sample.photo, original)
    grey = cv2.GaussianBlur(np.asarray(Image.fromarray(original).convert("L")), (0, 0), 1.0)
    found = cv2.Canny(grey, 40, 120, L2gradient=True)
    assert (found > 0).any() and np.array_equal(sample.condition[:, :, 0], 255 - found)


def test_splits_are_kept(photos: Path, tmp_path: Path) -> None:
    for split, names in (("train", "01"), ("val", "2")):
        (photos / split).mkdir()
        for name in names:
            (photos / f"view{name}.jpg").rename(photos / split / f"{name}.jpg")
    assert edges(photos, tmp_path / "out") == 0
    assert [len(PairedImages(str(tmp_path / "out")).split(s)) for s in ("train", "val")] == [2, 1]


def test_an_interrupted_run_goes_on(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    good = (photos / "view4.jpg").read_bytes()
    (photos / "view4.jpg").write_bytes(good[:100])
    assert edges(photos, out, "--workers", "1") == 1
    error = capsys.readouterr().err
    assert error.count("i2i: error:") == 1 and "view4.jpg" in error and "Traceback" not in error
    assert {p.name for p in (out / "A").iterdir()} == {f"view{i}.png" for i in range(4)}
    written = {path: path.stat().st_mtime_ns for path in out.rglob("*.*")}
    (photos / "view4.jpg").write_bytes(good)
    assert edges(photos, out) == 0
    assert len(list((out / "A").iterdir())) == len(list((out / "B").iterdir())) == 5
    assert all(path.stat().st_mtime_ns == time for path, time in written.items())


def test_nothing_is_written_over_or_mixed(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert edges(photos, photos) == 1
    assert "exists and is no set that this command began" in capsys.readouterr().err
    assert edges(photos, tmp_path / "out") == 0
    assert edges(photos, tmp_path / "out", "--low", "8") == 1
    assert "was made with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["nowhere", "out"], "nowhere: no such folder of photos"),
        (["empty", "out"], "no photos in empty"),
        (["photos", "out", "--low", "30"], "low is 30.0 and high 15.0"),
        (["photos", "out", "--blur", "-1"], "blur is -1.0"),
        (["photos", "out", "--nonsense"], "--nonsense"),
        (["photos"], "out"),
    ],
)
def test_bad_input_is_one_line(
    photos: Path, flags: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos.parent)
    Path("empty").mkdir()
    assert main(["data", "edges", *flags]) != 0
    error = capsys.readouterr().err
    assert error.startswith("i2i: error:") and error.count("\n") == 1 and message in error
    assert not Path("out").exists()
