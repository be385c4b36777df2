"""Two processes with half the batch each are one process with the whole."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

CONFIG = Path(__file__).resolve().parent / "conf/labels_first.yaml"


def trained(pairs: Path, run: Path, *flags: str) -> dict[str, torch.Tensor]:
    arguments = ["fit", "-c", str(CONFIG), "--data.source.root", str(pairs), "--run", str(run), *flags]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "i2i", *arguments], check=True, env=environment, timeout=300)
    weights: dict[str, torch.Tensor] = torch.load(run / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    return weights


TERMS = [
    "--model.objective.regularizers+=i2i.losses.regularization.R1",
    "--model.objective.regularizers.every=2",
    "--model.objective.regularizers+=i2i.losses.regularization.LeCam",
    "--model.objective.regularizers+=i2i.losses.regularization.GradientPenalty",
]


FEW = [
    "--data.limit_val=1",
    "--trainer.callbacks+=i2i.callbacks.evaluation.Evaluate",
    "--trainer.callbacks.metrics=[similarity]",
    "--trainer.callbacks.every=1",
]
"""One process has nothing to validate, and nothing to measure."""


def validated(run: Path) -> dict[str, list[float]]:
    """The figures of validation of all epochs."""
    (path,) = (run / "logs").glob("*/metrics.csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name.startswith("validation/")]
    return {name: [float(row[name]) for row in rows if row[name]] for name in names}


@pytest.mark.parametrize(
    "more", [pytest.param(FEW, marks=pytest.mark.slow), TERMS], ids=["with one validation pair", "regularised"]
)
def test_two_processes_train_the_same_model_as_one(pairs: Path, tmp_path: Path, more: list[str]) -> None:
    """And measure the same."""
    one = trained(pairs, tmp_path / "one", *more, "--data.batch_size", "2")
    two = trained(pairs, tmp_path / "two", *more, "--data.batch_size", "1", "--trainer.devices", "2")
    figures, expected_figures = validated(tmp_path / "two"), validated(tmp_path / "one")
    assert set(figures) == set(expected_figures) and len(figures) == (3 if more == FEW else 1)
    for name, values in expected_figures.items():
        assert len(values) == 2 and figures[name] == pytest.approx(values, rel=1e-6), name
    for name, expected in one.items():
        torch.testing.assert_close(two[name], expected, rtol=1e-9, atol=1e-9, msg=lambda m, n=name: f"{n}: {m}")
