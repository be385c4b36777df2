"""Models of samples through the real command line: trained, continued, measured, and read again from their file."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from i2i.cli import main
from i2i.errors import InputError
from i2i.foundations.sampler import Sampler
from i2i.synthesizer import Synthesizer
from tests.commands.test_resume import misbehaving
from tests.killing import differences

CONFIGS = Path(__file__).resolve().parent.parent.parent / "configs/foundations"
QUICK = ["--trainer.max_epochs", "2", "--trainer.check_val_every_n_epoch", "1", "--trainer.log_every_n_steps", "1"]
FEW = {
    "points": ["--data.source.train", "64", "--data.source.val", "40"],
    "digits": ["--data.batch_size", "320", "--data.source.repeats", "1"],
}


def fit(name: str, run: Path, *more: str, command: str = "fit") -> int:
    few = FEW["digits" if "digits" in name else "points"]
    narrow = ["--model.generator.width", "2"] if name.startswith(("dcgan", "cgan", "vae", "progressive")) else []
    return main([command, "-c", str(CONFIGS / f"{name}.yaml"), "--run", str(run), *few, *narrow, *QUICK, *more])


def rows(run: Path) -> list[dict[str, str]]:
    (log,) = (run / "logs").rglob("metrics.csv")
    with log.open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def sine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("sine") / "run"
    assert fit("gan_sine", run) == 0
    return run


def test_a_run_leaves_what_every_run_leaves(sine: Path) -> None:
    assert {path.name for path in (sine / "checkpoints").iterdir()} == {"last.ckpt", "best.ckpt"}
    assert Image.open(sine / "previews/epoch_0002.png").size == (320, 320)
    assert (sine / "config.yaml").exists()
    named = {name for row in rows(sine) for name, value in row.items() if value}
    assert {"generator/adversarial", "discriminator/accuracy_fake", "validation/energy", "validation/missed"} <= named


def test_it_is_measured_alike_by_another_command(
    sine: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [float(row["validation/energy"]) for row in rows(sine) if row["validation/energy"]]
    content = torch.load(sine / "checkpoints/last.ckpt", weights_only=True)
    monitored = [s for s in content["callbacks"].values() if s.get("monitor") == "validation/energy"]
    assert float(monitored[0]["best_model_score"]) == pytest.approx(min(wanted), rel=1e-5)
    assert fit("gan_sine", sine, "--checkpoint", str(sine / "checkpoints/last.ckpt"), command="validate") == 0
    assert f"{wanted[-1]:.4f}"[:5] in capsys.readouterr().out


def test_an_interrupted_run_goes_on_exactly(tmp_path: Path) -> None:
    """Dropout and latent vectors are drawn, so nothing random may depend on how far a process had come."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert fit("gan_sine", whole, "--data.batch_size", "16") == 0
    more = ["--data.batch_size", "16", "--resume", "auto"]
    assert fit("gan_sine", broken, *more, *misbehaving("SIGTERM", 2)) == 143
    assert fit("gan_sine", broken, *more) == 0
    assert differences(whole, broken) == []


def test_a_gradient_penalty_goes_with_dropout(tmp_path: Path) -> None:
    penalty = "--model.objective.regularizers+=i2i.losses.regularization.GradientPenalty"
    assert fit("gan_sine", tmp_path / "run", "--trainer.max_epochs", "1", penalty) == 0
    assert float(rows(tmp_path / "run")[0]["discriminator/gradient_penalty"]) > 0


FEW_LEFT_OUT = "too few for the measures missed and closeness, which need 6: they are left out"


