"""`i2i evaluate` through the real command line; the figures against computations of their own."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.linalg import sqrtm
from torchvision import models

from i2i.checkpoint import save_model
from i2i.classes import ClassTable, LabelEncoding
from i2i.cli import main
from i2i.data.datamodule import DataModule
from i2i.data.folder import Folder
from i2i.data.loading import collate
from i2i.data.transforms import Fixed
from i2i.errors import InputError
from i2i.evaluation.evaluation import Evaluation
from i2i.evaluation.painter import Painter
from i2i.judge import JudgeTrainer
from i2i.metrics.judges import TrainedJudge
from i2i.metrics.result import read_results
from i2i.nn.segmentation import SegmentationNetwork
from i2i.nn.unet import UNetGenerator
from i2i.pictures import to_pixels
from i2i.synthesizer import Synthesizer

ROOT = Path(__file__).resolve().parent.parent.parent
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture(scope="module")
def config(views: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    source = {"class_path": "i2i.data.folder.Folder", "init_args": {"root": str(views), "val_share": 0.75}}
    resize = {"class_path": "i2i.data.transforms.Fixed", "init_args": {"size": [40, 56]}}
    path = tmp_path_factory.mktemp("conf") / "data.yaml"
    path.write_text(json.dumps({"data": {"source": source, "resize": resize, "batch_size": 3, "workers": 0}}))
    return str(path)


ARTEFACTS = [
    f"{name}{ending}"
    for ending in ("", " of the real photos")
    for name in ("saturated values", "blobs", "repeated texture")
]


def evaluate(model: Path, config: str, *flags: str) -> int:
    return main(["evaluate", str(model), "-c", config, "--device", "cpu", *flags])


def colours(photo: torch.Tensor) -> np.ndarray[Any, Any]:
    """The features of tests.features.Colours, by numpy: what is measured is rounded to 8 bits."""
    pixels = ((photo.double().numpy() + 1) * 127.5).round() / 255
    top, bottom = pixels[:, :, :20], pixels[:, :, 20:]
    quarters = [half[..., columns].mean((2, 3)) for half in (top, bottom) for columns in (slice(28), slice(28, None))]
    return np.stack(quarters, 2).reshape(len(pixels), 12)


def test_the_figures_are_those_of_the_pictures(
    model: Path, judge: Path, data: DataModule, config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extractor = ["--extractor", str(ROOT / "tests/conf/colours.yaml")]
    torch.save(models.alexnet(weights=None).state_dict(), tmp_path / "alexnet.pth")
    flags = [*extractor, "--judge", str(judge), "--lpips.weights", str(tmp_path / "alexnet.pth"), "--samples", "2"]
    assert evaluate(model, config, *flags, "--out", str(tmp_path / "report")) == 0
    said = capsys.readouterr().out
    assert f"Writing to {tmp_path / 'report'}" in said and "without" not in said
    results = {r.name: r for r in read_results(tmp_path / "report/results.json")[0]}
    about = read_results(tmp_path / "report/results.json")[1]

    painter = Painter.of(Synthesizer.load(model))
    batches = list(data.in_order("val"))
    pictures = [painter.paint(batch) for batch in batches]
    photo, real = torch.cat([p.photo for p in pictures]), torch.cat([b["photo"] for b in batches])
    labels = torch.cat([b["labels"] for b in batches]).long()

    fake, true = colours(photo), colours(real)
    root = sqrtm(np.cov(fake.T) @ np.cov(true.T)).real
    fid = ((fake.mean(0) - true.mean(0)) ** 2).sum() + np.trace(np.cov(fake.T) + np.cov(true.T) - 2 * root)
    assert results["FID"].value == pytest.approx(fid, rel=1e-3, abs=1e-5)
    assert results["PSNR"].value == pytest.approx(
        np.mean([10 * np.log10(4 / float((p - r).square().mean())) for p, r in zip(photo, real, strict=True)]), abs=1e-3
    )
    trained = TrainedJudge(str(judge))
    for name, shown in (("mIoU", photo), ("mIoU of the real photos", real)):
        read = trained.read(shown, ["sky", "tree", "road", "house"])
        counted = labels != 3
        each = [
            float(((read == c) & (labels == c)).sum() / (counted & ((read == c) | (labels == c))).sum())
            for c in range(3)
        ]
        assert results[name].value == pytest.approx(100 * np.mean(each))
        assert list(results[name].parts.values()) == pytest.approx([100 * iou for iou in each])
    assert {"LPIPS", "LPIPS diversity", "SSIM", "style correlation", "recall"} <= set(results)
    for result in results.values():  # whatever is measured says where and on what
        assert {"data", "split", "size", "style", "seed"} <= set(result.protocol)
    assert (about["photos"], about["size"], about["split"]) == (9, "56x40", "val") and len(about["model sha256"]) == 64

    with (tmp_path / "report/photos.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9
    assert np.mean([float(row["LPIPS"]) for row in rows]) == pytest.approx(results["LPIPS"].value)
    assert np.mean([float(row["PSNR"]) for row in rows]) == pytest.approx(results["PSNR"].value)


def test_the_report_is_whole_and_needs_no_network(
    model: Path, judge: Path, data: DataModule, config: str, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    (run / "logs/version_0").mkdir(parents=True)
    (run / "logs/version_0/metrics.csv").write_text("epoch,step,generator/adversarial\n0,1,0.5\n1,2,0.7\n")
    (run / "checkpoints").mkdir()
    shutil.copy(model, run / "checkpoints/last.ckpt")
    assert evaluate(run / "checkpoints/last.ckpt", config, "--judge", str(judge)) == 0
    page = run / "report/index.html"
    html = page.read_text()
    assert not re.search(r"https?:|//[a-z]", html)
    for anchor in ("figures", "classes", "gallery", "extremes", "samples", "latents", "training", "protocol"):
        assert f'<section id="{anchor}">' in html and f'href="#{anchor}"' in html
    sources = re.findall(r'src="([^"]+)"', html)
    assert len(sources) > 40
    for source in sources:
        assert Image.open(page.parent / source).size == (56, 40)
    # The gallery's pictures are the measured ones, the map is the data's.
    painter = Painter.of(Synthesizer.load(model))
    item = data.dataset("val")[0]
    shown = np.asarray(Image.open(page.parent / "pictures/00000_photo.jpg")).astype(int)
    assert np.abs(shown - to_pixels(painter.paint(collate([item])).photo)[0]).mean() < 4  # JPEG
    shown = np.asarray(Image.open(page.parent / "pictures/00000_map.png"))
    assert (shown == data.source.encoding.classes.colourise(item["labels"].numpy())).all()
    # The worst by SSIM, since there is no LPIPS: worst first among the worst, best first among the best.
    with (page.parent / "photos.csv").open() as file:
        ssim = sorted(float(row["SSIM"]) for row in csv.DictReader(file))
    ranked = [float(value) for value in re.findall(r"SSIM ([\d.]+) ·", html[html.index('id="extremes"') :])]
    assert ranked == pytest.approx(ssim[:4] + ssim[::-1][:4], abs=6e-4)


def test_the_report_in_a_browser(model: Path, judge: Path, config: str, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium here")
    assert evaluate(model, config, "--judge", str(judge), "--out", str(tmp_path)) == 0
    script = (
        "<script>addEventListener('load', () => { const all = [...document.images];"
        "document.title = [all.filter(i => i.naturalWidth > 0).length, all.length,"
        "document.documentElement.scrollWidth <= innerWidth].join(' ') })</script>"
    )
    watched = tmp_path / "watched.html"
    watched.write_text((tmp_path / "index.html").read_text().replace('loading="lazy"', "") + script)
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--window-size=500,900", "--host-resolver-rules=MAP * ~NOTFOUND", "--dump-dom", watched.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    loaded, there, fits = re.search(r"<title>(\d+) (\d+) (\w+)</title>", dom).groups()  # type: ignore[union-attr]
    assert loaded == there and int(there) > 40
    assert fits == "true"  # nothing sticks out of a narrow window


def test_what_is_left_out_is_said_with_what_would_bring_it(
    model: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(model, config, "--limit", "3") == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("without ")]
    assert len(lines) == 3
    assert lines[0].startswith("without fid: ") and "weights-inception-2015-12-05-6726825d.pth" in lines[0]
    assert lines[1].startswith("without miou: ") and "--judge FILE, i2i train-judge makes one" in lines[1]
    assert lines[2].startswith("without lpips, diversity: ") and "alexnet-owt-7be5be79.pth" in lines[2]
    results, about = read_results(model.parent.parent / "report/results.json")  # beside the run's checkpoints
    assert [r.name for r in results] == ["PSNR", "SSIM", "style correlation", "style explained variance", *ARTEFACTS]
    assert about["photos"] == 3 and set(about["left out"]) == {"fid", "miou", "lpips", "diversity"}


def test_the_features_of_the_real_photos_are_computed_once(
    model: Path, config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ["--metrics", "fid", "--extractor", str(ROOT / "tests/conf/colours.yaml")]
    assert evaluate(model, config, *flags, "--out", str(tmp_path / "a")) == 0
    kept = list((tmp_path / "cache/i2i/reference").iterdir())
    assert len(kept) == 1
    before = kept[0].stat().st_mtime_ns
    assert evaluate(model, config, *flags, "--seed", "1", "--out", str(tmp_path / "b")) == 0
    assert [path.stat().st_mtime_ns for path in (tmp_path / "cache/i2i/reference").iterdir()] == [before]
    assert evaluate(model, config, *flags, "--limit", "6", "--out", str(tmp_path / "c")) == 0
    assert len(list((tmp_path / "cache/i2i/reference").iterdir())) == 2
    fids = [read_results(tmp_path / name / "results.json")[0][0] for name in "abc"]
    assert len({fid.value for fid in fids}) == 3 and fids[2].protocol["real photos"] == 6


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--metrics", "fid"], "fid: .*weights-inception.* are not there"),
        (["--metrics", "miou"], "miou: no judge is given"),
        (["--metrics", "beauty"], "invalid choice: 'beauty'"),
        (
            ["--metrics", "fid", "--limit", "4", "--extractor", "tests/conf/colours.yaml"],
            "more than 5 .* photos",
        ),
        (["--limit", "0"], "--limit is 0"),
        (["--samples", "1"], "--samples is 1"),
        (["--limit", "2", "--metrics", "similarity", "style"], "style: .* needs 3; there are 2"),
        (["--metrics", "similarity", "--lpips.weights", "nowhere.pth"], "nowhere.pth: the alex weights .* not there"),
        (["--judge", "nowhere.ckpt"], "nowhere.ckpt: no such file"),
        (["--judge", "pyproject.toml"], "pyproject.toml: .*not a file of tensors"),
        (["--judge", "Nobody"], "Nobody"),
        (["--ignore", "lake", "--metrics", "miou", "--judge", "JUDGE"], "no class is called 'lake'"),
        (["--ignore", "lake", "--judge", "JUDGE"], "miou: ignored classes: no class is called 'lake'"),
        (["--ignore", "lake"], "miou: ignored classes: no class is called 'lake'"),
        (["--recalculate", "0"], "recalculate is 0"),
        (["--data.source.init_args.root", "nowhere"], "nowhere"),
        (["--dta.workers", "0"], "unrecognized arguments: --dta.workers"),
    ],
)
def test_bad_input_is_one_line(
    model: Path,
    judge: Path,
    config: str,
    flags: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    assert evaluate(model, config, *(str(judge) if flag == "JUDGE" else flag for flag in flags)) != 0
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1 and error.startswith("i2i: error:")
    assert re.search(message, error), error


def test_a_model_of_other_classes_is_refused(
    model: Path, config: str, views: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(views, tmp_path / "views")
    flags = ["--data.source.init_args.root", str(folder)]
    table = folder / "classes.csv"
    table.write_text((views / "classes.csv").read_text().replace("road", "river"))
    assert evaluate(model, config, *flags) == 1
    assert "does not fit the data set: its class 2 is 'road', the data set's 'river'" in capsys.readouterr().err
    table.write_text((views / "classes.csv").read_text() + "4,car,1,2,3\n")
    assert evaluate(model, config, *flags) == 1
    assert "num_classes is 4 in the file and 5 here" in capsys.readouterr().err


def test_recalculated_statistics_are_measured_and_told(model: Path, config: str, tmp_path: Path) -> None:
    for name, flags in (("file", []), ("anew", ["--recalculate", "1"])):
        assert evaluate(model, config, *flags, "--metrics", "similarity", "--out", str(tmp_path / name)) == 0
    (first, about), (second, told) = (read_results(tmp_path / name / "results.json") for name in ("file", "anew"))
    assert first[0].value != second[0].value
    assert about["batch statistics"] == "of the file" and told["batch statistics"] == "recalculated on 1 batches"


def test_label_maps_without_photos_are_measured_by_the_judge(
    model: Path, judge: Path, views: Path, config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maps = tmp_path / "maps"
    maps.mkdir()
    shutil.copytree(views / "labels", maps / "labels")
    shutil.copy(views / "classes.csv", maps / "classes.csv")
    flags = ["--data.source.init_args.root", str(maps), "--judge", str(judge), "--out", str(tmp_path / "out")]
    assert evaluate(model, config, *flags) == 0
    names = [r.name for r in read_results(tmp_path / "out/results.json")[0]]
    assert "mIoU" in names and "mIoU of the real photos" not in names and "PSNR" not in names
    assert "PSNR and SSIM compares with real photos" in capsys.readouterr().out


def test_a_model_without_style_makes_one_picture_a_map(
    views: Path, config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = DataModule(Folder(str(views), val_share=0.75), Fixed((40, 56)))
    generator = UNetGenerator(data.label_channels, width=2, depth=4, dropout=0.0)
    save_model(tmp_path / "unet.ckpt", generator, data.semantics)
    assert evaluate(tmp_path / "unet.ckpt", config) == 0
    said = capsys.readouterr().out
    assert "without diversity: diversity is between pictures of one map, and this model makes the same" in said
    assert "without style: style fidelity asks an encoder" in said
    assert read_results(tmp_path / "report/results.json")[0][0].name == "PSNR"


@pytest.mark.parametrize("out", ["file", "/proc/new/report"])
def test_a_report_that_cannot_be_written_is_known_before_the_work(
    out: str, model: Path, config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    if out.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("no file system that nobody can write to")
    (tmp_path / "file").touch()
    monkeypatch.setattr(Evaluation, "run", lambda self: pytest.fail("work that is lost"))
    assert evaluate(model, config, "--metrics", "similarity", "--out", str(tmp_path / out)) == 1
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1 and str(tmp_path / out) in error


def test_figures_that_cannot_be_written_are_told(
    model: Path, config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def full(*_: object) -> None:
        raise InputError("the disk is full")

    monkeypatch.setattr("i2i.commands.evaluate.write_results", full)
    assert evaluate(model, config, "--metrics", "similarity", "--limit", "1", "--out", str(tmp_path / "out")) == 1
    said = capsys.readouterr()
    assert re.search(r"PSNR ↑ \d+\.\d\d dB", said.out) and "the disk is full" in said.err


def test_a_measure_that_wants_more_photos_is_left_out(
    model: Path, config: str, tmp_path: Path, capsys: Capture
) -> None:
    extractor = ["--extractor", str(ROOT / "tests/conf/colours.yaml")]
    data = ["--data.source.init_args.val_share", "0.25"]
    flags = [*extractor, *data, "--split", "val", "--reference", "train", "--limit", "2"]
    assert evaluate(model, config, *flags, "--out", str(tmp_path / "out")) == 0
    said = capsys.readouterr().out
    assert "without fid: FID and its kin need more than 5 synthesised photos; there are 2" in said
    assert "without style: style fidelity is a correlation over photos and needs 3; there are 2" in said
    assert [r.name for r in read_results(tmp_path / "out/results.json")[0]] == ["PSNR", "SSIM", *ARTEFACTS]
    assert not (tmp_path / "cache/i2i/reference").exists()  # no real photo was read for nothing
    assert evaluate(model, config, *extractor, "--limit", "4", "--out", str(tmp_path / "out")) == 0
    assert "without fid: FID and its kin need more than 5 " in capsys.readouterr().out
    assert not (tmp_path / "cache/i2i/reference").exists()


def test_a_measure_that_wants_larger_photos_is_left_out(
    model: Path, config: str, tmp_path: Path, capsys: Capture
) -> None:
    torch.save(models.alexnet(weights=None).state_dict(), tmp_path / "alexnet.pth")
    flags = ["--lpips.weights", str(tmp_path / "alexnet.pth"), "--out", str(tmp_path / "out"), "--limit", "3"]
    flags += ["--samples", "2", "--data.resize.init_args.size"]
    assert evaluate(model, config, *flags, "[10,24]") == 0
    said = capsys.readouterr().out
    assert "without lpips, diversity: LPIPS needs photos of at least 32 pixels a side, not 10" in said
    assert "without similarity: SSIM needs photos of at least 11 pixels a side; these are 24x10" in said
    assert "style correlation" in said


@pytest.mark.parametrize("name", ["judge.pt", "judge", "epoch.3"])
def test_a_judge_may_have_any_name(
    name: str, model: Path, judge: Path, config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(judge, name)
    assert evaluate(model, config, "--metrics", "miou", "--limit", "1", "--judge", name, "--out", "out") == 0
    assert read_results("out/results.json")[0][0].protocol["judge"] == name


def test_a_judge_of_other_classes_ends_the_work(model: Path, config: str, tmp_path: Path, capsys: Capture) -> None:
    """It was named, so that without it the figures are not those that were asked for."""
    table = ClassTable(["lake", "river"], [[0, 0, 1], [0, 0, 2]])
    JudgeTrainer(SegmentationNetwork(2, width=2), LabelEncoding(table)).save(tmp_path / "other.ckpt")
    assert evaluate(model, config, "--judge", str(tmp_path / "other.ckpt"), "--out", str(tmp_path / "out")) == 1
    assert capsys.readouterr().err.startswith("i2i: error: miou: all classes are ignored")
    assert not (tmp_path / "out").exists()


def test_names_that_are_no_text_are_used(
    model: Path, config: str, views: Path, tmp_path: Path, capsys: Capture
) -> None:
    odd = os.fsdecode(b"caf\xe9")
    try:
        (tmp_path / odd).mkdir()
        folder = shutil.copytree(views, tmp_path / "views")
        for kind in ("labels", "photos"):
            for path in (folder / kind).iterdir():
                path.rename(path.with_stem(f"{path.stem}{odd}"))
    except OSError:
        pytest.skip("a file system whose names are text")
    own = tmp_path / odd / f"{odd}.ckpt"
    shutil.copy(model, own)
    flags = ["--data.source.init_args.root", str(folder), "--metrics", "similarity"]
    outs = [tmp_path / odd / name for name in ("a", "b")]
    for out in outs:
        assert evaluate(own, config, *flags, "--out", str(out)) == 0
        assert read_results(out / "results.json")[1]["model"] == str(own)
        assert out.joinpath("index.html").read_text().count("caf\\udce9") > 12
    page = tmp_path / "compare.html"
    assert main(["compare", *map(str, outs), "--out", str(page)]) == 0
    assert page.read_text().count("caf\\udce9</p>") == 9
    assert len(re.findall("<img", page.read_text())) == 9 * 4
