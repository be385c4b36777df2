"""Which checkpoint a run is continued from."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pytorch_lightning.utilities import rank_zero_only

from i2i.callbacks.checkpoints import EPOCH, LAST
from i2i.checkpoint import load_file, load_tensors, write_atomically
from i2i.errors import InputError


class Start(NamedTuple):
    """Where a run begins.

    Attributes:
        path: the checkpoint it is continued from; None begins anew.
        log_rows: how long its log was then; None for another log.
        step: of the log, likewise; None if unknown.
    """

    path: str | None
    log_rows: int | None
    step: int | None


def start_of(given: str | None, folder: Path) -> Start:
    """What ``--resume`` asks for.

    Args:
        given: its value: a checkpoint; ``auto`` for the newest whole one of the run, or none if there is none.
        folder: of the run's checkpoints.

    Raises:
        InputError: a missing, damaged or foreign file; or none of the run's own is whole.
    """
    if given is None:
        return Start(None, None, None)
    if given != "auto":
        return _start(Path(given), training_checkpoint(Path(given)))
    reasons: list[str] = []
    for path in _newest_first(folder, reasons):
        try:
            content = training_checkpoint(path)
        except InputError as error:
            reasons.append(str(error))
            continue
        _tell([f"skipped a damaged checkpoint: {reason}" for reason in reasons])
        step = content.get("steps", content["global_step"] // max(1, len(content["optimizer_states"])))
        _tell([f"Continuing from {path}, step {step}"])
        return _start(path, content)
    if reasons:
        raise InputError(f"no checkpoint of the run is whole: {'; '.join(reasons)}")
    return Start(None, 0, None)


def finish_saving(path: Path, folder: Path, every: int | None) -> None:
    """Write what is missing where a run was killed between the checkpoints of one epoch's end.

    The one that it is continued from stands for the others; and for a newest one that is damaged.

    Args:
        path: what the run is continued from.
        folder: of the run's checkpoints.
        every: epochs between those that are kept; None keeps none.
    """
    if path.name == LAST or path.resolve().parent != folder.resolve():
        return
    epoch = int(load_tensors(path, mapped=True)["epoch"])
    kept = folder / f"{EPOCH.format(epoch=epoch)}.ckpt"
    missing = [kept] if every is not None and (epoch + 1) % every == 0 and not kept.exists() else []
    for other in [*missing, folder / LAST]:
        with path.open("rb") as source:
            write_atomically(other, partial(shutil.copyfileobj, source))


def training_checkpoint(path: Path) -> Mapping[str, Any]:
    """What is in a checkpoint of a training, read to its end.

    Raises:
        InputError: a missing, damaged or foreign file.
    """
    content = load_file(path)
    _check_sums(path)
    if "pytorch-lightning_version" not in content:
        raise InputError(f"{path} is a model, not a checkpoint of a training run; it cannot be continued")
    return content


def _check_sums(path: Path) -> None:
    """Torch writes a check sum with every tensor, and reads them without a look at it."""
    if not zipfile.is_zipfile(path):  # torch's format of before 2020
        return
    try:
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise InputError(f"{path}: damaged: {error}") from error
    if damaged is not None:
        raise InputError(f"{path}: damaged: the check sum of {damaged} is another one")


def _newest_first(folder: Path, reasons: list[str]) -> list[Path]:
    """By the steps that were trained, as clocks may be wrong; what cannot be read at all is left out, with a reason."""
    steps: dict[Path, int] = {}
    for path in sorted(folder.glob("*.ckpt")):
        try:
            steps[path] = int(load_tensors(path, mapped=True).get("global_step", -1))
        except InputError as error:
            reasons.append(str(error))
    return sorted(steps, key=lambda path: (steps[path], path.name == LAST, path.name), reverse=True)


def _start(path: Path, content: Mapping[str, Any]) -> Start:
    try:
        step: int | None = content["loops"]["fit_loop"]["epoch_loop.state_dict"]["_batches_that_stepped"] + 1
    except KeyError:
        step = None
    return Start(str(path), content.get("log_rows"), step)


@rank_zero_only
def _tell(lines: list[str]) -> None:
    for line in lines:
        print(line, flush=True)
