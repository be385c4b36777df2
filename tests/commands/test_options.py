"""The remedies for small data through the real command line: configs/options laid over a configuration."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from i2i.cli import main

CONF = Path(__file__).resolve().parent.parent / "conf"
OPTIONS = CONF.parent.parent / "configs/options"
LECAM = ["--model.objective.regularizers+=i2i.losses.regularization.LeCam"]
R1 = ["--model.objective.regularizers+=i2i.losses.regularization.R1", "--model.objective.regularizers.every=2"]
SMALL_DATA = ["-c", str(OPTIONS / "small_data.yaml")]
CROPS = ["-c", str(OPTIONS / "crops.yaml"), "--model.objective.views.size=[32, 48]"]


def fit(pairs: Path, run: Path, *flags: str, config: str = "folder") -> int:
    given = ["-c", str(CONF / f"{config}.yaml"), *flags, "--data.source.root", str(pairs), "--run", str(run)]
    return main(["fit", *given])


def tensors(run: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(run / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    return state


def objective(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((run / "config.yaml").read_text())["model"]["objective"]["init_args"]
    return found


def logged(run: Path) -> dict[str, list[float]]:
    values: dict[str, list[float]] = {}
    for log in (run / "logs").rglob("metrics.csv"):
        with log.open() as file:
            for row in csv.DictReader(file):
                for name, value in row.items():
                    values.setdefault(name, []).extend([float(value)] if value else [])
    return values


def test_small_data_is_laid_over_trains_is_logged_and_resumes(pairs: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert fit(pairs, run, *SMALL_DATA, "--trainer.max_epochs", "1") == 0
    found = objective(run)
    assert [view["class_path"] for view in found["views"]] == ["i2i.losses.augmentation.DiffAugment"]
    assert [term["class_path"] for term in found["regularizers"]] == ["i2i.losses.regularization.R1"]
    assert found["perceptual"] == 0.0  # of the configuration beneath
    terms = logged(run)
    assert len(terms["discriminator/r1"]) > 0 and all(value > 0 for value in terms["discriminator/r1"])
    steps = int(tensors(run)["objective.regularizers.0.steps"])
    assert fit(pairs, run, *SMALL_DATA, "--resume", "auto") == 0
    assert int(tensors(run)["objective.regularizers.0.steps"]) == 2 * steps > 0


def test_crops_are_laid_over_and_train(pairs: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert fit(pairs, run, *CROPS, "--trainer.max_epochs", "1") == 0
    (view,) = objective(run)["views"]
    assert view == {"class_path": "i2i.losses.crops.RandomCrops", "init_args": {"size": [32, 48], "count": 4}}


def test_options_add_to_one_another(pairs: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert fit(pairs, run, *SMALL_DATA, *CROPS, *LECAM, "--trainer.max_epochs", "1") == 0
    found = objective(run)
    assert [view["class_path"].split(".")[-1] for view in found["views"]] == ["DiffAugment", "RandomCrops"]
    assert {"discriminator/r1", "discriminator/lecam"} <= set(logged(run))
    # The run's own configuration says it all again.
    assert main(["fit", "-c", str(run / "config.yaml"), "--run", str(tmp_path / "again")]) == 0
    assert objective(tmp_path / "again") == found


OASIS_AUGMENT = ["--model.objective.views+=i2i.losses.augmentation.DiffAugment", "--model.objective.views.cutout=0"]


@pytest.mark.parametrize(
    ("config", "flags"),
    [
        ("pix2pixhd", [*SMALL_DATA, *LECAM]),
        ("pix2pix_labels", [*SMALL_DATA, *LECAM]),
        ("pix2pix_images", [*SMALL_DATA, *CROPS[:2], "--model.objective.views.size=[32, 32]"]),
        ("oasis", [*OASIS_AUGMENT, *CROPS[:2], "--model.objective.views.size=[64, 64]"]),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_other_families_take_them(pairs: Path, tmp_path: Path, config: str, flags: list[str]) -> None:
    root = pairs
    if config == "pix2pix_images":
        root = tmp_path / "images"
        for side in "AB":
            shutil.copytree(pairs / "photos", root / side)
    run = tmp_path / "run"
    assert fit(root, run, *flags, "--trainer.max_epochs", "1", config=config) == 0
    assert objective(run)["views"][0]["class_path"] == "i2i.losses.augmentation.DiffAugment"
    assert ("discriminator/r1" in logged(run)) == (config != "oasis")


@pytest.mark.parametrize("precision", ["bf16-mixed"])
def test_in_mixed_precision(pairs: Path, tmp_path: Path, precision: str) -> None:
    flags = ["--trainer.max_epochs", "1", "--trainer.precision", precision]
    assert fit(pairs, tmp_path / "run", *SMALL_DATA, *LECAM, *flags) == 0


def test_resumed_terms_are_uninterrupted(pairs: Path, tmp_path: Path) -> None:
    """Where nothing is drawn: R1's steps and LeCam's averages go on, and the weights are the same to the last bit."""
    terms = [*R1, *LECAM, "--trainer.precision", "32-true"]
    assert fit(pairs, tmp_path / "whole", *terms, config="labels_first") == 0
    assert fit(pairs, tmp_path / "parts", *terms, "--trainer.max_epochs", "1", config="labels_first") == 0
    assert fit(pairs, tmp_path / "parts", *terms, "--resume", "auto", config="labels_first") == 0
    whole, parts = tensors(tmp_path / "whole"), tensors(tmp_path / "parts")
    assert set(whole) == set(parts)
    assert all(torch.equal(parts[name], whole[name]) for name in whole)
    assert not torch.equal(whole["objective.regularizers.1.averages"], torch.zeros(2, 2))


def test_terms_can_be_added_to_a_run_and_taken_away(pairs: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert fit(pairs, run, "--trainer.max_epochs", "1") == 0
    assert not any(name.startswith("objective.") for name in tensors(run))
    assert fit(pairs, run, *SMALL_DATA, *LECAM, "--resume", "auto", "--trainer.max_epochs", "2") == 0
    assert "objective.regularizers.1.averages" in tensors(run)
    assert fit(pairs, run, "--resume", "auto", "--trainer.max_epochs", "3") == 0
    assert not any(name.startswith("objective.") for name in tensors(run))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["-c", str(OPTIONS / "crops.yaml")], "crops of 256 x 256 do not fit into photos of 64 x 64"),
        ([*SMALL_DATA, "--model.objective.views.cutout", "2"], "DiffAugment: cutout is 2"),
        ([*SMALL_DATA, "--model.objective.views.cutuot", "1"], "'cutuot' is not accepted"),
        ([*SMALL_DATA, "--model.objective.regularizers.gamma", "-1"], "R1: gamma -1"),
        (
            ["-c", str(CONF / "oasis.yaml"), *SMALL_DATA],
            "Option 'regularizers+' is not accepted",
        ),
        ([*R1, *R1], "two terms of the objective have the name 'r1'"),
    ],
)
def test_bad_input_is_one_line(
    pairs: Path, tmp_path: Path, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(pairs, tmp_path / "run", *flags) != 0
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if line.startswith("i2i: error:")]
    assert len(lines) == 1 and message in lines[0] and "Traceback" not in error
