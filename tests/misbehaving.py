"""A callback that makes a training go wrong at a chosen place."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytorch_lightning as pl

from i2i.errors import InputError


class Misbehave(pl.Callback):
    """Once, in one process.

    Args:
        what: "refuse" (an InputError), "fail" (another one), or the name of a signal that the process gets.
        batch: of the training after which it happens, counted over the epochs from 1; 0 for never.
        validating: it happens in the first validation after that batch instead.
        rank: of the process.
        parent: it is the process that started this one that gets the signal.
    """

    def __init__(self, what: str, batch: int, validating: bool = False, rank: int = 0, parent: bool = False) -> None:
        self.what = what
        self.batch = batch
        self.validating = validating
        self.rank = rank
        self.parent = parent

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if not self.validating:
            self._act(trainer, trainer.fit_loop.total_batch_idx + 1)

    def on_validation_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if self.validating and trainer.fit_loop.total_batch_idx + 1 >= self.batch:
            self._act(trainer, self.batch)

    def _act(self, trainer: pl.Trainer, batch: int) -> None:
        if trainer.global_rank != self.rank or batch != self.batch:
            return
        self.batch = 0
        if self.what == "refuse":
            raise InputError(f"process {self.rank} refuses")
        if self.what == "fail":
            raise RuntimeError(f"process {self.rank} fails")
        os.kill(os.getppid() if self.parent else os.getpid(), getattr(signal, self.what))