@pytest.mark.parametrize(("photos", "measured"), [(10, False), (51, True)])
def test_a_small_folder_is_trained_on(
    photos: int, measured: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With fewer than 51 photos there are too few for measures among neighbours, but not for a training."""
    (tmp_path / "faces").mkdir()
    for i in range(photos):
        Image.new("RGB", (12, 10), (5 * i, 0, 200)).save(tmp_path / f"faces/{i:02d}.png")
    small = ["--model.generator.width", "2", "--model.discriminator.width", "2", "--data.source.size", "8"]
    flags = ["--data.source.root", str(tmp_path / "faces"), "--data.batch_size", "8", *small, *QUICK]
    assert main(["fit", "-c", str(CONFIGS / "dcgan_faces.yaml"), "--run", str(tmp_path / "run"), *flags]) == 0
    said = capsys.readouterr().out.replace("\n", " ")
    assert (f"{1 + (photos - 1) // 10} samples to validate on: {FEW_LEFT_OUT}" in said) != measured
    assert {path.name for path in (tmp_path / "run/checkpoints").iterdir()} == {"last.ckpt", "best.ckpt"}
    assert all(row["validation/energy"] for row in rows(tmp_path / "run")[-1:])
    assert ("validation/missed" in rows(tmp_path / "run")[-1]) == measured


def test_few_samples_to_validate_on_are_no_end_of_a_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit("gan_ring", tmp_path / "run", "--data.limit_val", "4") == 0
    assert f"4 samples to validate on: {FEW_LEFT_OUT}" in capsys.readouterr().out.replace("\n", " ")
    last = rows(tmp_path / "run")[-1]
    assert last["validation/energy"] and last["validation/modes"] and "validation/missed" not in last


def test_what_comes_next_can_be_pasted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a model of classes, in a folder whose name has a space."""
    assert fit("cgan_digits", tmp_path / "my run", "--trainer.max_epochs", "1") == 0
    (command,) = re.findall("Next: (.*)", capsys.readouterr().out)
    program, *arguments = shlex.split(command)
    few = ["--count", "1", "--steps", "2"]
    assert program == "i2i" and arguments[-3] == "OUT"
    assert main([str(tmp_path / "out") if one == "OUT" else one for one in arguments] + few) == 0


OTHERS_DATA = {"dcgan_fashion", "dcgan_faces", "dcgan_scenes"}  # the user's, or large; the networks are dcgan_digits's


QUICK_ONES = {"wgan_gp_ring", "vae_gan_digits"}
NAMES = sorted({path.stem for path in CONFIGS.glob("*_*.yaml")} - OTHERS_DATA - {"gan_sine"})


@pytest.mark.parametrize("name", [n if n in QUICK_ONES else pytest.param(n, marks=pytest.mark.slow) for n in NAMES])
def test_every_shipped_configuration_trains_and_is_read_again(name: str, tmp_path: Path) -> None:
    growing = ["--trainer.callbacks.hold", "0.1", "--trainer.callbacks.fade", "0.1"] if "progressive" in name else []
    assert fit(name, tmp_path / "run", *(growing or ["--trainer.max_epochs", "1"])) == 0
    sampler = Sampler.load(tmp_path / "run/checkpoints/last.ckpt")
    classes = list(range(10))[: sampler.num_classes]
    made = sampler.sample(10, seed=1, classes=classes or None)
    assert made.shape == (10, *sampler.shape) and torch.isfinite(made).all()
    assert torch.equal(made, sampler.decode(sampler.latents(10, seed=1), classes or None))
    if name.startswith("vae"):
        assert sampler.latent(made).shape == (10, sampler.style_dim)


def test_what_does_not_fit_together_is_told_in_one_line(
    sine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = sine / "checkpoints/last.ckpt"
    sampler = Sampler.load(last)
    with pytest.raises(InputError, match="a model of samples without maps"):
        Synthesizer.load(last)
    with pytest.raises(InputError, match=r"latent vectors of shape \(3, 5\); the model takes \(N, 2\)"):
        sampler.decode(torch.zeros(3, 5))
    with pytest.raises(InputError, match="no classes"):
        sampler.sample(2, classes=[0, 1])
    with pytest.raises(InputError, match="no encoder"):
        sampler.latent(torch.zeros(1, 2))
    for command in ("demo", "export"):
        assert main([command, str(last), *[str(tmp_path / "out")][: command == "export"]]) == 1
        assert "a model of samples without maps" in capsys.readouterr().err
    config = str(CONFIGS / "gan_sine.yaml")
    for line in (["evaluate", str(last)], ["memory"], ["data", "check"]):
        assert main([*line, "-c", config]) == 1
        error = capsys.readouterr().err
        assert f"{config} is of a model of samples; this command is for" in error and len(error.splitlines()) == 1
    assert fit("gan_sine", tmp_path / "run", "--data.source.train", "8") == 1
    assert "fewer than the batch_size 64" in capsys.readouterr().err


def test_digits_preview_shows_both(tmp_path: Path) -> None:
    assert fit("gan_digits", tmp_path / "run", "--trainer.max_epochs", "1") == 0
    picture = np.asarray(Image.open(tmp_path / "run/previews/epoch_0001.png"))
    assert picture.shape[1] > 2 * 8 * 28
