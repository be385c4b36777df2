"""The tour from its first station to its page: trained, interrupted, continued, and read in a browser."""

from __future__ import annotations

import base64
import html
import io
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from i2i.cli import main
from i2i.commands import fit
from i2i.commands.configuration import read_configuration
from i2i.errors import InputError, Stopped
from i2i.report.log import read_log
from i2i.tour.journal import Journal
from i2i.tour.page import command_of
from i2i.tour.road import ROAD, chosen
from i2i.tour.station import Station, Training
from i2i.tour.walk import find_configs, walk
from tests.commands.test_resume import misbehaving

FEW = ("--trainer.max_epochs=2", "--trainer.check_val_every_n_epoch=1", "--trainer.log_every_n_steps=1")
POINTS = (*FEW, "--data.source.init_args.train=128", "--data.source.init_args.val=40")
DIGITS = (*FEW, "--data.batch_size=320", "--data.source.init_args.repeats=1", "--model.generator.init_args.width=2")
SCENES = (*FEW, "--data.source.init_args.train=4", "--data.source.init_args.val=2")


def shortened(name: str, *flags: str) -> Station:
    (station,) = chosen([name])
    return replace(station, trainings=tuple(replace(t, flags=(*t.flags, *flags)) for t in station.trainings))


SHORT = (shortened("sine", *POINTS), shortened("classes", *DIGITS))


RAN: list[list[str]] = []
"""What the tour has run."""


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tour of two stations."""
    folder = tmp_path_factory.mktemp("tour") / "out"
    run = fit.run

    def watched(arguments: Sequence[str]) -> int:
        RAN.append(list(arguments))
        return run(arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "run", watched)
        assert walk(folder, road=SHORT) == folder / "index.html"
    return folder


def words(text: str) -> str:
    """What stands in HTML for people to read."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", text)).split())


def test_the_page_tells_shows_and_measures_every_station(tour: Path) -> None:
    page = (tour / "index.html").read_text(encoding="utf-8")
    for number, station in enumerate(SHORT, 1):
        section = page[page.index(f'<section id="{station.name}">') :]
        section = section[: section.index("</section>")]
        assert f"{number} · {station.title}" in words(section)
        told = (station.idea, station.look, station.left, *(f"{who} {formula}" for who, formula in station.loss))
        for text in told[:3]:
            assert words(text) in words(section)
        for _, formula in station.loss:
            assert formula in section
        pictures = re.findall(r'src="data:image/png;base64,([^"]+)" width="(\d+)" height="(\d+)"', section)
        assert len(pictures) == section.count("<img") >= len(station.exhibits)
        for data, width, height in pictures:
            assert Image.open(io.BytesIO(base64.b64decode(data))).size == (int(width), int(height))
        assert section.count("<svg") == len(station.plots)
        (training,) = station.trainings
        log = read_log(tour / "runs" / training.name)
        for figure in station.figures:  # the last that this very run has logged
            assert f"<b>{format(log[figure.curve].values[-1], figure.form)}</b>" in section


def test_what_the_page_says_to_paste_is_what_was_run(tour: Path) -> None:
    page = (tour / "index.html").read_text(encoding="utf-8")
    for station, ran in zip(SHORT, RAN, strict=True):
        (details,) = re.findall("Train it yourself</summary>(.*?)</details>", section_of(page, station.name))
        (command,) = re.findall("<dd>(.*?)</dd>", details)
        program, *arguments = shlex.split(html.unescape(command))
        (training,) = station.trainings
        assert program == "i2i" and arguments[:2] == ran[:2] == ["fit", "-c"]
        assert find_configs().parent / arguments[2] == Path(ran[2])
        assert arguments[-len(training.flags) :] == ran[-len(training.flags) :] == list(training.flags)


@pytest.mark.parametrize("training", [t for one in ROAD for t in one.trainings], ids=lambda training: training.name)
def test_every_command_on_the_page_can_be_pasted_into_a_shell(training: Training) -> None:
    command = command_of(training)
    assert not set("[]{}*? ") & set(re.sub("'[^']*'| ", "", command))  # quoted, for shells that take them for patterns
    shown = subprocess.run(["sh", "-c", f"printf '%s\\n' {command}"], capture_output=True, text=True, check=True).stdout
    read = shown.splitlines()
    assert read[:4] == ["i2i", "fit", "-c", f"configs/{training.config}"] and set(training.flags) <= set(read)


