"""What happens when something is wrong: each fault is made for real and met by the real commands.

Either the work is done, or one line on the standard error output names what is wrong and the exit status is 1; never a
traceback, never a wrong picture.
"""

from __future__ import annotations

import gc
import io
import itertools
import multiprocessing
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from i2i.cli import main
from i2i.translator import Translator

CONFIG = Path(__file__).resolve().parent / "conf/folder.yaml"
RGB = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)


@pytest.fixture
def root(pairs: Path, tmp_path: Path) -> Path:
    """A sound set of six pairs; view2 trains."""
    return shutil.copytree(pairs, tmp_path / "set")


def flags(root: Path) -> list[str]:
    return ["-c", str(CONFIG), "--data.source.root", str(root)]


def fit(root: Path, run: Path, *more: str) -> int:
    return main(["fit", *flags(root), "--run", str(run), "--trainer.max_epochs", "1", "--previews", "0", *more])


def one_line(capsys: pytest.CaptureFixture[str], *words: str) -> None:
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("i2i: error:")]
    assert len(error) == 1, error
    for word in words:
        assert word in error[0], (word, error[0])


def photo(content: Callable[[], Image.Image], ending: str = "png", **options: Any) -> Callable[[Path], str]:
    """Puts a picture in the place of a photo."""

    def spoil(root: Path) -> str:
        (root / "photos/view2.jpg").unlink()
        content().save(root / f"photos/view2.{ending}", **options)
        return f"view2.{ending}"

    return spoil


def labels(content: Callable[[Image.Image], Image.Image], ending: str = "png") -> Callable[[Path], str]:
    """Changes a label map."""

    def spoil(root: Path) -> str:
        path = root / "labels/view2.png"
        changed = content(Image.open(path))
        path.unlink()
        changed.save(path.with_suffix(f".{ending}"))
        return f"view2.{ending}"

    return spoil


def cut(name: str, keep: float) -> Callable[[Path], str]:
    def spoil(root: Path) -> str:
        content = (root / name).read_bytes()
        (root / name).write_bytes(content[: int(keep * len(content))])
        return name

    return spoil


def header(width: int, height: int) -> Callable[[Path], str]:
    """A PNG of a few bytes that claims to be huge."""

    def spoil(root: Path) -> str:
        def chunk(kind: bytes, body: bytes) -> bytes:
            return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

        start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        png = b"\x89PNG\r\n\x1a\n" + start + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
        (root / "photos/view2.jpg").unlink()
        (root / "photos/view2.png").write_bytes(png)
        return "view2.png"

    return spoil


def loop(root: Path) -> str:
    (root / "photos/view2.jpg").unlink()
    (root / "photos/view2.jpg").symlink_to(root / "photos/view2.jpg")
    return "view2.jpg"


def folder(root: Path) -> str:
    (root / "labels/view2.png").unlink()
    (root / "labels/view2.png").mkdir()
    return "view2.png"


def rename(name: str) -> Callable[[Path], str]:
    def spoil(root: Path) -> str:
        for old in (root / "photos/view2.jpg", root / "labels/view2.png"):
            old.rename(old.with_name(name + old.suffix))
        return name

    return spoil


def loop_of_folders(root: Path) -> str:
    (root / "photos/more").symlink_to(root / "photos")
    (root / "labels/more").symlink_to(root)
    return "more"


EXIF = Image.Exif()
EXIF[0x0112] = 6

ODD: dict[str, Callable[[Path], str]] = {
    "CMYK photo": photo(lambda: Image.fromarray(RGB).convert("CMYK"), "jpg"),
    "16-bit photo": photo(lambda: Image.fromarray(RGB[:, :, 0].astype(np.uint16) * 257)),
    "grey photo": photo(lambda: Image.fromarray(RGB[:, :, 0])),
    "palette photo": photo(lambda: Image.fromarray(RGB).quantize(16)),
    "photo with alpha": photo(lambda: Image.fromarray(np.dstack([RGB, RGB[:, :, :1]]))),
    "photo turned by EXIF": photo(lambda: Image.fromarray(RGB), "jpg", exif=EXIF),
    "16-bit label map": labels(lambda image: Image.fromarray(np.asarray(image).astype(np.uint16))),
    "palette label map": labels(lambda image: image.convert("P")),
    "non-ASCII names": rename("Straße 東京 🌆 ￼"),
    "names that are not UTF-8": rename(os.fsdecode(b"\xff\xfe caf\xe9")),
    "names of 250 bytes": rename("x" * 246),
    "loop of linked folders": loop_of_folders,
}
"""Used as they are."""

