"""The launch scripts: two processes on this machine by torchrun, and by a srun that is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = sorted((ROOT / "scripts").glob("*.sh"))

SRUN = """#!/usr/bin/env bash
# Starts the tasks of one node as srun does, and fails with the first that fails.
export SLURM_JOB_ID=1 SLURM_NTASKS=$SLURM_NTASKS_PER_NODE SLURM_NODELIST=127.0.0.1 SLURM_NODEID=0 MASTER_PORT=29617
for ((rank = 0; rank < SLURM_NTASKS; rank++)); do
    SLURM_PROCID=$rank SLURM_LOCALID=$rank "$@" &
    tasks+=($!)
done
for task in "${tasks[@]}"; do wait "$task" || exit; done
"""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_the_script_parses(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", "--external-sources", str(script)], check=True, cwd=ROOT)


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | more


def training(pairs: Path, run: Path) -> list[str]:
    """On the CPU: what comes last counts."""
    flags = ["--trainer.accelerator", "cpu", "--trainer.max_epochs", "1", "--data.batch_size", "1"]
    config = ["-c", str(ROOT / "tests/conf/labels_first.yaml"), "--data.source.root", str(pairs)]
    return [*config, *flags, "--run", str(run)]


def weights(run: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(run / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    return found


@pytest.mark.slow
def test_the_launchers_train_what_one_process_does(pairs: Path, tmp_path: Path) -> None:
    """torchrun's two processes, SLURM's two tasks, and one process with the whole batch."""
    alone = [sys.executable, "-m", "i2i", "fit", *training(pairs, tmp_path / "one"), "--data.batch_size", "2"]
    subprocess.run(alone, check=True, env=environment(), timeout=300)

    torchrun = ["bash", "scripts/torchrun.sh", "2", *training(pairs, tmp_path / "torchrun")]
    subprocess.run(torchrun, check=True, cwd=ROOT, env=environment(PORT="29616"), timeout=300)

    srun = tmp_path / "bin/srun"
    srun.parent.mkdir()
    srun.write_text(SRUN)
    srun.chmod(0o755)
    job = environment(PATH=f"{srun.parent}:{os.environ['PATH']}", SLURM_NTASKS_PER_NODE="2", SLURM_NNODES="1")
    slurm = ["bash", "scripts/slurm.sh", *training(pairs, tmp_path / "slurm")]
    subprocess.run(slurm, check=True, cwd=ROOT, env=job, timeout=300)

    expected = weights(tmp_path / "one")
    for name in ("torchrun", "slurm"):
        for key, tensor in weights(tmp_path / name).items():
            torch.testing.assert_close(tensor, expected[key], rtol=1e-9, atol=1e-9, msg=lambda m, k=key: f"{k}: {m}")
