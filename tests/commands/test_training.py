"""`i2i fit`, `validate`, `test` through the real command line."""

from __future__ import annotations

import csv
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from i2i.cli import main

CONF = Path(__file__).resolve().parent.parent / "conf"
CONFIGS = CONF.parent.parent / "configs"


def fit(pairs: Path, run: Path, *flags: str, command: str = "fit") -> int:
    arguments = [command, "-c", str(CONF / "folder.yaml"), "--data.source.root", str(pairs), "--run", str(run), *flags]
    return main(arguments)


@pytest.fixture(scope="module")
def trained(pairs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "tiny"
    assert fit(pairs, run) == 0
    return run


def test_a_run_leaves_checkpoints_previews_logs_and_its_configuration(trained: Path) -> None:
    kept = {path.name for path in (trained / "checkpoints").iterdir()}
    assert kept == {"last.ckpt", "best.ckpt", "epoch_0000.ckpt", "epoch_0001.ckpt"}
    for epoch in (1, 2):
        picture = Image.open(trained / f"previews/epoch_{epoch:04d}.png")
        assert picture.width >= 3 * 64
    assert any((trained / "tensorboard").iterdir())
    assert (trained / "config.yaml").exists()


def test_every_term_is_logged_unweighted(trained: Path) -> None:
    (log,) = (trained / "logs").rglob("metrics.csv")
    with log.open() as file:
        rows = list(csv.DictReader(file))
    names = {name for row in rows for name, value in row.items() if value}
    terms = {f"generator/{term}" for term in ("adversarial", "feature_matching", "divergence")}
    terms |= {f"discriminator/{term}" for term in ("real", "fake", "accuracy_real", "accuracy_fake")}
    terms |= {"learning_rate/generator", "learning_rate/discriminator", "images_per_second", "validation/l1"}
    assert terms <= names


def test_the_saved_configuration_runs_again(trained: Path, tmp_path: Path) -> None:
    assert main(["fit", "-c", str(trained / "config.yaml"), "--run", str(tmp_path / "again")]) == 0
    ours = torch.load(tmp_path / "again/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    first = torch.load(trained / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(ours[name], first[name]) for name in first)  # the same seed, the same model


def test_an_existing_run_is_continued_but_never_written_over(
    trained: Path, pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (trained / "checkpoints/last.ckpt").read_bytes()
    assert fit(pairs, trained) == 1
    assert "--resume auto" in one_line(capsys)
    assert (trained / "checkpoints/last.ckpt").read_bytes() == before


def test_resume_by_one_flag(pairs: Path, tmp_path: Path) -> None:
    assert fit(pairs, tmp_path / "run", "--trainer.max_epochs", "1") == 0
    assert fit(pairs, tmp_path / "run", "--resume", "auto") == 0
    content = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    assert content["epoch"] == 1
    (log,) = (tmp_path / "run/logs").rglob("metrics.csv")  # one for both
    with log.open() as file:
        assert {row["epoch"] for row in csv.DictReader(file)} == {"0", "1"}


@pytest.mark.parametrize("command", ["validate", "test"])
def test_measuring_a_checkpoint(trained: Path, pairs: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--data.source.test", "val"] if command == "test" else []
    assert fit(pairs, trained, *flags, command=command) == 0
    assert "/l1" in capsys.readouterr().out


def test_the_saved_configuration_measures(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "-c", str(trained / "config.yaml")]) == 0
    assert "validation/l1" in capsys.readouterr().out


def test_several_configurations_and_short_overrides(pairs: Path, tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("model:\n  schedule: original\n  accumulate: 2\ndata:\n  batch_size: 1\n")
    flags = ["-c", str(tmp_path / "more.yaml"), "--trainer.max_epochs", "1", "--model.generator.width", "2"]
    assert fit(pairs, tmp_path / "run", *flags) == 0
    saved = (tmp_path / "run/config.yaml").read_text()
    assert "schedule: original" in saved and "width: 2" in saved and "batch_size: 1" in saved


@pytest.mark.parametrize(("discriminator_steps", "expected"), [(1, 3), (2, 2)])
def test_max_steps_are_steps_of_the_discriminator(
    pairs: Path, tmp_path: Path, discriminator_steps: int, expected: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """The trainer by itself counts those of both optimizers."""
    flags = ["--trainer.max_steps", str(expected), "--data.batch_size", "1", "--trainer.log_every_n_steps", "1"]
    assert fit(pairs, tmp_path / "my run", *flags, "--model.discriminator_steps", str(discriminator_steps)) == 0
    (log,) = (tmp_path / "my run/logs").rglob("metrics.csv")
    with log.open() as file:
        rows = [row for row in csv.DictReader(file) if row["discriminator/real"]]
    assert [int(row["step"]) for row in rows] == list(range(expected))
    following = capsys.readouterr().out.splitlines()[-1].split("Next: ")[1]
    last = str(tmp_path / "my run/checkpoints/last.ckpt")
    assert shlex.split(following) == ["i2i", "synthesize", last, "LABELS", "OUT"]


@pytest.mark.parametrize("precision", ["bf16-mixed"])
def test_half_precision_trains(pairs: Path, tmp_path: Path, precision: str) -> None:
    assert fit(pairs, tmp_path / "run", "--trainer.max_epochs", "1", "--trainer.precision", precision) == 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--model.generator.widht", "3"], "'widht' is not accepted"),
        (["--data.bach_size", "3"], "--data.bach_size"),
        (["--model.objective.perceptual", "10", "--model.objective.vgg", "nowhere.pth"], "nowhere.pth"),
        (["--data.source.root", "nowhere"], "nowhere"),
        (["--data.batch_size", "64"], "64"),
        (["--data.resize.size", "[48, 64]"], "multiples of 32"),
        (["--resume", "nowhere.ckpt"], "nowhere.ckpt: no such file"),
        (["-c", "nowhere.yaml"], "nowhere.yaml"),
        (["--previews=-3"], "previews is -3; allowed are 0 and more"),
        (["--checkpoint_every", "0"], "checkpoint_every is 0; it is a number of epochs, at least 1"),
        (["--checkpoint_every=-1"], "checkpoint_every is -1"),
        (["--model.optimizer_g.lr=-1"], "optimizer_g: Invalid learning rate: -1.0"),
        (["--model.optimizer_d.betas=[0.5, 2]"], "optimizer_d: Invalid beta parameter at index 1: 2"),
        (["--model.decay_from=-3"], "decay_from is -3"),
        (["--model.generator.width", "0"], "width 0 is too small; 5 up-samplings need at least 1"),
    ],
)
def test_bad_input_is_one_line(
    pairs: Path, tmp_path: Path, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(pairs, tmp_path / "run", *flags) != 0
    assert message in one_line(capsys)


def test_a_training_that_explodes_stops_in_one_line_and_keeps_the_last_checkpoint(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert fit(pairs, run, "--trainer.max_epochs", "1") == 0
    before = (run / "checkpoints/last.ckpt").read_bytes()
    capsys.readouterr()
    rate = ["--model.optimizer_g.init_args.lr", "1e30", "--model.optimizer_d.init_args.lr", "1e30"]
    assert fit(pairs, run, "--trainer.max_epochs", "5", "--resume", "auto", *rate) == 1
    assert "epoch 1, batch" in one_line(capsys)
    assert (run / "checkpoints/last.ckpt").read_bytes() == before


def test_a_damaged_checkpoint_is_not_resumed(
    pairs: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (trained / "checkpoints/last.ckpt").read_bytes()
    damaged = tmp_path / "damaged.ckpt"
    damaged.write_bytes(whole[: len(whole) // 2])
    assert fit(pairs, tmp_path / "run", "--resume", str(damaged)) == 1
    assert "damaged.ckpt" in one_line(capsys)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if line.startswith("i2i: error:")]
    assert len(lines) == 1 and "Traceback" not in error
    return lines[0]


def test_ctrl_c_keeps_what_was_learned(pairs: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = ["fit", "-c", str(CONF / "folder.yaml"), "--data.source.root", str(pairs), "--run", str(run)]
    program = [sys.executable, "-m", "i2i", *arguments, "--trainer.max_epochs", "100000"]
    process = subprocess.Popen(program, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=-1, stderr=-1, text=True)
    deadline = time.monotonic() + 120
    while not (run / "checkpoints/epoch_0001.ckpt").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT and "Traceback" not in errors, errors
    assert f"saved {run / 'checkpoints/last.ckpt'}. Continue with --resume auto" in said
    content = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    last_epoch = max(int(path.stem.split("_")[1]) for path in (run / "checkpoints").glob("epoch_*.ckpt"))
    assert content["epoch"] >= last_epoch


TRAINING = [path for path in sorted(CONFIGS.rglob("*.yaml")) if path.parent.name != "judges"]


@pytest.mark.parametrize("path", TRAINING, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_every_shipped_configuration_parses(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every key and class of the configuration is known; what stops it is the data or the VGG file, not the YAML."""
    families = {"instance": "cityscapes/pix2pixhd.yaml", "pix2pix": "facades/pix2pix.yaml"}
    below = families.get(path.stem.split("_")[0], "ade20k/spade.yaml")  # what the options are made for
    base = [] if path.parent.name not in ("trainer", "options") else ["-c", str(CONFIGS / below)]
    with pytest.raises(SystemExit) as left:
        main(["fit", *base, "-c", str(path), "--print_config"])
    assert left.value.code == 0
    printed = capsys.readouterr().out
    assert re.search(r"  generator:\n    class_path: i2i\.(nn|foundations)\.", printed)


def test_progress_is_told_in_a_log_file_too(pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fit(pairs, tmp_path / "run", "--trainer.enable_progress_bar", "true") == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch ")]
    assert [line.split(":")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert all("validation/l1" in line for line in lines)
