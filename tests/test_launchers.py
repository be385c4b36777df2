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
# Starts the tasks of one node as srun does, and ends with their highest status.
export SLURM_JOB_ID=1 SLURM_NTASKS=$SLURM_NTASKS_PER_NODE SLURM_NODELIST=127.0.0.1 SLURM_NODEID=0 MASTER_PORT=29617
for ((rank = 0; rank < SLURM_NTASKS; rank++)); do
    SLURM_PROCID=$rank SLURM_LOCALID=$rank "$@" &
    tasks+=($!)
done
highest=0
for task in "${tasks[@]}"; do
    status=0
    wait "$task" || status=$?
    if [ "$status" -gt "$highest" ]; then highest=$status; fi
done
exit "$highest"
"""
ENDS = """#!/usr/bin/env bash
echo "$@" >"$TOLD.srun"
exit "$STATUS"
"""
SCONTROL = """#!/usr/bin/env bash
echo "$@" >>"$TOLD"
"""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_the_script_parses(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", "--external-sources", str(script)], check=True, cwd=ROOT)


def environment(**more: str) -> dict[str, str]:
    return os.environ | {"PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | more


def cluster(folder: Path, srun: str, **more: str) -> dict[str, str]:
    """The environment of job 1 on a machine whose srun is this one, and whose scontrol writes down what it is told."""
    (folder / "bin").mkdir()
    for name, program in (("srun", srun), ("scontrol", SCONTROL)):
        (folder / "bin" / name).write_text(program)
        (folder / "bin" / name).chmod(0o755)
    job = {"SLURM_JOB_ID": "1", "SLURM_NTASKS_PER_NODE": "2", "SLURM_NNODES": "1", "TOLD": str(folder / "told")}
    return environment(PATH=f"{folder / 'bin'}:{os.environ['PATH']}", **job, **more)


@pytest.mark.parametrize(("status", "told"), [(0, None), (1, None), (143, None), (138, "requeue 1\n")])
def test_a_job_whose_time_was_up_is_put_into_the_queue_again(tmp_path: Path, status: int, told: str | None) -> None:
    """And no other: one that is done, that failed, or that was cancelled."""
    job = cluster(tmp_path, ENDS, STATUS=str(status))
    done = subprocess.run(["bash", "scripts/slurm.sh", "-c", "a b.yaml"], cwd=ROOT, env=job, timeout=60)
    assert done.returncode == status
    assert ((tmp_path / "told").read_text() if (tmp_path / "told").exists() else None) == told
    started = (tmp_path / "told.srun").read_text()
    assert started.startswith(f"{sys.executable} -m i2i fit --resume auto ") and started.endswith(" -c a b.yaml\n")


def test_slurm_warns_all_tasks_and_not_the_script() -> None:
    """Which would not end by it: bash waits for srun."""
    lines = (ROOT / "scripts/slurm.sh").read_text().splitlines()
    assert "#SBATCH --signal=USR1@300" in lines and "#SBATCH --requeue" in lines


def misbehaving(**values: object) -> list[str]:
    name = "--trainer.callbacks+=tests.misbehaving.Misbehave"
    return [name, *(f"--trainer.callbacks.{key}={value}" for key, value in values.items())]


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
    """torchrun's two processes, SLURM's two tasks, and one process with the whole batch.

    torchrun is asked to end in between, and of SLURM's tasks the second one.
    """
    alone = [sys.executable, "-m", "i2i", "fit", *training(pairs, tmp_path / "one"), "--data.batch_size", "2"]
    subprocess.run(alone, check=True, env=environment(), timeout=300)

    torchrun = ["bash", "scripts/torchrun.sh", "2", *training(pairs, tmp_path / "torchrun"), "--resume", "auto"]
    stopped = [*torchrun, *misbehaving(what="SIGTERM", batch=2, parent="true")]
    said = subprocess.run(stopped, cwd=ROOT, env=environment(PORT="29615"), timeout=300, capture_output=True, text=True)
    assert said.returncode != 0 and "Stopped by SIGTERM" in said.stdout
    subprocess.run(torchrun, check=True, cwd=ROOT, env=environment(PORT="29616"), timeout=300)

    job = cluster(tmp_path, SRUN)
    slurm = ["bash", "scripts/slurm.sh", *training(pairs, tmp_path / "slurm")]
    warned = subprocess.run([*slurm, *misbehaving(what="SIGUSR1", batch=2, rank=1)], cwd=ROOT, env=job, timeout=300)
    assert warned.returncode == 138 and (tmp_path / "told").read_text() == "requeue 1\n"
    subprocess.run(slurm, check=True, cwd=ROOT, env=job, timeout=300)  # as SLURM would, when it is its turn again
    assert (tmp_path / "told").read_text() == "requeue 1\n"

    expected = weights(tmp_path / "one")
    for name in ("torchrun", "slurm"):
        for key, tensor in weights(tmp_path / name).items():
            torch.testing.assert_close(tensor, expected[key], rtol=1e-9, atol=1e-9, msg=lambda m, k=key: f"{k}: {m}")
