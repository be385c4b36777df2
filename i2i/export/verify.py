"""Whether what was exported is the generator: both paint the same maps, and the pictures are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from i2i.errors import InputError
from i2i.export.graph import Input, signature
from i2i.export.graph_files import Run
from i2i.export.model import Model
from i2i.nn.generator import drawer
from i2i.pixels import padded
from i2i.semantics import LabelSemantics

TOLERANCE = 1e-4
"""Of values in [-1, 1]; a step of 8 bits is 8e-3."""


@dataclass(frozen=True)
class Trial:
    """Inputs of a graph, and the generator's own photos for them, (N, 3, H, W)."""

    inputs: list[Tensor]
    expected: Tensor


def trials(model: Model, seed: int = 0) -> list[Trial]:
    """Random maps of three sizes, of which one is square and one no multiple; a batch of two among them.

    Args:
        model: whose generator paints them, as it is: neither folded nor traced.
        seed: of maps and styles.
    """
    multiple = model.generator.multiple
    sizes = [(2, 2 * multiple, 2 * multiple), (1, 2 * multiple, 3 * multiple), (1, 3 * multiple - 3, 2 * multiple - 5)]
    random = torch.Generator().manual_seed(seed)
    return [_trial(model, *size, random) for size in sizes]


@torch.no_grad()
def _trial(model: Model, count: int, height: int, width: int, random: torch.Generator) -> Trial:
    generator, semantics = model.generator, model.semantics
    inputs = signature(generator, semantics).inputs
    given: dict[str, Tensor] = {}
    size = (count, height, width)
    if isinstance(semantics, LabelSemantics):
        given["labels"] = _patches(size, semantics.num_classes, random)
        given["instances"] = given["labels"] * 1000 + _patches(size, 3, random)
        batch = {name: padded(maps, generator.multiple) for name, maps in given.items()}
    else:
        given["image"] = torch.rand(count, semantics.channels, height, width, generator=random) * 2 - 1
        batch = {"condition": padded(given["image"], generator.multiple)}
    condition = semantics.read(batch)
    style = _style(model, size, inputs, random)
    if style is None:
        style = drawer(generator, model.encoder).draw(condition, random)
    name = inputs[-1].name
    if style is not None and inputs[-1].spatial:
        given[name] = style
        style = padded(style, generator.multiple)
    elif style is not None:
        given[name] = style
    photo = generator(condition, style)[:, :, :height, :width]
    return Trial([given[each.name] for each in inputs], photo)


def _style(model: Model, size: tuple[int, int, int], inputs: Sequence[Input], random: torch.Generator) -> Tensor | None:
    """What the graph takes for each pixel, where it does; it is drawn as the model draws it otherwise."""
    last = inputs[-1]
    if last.name not in ("noise", "features") or not last.spatial:
        return None
    assert isinstance(last.shape[1], int)
    values = torch.randn(size[0], last.shape[1], *size[1:], generator=random)
    return values if last.name == "noise" else values.clamp(-1, 1)


def _patches(size: tuple[int, int, int], values: int, random: torch.Generator) -> Tensor:
    """(N, H, W) int64: a coarse chequerboard of random values, and single pixels of others."""
    count, height, width = size
    coarse = torch.randint(0, values, (count, height // 8 + 1, width // 8 + 1), generator=random)
    maps = coarse.repeat_interleave(8, 1).repeat_interleave(8, 2)[:, :height, :width]
    dots = torch.rand(size, generator=random) < 0.01
    return torch.where(dots, torch.randint(0, values, size, generator=random), maps)


def largest_difference(run: Run, made: Sequence[Trial], name: str) -> float:
    """Between what a graph paints and what the generator did.

    Raises:
        InputError: it is larger than :data:`TOLERANCE`, or not a number: the export is no good.
    """
    difference = max(float((run(trial.inputs) - trial.expected).abs().max()) for trial in made)
    if not difference <= TOLERANCE:
        raise InputError(
            f"{name}: differs from the generator by up to {difference:.1g} in values of [-1, 1], more than "
            f"{TOLERANCE:g}; nothing is written"
        )
    return difference
