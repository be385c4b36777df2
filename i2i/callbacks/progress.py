"""How far the training is: a bar in a terminal, plain lines in a log file."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar


def progress() -> pl.Callback:
    """The bar where the output is a terminal; else lines, since a bar would leave nothing in a file or a pipe."""
    return RichProgressBar() if sys.stdout.isatty() else ProgressLines()


class ProgressLines(pl.Callback):
    """Prints a line at the end of each epoch, and between them at most every ``seconds``.

    Args:
        seconds: between two lines within an epoch.
    """

    def __init__(self, seconds: float = 30.0) -> None:
        self.seconds = seconds
        self._started = self._last = time.monotonic()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._started = self._last = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """A line, where the last one is old enough."""
        if time.monotonic() - self._last >= self.seconds:
            self._say(trainer, f"batch {batch_idx + 1}/{trainer.num_training_batches}")

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A line with what was measured on the validation split."""
        measured = {name: float(value) for name, value in trainer.callback_metrics.items() if "validation" in name}
        self._say(trainer, ", ".join(["done", *(f"{name} {value:.4f}" for name, value in measured.items())]))

    def _say(self, trainer: pl.Trainer, what: str) -> None:
        self._last = time.monotonic()
        if trainer.is_global_zero:
            rate = trainer.callback_metrics.get("images_per_second")
            speed = "" if rate is None else f", {float(rate):.1f} images/s"
            epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
            print(f"{epoch}: {what}{speed}, {self._last - self._started:.0f} s", flush=True)
