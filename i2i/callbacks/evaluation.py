"""The figures of `i2i evaluate` during training, of the averaged generator; the best checkpoint can be by any one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import pytorch_lightning as pl
import torch

from i2i.data.datamodule import DataModule
from i2i.errors import InputError
from i2i.evaluation.choice import MEASURES, check_names
from i2i.evaluation.evaluation import Evaluation, Wish
from i2i.evaluation.painter import Painter, Pictures, StyleChoice
from i2i.evaluation.watch import artefact_warnings
from i2i.metrics.diversity import LPIPS, Backbone
from i2i.metrics.extractors import Extractor
from i2i.metrics.judge import Judge
from i2i.metrics.result import Result
from i2i.translator import Translator


class Evaluate(pl.Callback):
    """Measures a split every n epochs, and after the last one; logs ``validation/fid``, ``validation/miou`` and so on.

    Every process measures its share, and all get the figure of the whole. The training is not touched: what is random
    has seeds of its own. Of artefacts, where they are among the metrics, a line is printed when there are clearly more
    than in real photos, with what to try. :class:`i2i.callbacks.statistics.RecalculateStatistics`, where it is used,
    has to be named before.

    Args:
        metrics: names of :data:`i2i.evaluation.choice.MEASURES`.
        every: epochs between two measurements.
        split: whose maps are synthesised.
        limit: only so many of its first maps.
        reference: the split of the real photos of FID and its kin; None for the same.
        extractor: of features for FID; None takes the Inception of the papers from torch's cache.
        judge: reads pictures for mIoU.
        lpips: the backbone of LPIPS.
        lpips_weights: the file of its weights; None takes the one in torch's cache.
        ignored: names of classes that mIoU leaves out, beside those that the judge cannot read.
        samples: pictures of each map for the diversity.
        style: drawn at random, or that of the real photo.
        seed: of the styles that are drawn.

    Raises:
        InputError: no or unknown metrics; when training starts, one that is not possible.
    """

    def __init__(
        self,
        metrics: Sequence[str],
        every: int = 10,
        split: str = "val",
        limit: int | None = None,
        reference: str | None = None,
        extractor: Extractor | None = None,
        judge: Judge | None = None,
        lpips: Backbone = "alex",
        lpips_weights: str | None = None,
        ignored: Sequence[str] = (),
        samples: int = 4,
        style: StyleChoice = "drawn",
        seed: int = 0,
    ) -> None:
        if every < 1:
            raise InputError(f"Evaluate: every is {every}; it is a number of epochs, at least 1")
        check_names(metrics)
        network = partial(LPIPS, lpips, lpips_weights)
        self.wish = Wish(metrics, split, limit, reference, extractor, judge, network, ignored, samples)
        self.every = every
        self.style = style
        self.seed = seed
        self._evaluation: Evaluation | None = None

    def monitors(self) -> dict[str, str]:
        """What the best checkpoint can be chosen by: the logged names, with ``min`` or ``max``."""
        figures = [figure for name in self.wish.metrics or () for figure in MEASURES[name].figures.items()]
        return {log_name(name): "min" if better == "lower" else "max" for name, better in figures}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Try everything on one map, and get the features of the real photos, before the first step."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(data, DataModule):
            raise InputError("Evaluate reads splits anew: give fit a DataModule, not loaders")
        painter = TrainingPainter(trainer, cast(Translator, pl_module), self.style, self.seed)
        with _evaluating(pl_module):
            if trainer.global_rank == 0:  # the others find the features of the real photos in the cache
                self._evaluation = Evaluation(data, painter, self.wish)
            trainer.strategy.barrier("features of the real photos")
            if trainer.global_rank > 0:
                self._evaluation = Evaluation(data, painter, self.wish)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measure and log, after the validation and before the checkpoints are written."""
        epoch = trainer.current_epoch + 1
        if epoch % self.every and epoch != trainer.max_epochs:
            return
        assert self._evaluation is not None
        with _evaluating(pl_module):
            results = self._evaluation.run()
        figures = logged(results)
        pl_module.log_dict(figures, logger=False, rank_zero_only=False)
        cast(Translator, pl_module).record(figures)
        if trainer.is_global_zero:
            for line in artefact_warnings(results):
                print(f"epoch {epoch}: {line}", flush=True)


class TrainingPainter(Painter):
    """Paints with the averaged generator as it is, in the precision of the training.

    Args:
        trainer: of the training.
        translator: what is trained; the generator itself where it has no average.
        style, seed: see :class:`i2i.evaluation.painter.Painter`.
    """

    def __init__(self, trainer: pl.Trainer, translator: Translator, style: StyleChoice, seed: int) -> None:
        generator = translator.generator if translator.average is None else translator.average
        super().__init__(generator, translator.semantics, translator.encoder, translator.device, style, seed)
        self._precision = trainer.precision_plugin

    def paint(self, batch: Mapping[str, Any], samples: int = 1, find_styles: bool = False) -> Pictures:
        """The pictures of a batch; what measures them runs in full precision."""
        with self._precision.forward_context():
            return super().paint(self._precision.convert_input(batch), samples, find_styles)


def logged(results: Sequence[Result]) -> dict[str, float]:
    """The figures by the names of the log; without those of real photos, which training does not change."""
    return {log_name(result.name): result.value for result in results if not result.of_real_photos}


def log_name(name: str) -> str:
    """``validation/pixel_accuracy`` for "pixel accuracy"."""
    return "validation/" + re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


@contextmanager
def _evaluating(module: pl.LightningModule) -> Iterator[None]:
    """In evaluation mode, and without a trace in torch's random numbers."""
    was_training = module.training
    module.eval()
    devices = [module.device] if module.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices), torch.no_grad():
            yield
    finally:
        module.train(was_training)
