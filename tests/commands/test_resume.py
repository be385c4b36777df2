"""What an interrupted run leaves, and how it goes on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from i2i.cli import main
from i2i.commands.resume import start_of
from i2i.errors import InputError
from tests.killing import CONFIG, differences, flags, log
from tests.killing import pairs as many_pairs


def killed(*flags: str, seconds: float = 900) -> str:
    """What `python -m tests.killing` says: it survives or fails."""
    program = [sys.executable, "-W", "ignore", "-m", "tests.killing", *flags]
    folder = Path(__file__).resolve().parent.parent.parent
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(300)
def test_a_killed_run_goes_on_as_if_nothing_had_happened() -> None:
    assert "no difference" in killed("--kills", "2", "--trainer.precision", "64-true", "--trainer.max_epochs", "2")


@pytest.mark.slow
@pytest.mark.parametrize("signals", [[], ["--signals"]], ids=["killed", "asked"])
@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.parametrize("processes", ["1", "2"])
def test_runs_that_are_interrupted_often(processes: str, workers: str, signals: list[str]) -> None:
    said = killed("--kills", "5", "--processes", processes, "--workers", workers, "--seed", "3", *signals)
    assert "no difference" in said


# --- signals -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return many_pairs(tmp_path_factory.mktemp("many") / "pairs")


def run(root: Path, folder: Path, *more: str) -> int:
    quick = ["--trainer.max_epochs", "2", "--checkpoint_steps", "null", "--trainer.logger", "[]"]
    return main([*flags(root, folder, 1, 0), *quick, *more])


def misbehaving(what: str, batch: int, validating: bool = False, rank: int = 0) -> list[str]:
    name = "--trainer.callbacks+=tests.misbehaving.Misbehave"
    values = {"what": what, "batch": batch, "validating": str(validating).lower(), "rank": rank}
    return [name, *(f"--trainer.callbacks.{key}={value}" for key, value in values.items())]


@pytest.fixture(scope="module")
def uninterrupted(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert run(root, folder) == 0
    return folder


@pytest.mark.parametrize(
    ("name", "batch", "validating", "steps"),
    [
        ("SIGINT", 3, False, 2),  # in the middle of an accumulation: after its other half
        ("SIGUSR1", 8, True, 4),  # in the validation, which is done anew
        pytest.param("SIGTERM", 16, False, 8, marks=pytest.mark.slow),  # in the last epoch's last batch
    ],
)
def test_a_signal_saves_and_ends_and_the_run_goes_on_exactly(
    root: Path,
    uninterrupted: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    name: str,
    batch: int,
    validating: bool,
    steps: int,
) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)}
    folder = tmp_path / "run"
    assert run(root, folder, *misbehaving(name, batch, validating)) == 128 + getattr(signal, name)
    assert {number: signal.getsignal(number) for number in before} == before
    said = capfd.readouterr().out
    last = folder / "checkpoints/last.ckpt"
    assert f"Stopped by {name} after {steps} steps; saved {last}. Continue with --resume auto" in said
    assert torch.load(last, weights_only=True)["global_step"] == 2 * steps
    assert run(root, folder) == 0
    assert differences(uninterrupted, folder) == []


@pytest.mark.parametrize("batch", [3, pytest.param(5, marks=pytest.mark.slow)])
def test_a_run_that_grows_goes_on_exactly(root: Path, tmp_path: Path, batch: int) -> None:
    """Interrupted while a size is faded in: the first of three, or the second."""
    grow = ["-c", str(CONFIG.parent.parent.parent / "configs/options/growing.yaml")]
    grow += ["--trainer.callbacks.hold=0.04", "--trainer.callbacks.fade=0.4"]
    assert run(root, tmp_path / "whole", *grow) == 0
    assert run(root, tmp_path / "broken", *grow, *misbehaving("SIGTERM", batch)) == 143
    stopped = torch.load(tmp_path / "broken/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    assert 0 < float(stopped["generator.growth._extra_state"]) % 1 < 1
    assert run(root, tmp_path / "broken", *grow) == 0
    assert differences(tmp_path / "whole", tmp_path / "broken") == []
    rows = [float(row["growth"]) for row in log(tmp_path / "whole") if row["growth"]]
    assert rows == sorted(rows) and rows[0] == 0 and rows[-1] == 2


@pytest.mark.parametrize(
    ("schedule", "stops"),
    [("shared", {3: 2}), pytest.param("original", {3: 2, 13: 7}, marks=pytest.mark.slow)],
)
def test_several_steps_of_the_discriminator_go_on_exactly(
    root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], schedule: str, stops: dict[int, int]
) -> None:
    """Three to one of the generator, in epochs of four steps of two batches; interrupted within a round.

    With the optimizer whose steps they are in the first of the Wasserstein GANs.
    """
    more = ["--model.discriminator_steps", "3", "--model.schedule", schedule]
    more += ["--model.optimizer_d", "i2i.losses.clipped.ClippedRMSprop"]
    more += ["--model.optimizer_d.lr", "1e-3", "--model.optimizer_d.limit", "0.02"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert run(root, whole, *more) == 0
    for batch, steps in stops.items():
        assert run(root, broken, *more, *misbehaving("SIGTERM", batch)) == 143
        assert f"Stopped by SIGTERM after {steps} steps" in capfd.readouterr().out
    assert run(root, broken, *more) == 0
    assert f"Continuing from {broken / 'checkpoints/last.ckpt'}, step {steps}\n" in capfd.readouterr().out
    assert differences(whole, broken) == []
    content = torch.load(whole / "checkpoints/last.ckpt", weights_only=True)
    critic = [tensor for name, tensor in content["state_dict"].items() if ".original" in name and "discrim" in name]
    assert critic and max(float(weight.abs().max()) for weight in critic) == pytest.approx(0.02)
    pushed = [row["generator/adversarial"] != "" for row in log(whole) if row["discriminator/real"]]
    assert pushed == [i in (4, 5, 10, 11) for i in range(16)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["oasis", "pix2pixhd", "pix2pixhd_enhancer", "pix2pix_labels"])
def test_every_family_goes_on_exactly_within_an_epoch(root: Path, tmp_path: Path, name: str) -> None:
    """Noise and LabelMix, pictures of earlier steps, a part that is frozen in the first epoch, dropout."""
    more = ["--data.batch_size=1", "--trainer.log_every_n_steps=1", "--data.source.val_share=0.3"]
    arguments = [
        "fit",
        "-c",
        str(CONFIG.parent / f"{name}.yaml"),
        "--data.source.root",
        str(root),
        "--resume=auto",
        *more,
    ]
    whole, broken = (["--run", str(tmp_path / folder)] for folder in ("whole", "broken"))
    assert main([*arguments, *whole]) == 0
    for batch in (3, 11):  # in the first and in the second of two epochs of eight batches
        assert main([*arguments, *broken, *misbehaving("SIGTERM", batch)]) == 143
    assert main([*arguments, *broken]) == 0
    assert differences(tmp_path / "whole", tmp_path / "broken") == []


@pytest.mark.parametrize("first", [2.0**10, pytest.param(2.0**40, marks=pytest.mark.slow)], ids=["growing", "falling"])
def test_the_loss_scaler_of_float16_goes_on_where_it_was(root: Path, tmp_path: Path, first: float) -> None:
    """It grows after three steps that were finite, and is halved, and the step left out, after one that was not."""
    name = "--trainer.plugins.scaler"
    values = {"device": "cpu", "init_scale": first, "growth_interval": 3}
    scaler = ["--trainer.plugins+=pytorch_lightning.plugins.precision.MixedPrecision", f"{name}=torch.amp.GradScaler"]
    scaler += ["--trainer.plugins.precision=16-mixed", "--trainer.plugins.device=cpu"]
    scaler += [f"{name}.{key}={value}" for key, value in values.items()]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert run(root, whole, *scaler) == 0
    assert run(root, broken, *scaler, *misbehaving("SIGTERM", 4)) == 143
    stopped, ended = (torch.load(path / "checkpoints/last.ckpt", weights_only=True) for path in (broken, whole))
    scale, tracker = (stopped["MixedPrecision"][key] for key in ("scale", "_growth_tracker"))
    # Two steps of both players, each of which is told to the scaler.
    assert (scale, tracker) == ((2 * first, 1) if first < 2.0**20 else (first / 2**4, 0))
    assert run(root, broken, *scaler) == 0
    assert differences(whole, broken) == []
    assert ended["MixedPrecision"]["scale"] != scale


# --- where a run is continued from ---------------------------------------------------------------------------------


@pytest.fixture
def copied(uninterrupted: Path, tmp_path: Path) -> Path:
    """The checkpoints of a run of two epochs."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for path in (uninterrupted / "checkpoints").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def damage(path: Path, how: str) -> None:
    whole = bytearray(path.read_bytes())
    if how == "bit":  # in the largest tensor, well behind the names
        whole[len(whole) // 2] ^= 1
    path.write_bytes(whole if how == "bit" else whole[: len(whole) // 2] if how == "half" else b"")


@pytest.mark.parametrize("how", ["half", "empty", "bit"])
def test_a_damaged_newest_checkpoint_is_skipped_with_a_line(
    copied: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    newest = start_of("auto", copied)
    assert newest.path == str(copied / "last.ckpt")
    assert capsys.readouterr().out == f"Continuing from {copied / 'last.ckpt'}, step 8\n"
    damage(copied / "last.ckpt", how)
    next_newest = start_of("auto", copied)
    assert next_newest.path == str(copied / "epoch_0001.ckpt") and next_newest.step == newest.step
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"skipped a damaged checkpoint: {copied / 'last.ckpt'}: ")
    assert second == f"Continuing from {copied / 'epoch_0001.ckpt'}, step 8"


def test_the_newest_is_the_one_that_was_trained_longest(copied: Path) -> None:
    """Whatever the clock said when it was written."""
    content = torch.load(copied / "last.ckpt", weights_only=True)
    torch.save(content | {"global_step": content["global_step"] + 1}, copied / "best.ckpt")
    os.utime(copied / "best.ckpt", (0, 0))
    assert start_of("auto", copied).path == str(copied / "best.ckpt")


def test_no_whole_checkpoint_is_told_and_none_at_all_begins(copied: Path, tmp_path: Path) -> None:
    for path in copied.iterdir():
        damage(path, "half")
    with pytest.raises(InputError, match=re.escape("no checkpoint of the run is whole: ")):
        start_of("auto", copied)
    assert start_of("auto", tmp_path / "nothing") == (None, 0, None)
    assert start_of(None, tmp_path / "nothing") == (None, None, None)


def test_a_run_that_was_killed_between_two_checkpoints_of_its_end_is_whole_again(root: Path, copied: Path) -> None:
    """Of the last epoch only the best is there; nothing is left to be trained."""
    whole = (copied / "epoch_0001.ckpt").read_bytes()
    torch.save(torch.load(copied / "last.ckpt", weights_only=True) | {"global_step": 2}, copied / "last.ckpt")
    (copied / "epoch_0001.ckpt").rename(copied / "best.ckpt")
    assert run(root, copied.parent) == 0
    assert {path.name: path.read_bytes() == whole for path in copied.iterdir()} == {
        "best.ckpt": True,
        "epoch_0001.ckpt": True,
        "last.ckpt": True,
    }


def test_a_moved_run_keeps_its_best_score_also_from_an_older_checkpoint(
    root: Path, uninterrupted: Path, copied: Path
) -> None:
    """The bookkeeping of last.ckpt may be of another folder, or missing; best.ckpt itself knows its score."""
    content = torch.load(copied / "last.ckpt", weights_only=True)
    torch.save(content | {"callbacks": {}}, copied / "last.ckpt")
    best = torch.load(copied / "best.ckpt", weights_only=True)
    (state,) = (s for s in best["callbacks"].values() if s.get("monitor"))
    state["best_model_score"] = torch.tensor(-1.0)  # no later epoch is as good
    torch.save(best, copied / "best.ckpt")
    before = (copied / "best.ckpt").read_bytes()
    assert run(root, copied.parent, "--trainer.max_epochs", "3") == 0
    assert (copied / "best.ckpt").read_bytes() == before
    content = torch.load(copied / "last.ckpt", weights_only=True)
    assert [s["best_model_score"] for s in content["callbacks"].values() if s.get("monitor")] == [torch.tensor(-1.0)]


def test_an_earlier_checkpoint_drops_the_rows_after_it(root: Path, uninterrupted: Path, copied: Path) -> None:
    (copied.parent / "logs").symlink_to(uninterrupted / "logs")
    folder = copied.parent
    (folder / "logs").unlink()
    (folder / "logs/version_0").mkdir(parents=True)
    (folder / "logs/version_0/metrics.csv").write_bytes((uninterrupted / "logs/version_0/metrics.csv").read_bytes())
    content = torch.load(copied / "last.ckpt", weights_only=True)
    middle = content["log_rows"] - 5
    torch.save(content | {"log_rows": middle}, copied / "last.ckpt")
    assert run(root, folder, "--trainer.max_epochs", "3") == 0
    rows, before = log(folder), log(uninterrupted)
    assert rows[:middle] == before[:middle] and len(rows) == middle + 9
    assert [row["epoch"] for row in rows[middle:]] == ["2"] * 9


def test_an_epoch_that_was_divided_otherwise_is_refused(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    assert run(root, folder, *misbehaving("SIGTERM", 2)) == 143
    assert run(root, folder, "--data.batch_size", "2") == 1
    assert "in the middle of an epoch with batch_size 1, here it is 2" in capsys.readouterr().err
    assert CONFIG.exists()


# --- disks ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def disk(uninterrupted: Path, tmp_path: Path) -> Iterator[Path]:
    """The checkpoints' folder of a run as a disk of its own, with room for one checkpoint and a half."""
    folder = tmp_path / "run/checkpoints"
    folder.mkdir(parents=True)
    size = (uninterrupted / "checkpoints/last.ckpt").stat().st_size * 3 // 2
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("this user may not mount a disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_and_a_read_only_disk_leave_the_checkpoint_before(
    root: Path, disk: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = ["--checkpoint_steps", "1", "--checkpoint_every", "null"]
    for state, reason in (("rw", "No space left on device"), ("ro", "Read-only file system")):
        subprocess.run(["mount", "-o", f"remount,{state}", disk], check=True)
        assert run(root, disk.parent, *settings) == 1
        (line,) = (line for line in capfd.readouterr().err.splitlines() if line.startswith("i2i: error:"))
        last = disk / "last.ckpt"
        assert f"{last}: cannot be written: {reason}; what was there before is untouched" in line
        assert start_of("auto", disk).path == str(last) and [path.name for path in disk.iterdir()] == ["last.ckpt"]


# --- several processes ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("what", ["refuse", "fail", "SIGTERM"])
def test_what_happens_to_one_process_happens_to_all(root: Path, tmp_path: Path, what: str, rank: int) -> None:
    """Started by the program itself. A failure is told by the process that it happened to; nobody waits."""
    arguments = [*flags(root, tmp_path / "run", 2, 0), *misbehaving(what, 3, rank=rank)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    program = [sys.executable, "-m", "i2i", *arguments]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=120)
    if what == "SIGTERM":
        assert done.returncode == 143 and "Continue with --resume auto" in done.stdout
        return
    assert done.returncode in (1, -signal.SIGKILL)
    assert f"process {rank} {what}s" in done.stderr
    assert ("Traceback" in done.stderr) == (what == "fail")
