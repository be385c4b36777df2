"""When the model is kept: the newest, the best, every n epochs, and where a run is interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor

from i2i.callbacks.interruption import SafePoints
from i2i.checkpoint import load_file
from i2i.errors import InputError
from i2i.nn.growth import growths

LAST = "last.ckpt"
EPOCH = "epoch_{epoch:04d}"


def checkpoints(
    folder: Path, monitor: str | None, every: int | None, mode: str = "min", steps: int | None = None
) -> list[pl.Callback]:
    """The callbacks that keep checkpoints in ``folder``.

    Args:
        folder: gets ``last.ckpt`` after every epoch, ``best.ckpt``, and ``epoch_0010.ckpt`` every n epochs.
        monitor: the logged value whose minimum is "best"; None keeps no best one (a validation split without photos).
        every: n; None keeps none of these.
        mode: ``max`` where the largest value is the best.
        steps: of the optimizers after which ``last.ckpt`` is written within an epoch, too; None waits for its end.

    Raises:
        InputError: ``every`` or ``steps`` out of range.
    """
    if every is not None and every < 1:
        raise InputError(f"checkpoint_every is {every}; it is a number of epochs, at least 1")
    kept: list[pl.Callback] = []
    if monitor is not None:
        kept.append(_keep(folder, "best", monitor=monitor, mode=mode))
    if every is not None:
        kept.append(_keep(folder, EPOCH, every_n_epochs=every, save_top_k=-1, mode="max"))
    # After the best, whose score it keeps.
    return [*kept, _keep(folder, "last"), SafePoints(folder / LAST, steps)]


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
    """Waits for a value that is not measured in every epoch, where Lightning would stop the training.

    Nor is there a best one before the networks are grown out: coarse pictures are nearer to the photo than sharp ones.

    In a continued run the score to beat is that of the best checkpoint in the folder, which tells it itself.
    """

    _resumed_at: int | None = None

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save, once there is something to choose by."""
        grown = all(growth.done for growth in growths(pl_module))
        if self.monitor is None or (grown and self.monitor in trainer.callback_metrics):
            super().on_train_epoch_end(trainer, pl_module)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What was kept before lies in this run's folder, wherever that was then."""
        assert self.dirpath is not None
        moved = {name: self._here(state_dict.get(name, "")) for name in ("best_model_path", "kth_best_model_path")}
        moved["last_model_path"] = self._here(state_dict.get("last_model_path", ""))
        models = {self._here(path): score for path, score in state_dict.get("best_k_models", {}).items()}
        super().load_state_dict({**state_dict, **moved, "best_k_models": models, "dirpath": self.dirpath})

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Note where the run is continued."""
        self._resumed_at = checkpoint["global_step"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Find the score to beat."""
        super().on_train_start(trainer, pl_module)
        if self.monitor is None or self._resumed_at is None:
            return
        path = self._here(f"{self.filename}{self.FILE_EXTENSION}")
        found = self._score_in(path) if trainer.is_global_zero else (None, False)
        score, later = trainer.strategy.broadcast(found)
        if later:  # it is of a future that will not be; what the continued checkpoint knows, counts
            return
        self.best_k_models = {} if score is None else {path: score}
        self.best_model_path = self.kth_best_model_path = "" if score is None else path
        self.best_model_score = score
        if score is not None:
            self.kth_value = score

    def _score_in(self, path: str) -> tuple[Tensor | None, bool]:
        """The score that a best checkpoint tells, None without one; and whether it is later than the continued one."""
        try:
            content = load_file(path)
        except InputError:
            return None, False
        if content.get("global_step", 0) > (self._resumed_at or 0):
            return None, True
        states = [state for state in content.get("callbacks", {}).values() if isinstance(state, dict)]
        scores = [state.get("best_model_score") for state in states if state.get("monitor") == self.monitor]
        return next((score for score in scores if isinstance(score, Tensor)), None), False

    def _here(self, path: str) -> str:
        assert self.dirpath is not None
        return str(Path(self.dirpath) / Path(path).name) if path else ""
