"""Training of a judge: a segmentation network for a data set's own classes, from its real photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

import i2i
from i2i.checkpoint import FORMAT, write_atomically
from i2i.classes import LabelEncoding
from i2i.data.transforms import Resize
from i2i.errors import InputError
from i2i.metrics.result import Result
from i2i.metrics.segmentation import Segmentation, indices_of
from i2i.recipe import recipe

_NOT_COUNTED = -100  # what the cross-entropy leaves out


class JudgeTrainer(pl.LightningModule):
    """Cross-entropy, AdamW, a learning rate that rises at first and then falls to nothing.

    After every epoch the judge is measured on the validation photos and its file is written, so that an interruption
    leaves a judge that says how good it is.

    Args:
        judge: the network, a recorded one: (N, 3, H, W) photos in [-1, 1] -> (N, K, h, w) logits of the table's classes
            in their order.
        encoding: of the label files.
        resize: how photos come to the size that the network is trained for.
        ignored: names of the classes that it shall not learn and is not measured by.
        path: the file to write; :class:`i2i.metrics.judges.TrainedJudge` reads it. None writes none.
        learning_rate: the highest.
        weight_decay: of AdamW.

    Raises:
        InputError: an ignored class that is none.
    """

    counted: Tensor

    def __init__(
        self,
        judge: nn.Module,
        encoding: LabelEncoding,
        resize: Resize | None = None,
        ignored: Sequence[str] = (),
        path: str | Path | None = None,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__()
        self.judge = judge
        self.encoding = encoding
        self.resize = resize
        self.ignored = list(ignored)
        self.path = None if path is None else Path(path)
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        names = encoding.classes.names
        self.segmentation = Segmentation(names, self.ignored, {}, labels=encoding.num_classes)
        targets = torch.arange(encoding.num_classes)
        targets[indices_of(names, self.ignored, "ignored classes")] = _NOT_COUNTED
        targets[len(names) :] = _NOT_COUNTED  # labels of no class in the table: "unknown"
        self.register_buffer("counted", targets, persistent=False)
        self.results: list[Result] = []

    def training_step(self, batch: dict[str, Any], batch_index: int) -> Tensor:
        """Cross-entropy at the photos' size, over the pixels that count.

        Raises:
            InputError: a sample has no photo, or the loss is not finite.
        """
        if "photo" not in batch:
            raise InputError(f"{batch['name'][0]}: no photo; a judge is trained on pairs")
        targets = self.counted[batch["labels"].long()]
        losses = F.cross_entropy(self._logits(batch["photo"]), targets, ignore_index=_NOT_COUNTED, reduction="sum")
        loss = losses / (targets != _NOT_COUNTED).sum().clamp(min=1)
        if not torch.isfinite(loss):
            raise InputError(f"epoch {self.current_epoch}: the judge's loss is {float(loss)}; try a lower --lr")
        self.log("loss", loss, prog_bar=True, batch_size=len(targets))
        return loss

    def on_validation_epoch_start(self) -> None:
        """Start counting anew."""
        self.segmentation.reset()

    def validation_step(self, batch: dict[str, Any], batch_index: int) -> None:
        """Read the real validation photos."""
        self.segmentation.update(batch["labels"], self._logits(batch["photo"]).argmax(dim=1))

    def on_validation_epoch_end(self) -> None:
        """Measure, and write the judge as it is now."""
        self.results = self.segmentation.results()
        self.log("validation/mIoU", self.results[0].value, prog_bar=True)
        if self.path is not None and self.trainer.is_global_zero:
            self.save(self.path)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW under the one-cycle schedule (Smith and Topin 2018)."""
        optimizer = torch.optim.AdamW(self.judge.parameters(), self.learning_rate, weight_decay=self.weight_decay)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.learning_rate, total_steps=steps, pct_start=0.1)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def save(self, path: Path) -> None:
        """Write the network, what it was trained on, and its figures on the validation photos."""
        description = {
            "format": FORMAT,
            "version": i2i.__version__,
            "judge": recipe(self.judge),
            "encoding": recipe(self.encoding),
            "resize": None if self.resize is None else recipe(self.resize),
            "ignored": self.ignored,
            "measured": {result.name: result.value for result in self.results},
        }
        tensors = {f"judge.{name}": tensor.detach().cpu() for name, tensor in self.judge.state_dict().items()}
        write_atomically(path, lambda file: torch.save({"i2i": description, "state_dict": tensors}, file))

    def _logits(self, photo: Tensor) -> Tensor:
        logits = cast(Tensor, self.judge(photo))
        return F.interpolate(logits, photo.shape[-2:], mode="bilinear", align_corners=False)
