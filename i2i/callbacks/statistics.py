"""Batch statistics of the averaged generator, computed anew before it is looked at, measured or saved."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import cast

import pytorch_lightning as pl
import torch
from torch import Tensor

from i2i.condition import Condition
from i2i.data.datamodule import Batch, DataModule
from i2i.errors import InputError
from i2i.nn.statistics import batch_norms, recalculate_statistics
from i2i.translator import Translator


class RecalculateStatistics(pl.Callback):
    """Gives the averaged generator batch statistics of its own, as OASIS's training does.

    It is done before each validation, and at the end of an epoch without one: previews, metrics and checkpoints are of
    the generator with these statistics. The next training step overwrites them with those of the trained generator
    again. An interrupted epoch is saved without.

    The training is not touched: the batches are always the same first ones of epoch 0, read by a loader of their own,
    styles come from a seed of their own, and the generator that is trained is not run.

    Args:
        batches: training batches (of every process) to compute them from, at most those of one epoch.

    Raises:
        InputError: no batches; or, when training starts, no DataModule, no averaged generator, or one without batch
            norm.
    """

    def __init__(self, batches: int = 50) -> None:
        if batches < 1:
            raise InputError(f"RecalculateStatistics: batches is {batches}; it is a number of batches, at least 1")
        self.batches = batches
        self._step: int | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Refuse a model that has nothing to recalculate."""
        if stage != "fit":
            return
        if not isinstance(_data(trainer), DataModule):
            raise InputError("RecalculateStatistics reads training batches anew: give fit a DataModule, not loaders")
        average = cast(Translator, pl_module).average
        if average is None:
            raise InputError("RecalculateStatistics needs an averaged generator: ema_decay above 0, or leave it out")
        if not batch_norms(average):
            raise InputError("RecalculateStatistics: the generator has no batch norm; leave it out")

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Within a training, once for the weights as they are."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._recalculate(trainer, cast(Translator, pl_module))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The same before checkpoints are written, where no validation came before."""
        self._recalculate(trainer, cast(Translator, pl_module))

    def _recalculate(self, trainer: pl.Trainer, translator: Translator) -> None:
        if self._step == trainer.global_step:
            return
        assert translator.average is not None
        device = translator.device
        was_training = translator.training
        translator.eval()
        devices = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices), trainer.precision_plugin.forward_context():
            torch.manual_seed(trainer.global_rank)
            recalculate_statistics(translator.average, self._inputs(trainer, translator))
        translator.train(was_training)
        self._step = trainer.global_step

    def _inputs(self, trainer: pl.Trainer, translator: Translator) -> Iterator[tuple[Condition, Tensor | None]]:
        for batch in islice(cast(DataModule, _data(trainer)).train_dataloader(), self.batches):
            converted = trainer.precision_plugin.convert_input(batch)
            on_device: Batch = trainer.strategy.batch_to_device(converted, translator.device)
            semantics = translator.read(on_device)
            yield semantics, translator.style(semantics, on_device["photo"])[0]


def _data(trainer: pl.Trainer) -> pl.LightningDataModule | None:
    found: pl.LightningDataModule | None = trainer.datamodule  # type: ignore[attr-defined]
    return found
