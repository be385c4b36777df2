"""Saving within an epoch: every n steps, and where a signal ends the run."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint

from i2i.callbacks.run_log import RunLog
from i2i.errors import InputError, Stopped
from i2i.two_player import TwoPlayerModule

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name)]
"""Ctrl-C; what schedulers send before they take a machine away."""

_IMPATIENT = 2.0  # seconds: launchers repeat a Ctrl-C that the terminal has already given to all processes


class SafePoints(Checkpoint):
    """Saves where a continued run goes on exactly as if it had not been interrupted.

    That is after a step of the optimizers, when no gradients of an accumulation are pending, and not where a validation
    or the end of the epoch would come next: the trainer takes these for done when it continues from there. Lightning's
    ``every_n_train_steps`` knows none of this under manual optimisation, and counts both optimizers.

    Ctrl-C, SIGTERM and SIGUSR1 (pre-emption) end the run at the next safe point on all processes, whichever of them was
    told: after the current step, or within a validation, which is then done anew. A second Ctrl-C ends it at once.

    Args:
        path: the checkpoint to write.
        steps: of the optimizers between two savings; None saves on signals alone.

    Raises:
        InputError: ``steps`` below 1; at the end, :class:`i2i.errors.Stopped`.
    """

    def __init__(self, path: Path, steps: int | None = None) -> None:
        if steps is not None and steps < 1:
            raise InputError(f"checkpoint_steps is {steps}; it is a number of steps, at least 1")
        self.path = path
        self.steps = steps
        self._saved = 0
        self._signal: int | None = None
        self._noted = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Listen, from now on until the trainer restores what it found."""
        self._saved = _steps(trainer)

        def note(number: int, _: Any) -> None:
            if self._signal is None:
                self._signal, self._noted = number, time.monotonic()
                self._say(trainer, f"{signal.Signals(number).name}: ending after this step; Ctrl-C ends at once")
            elif number == signal.SIGINT and time.monotonic() - self._noted > _IMPATIENT:
                self._say(trainer, f"i2i: error: interrupted; {self.path} is as it was saved last")
                end_now(trainer, 128 + number)

        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                signal.signal(number, note)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save or stop, where it is safe."""
        asked = self._asked(trainer)
        if not _is_safe(trainer, cast(TwoPlayerModule, pl_module), batch_idx):
            return
        if asked:
            self._stop(trainer)
        if self.steps is not None and _steps(trainer) // self.steps > self._saved // self.steps:
            self._save(trainer)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop, and validate when the run is continued."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking and self._asked(trainer):
            self._stop(trainer)

    def on_validation_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        """The same; but processes may have different numbers of batches, so several wait for the end."""
        if trainer.world_size == 1:
            self.on_validation_start(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop; the end of the epoch has just been saved."""
        self._saved = _steps(trainer)
        if self._asked(trainer):
            self._stop(trainer, save=False)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Write the log first, and note its length: a continued run drops what the interrupted one wrote after this.

        A validation that is broken off is marked as begun and not one batch done, so that all of it is done anew.
        """
        for logger in trainer.loggers:
            if isinstance(logger, RunLog) and trainer.is_global_zero:
                checkpoint["log_rows"] = logger.flush()
        if trainer.validating:
            nothing = {"ready": 0, "started": 0, "processed": 0, "completed": 0}
            progress = checkpoint["loops"]["fit_loop"]["epoch_loop.val_loop.batch_progress"]
            progress |= {"current": nothing, "total": nothing | {"ready": 1, "started": 1}, "is_last_batch": False}

    def _asked(self, trainer: pl.Trainer) -> bool:
        return bool(trainer.strategy.reduce_boolean_decision(self._signal is not None, all=False))

    def _save(self, trainer: pl.Trainer) -> None:
        trainer.save_checkpoint(self.path, weights_only=False)
        self._saved = _steps(trainer)

    def _stop(self, trainer: pl.Trainer, save: bool = True) -> None:
        if save:
            self._save(trainer)
        number = self._told(trainer)
        name = signal.Signals(number).name
        message = f"Stopped by {name} after {_steps(trainer)} steps; saved {self.path}. Continue with --resume auto"
        # A process that Lightning has started would have its siblings killed by a status of its own.
        started = trainer.global_rank > 0 and not _started_from_outside(trainer)
        raise Stopped(message if trainer.is_global_zero else "", 0 if started else 128 + number)

    def _told(self, trainer: pl.Trainer) -> int:
        """The signal that processes end by. Some may not have been told, or otherwise: all have one exit status."""
        own = torch.tensor(self._signal or 0, device=trainer.strategy.root_device)
        return int(trainer.strategy.reduce(own, reduce_op="max"))

    @staticmethod
    def _say(trainer: pl.Trainer, text: str) -> None:
        """Not by ``print``, which a signal may have interrupted."""
        if trainer.is_global_zero:
            os.write(2, f"{text}\n".encode())


def end_now(trainer: pl.Trainer, status: int) -> None:
    """End this process, and those that it has started, without waiting for anything."""
    launcher = trainer.strategy.launcher
    if launcher is not None:
        launcher.kill(signal.SIGKILL)
    os._exit(status)


def _started_from_outside(trainer: pl.Trainer) -> bool:
    environment = getattr(trainer.strategy, "cluster_environment", None)
    return bool(environment is None or environment.creates_processes_externally)


def _steps(trainer: pl.Trainer) -> int:
    """Of the discriminator's optimizer; the trainer counts those of both."""
    return cast(TwoPlayerModule, trainer.lightning_module).steps


def _is_safe(trainer: pl.Trainer, module: TwoPlayerModule, batch_index: int) -> bool:
    if trainer.is_last_batch or not module.is_boundary(batch_index):
        return False
    every = trainer.val_check_batch  # type: ignore[attr-defined]
    position = trainer.fit_loop.total_batch_idx if trainer.check_val_every_n_epoch is None else batch_index
    return every is None or every == float("inf") or bool((position + 1) % every)
