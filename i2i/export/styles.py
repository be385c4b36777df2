"""Styles for those who run a graph without i2i: the ones that a model draws by the first seeds."""

from __future__ import annotations

import torch

from i2i.export.model import Model
from i2i.nn.generator import drawer
from i2i.semantics import LabelSemantics
from i2i.styles import random_of

COUNT = 16


@torch.no_grad()
def drawn_styles(model: Model) -> list[list[float]] | None:
    """The styles that :class:`i2i.synthesizer.Synthesizer` draws by the seeds 0 to 15, the same numbers to the bit.

    A graph is the generator alone, and what styles there are is known to the encoder, where it remembers those of the
    training.

    Returns:
        16 vectors; None where the generator's style is no vector, or where it reads images, which no graph of such a
        generator does.
    """
    if model.generator.style_dim is None or not isinstance(model.semantics, LabelSemantics):
        return None
    side = model.generator.multiple
    nothing = model.semantics(torch.zeros(1, side, side, dtype=torch.long))  # a style vector has nothing of the map
    source = drawer(model.generator, model.encoder)
    drawn = [source.draw(nothing, random_of(seed)) for seed in range(COUNT)]
    return [style[0].float().tolist() for style in drawn if style is not None]