REFUSED: dict[str, tuple[Callable[[Path], str], str]] = {
    "truncated JPEG": (cut("photos/view2.jpg", 0.6), "truncated"),
    "truncated PNG": (cut("labels/view2.png", 0.6), "cannot be read"),
    "zero-byte photo": (cut("photos/view2.jpg", 0), "not an image file"),
    "zero-byte PNG": (cut("labels/view2.png", 0), "not an image file"),
    "label off by one row": (labels(lambda image: image.crop((0, 0, 64, 63))), "64x63"),
    "CMYK label map": (labels(lambda image: image.convert("CMYK"), "tif"), "CMYK is not a label map"),
    "JPEG label map": (labels(lambda image: image, "jpg"), "JPEG compression changes ids"),
    "label out of range": (labels(lambda image: image.point(lambda value: value + 7)), "allowed are 0 to 3"),
    "label of floating point": (labels(lambda image: image.convert("F"), "tif"), "mode F is not a label map"),
    "400-megapixel file": (header(20_000, 20_000), "pixels"),
    "file that claims 4 gigapixels": (header(65_000, 65_000), "pixels"),
    "symlink loop": (loop, "no such file"),
    "folder in place of a file": (folder, "is a folder"),
}
"""Met by one line that names the file."""


@pytest.mark.parametrize("fault", ODD)
def test_odd_files_are_used(root: Path, fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    ODD[fault](root)
    assert main(["data", "check", *flags(root)]) == 0
    said = capsys.readouterr()
    assert "train: 5 pairs, 5 with a photo" in said.out and "Warning" not in said.err


def test_a_set_of_odd_files_trains(pairs: Path, root: Path, tmp_path: Path) -> None:
    for number, (name, make) in enumerate(ODD.items()):
        one = shutil.copytree(pairs, tmp_path / str(number))
        make(one)
        if "loop" not in name:
            odd = [next(path for path in (one / kind).iterdir() if not sound(path)) for kind in ("photos", "labels")]
            stem = odd[0].stem if odd[0].stem != "view2" else f"odd{number}"
            for path in odd:
                shutil.copy2(path, root / path.parent.name / f"{stem}{path.suffix}")
    loop_of_folders(root)
    assert len(list((root / "labels").glob("*.png"))) == 6 + len(ODD) - 1
    assert fit(root, tmp_path / "run") == 0


def sound(path: Path) -> bool:
    return path.stem in [f"view{number}" for number in (0, 1, 3, 4, 5)]


@pytest.mark.parametrize("fault", REFUSED)
def test_unusable_files_are_named(root: Path, tmp_path: Path, fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    make, reason = REFUSED[fault]
    name = make(root)
    assert main(["data", "check", *flags(root)]) == 1
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("problem:"))
    assert name in line and reason in line
    assert main(["data", "cache", *flags(root), str(tmp_path / "cache"), "--workers", "1"]) == 1
    one_line(capsys, name, reason)


MET_EARLY = ("truncated JPEG", "zero-byte PNG", "label off by one row", "symlink loop")


@pytest.mark.parametrize(
    "fault", [name if name in MET_EARLY else pytest.param(name, marks=pytest.mark.slow) for name in REFUSED]
)
def test_training_stops_at_unusable_files(
    root: Path, tmp_path: Path, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make, reason = REFUSED[fault]
    name = make(root)
    assert fit(root, tmp_path / "run") == 1
    one_line(capsys, name, reason)


@pytest.mark.slow
def test_a_hundred_megapixels_are_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind, value in (("photos", 77), ("labels", 1)):
        (tmp_path / kind).mkdir()
        for number in range(2):
            Image.new("L", (10_000, 10_000), value).save(tmp_path / kind / f"{number}.png")
    # The process tells its own peak: what the system keeps of a child begins with the memory of its parent.
    told = "import sys; from i2i.cli import main; status = main(sys.argv[1:]); "
    told += "print(open('/proc/self/status').read()); sys.exit(status)"
    program = [sys.executable, "-c", told, "data", "check", *flags(tmp_path), "--data.source.num_classes", "4"]
    program += ["--data.batch_size", "1"]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "10000x10000 (1)" in done.stdout and "Warning" not in done.stderr
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", done.stdout)
    assert int(peak) < 2_500_000


class Act:
    """Something that happens before a step of training."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, action: Callable[[Translator], None]) -> None:
        self.steps = itertools.count()
        real = Translator.training_step

        def step(model: Translator, *given: Any) -> Any:
            if next(self.steps) == at:
                action(model)
            return real(model, *given)

        monkeypatch.setattr(Translator, "training_step", step)


def test_a_file_that_vanishes_in_mid_epoch(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Act(monkeypatch, 1, lambda model: [path.unlink() for path in (root / "photos").iterdir()])  # type: ignore[func-returns-value]
    assert fit(root, tmp_path / "run", "--trainer.max_epochs", "9", "--data.workers", "1") == 1
    one_line(capsys, ".jpg: no such file")


def test_a_shard_that_vanishes_in_mid_epoch(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache"
    assert main(["data", "cache", *flags(root), str(cache), "--workers", "1"]) == 0
    Act(monkeypatch, 1, lambda model: (cache / "train-00000-of-00001.zip").unlink())
    assert fit(root, tmp_path / "run", "--trainer.max_epochs", "9", "--data.cache", str(cache)) == 1
    one_line(capsys, "train-00000-of-00001.zip")


def test_a_loss_that_is_no_number(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def poison(model: Translator) -> None:
        with torch.no_grad():
            next(model.generator.parameters())[0] = float("nan")

    assert fit(root, tmp_path / "run") == 0
    last = tmp_path / "run/checkpoints/last.ckpt"
    before = last.read_bytes()
    Act(monkeypatch, 1, poison)
    assert fit(root, tmp_path / "run", "--trainer.max_epochs", "3", "--resume", "auto") == 1
    one_line(capsys, "epoch 1, batch 1", "is nan", "the last checkpoint is good")
    assert last.read_bytes() == before


def test_a_worker_that_dies(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gc.collect()  # the workers of earlier tests end here, and not with those that are killed

    def kill(model: Translator) -> None:
        for worker in multiprocessing.active_children():
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGKILL)

    Act(monkeypatch, 1, kill)
    assert fit(root, tmp_path / "run", "--trainer.max_epochs", "99", "--data.workers", "1") == 1
    one_line(capsys, "a process that reads samples died", "--data.workers")
    gc.collect()  # and of these torch tells nobody later


class Malice:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("open('was_run', 'w')",)


BAD_MODELS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "of a later format": (lambda content: content | {"i2i": content["i2i"] | {"format": 99}}, "file format 99"),
    "of no format": (lambda content: content | {"i2i": {}}, "file format None"),
    "with code in it": (lambda content: content | {"more": Malice()}, "refused, it holds pickled code"),
    "of another program": (lambda content: {"state_dict": content["state_dict"]}, "another kind"),
}


@pytest.mark.parametrize("fault", BAD_MODELS)
def test_models_that_cannot_be_used(
    root: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    change, reason = BAD_MODELS[fault]
    torch.save(change(torch.load(model, weights_only=True)), "bad.ckpt")
    assert main(["synthesize", "bad.ckpt", str(root / "labels"), "out"]) == 1
    one_line(capsys, "bad.ckpt", reason)
    assert fit(root, tmp_path / "run", "--resume", "bad.ckpt") == 1
    one_line(capsys, "bad.ckpt", reason)
    assert not Path("was_run").exists() and not Path("out").exists()


def test_names_of_any_kind_are_kept(root: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["Straße 東京 🌆", "x" * 246, os.fsdecode(b"\xff\xfe caf\xe9")]
    for number, name in enumerate(names):
        shutil.copy2(root / f"labels/view{number}.png", root / f"labels/{name}.png")
    assert main(["synthesize", str(model), str(root / "labels"), str(tmp_path / "out")]) == 0
    assert {f"{name}.png" for name in names} <= {path.name for path in (tmp_path / "out").iterdir()}
    said = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(said, "utf-8"))  # as strict as a terminal
    assert main(["data", "check", *flags(root)]) == 1
    sys.stdout.flush()
    assert rb"\udcff\udcfe caf\udce9.png has no photo" in said.getvalue()
    assert "Straße 東京 🌆.png has no photo".encode() in said.getvalue()


@pytest.mark.slow
def test_a_read_only_data_folder(root: Path, tmp_path: Path) -> None:
    """Mounted read-only, so that root cannot write either: training writes nothing beside the data."""
    apart, bind = ["unshare", "--mount", "--map-root-user"], ["mount", "--bind", "-o", "ro", str(root), str(root)]
    if subprocess.run([*apart, *bind], capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    train = [sys.executable, "-m", "i2i", "fit", *flags(root), "--run", str(tmp_path / "run")]
    steps = [bind, ["!", "touch", str(root / "new")], [*train, "--trainer.max_epochs", "1"]]
    program = " && ".join(" ".join(step) for step in steps)
    done = subprocess.run([*apart, "sh", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Read-only file system" in done.stderr, done.stderr
    assert (tmp_path / "run/checkpoints/last.ckpt").exists()


def test_nothing_is_written_beside_the_data(root: Path, tmp_path: Path) -> None:
    def state() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in [root, *root.rglob("*")]}

    before = state()
    assert fit(root, tmp_path / "run") == 0
    assert main(["data", "check", *flags(root)]) == 0
    assert state() == before


def test_a_clock_that_goes_backwards(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour a look, while training, and a year between two runs: files of the first come from the future."""
    clock = itertools.count(2_000_000_000, -3600)
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))
    assert fit(root, tmp_path / "run") == 0
    for path in (tmp_path / "run").rglob("*"):
        os.utime(path, (2_100_000_000, 2_100_000_000))
    os.utime(root / "photos/view0.jpg", (-1, -1))
    assert main(["data", "cache", *flags(root), str(tmp_path / "cache"), "--workers", "1"]) == 0
    again = ["--trainer.max_epochs", "2", "--resume", "auto", "--data.cache", str(tmp_path / "cache")]
    assert fit(root, tmp_path / "run", *again) == 0
    assert torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["epoch"] == 1
