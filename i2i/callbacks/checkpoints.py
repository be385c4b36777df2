"""When the model is kept: the newest, the best, every n epochs, and on Ctrl-C."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint

LAST = "last.ckpt"


def checkpoints(folder: Path, monitor: str | None, every: int | None, mode: str = "min") -> list[pl.Callback]:
    """The callbacks that keep checkpoints in ``folder``.

    Args:
        folder: gets ``last.ckpt`` after every epoch, ``best.ckpt``, and ``epoch_0010.ckpt`` every n epochs.
        monitor: the logged value whose minimum is "best"; None keeps no best one (a validation split without photos).
        every: n; None keeps none of these.
        mode: ``max`` where the largest value is the best.
    """
    kept: list[pl.Callback] = [_keep(folder, "last"), SaveOnInterrupt(folder / LAST)]
    if monitor is not None:
        kept.append(_keep(folder, "best", monitor=monitor, mode=mode))
    if every is not None:
        kept.append(_keep(folder, "epoch_{epoch:04d}", every_n_epochs=every, save_top_k=-1, mode="max"))
    return kept


def _keep(
    folder: Path, name: str, monitor: str | None = None, every_n_epochs: int = 1, save_top_k: int = 1, mode: str = "min"
) -> Keep:
    # The mode means nothing without a monitor, but Lightning tells two of these callbacks apart by it.
    return Keep(
        mode=mode,
        dirpath=folder,
        filename=name,
        monitor=monitor,
        every_n_epochs=every_n_epochs,
        save_top_k=save_top_k,
        save_on_train_epoch_end=True,
        auto_insert_metric_name=False,
        enable_version_counter=False,
    )


class Keep(ModelCheckpoint):
    """Waits for a value that is not measured in every epoch, where Lightning would stop the training."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save, once there is something to choose by."""
        if self.monitor is None or self.monitor in trainer.callback_metrics:
            super().on_train_epoch_end(trainer, pl_module)


class SaveOnInterrupt(pl.Callback):
    """Ctrl-C keeps what was learned since the last epoch's end.

    Args:
        path: the checkpoint to write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Save on an interruption by the user, and only then: after an error the weights are not to be trusted."""
        if isinstance(exception, KeyboardInterrupt) and trainer.global_step > 0:
            trainer.save_checkpoint(self.path, weights_only=False)
            if trainer.is_global_zero:
                print(f"Interrupted; saved {self.path}. Continue with --resume auto")
