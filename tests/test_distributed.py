"""Two processes with half the batch each are one process with the whole."""

from __future__ import annotations

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


@pytest.mark.parametrize("terms", [[], TERMS], ids=["plain", "regularised"])
def test_two_processes_train_the_same_model_as_one(pairs: Path, tmp_path: Path, terms: list[str]) -> None:
    one = trained(pairs, tmp_path / "one", *terms, "--data.batch_size", "2")
    two = trained(pairs, tmp_path / "two", *terms, "--data.batch_size", "1", "--trainer.devices", "2")
    for name, expected in one.items():
        torch.testing.assert_close(two[name], expected, rtol=1e-9, atol=1e-9, msg=lambda m, n=name: f"{n}: {m}")
