"""The LightningModule that trains models of samples: the translator's own step, and what validation means for them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from i2i import draws
from i2i.condition import Condition
from i2i.data.datamodule import Batch
from i2i.errors import InputError
from i2i.foundations.data import SampleData
from i2i.foundations.measures import SampleMeasures
from i2i.metrics.collected import key
from i2i.translator import Translator


class Foundation(Translator):
    """Trains a generator of samples, points or images, as :class:`Translator` trains one of photos.

    The arguments are those of :class:`Translator`; the condition is a :class:`ClassCondition`, the "photo" of a batch
    the samples of the data, and the style the latent vector. With an encoder it is a variational autoencoder.
    """

    measures: SampleMeasures

    def setup(self, stage: str) -> None:
        """Prepare to measure samples of the data's shape."""
        super().setup(stage)
        data = getattr(self.trainer, "datamodule", None)
        if not isinstance(data, SampleData):
            raise InputError("samples are measured beside those of the data: the trainer needs a SampleData")
        self.measures = SampleMeasures(math.prod(data.shape), data.source.centres, data.source.mode_radius)

    @torch.no_grad()
    def samples(self, condition: Condition, names: list[str]) -> Tensor:
        """Samples of the averaged generator (of the trained one without), drawn from the names: always the same.

        Args:
            condition: N classes.
            names: N of them; each draws its own latent vector.
        """
        was_training = self.training
        self.eval()
        with draws.of_samples([key(name) for name in names]):
            latents = self.generator.draw(condition)
        made: Tensor = self(condition, latents)
        self.train(was_training)
        return made

    def on_validation_epoch_end(self) -> None:
        """Log what :class:`i2i.foundations.measures.SampleMeasures` finds."""
        self._conclude("validation")

    def on_test_epoch_end(self) -> None:
        """As in validation, on the test split."""
        self._conclude("test")

    def _measure(self, batch: Batch, split: str) -> None:
        self.measures.update(batch["name"], batch["photo"], self.samples(self.read(batch), batch["name"]))
        if self.encoder is not None:
            super()._measure(batch, split)

    def _conclude(self, split: str) -> None:
        found: dict[str, Any] = self.measures.compute()
        self.measures.reset()
        self.log_dict({f"{split}/{name}": value for name, value in found.items()}, prog_bar=True)
