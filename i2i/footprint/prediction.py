"""The memory of a training step: rehearsed with the networks, losses and optimizers of a configuration."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from i2i.benchmark.step import SteppedAlone
from i2i.data.datamodule import Batch, DataModule
from i2i.data.preparation import map_tensor
from i2i.data.scenes import LIGHTINGS, render
from i2i.errors import InputError
from i2i.footprint.rehearsal import Rehearsal
from i2i.nn.recomputation import Block
from i2i.semantics import LabelSemantics

_MIXED = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
PRECISIONS = ("32-true", *_MIXED)
"""The trainer's precisions that can be rehearsed."""


@dataclass(frozen=True)
class Footprint:
    """Bytes of a training step.

    Attributes:
        weights: of all networks but the averaged one, VGG19's and buffers included.
        average: the averaged generator.
        optimizers: their states.
        gradients: of the player that has most; they lie in memory until it is stepped.
        peak: the most at a time, all of these included.
    """

    weights: int
    average: int
    optimizers: int
    gradients: int
    peak: int

    @property
    def fixed(self) -> int:
        """What lies in memory between two steps."""
        return self.weights + self.average + self.optimizers

    @property
    def working(self) -> int:
        """What a step takes beside: activations, gradients and what is computed on the way."""
        return self.peak - self.fixed


class Rehearsed(SteppedAlone):
    """A translator whose steps are rehearsed: its losses are no numbers, and two batches stand for all accumulated."""

    def guard(self, terms: Mapping[str, Tensor], player: int, batch_index: int) -> None:
        """There are no values that could be NaN."""

    def is_boundary(self, batch_index: int) -> bool:
        """The second of two, where batches are accumulated."""
        return self.accumulate == 1 or batch_index % 2 == 1

    def descend(self, player: int, loss: Tensor, boundary: bool) -> None:
        """Gradients stay until the boundary."""
        loss.backward()  # type: ignore[no-untyped-call]
        if boundary:
            self.alone[player].step()
            self.alone[player].zero_grad()

    def recompute(self, recompute: bool) -> bool:
        """Switch activation checkpointing of the generator; whether it has blocks to recompute."""
        blocks = [module for module in self.generator.modules() if isinstance(module, Block)]
        for block in blocks:
            block.recompute = recompute
        return bool(blocks)


def predict(model: Rehearsed, rehearsal: Rehearsal, batch: Batch, precision: str = "32-true") -> Footprint:
    """Rehearse training steps on a batch.

    Args:
        model: made within the rehearsal; its optimizers are made at the first call.
        rehearsal: the one that is entered.
        batch: of :func:`rehearsed_batch`.
        precision: one of :data:`PRECISIONS`.
    """
    if precision not in PRECISIONS:
        raise InputError(f"precision is {precision!r}; rehearsed are {', '.join(PRECISIONS)}")
    if not hasattr(model, "alone"):
        model.train()
        model.start()
        _step(model, batch, precision)  # makes the optimizers' states
    gc.collect()
    rehearsal.most = rehearsal.live
    _step(model, batch, precision)
    return Footprint(
        weights=sum(_bytes(network) for network in model.networks()) - _bytes(model.average),
        average=_bytes(model.average),
        optimizers=sum(_states(optimizer) for optimizer in model.alone),
        gradients=max(sum(p.nbytes for p in player) for player in model.players()),
        peak=rehearsal.most + _history(model, batch),
    )


def rehearsed_batch(data: DataModule, size: tuple[int, int], count: int) -> Batch:
    """A batch of a size that no data set has to be there for.

    The values of photos and of images as conditions do not matter. Those of label maps do, a little: the more
    different neighbourhoods they have, the longer are the tables of SPADE's modulation. Landscapes are painted for it.

    Args:
        data: for its classes or channels.
        size: (H, W) of the photos.
        count: of pairs.
    """
    batch: Batch = {"photo": torch.empty(count, 3, *size), "name": [str(i) for i in range(count)]}
    semantics = data.semantics
    if not isinstance(semantics, LabelSemantics):
        return batch | {"condition": torch.empty(count, semantics.channels, *size)}
    scenes = [render(seed, size, LIGHTINGS[0]) for seed in range(count)]
    labels = [map_tensor(scene.labels % semantics.num_classes) for scene in scenes if scene.labels is not None]
    ids = [map_tensor(scene.instances) for scene in scenes if scene.instances is not None]
    return batch | {"labels": torch.stack(labels), "instances": torch.stack(ids)}


def _step(model: Rehearsed, batch: Batch, precision: str) -> None:
    for index in range(1 if model.accumulate == 1 else 2):
        with _autocast(precision):
            model.training_step(batch.copy(), index)


def _autocast(precision: str) -> AbstractContextManager[Any]:
    return torch.autocast("cpu", _MIXED[precision]) if precision in _MIXED else nullcontext()


def _history(model: Rehearsed, batch: Batch) -> int:
    """The history of pictures when it is full."""
    if model.history is None:
        return 0
    tensors: Sequence[Any] = [value for value in batch.values() if isinstance(value, Tensor)]
    sample: int = sum(tensor[0].nbytes for tensor in (*tensors, batch["photo"]))
    return model.history.size * sample


def _bytes(network: nn.Module | None) -> int:
    if network is None:
        return 0
    return sum(tensor.nbytes for tensor in (*network.parameters(), *network.buffers()))


def _states(optimizer: torch.optim.Optimizer) -> int:
    return sum(t.nbytes for state in optimizer.state.values() for t in state.values() if isinstance(t, Tensor))
