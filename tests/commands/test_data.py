"""`i2i data check`, `i2i data cache` and `i2i data write-scenes`."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
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


def flags(root: Path) -> list[str]:
    return ["-c", str(CONFIG), "--data.source.root", str(root)]


@pytest.fixture(scope="module")
def cached(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Made by two processes, in two folders."""
    roots = [tmp_path_factory.mktemp("cache") / name for name in ("one", "two")]
    assert main(["data", "cache", *flags(pairs), *map(str, roots), "--shard", "2", "--workers", "2"]) == 0
    return roots


def test_training_from_a_cache(
    cached: list[Path], pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spread = [path.name for root in cached for path in root.glob("*.zip")]
    assert sorted(spread) == [*(f"train-0000{i}-of-00003.zip" for i in range(3)), "val-00000-of-00001.zip"]
    roots = f"[{cached[0]}, {cached[1]}]"
    run = [*flags(tmp_path / "not there"), "--run", str(tmp_path / "run"), "--data.cache", roots]
    assert main(["fit", *run, "--trainer.max_epochs", "1"]) == 0
    assert main(["validate", *run]) == 0
    assert check(tmp_path, "--data.cache", roots) == 0
    capsys.readouterr()
    assert main(["fit", *run, "--data.resize.size", "[32, 64]", "--resume", "auto"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "data.resize.size is [64, 64] there and [32, 64] here" in error


def test_caching_again_keeps_and_mends(
    cached: list[Path], pairs: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    roots = [shutil.copytree(root, tmp_path / root.name) for root in cached]
    victim = next(roots[0].glob("train*.zip"))
    victim.write_bytes(victim.read_bytes()[:-30])
    run = ["--data.cache", f"[{roots[0]}, {roots[1]}]", "--run", str(tmp_path / "run")]
    assert main(["fit", *flags(pairs), *run]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"i2i: error: {victim}: damaged") and error.count("\n") == 1
    again = ["data", "cache", *flags(pairs), *map(str, roots), "--shard", "2", "--workers", "1"]
    assert main(again) == 0
    said = capsys.readouterr().out
    assert "6 samples in 4 shards, 3 of them there already and whole" in said
    assert f"written anew: {victim}: damaged" in said
    following = shlex.split(said.split("Next: ")[1])
    assert following == ["i2i", "fit", *flags(pairs), "--data.cache", f"[{roots[0]}, {roots[1]}]"]
    assert victim.read_bytes() == (cached[0] / victim.name).read_bytes()


def test_a_cache_without_a_test_split(tmp_path: Path, pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    camvid = tmp_path / "camvid.yaml"
    camvid.write_text(
        "data: {source: {class_path: i2i.data.camvid.CamVid, init_args: {root: '', train: photos, val: photos}}, "
        "resize: {class_path: i2i.data.transforms.Fixed, init_args: {size: [64, 64]}}}"
    )
    root = tmp_path / "set"
    shutil.copytree(pairs / "photos", root / "photos")
    shutil.copytree(pairs / "labels", root / "photosannot")
    arguments = ["-c", str(camvid), "--data.source.root", str(root), str(tmp_path / "cache"), "--workers", "1"]
    assert main(["data", "cache", *arguments]) == 0
    assert "no test split" in capsys.readouterr().out
    assert main(["data", "cache", *arguments, "--splits", "test"]) == 1


@pytest.mark.slow
def test_a_killed_run_goes_on_and_leaves_no_process(pairs: Path, tmp_path: Path) -> None:
    """SIGKILL of the whole run, or of one of its processes; at last the cache is that of a whole run."""
    root = tmp_path / "set"
    for name in ("photos", "labels"):
        (root / name).mkdir(parents=True)
        for path in (pairs / name).iterdir():
            for copy in range(10):
                shutil.copy2(path, root / name / f"{path.stem}_{copy}{path.suffix}")
    shutil.copy2(pairs / "classes.csv", root)
    arguments = ["data", "cache", *flags(root), "--data.resize.size", "[512, 512]", "--shard", "1"]
    command = [sys.executable, "-m", "i2i", *arguments, str(tmp_path / "cache"), "--workers", "2"]
    kills = 0
    while kills < 5:
        before = len(list((tmp_path / "cache").glob("*.zip")))
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while process.poll() is None and len(list((tmp_path / "cache").glob("*.zip"))) < min(before + 9, 60):
            time.sleep(0.01)
        members = children(process.pid)
        if process.poll() is not None:
            break
        if kills % 3 == 2 and members:  # a process of the pool: the run ends by itself, with one line
            os.kill(members[-1], signal.SIGKILL)
            _, error = process.communicate(timeout=60)
            assert process.returncode == 1 and "i2i: error: a process of the cache ended" in error
            assert "Traceback" not in error
        else:
            process.kill()
            process.wait()
        kills += 1
        deadline = time.monotonic() + 30
        while any(Path(f"/proc/{member}/cmdline").exists() and alive(member) for member in members):
            assert time.monotonic() < deadline, "a process of the pool outlives the run"
            time.sleep(0.05)
    assert kills == 5
    assert main([*arguments, str(tmp_path / "cache"), "--workers", "1"]) == 0
    assert main([*arguments, str(tmp_path / "whole"), "--workers", "1"]) == 0
    contents = [{p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("cache", "whole")]
    assert contents[0] == contents[1] and len(contents[0]) == 62


def children(parent: int) -> list[int]:
    try:
        threads = list(Path(f"/proc/{parent}/task").iterdir())
        return [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    except OSError:
        return []


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_a_cache_loads_five_times_as_fast_as_cityscapes(shared: Path, tmp_path: Path) -> None:
    config = CONFIG.parent.parent.parent / "configs/cityscapes/spade.yaml"
    data = ["-c", str(config), "--data.source.root", str(shared / "data/cityscapes")]
    assert main(["data", "cache", *data, str(tmp_path / "cache"), "--workers", "1"]) == 0
    flags = ["--data.cache", str(tmp_path / "cache"), "--data.batch_size", "4", "--data.workers", "0"]
    assert main(["benchmark", "data", *data, *flags, "--samples", "8", "--json", str(tmp_path / "found.json")]) == 0
    (found,) = json.loads((tmp_path / "found.json").read_text())["measurements"]
    files, cache = found["cases"]
    assert (files["name"], cache["name"]) == ("decoded from the files", "from the cache")
    assert cache["difference"] == 0
    assert cache["ratio"] > 5
