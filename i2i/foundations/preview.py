"""Samples of the model beside those of the data, after every epoch."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor

from i2i.data.loading import Loader, collate
from i2i.foundations.module import Foundation
from i2i.foundations.plots import FAKE, REAL, grid, plane, scatter, side_by_side
from i2i.pictures import Pixels, write_png


class SamplePreview(pl.Callback):
    """Writes ``previews/epoch_0001.png``: of points the data (grey) and the samples (red), of images a grid of each.

    Args:
        folder: where the pictures go.
        points: how many points are shown.
        images: how many images are shown.
    """

    def __init__(self, folder: str, points: int = 512, images: int = 64) -> None:
        self.folder = Path(folder)
        self.points = points
        self.images = images

    @torch.no_grad()
    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the fixed samples; on the first process only."""
        if trainer.sanity_checking or not trainer.is_global_zero or trainer.state.fn != "fit":
            return
        assert isinstance(pl_module, Foundation)
        dataset = cast(Loader, trainer.val_dataloaders).dataset
        count = min(self.images if len(dataset[0]["photo"].shape) == 3 else self.points, len(dataset))  # type: ignore[arg-type]
        batch = collate([dataset[index] for index in range(count)])
        on_device = pl_module.transfer_batch_to_device(batch, pl_module.device, 0)
        made = pl_module.samples(pl_module.read(on_device), batch["name"]).cpu()
        sheet = compared(batch["photo"], made)
        write_png(self.folder / f"epoch_{trainer.current_epoch + 1:04d}.png", sheet)
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image("preview", sheet, global_step=trainer.current_epoch + 1, dataformats="HWC")


def compared(real: Tensor, made: Tensor) -> Pixels:
    """Samples of the data and of a model, (N, 2) or (N, C, H, W), in one picture."""
    if real.dim() == 2:
        return scatter([(real, REAL), (made, FAKE)], plane(real))
    return side_by_side([grid(made), grid(real)], ["synthesised", "real"])
