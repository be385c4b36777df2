"""Trains, kills with SIGKILL at random times, continues, and compares with the run that nobody killed, bit by bit.

    python -m tests.killing --kills 100 --processes 2 --workers 2

A killed run is continued by ``--resume auto`` until it has trained to its end; then its weights, optimizers, averages
and history, its best checkpoint and its log must be those of the uninterrupted run. Then the next run begins. Half of
the kills come at a random moment, the others while a checkpoint is being written. With two processes one of them or
both are killed, at random, and one that is left alone has to end by itself.

Processes are forked from one that has imported everything, so that a life takes a second or two.
"""

from __future__ import annotations

import argparse
import csv
import faulthandler
import os
import random
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import torch.utils.tensorboard
from PIL import Image

import i2i.commands.training  # noqa: F401 -- once, before processes are forked
from i2i import checkpoint
from i2i.cli import main as program

ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
CONFIG = Path(__file__).resolve().parent / "conf/resume.yaml"
LONGEST = 180.0  # seconds that any process may take


def pairs(folder: Path, count: int = 11) -> Path:
    """Paired 64 x 64 maps and photos of four classes."""
    noise = np.random.default_rng(0)
    for name in ("photos", "labels"):
        (folder / name).mkdir(parents=True)
    for i in range(count):
        labels = np.kron(noise.integers(0, 4, (4, 4)), np.ones((16, 16))).astype(np.uint8)
        photo = (labels[:, :, None] * 50 + noise.integers(0, 60, (64, 64, 3))).astype(np.uint8)
        Image.fromarray(labels).save(folder / f"labels/{i}.png")
        Image.fromarray(photo).save(folder / f"photos/{i}.png")
    (folder / "classes.csv").write_text("id,name\n0,a\n1,b\n2,c\n3,d\n")
    return folder


def start(arguments: Sequence[str], processes: int, log: Path, first: Callable[[], object] | None = None) -> list[int]:
    """Fork the program, as torchrun would start it for more than one process; the ids of the processes.

    Args:
        arguments: of the program.
        processes: how many.
        log: gets what they say.
        first: what they do before.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = []
    for rank in range(processes):
        process = os.fork()
        if process:
            started.append(process)
            continue
        os.setpgid(0, 0)
        faulthandler.register(signal.SIGUSR2, all_threads=False)
        with log.open("ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        if processes > 1:
            os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes), "NODE_RANK": "0"}
            os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": "test"}
            os.environ |= {"GROUP_RANK": "0", "LOCAL_WORLD_SIZE": str(processes), "GLOO_SOCKET_IFNAME": "lo"}
        try:
            if first is not None:
                first()
            status = program(arguments)
        except BaseException:
            import traceback

            traceback.print_exc()
            status = 70
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # gloo's threads may abort a process that finalises its interpreter
    return started


def wait(processes: Sequence[int], patience: float | None = None) -> list[int]:
    """The exit codes, negative for signals; an error if one does not end in time.

    Args:
        processes: their ids.
        patience: seconds after the first failure in which the others may end by themselves; then they are killed, as
            torchrun would have done at once: before they have all met, processes wait for one another.
    """
    end, codes = time.monotonic() + LONGEST, dict[int, int]()
    while len(codes) < len(processes):
        for process in processes:
            if process not in codes:
                done, status = os.waitpid(process, os.WNOHANG)
                if done:
                    codes[process] = os.waitstatus_to_exitcode(status)
                    if codes[process] and patience is not None:
                        end = min(end, time.monotonic() + patience)
        if time.monotonic() > end:
            for process in set(processes) - set(codes):
                os.kill(process, signal.SIGUSR2)  # tells where it hangs
                time.sleep(0.5)
                os.killpg(process, signal.SIGKILL)
            if patience is None or not any(codes.values()):
                raise TimeoutError(f"a process hangs after {LONGEST:.0f} s")
        time.sleep(0.01)
    return [codes[process] for process in processes]


def dies_while_writing(which: int) -> Callable[[], None]:
    """Lets a process kill itself in the middle of writing its n-th file."""

    def prepare() -> None:
        write, seen = checkpoint.torch.save, 0

        def killing(content: Any, file: Any, **options: Any) -> None:
            nonlocal seen
            write(content, file, **options)
            seen += not options  # with options tensors are packed for another process
            if seen > which:
                file.truncate(file.tell() // 2)
                os.kill(os.getpid(), signal.SIGKILL)

        checkpoint.torch.save = killing  # type: ignore[assignment]

    return prepare


def flags(root: Path, run: Path, processes: int, workers: int, more: Sequence[str] = ()) -> list[str]:
    """The command line of a tiny training that is continued where there is something to continue."""
    arguments = ["fit", "-c", str(CONFIG), "--data.source.root", str(root), "--run", str(run), "--resume", "auto"]
    if processes > 1:
        ddp = CONFIG.parent.parent.parent / "configs/trainer/ddp.yaml"
        arguments += ["-c", str(ddp), "--trainer.devices", str(processes)]
    return [*arguments, "--data.workers", str(workers), *more]


def differences(one: Path, other: Path) -> list[str]:
    """What two runs do not have in common, by name; the speed is left out."""
    found = []
    for name in ("last.ckpt", "best.ckpt"):
        a, b = (torch.load(run / "checkpoints" / name, weights_only=True) for run in (one, other))
        for key in ("state_dict", "optimizer_states", "MixedPrecision", "history", "global_step", "epoch", "log_rows"):
            found += [f"{name}: {key}{place}" for place in _unequal(a.get(key), b.get(key))]
        scores = [[s["best_model_score"] for s in c["callbacks"].values() if s.get("monitor")] for c in (a, b)]
        found += [f"{name}: best score {place}" for place in _unequal(*scores)]
    a, b = log(one), log(other)
    found += [f"the logs have {len(a)} and {len(b)} rows"] if len(a) != len(b) else []
    found += [f"row {i}: {x} {y}" for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y]
    kept = [sorted(path.name for path in (run / "checkpoints").iterdir()) for run in (one, other)]
    return found + ([f"the folders hold {kept}"] if kept[0] != kept[1] else [])


def log(run: Path) -> list[dict[str, str]]:
    """The rows of the run's only log, without the speed."""
    (path,) = (run / "logs").glob("*/metrics.csv")
    with path.open(newline="") as file:
        return [{n: v for n, v in row.items() if n != "images_per_second"} for row in csv.DictReader(file)]


