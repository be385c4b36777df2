"""Batch statistics of a model from a file, recalculated on training photos before it is measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from i2i.classes import LabelEncoding
from i2i.condition import Condition, Semantics
from i2i.data.datamodule import DataModule
from i2i.errors import InputError
from i2i.nn.generator import Generator
from i2i.nn.statistics import batch_norms, recalculate_statistics
from i2i.nn.style import Encoder
from i2i.recipe import difference, recipe


def check_fits(name: str | Path, semantics: Semantics, encoding: LabelEncoding | None, data: DataModule) -> None:
    """Raise :class:`InputError` where a model does not read its condition as a data set gives it.

    Args:
        name: of the model, for the message.
        semantics, encoding: of the model.
        data: the data set.
    """
    reason = difference(recipe(data.semantics), recipe(semantics), "the condition")
    if reason is None and encoding is not None and data.encoding is not None:
        names, own = encoding.classes.names, data.encoding.classes.names
        place = next((i for i, (a, b) in enumerate(zip(names, own, strict=True)) if a != b), None)
        if place is not None:
            reason = f"its class {place} is {names[place]!r}, the data set's {own[place]!r}"
    if reason is not None:
        raise InputError(f"{name} does not fit the data set: {reason}")


def recalculate_model(
    generator: Generator,
    semantics: Semantics,
    encoder: Encoder | None,
    data: DataModule,
    batches: int,
    device: torch.device,
    seed: int = 0,
) -> int:
    """Set the generator's batch statistics to those of training batches, in the styles of training, in place.

    Args:
        generator: not folded yet.
        semantics: how a batch becomes its condition.
        encoder: gives the styles of the photos; without one they are drawn.
        data: whose training batches are read, the first ones of epoch 0.
        batches: how many, at most those of one epoch.
        device: where to compute; the networks are moved there.
        seed: of the styles.

    Returns:
        The number of batches there were.

    Raises:
        InputError: no batches, or a generator without batch norm.
    """
    if batches < 1:
        raise InputError(f"recalculate is {batches}; it is a number of batches, at least 1")
    if not batch_norms(generator):
        raise InputError("the generator has no batch norm, so that there are no statistics to recalculate")
    generator.to(device)
    if encoder is not None:
        encoder.to(device).eval()
    random = torch.Generator().manual_seed(seed)
    loader = islice(data.train_dataloader(), batches)
    return recalculate_statistics(generator, _inputs(loader, generator, semantics, encoder, device, random))


@torch.no_grad()
def _inputs(
    loader: Iterable[dict[str, Any]],
    generator: Generator,
    semantics: Semantics,
    encoder: Encoder | None,
    device: torch.device,
    random: torch.Generator,
) -> Iterator[tuple[Condition, Tensor | None]]:
    for batch in loader:
        tensors = {name: value for name, value in batch.items() if isinstance(value, Tensor)}
        on_device = {name: generator.padded(value).to(device) for name, value in tensors.items()}
        condition = semantics.read(on_device)
        if encoder is None:
            yield condition, generator.draw(condition, random)
            continue
        mean, logvar = encoder(on_device["photo"], condition)
        noise = torch.randn(mean.shape, generator=random).to(mean)
        yield condition, mean if logvar is None else mean + noise * torch.exp(0.5 * logvar)