def test_no_two_commands_on_the_page_write_to_one_run() -> None:
    runs = []
    for training in (t for one in ROAD for t in one.trainings):
        arguments = shlex.split(command_of(training))
        own = read_configuration(find_configs() / training.config)["run"]
        runs.append(arguments[arguments.index("--run") + 1] if "--run" in arguments else own)
    assert len(set(runs)) == len(runs)


def test_the_page_in_a_browser(tour: Path, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium here")
    page = (tour / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)=\"(?!data:|#)|url\(|@import", page)  # nothing is asked for from anywhere
    script = (
        "<script>addEventListener('load', () => { const all = [...document.images];"
        "document.title = [all.filter(i => i.naturalWidth > 0).length, all.length,"
        "performance.getEntriesByType('resource').filter(r => !r.name.startsWith('data:')).length,"
        "document.documentElement.scrollWidth <= innerWidth].join(' ') })</script>"
    )
    watched = tmp_path / "watched.html"
    watched.write_text(page + script, encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--window-size=500,900", "--host-resolver-rules=MAP * ~NOTFOUND", "--dump-dom", watched.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    loaded, there, asked, fits = re.search(r"<title>(\d+) (\d+) (\d+) (\w+)</title>", dom).groups()  # type: ignore[union-attr]
    assert loaded == there == str(page.count("<img")) and asked == "0"
    assert fits == "true"  # nothing sticks out of a narrow window


def test_what_is_trained_is_kept(tour: Path) -> None:
    files = [tour / "runs" / training.name / "checkpoints/last.ckpt" for one in SHORT for training in one.trainings]
    before = [path.stat().st_mtime_ns for path in files]
    (tour / "index.html").unlink()
    walk(tour, road=SHORT)
    assert [path.stat().st_mtime_ns for path in files] == before and (tour / "index.html").exists()


def test_a_tour_that_is_interrupted_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sine, classes = SHORT
    with monkeypatch.context() as patch:
        patch.setattr("i2i.tour.walk.settings", lambda *_: {})  # that it is broken off is no other setting
        (training,) = classes.trainings
        broken = replace(classes, trainings=(replace(training, flags=(*training.flags, *misbehaving("SIGINT", 5))),))
        again = f"The tour goes on with: i2i tour {tmp_path / 'out'} --only sine classes --device auto"
        with pytest.raises(Stopped, match=f"{re.escape(again)}$"):
            walk(tmp_path / "out", ["sine", "classes"], device="auto", road=(sine, broken))
        page = (tmp_path / "out/index.html").read_text(encoding="utf-8")
        assert '<section id="sine">' in page and '<section id="classes">' not in page
        assert f"Not walked yet: {classes.title}" in page
        trained = (tmp_path / "out/runs/gan_sine/checkpoints/last.ckpt").stat().st_mtime_ns
        spent = json.loads((tmp_path / "out/tour.json").read_text())["cgan_digits"]["seconds"]
        walk(tmp_path / "out", road=SHORT)
    assert '<section id="classes">' in (tmp_path / "out/index.html").read_text(encoding="utf-8")
    assert (tmp_path / "out/runs/gan_sine/checkpoints/last.ckpt").stat().st_mtime_ns == trained
    assert json.loads((tmp_path / "out/tour.json").read_text())["cgan_digits"]["seconds"] > spent > 0
    steps = read_log(tmp_path / "out/runs/cgan_digits")["generator/adversarial"].steps
    assert steps == list(range(len(steps)))  # each once: it went on where it had stopped


@pytest.mark.parametrize(
    ("given", "flags"),
    [({}, ""), ({"seed": 5, "device": "auto"}, " --seed 5 --device auto"), ({"only": ["sine"]}, " --only sine")],
)
def test_an_interrupted_tour_tells_how_it_goes_on(
    given: dict[str, Any], flags: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(arguments: Sequence[str]) -> int:
        raise Stopped("Saved. Continue with --resume auto.", 143)

    monkeypatch.setattr(fit, "run", stopped)
    again = f"Saved. The tour goes on with: i2i tour '{tmp_path / 'my tour'}'{flags}"
    with pytest.raises(Stopped, match=f"^{re.escape(again)}$"):
        walk(tmp_path / "my tour", road=SHORT, **given)


def test_what_was_never_trained_was_never_begun(tmp_path: Path) -> None:
    """A training that was refused holds nobody to its settings, nor does one that has left no checkpoint."""
    sine, _ = SHORT
    (training,) = sine.trainings
    wrong = replace(sine, trainings=(replace(training, flags=(*training.flags, "--data.batch_size=999")),))
    with pytest.raises(InputError, match="fewer than the batch_size 999"):
        walk(tmp_path, road=[wrong])
    assert json.loads((tmp_path / "tour.json").read_text()) == {}
    Journal(tmp_path).begin("gan_sine", {"seed": 3})  # as if the machine had died there
    assert walk(tmp_path, road=[sine], seed=1).exists()
    with pytest.raises(InputError, match="gan_sine was begun with other settings"):
        walk(tmp_path, road=[sine])
    for path in (tmp_path / "runs/gan_sine/checkpoints").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="gan_sine was begun with other settings"):  # it is done all the same
        walk(tmp_path, road=[sine])


@pytest.mark.parametrize("device", ["foo", "tpu", "cuda"])
def test_a_device_that_is_not_there_is_told_before_anything_is_written(
    device: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if device == "cuda" and torch.cuda.is_available():
        pytest.skip("it is there")
    train = ["fit", "-c", str(find_configs() / "foundations/gan_sine.yaml"), "--run", str(tmp_path / "new")]
    for command in (["tour", str(tmp_path / "new"), "--device", device], [*train, "--trainer.accelerator", device]):
        assert main(command) == 1
        error = capsys.readouterr().err
        assert (
            len(error.splitlines()) == 1
            and f"{command[-2]} is {device!r}, which cannot be trained on here; allowed are auto, cpu" in error
        )
        assert not (tmp_path / "new").exists()


def test_what_the_trainer_refuses_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = str(find_configs() / "foundations/gan_sine.yaml")
    assert main(["fit", "-c", config, "--run", str(tmp_path / "new"), "--trainer.limit_val_batches", "1.5"]) == 1
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1 and error.startswith("i2i: error:") and "invalid value 1.5" in error


def test_what_cannot_be_walked_is_told_in_one_line(
    tour: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tour", str(tmp_path / "new"), "--only", "style"]) == 1
    assert "no station 'style'; the tour has sine, ring" in capsys.readouterr().err
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters/one.txt").write_text("dear")
    assert main(["tour", str(tmp_path / "letters")]) == 1
    assert "is no tour's folder" in capsys.readouterr().err
    assert main(["tour", str(tmp_path / "new"), "--seed", "-1"]) == 1
    assert "seed is -1" in capsys.readouterr().err
    assert main(["tour", str(tmp_path / "new"), "--seed", str(2**32)]) == 1
    assert "seed is 4294967296; allowed are 0 to 4294967295" in capsys.readouterr().err
    with pytest.raises(InputError, match="gan_sine was begun with other settings"):
        walk(tour, road=SHORT, seed=1)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("station", ROAD, ids=lambda station: station.name)
def test_every_station_is_whole(station: Station) -> None:
    for training in station.trainings:
        assert read_configuration(find_configs() / training.config)["run"]
    names = {training.name for training in station.trainings}
    assert {run for plot in station.plots for run, _, _ in plot.curves} <= names
    assert all(len(plot.curves) <= 6 for plot in station.plots)
    assert station.figures and station.exhibits and station.plots and station.loss


def test_no_two_stations_share_a_run_or_a_name() -> None:
    trainings = [training.name for station in ROAD for training in station.trainings]
    assert len(set(trainings)) == len(trainings) and len({station.name for station in ROAD}) == len(ROAD)


@pytest.mark.slow
def test_the_whole_road_shortened(tmp_path: Path) -> None:
    """Every station trains, and shows all that it wants to show."""
    flags: Mapping[str, tuple[str, ...]] = {"sine": POINTS, "ring": POINTS, "pix2pix": SCENES, "spade": SCENES}
    road = [shortened(station.name, *flags.get(station.name, DIGITS[:-1])) for station in ROAD]
    page = walk(tmp_path / "out", road=road).read_text(encoding="utf-8")
    assert "Not walked yet" not in page and "–</td>" not in section_of(page, "vae")
    for station in ROAD:
        section = section_of(page, station.name)
        assert section.count("<svg") == len(station.plots)
        assert all(html.escape(exhibit.title) in section for exhibit in station.exhibits)


def section_of(page: str, name: str) -> str:
    return page[page.index(f'<section id="{name}">') :].split("</section>")[0]