def _unequal(a: Any, b: Any, place: str = "") -> list[str]:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return [] if a.dtype == b.dtype and torch.equal(a, b) else [place]
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return [p for key in a for p in _unequal(a[key], b[key], f"{place}.{key}")]
    if isinstance(a, list | tuple) and isinstance(b, list | tuple) and len(a) == len(b):
        return [p for i in range(len(a)) for p in _unequal(a[i], b[i], f"{place}.{i}")]
    return [] if a == b else [place]


def survive(
    kills: int, processes: int, workers: int, seed: int = 0, more: Sequence[str] = (), signals: bool = False
) -> dict[str, int]:
    """Kill so many times, or more to end the last run; raises where a continued run is not the uninterrupted one.

    With ``signals`` the run is asked to end, by SIGINT, SIGTERM or SIGUSR1, in the place of every kill.
    """
    chance, done = random.Random(seed), {"kills": 0, "while writing": 0, "saved as asked": 0, "runs": 0}
    with TemporaryDirectory() as folder:
        root, whole, told = pairs(Path(folder) / "pairs"), Path(folder) / "whole", Path(folder) / "told.txt"
        began = time.monotonic()
        codes = wait(start(flags(root, whole, processes, workers, more), processes, told))
        length = time.monotonic() - began
        if any(codes):
            raise RuntimeError(f"the uninterrupted run ended with {codes}: {told.read_text()}")
        while done["kills"] < kills:
            run = Path(folder) / "killed"
            codes, lives = [1], list[str]()
            while any(codes):
                told.write_text("")
                writing = chance.random() < 0.5 and not signals
                first = dies_while_writing(chance.randrange(6)) if writing and done["kills"] < kills else None
                alive = start(flags(root, run, processes, workers, more), processes, told, first)
                if not writing and done["kills"] < kills:
                    number = chance.choice(ASKING) if signals else signal.SIGKILL
                    time.sleep(chance.uniform(0.1, 0.7 * length))
                    for process in chance.sample(alive, chance.randint(1, len(alive))):
                        os.kill(process, number)
                codes = wait(alive, patience=15.0)
                lives.append(f"{codes} {told.read_text()}")
                asked = signals and set(codes) <= {128 + n for n in ASKING}  # all processes end as one was asked
                early = signals and any(-n in codes or 128 + n in codes for n in ASKING)  # before the training began
                killed = -signal.SIGKILL in codes or asked or early
                if any(codes) and not killed:
                    raise RuntimeError(f"a continued run ended with {codes}: {told.read_text()}")
                done["kills"] += killed
                done["saved as asked"] += asked
                done["while writing"] += killed and writing
            found = differences(whole, run)
            if found:
                raise AssertionError("\n".join([*lives, f"seed {seed}: after {done}: {found[:3]} {found[-5:]}"]))
            if list((run / "checkpoints").glob(".*")):
                raise AssertionError(f"seed {seed}: left over {list((run / 'checkpoints').glob('.*'))}")
            done["runs"] += 1
            shutil.rmtree(run)
    return done


def main() -> None:
    """Count the kills survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--signals", action="store_true", help="ask by SIGINT, SIGTERM or SIGUSR1 instead")
    given, more = parser.parse_known_args()
    torch.set_num_threads(1)
    done = survive(given.kills, given.processes, given.workers, given.seed, more, given.signals)
    told = ", ".join(f"{count} {name}" for name, count in done.items())
    print(f"{given.processes} processes, {given.workers} workers: {told}; no difference")


if __name__ == "__main__":
    main()
