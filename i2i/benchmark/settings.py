"""What a benchmark runs with, and the networks it runs."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from i2i.benchmark.maps import MapSet
from i2i.nn.spade import SPADEGenerator


@dataclass(frozen=True)
class Settings:
    """What all measurements of a run have in common.

    Attributes:
        device: where to compute.
        dtype: float32, or the half type of convolutions and features.
        width: of the generator and of the discriminator.
        style_dim: length of the style vector.
        repeats: timed runs on every input.
        seed: of weights, styles and random labels.
        compile: whether the dense reference is measured under ``torch.compile``, too.
    """

    device: torch.device
    dtype: torch.dtype = torch.float32
    width: int = 64
    style_dim: int = 256
    repeats: int = 5
    seed: int = 0
    compile: bool = False

    def about(self, maps: MapSet) -> dict[str, Any]:
        """What a table is about."""
        return {
            "data": maps.name,
            "classes": maps.semantics.num_classes,
            "edges": maps.semantics.edges,
            "size": list(maps.size),
            "batch": maps.batch,
            "inputs": len(maps),
            "device": str(self.device),
            "dtype": str(self.dtype).removeprefix("torch."),
            "width": self.width,
            "upsamplings": maps.upsamplings,
            "repeats": self.repeats,
            "threads": torch.get_num_threads(),
        }

    def autocast(self) -> AbstractContextManager[Any]:
        """How a user runs an unfolded network in the type: under autocast, or as it is in float32."""
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)


def make_generator(maps: MapSet, settings: Settings) -> SPADEGenerator:
    """A SPADE generator with a style, of random weights that let the labels act.

    The published start of training has γ and β of almost 0, in which an error of the modulation would not be seen; and
    statistics as after some training, so that folding them has something to do.
    """
    torch.manual_seed(settings.seed)
    generator = SPADEGenerator(
        maps.semantics.channels,
        style_dim=settings.style_dim,
        width=settings.width,
        upsamplings=maps.upsamplings,
        base_size=maps.sizes[0],
        gain=1.0,
    )
    for layer in generator.modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.running_mean is not None and layer.running_var is not None
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
    return generator.to(settings.device)
