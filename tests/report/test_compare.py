from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from i2i.cli import main
from i2i.errors import InputError
from i2i.metrics.result import Result, write_results
from i2i.report.compare import best, differences, read_runs, text_table


def measured(run: Path, fid: float, miou: float, split: str = "val", iou: float = 50.0) -> Path:
    """A run with a report, made by hand."""
    fids = Result("FID", fid, {"split": "val", "photos": 9}, "lower")
    mious = Result("mIoU", miou, {"split": split}, "higher", "%", parts={"sky": iou, "lake": math.nan})
    real = Result("mIoU of the real photos", 80.0, {}, "higher", "%", of_real_photos=True)
    write_results(run / "report/results.json", [fids, mious, real], {"model": str(run), "split": split})
    (run / "logs/version_0").mkdir(parents=True)
    (run / "logs/version_0/metrics.csv").write_text(f"step,validation/l1,{run.name}\n1,0.5,1\n2,0.4,1\n3,0.3,1\n")
    (run / "report/pictures").mkdir()
    (run / "report/photos.csv").write_text("photo,SSIM\nharbour,0.5\nmeadow,0.5\n")
    for index in (0, 1):
        for kind in ("map.png", "photo.jpg", "real.jpg"):
            colour = np.full((8, 8, 3), 40 * index + len(run.name), np.uint8)
            Image.fromarray(colour).save(run / f"report/pictures/{index:05d}_{kind}")
    return run


def test_runs_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = measured(tmp_path / "first", 30.0, 40.0), measured(tmp_path / "other", 20.0, 35.0, iou=60.0)
    page = tmp_path / "out/page.html"
    assert main(["compare", str(first), str(second / "report/results.json"), "--out", str(page)]) == 0
    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert said[:3] == [
        ["first", "other"],
        ["FID", "↓", "30.00", "20.00", "*"],
        ["mIoU", "↑", "40.00", "%", "*", "35.00", "%"],
    ]
    html = page.read_text()
    assert re.findall(r'<td class="number best">([^<]+)<', html) == ["20.00", "40.00 %", "60.0 %"]
    assert html.count("<svg") == 1  # the curve that both have
    assert "harbour" in html and "meadow" in html and not re.search(r"https?:|//[a-z]", html)
    sources = re.findall(r'src="([^"]+)"', html)
    assert len(sources) == 2 * 4
    for source in sources:
        assert Image.open(page.parent / source).size == (8, 8)
    levels = [int(np.asarray(Image.open(page.parent / source))[0, 0, 0]) for source in sources]
    assert levels[:4] == pytest.approx([5, 5, 5, 5], abs=1) and levels[4:] == pytest.approx([45] * 4, abs=1)


def test_figures_of_other_protocols_are_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [measured(tmp_path / "a", 30.0, 40.0), measured(tmp_path / "b", 20.0, 35.0, split="test")]
    runs = read_runs(paths)
    assert differences(runs, "mIoU") == ["split"] and differences(runs, "FID") == []
    assert best(runs, "mIoU") == [False, False] and best(runs, "FID") == [False, True]
    assert text_table(runs).splitlines()[2].split() == ["mIoU", "↑", "40.00", "%", "?", "35.00", "%", "?"]
    assert main(["compare", *map(str, paths), "--out", str(tmp_path / "page.html")]) == 0
    assert "cannot be compared" in capsys.readouterr().out
    assert "not comparable, differing in: split" in (tmp_path / "page.html").read_text()


def test_names_tell_the_runs_apart(tmp_path: Path) -> None:
    paths = [measured(tmp_path / name / "spade", 1.0, 1.0) for name in ("small", "large")]
    assert [run.name for run in read_runs(paths)] == ["small/spade", "large/spade"]


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    run = measured(tmp_path / "a", 1.0, 1.0)
    with pytest.raises(InputError, match="1 runs are given; 2 to 6"):
        read_runs([run])
    with pytest.raises(InputError, match="a is given more than once"):
        read_runs([run, run])
    with pytest.raises(InputError, match="nowhere: nothing was measured there"):
        read_runs([run, tmp_path / "nowhere"])


@pytest.mark.parametrize("out", ["folder", "file/page.html", "taken.html", "/proc/new/page.html"])
def test_a_page_that_cannot_be_written_is_known_before_anything(
    out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if out.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("no file system that nobody can write to")
    paths = [measured(tmp_path / name, 30.0, 40.0) for name in "ab"]
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "taken_pictures").touch()
    before = sorted(tmp_path.rglob("*"))
    assert main(["compare", *map(str, paths), "--out", str(tmp_path / out)]) == 1
    said = capsys.readouterr()
    assert said.out == "" and len(said.err.splitlines()) == 1
    assert str((tmp_path / out).with_suffix("")) in said.err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_picture_that_cannot_be_copied_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [measured(tmp_path / name, 30.0, 40.0) for name in "ab"]
    picture = paths[1] / "report/pictures/00001_photo.jpg"
    picture.unlink()
    picture.mkdir()
    assert main(["compare", *map(str, paths), "--out", str(tmp_path / "page.html")]) == 1
    assert capsys.readouterr().err.startswith(f"i2i: error: {picture}: cannot be read: ")
