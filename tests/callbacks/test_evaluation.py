"""Figures during training: those of `i2i evaluate`, the training does not notice, the best checkpoint is by them."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
import yaml

from i2i.callbacks.evaluation import Evaluate, log_name
from i2i.cli import main
from i2i.errors import InputError
from i2i.evaluation.choice import MEASURES
from i2i.metrics.result import read_results

ROOT = Path(__file__).resolve().parent.parent.parent
COLOURS = yaml.safe_load((ROOT / "tests/conf/colours.yaml").read_text())


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def arguments(views: Path, run: Path, conf: str, *flags: str, **evaluate: object) -> list[str]:
    """Of `i2i fit` with the callback in its configuration."""
    config = yaml.safe_load((ROOT / "tests/conf" / conf).read_text())
    if evaluate:
        callback = {"class_path": "i2i.callbacks.evaluation.Evaluate", "init_args": evaluate}
        config["trainer"]["callbacks"] = [callback]
    config["data"]["source"]["init_args"] = {"root": str(views), "val_share": 0.75}
    config["data"]["resize"]["init_args"] = {"size": [32, 64]}
    run.mkdir(parents=True, exist_ok=True)
    (run / "given.yaml").write_text(yaml.safe_dump(config))
    return ["fit", "-c", str(run / "given.yaml"), "--run", str(run), *flags]


def logged(run: Path) -> dict[str, list[float]]:
    """The values of the log that begin with "validation", over the epochs."""
    (log,) = (run / "logs").rglob("metrics.csv")
    values: dict[str, list[float]] = {}
    with log.open() as file:
        for row in csv.DictReader(file):
            for name, value in row.items():
                if name.startswith("validation/") and value:
                    values.setdefault(name, []).append(float(value))
    return values


def test_the_log_has_the_figures_of_evaluate(views: Path, judge: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    means = {"judge": {"class_path": "i2i.metrics.judges.TrainedJudge", "init_args": {"path": str(judge)}}}
    wanted = {"metrics": ["fid", "miou", "similarity", "style"], "every": 1, "extractor": COLOURS, **means}
    assert main(arguments(views, run, "folder.yaml", **wanted)) == 0
    values = logged(run)
    flags = ["--judge", str(judge), "--extractor", str(ROOT / "tests/conf/colours.yaml"), "--device", "cpu"]
    model = str(run / "checkpoints/last.ckpt")
    metrics = ["--metrics", *wanted["metrics"]]  # type: ignore[misc]
    assert main(["evaluate", model, "-c", str(run / "config.yaml"), *flags, *metrics]) == 0
    results = [r for r in read_results(run / "report/results.json")[0] if not r.of_real_photos]
    for result in results:
        assert len(values[log_name(result.name)]) == 2
        assert values[log_name(result.name)][-1] == pytest.approx(result.value, rel=2e-3, abs=2e-3), result.name
    promised = [name for metric in wanted["metrics"] for name in MEASURES[metric].figures]  # type: ignore[attr-defined]
    assert [result.name for result in results] == promised
    directions = {name: better for measure in MEASURES.values() for name, better in measure.figures.items()}
    assert all(result.better == directions[result.name] for result in results)


def test_the_training_does_not_notice(views: Path, tmp_path: Path) -> None:
    assert main(arguments(views, tmp_path / "with", "folder.yaml", metrics=["similarity", "style"], every=1)) == 0
    assert main(arguments(views, tmp_path / "without", "folder.yaml")) == 0
    ours, theirs = (
        torch.load(tmp_path / name / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
        for name in ("with", "without")
    )
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_best_checkpoint_is_by_any_figure(views: Path, tmp_path: Path) -> None:
    """Measured in the second and fourth of four epochs; in the others there is nothing to choose by."""
    flags = ["--trainer.max_epochs", "4", "--monitor", "validation/psnr"]
    assert main(arguments(views, tmp_path / "run", "folder.yaml", *flags, metrics=["similarity"], every=2)) == 0
    values = logged(tmp_path / "run")["validation/psnr"]
    assert len(values) == 2
    best = torch.load(tmp_path / "run/checkpoints/best.ckpt", weights_only=True)
    assert best["epoch"] == (1 if values[0] > values[1] else 3)


def test_artefacts_are_told_with_what_to_try(views: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A generator that explodes burns out."""
    flags = ["--model.generator.gain", "30.0"]
    assert main(arguments(views, tmp_path / "run", "folder.yaml", *flags, metrics=["artefacts"], every=2)) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch 2: ")]
    assert any("saturated values: " in line and "recalculate the batch statistics" in line for line in lines)
    assert logged(tmp_path / "run")["validation/saturated_values"][0] > 20


@pytest.mark.slow
def test_two_processes_give_the_figure_of_one(views: Path, judge: Path, tmp_path: Path) -> None:
    judged = {"class_path": "i2i.metrics.judges.TrainedJudge", "init_args": {"path": str(judge)}}
    wanted = {"metrics": ["fid", "miou", "similarity"], "every": 2, "extractor": COLOURS, "judge": judged}
    figures = []
    for name, flags in (
        ("one", ["--data.batch_size", "2"]),
        ("two", ["--data.batch_size", "1", "-c", str(ROOT / "configs/trainer/ddp.yaml"), "--trainer.devices", "2"]),
    ):
        command = [
            sys.executable,
            "-m",
            "i2i",
            *arguments(views, tmp_path / name, "labels_first.yaml", *flags, **wanted),
        ]
        subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=600, cwd=ROOT)
        figures.append(logged(tmp_path / name))
    for name, values in figures[0].items():
        assert figures[1][name] == pytest.approx(values, rel=1e-5), name
    assert len(figures[0]) == 12


@pytest.mark.parametrize(
    ("evaluate", "flags", "message"),
    [
        ({"metrics": ["miou"]}, [], "miou: no judge is given"),
        ({"metrics": ["fid"], "limit": 3, "extractor": COLOURS}, [], "more than 5 synthesised photos"),
        ({"metrics": ["similarity"]}, ["--monitor", "validation/fid"], "monitor is 'validation/fid'; here are logged"),
        ({"metrics": ["beauty"]}, [], "error: there is no metric 'beauty'"),
        (
            {"metrics": ["miou"], "judge": {"class_path": "TrainedJudge", "init_args": {"path": "nowhere.ckpt"}}},
            [],
            "error: nowhere.ckpt: no such file",
        ),
    ],
)
def test_what_cannot_be_measured_is_said_before_the_training(
    views: Path,
    tmp_path: Path,
    evaluate: dict[str, object],
    flags: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(arguments(views, tmp_path / "run", "folder.yaml", *flags, **evaluate)) != 0
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("i2i: error:")]
    assert len(error) == 1 and message in error[0]
    assert not (tmp_path / "run/checkpoints/last.ckpt").exists()


def test_arguments_out_of_range() -> None:
    with pytest.raises(InputError, match="every is 0"):
        Evaluate(["similarity"], every=0)
    with pytest.raises(InputError, match="no metrics are named; there are fid, miou"):
        Evaluate([])
    trainer = pl.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    with pytest.raises(InputError, match="give fit a DataModule"):
        Evaluate(["similarity"]).on_train_start(trainer, pl.LightningModule())
