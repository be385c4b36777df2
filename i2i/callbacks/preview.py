"""Pictures of the same few validation maps after every epoch, as PNG files and in TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger

from i2i.classes import ClassTable
from i2i.data.datamodule import Batch
from i2i.data.loading import Loader, PreparedSplit, collate
from i2i.pictures import Pixels, contact_sheet, to_pixels, visible, write_png
from i2i.semantics import LabelSemantics
from i2i.translator import Translator


class Preview(pl.Callback):
    """Writes ``previews/epoch_0001.png``: label map or image | synthesised | real, a row a map.

    Args:
        folder: where the pictures go.
        count: how many maps of the validation split are shown, spread evenly over it.
        every: epochs between two previews.
    """

    def __init__(self, folder: str, count: int = 6, every: int = 1) -> None:
        self.folder = Path(folder)
        self.count = count
        self.every = every

    @torch.no_grad()
    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Synthesise the fixed maps; on the first process only."""
        epoch = trainer.current_epoch
        if trainer.sanity_checking or not trainer.is_global_zero or trainer.state.fn != "fit":
            return
        if (epoch + 1) % self.every and epoch + 1 != trainer.max_epochs:
            return
        assert isinstance(pl_module, Translator)
        dataset = cast(PreparedSplit, cast(Loader, trainer.val_dataloaders).dataset)
        chosen = np.linspace(0, len(dataset) - 1, min(self.count, len(dataset))).round().astype(int)
        rows = [self._row(pl_module, cast(Batch, collate([dataset[int(index)]]))) for index in chosen]
        condition = "label map" if isinstance(pl_module.semantics, LabelSemantics) else "condition"
        captions = [condition, "synthesised", "real"][: len(rows[0])]
        sheet = contact_sheet(rows, captions)
        write_png(self.folder / f"epoch_{epoch + 1:04d}.png", sheet)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("preview", sheet, global_step=epoch + 1, dataformats="HWC")

    def _row(self, translator: Translator, batch: Batch) -> list[Pixels]:
        on_device: Batch = translator.transfer_batch_to_device(batch, translator.device, 0)
        row = [self._condition(translator, batch), to_pixels(translator.reconstruct(on_device))[0]]
        if "photo" in batch:
            row.append(to_pixels(batch["photo"])[0])
        return row

    def _condition(self, translator: Translator, batch: Batch) -> Pixels:
        if not isinstance(translator.semantics, LabelSemantics):
            (shown,) = to_pixels(visible(batch["condition"]))
            return cast(Pixels, shown)
        encoding = translator.encoding
        table = ClassTable.numbered(translator.semantics.num_classes) if encoding is None else encoding.classes
        return table.colourise(batch["labels"][0].numpy())
