"""A small network of each family, in every form that changes its graph, with statistics that are not trivial."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from i2i.condition import Semantics
from i2i.image_map import ImageSemantics
from i2i.nn.generator import Generator
from i2i.nn.oasis import OASISGenerator
from i2i.nn.pix2pixhd import GlobalGenerator, LocalEnhancer
from i2i.nn.spade import SPADEGenerator
from i2i.nn.unet import UNetGenerator
from i2i.semantics import LabelSemantics

SPADE = {"width": 2, "hidden": 8, "gain": 1.0}
RESIDUAL = {"width": 3, "gain": 0.15}  # more would make the network blow rounding up

FAMILIES: dict[str, Callable[[int], Generator]] = {
    "spade": lambda c: SPADEGenerator(c, **SPADE),
    "spade-style": lambda c: SPADEGenerator(c, 6, base_size=(2, 3), **SPADE),
    "spade-two-norms": lambda c: SPADEGenerator(c, norm="batch", shared_input_norm=False, **SPADE),
    "spade-instance-norm": lambda c: SPADEGenerator(c, norm="instance", spectral=False, kernel=5, **SPADE),
    "spade-7": lambda c: SPADEGenerator(c, 4, upsamplings=7, base_size=(1, 1), norm="none", **SPADE),
    "oasis": lambda c: OASISGenerator(c, 4, **SPADE),
    "oasis-class": lambda c: OASISGenerator(c, 4, "class", **SPADE),
    "oasis-instance": lambda c: OASISGenerator(c, 4, "instance", **SPADE),
    "oasis-pixel": lambda c: OASISGenerator(c, 4, "pixel", **SPADE),
    "pix2pixhd": lambda c: GlobalGenerator(c, downsamplings=3, blocks=2, **RESIDUAL),
    "pix2pixhd-features": lambda c: GlobalGenerator(c, 3, downsamplings=3, blocks=1, norm="batch", **RESIDUAL),
    "pix2pixhd-enhancer": lambda c: LocalEnhancer(
        c, levels=2, coarse_downsamplings=2, coarse_blocks=1, blocks=1, **RESIDUAL
    ),
    "pix2pix": lambda c: UNetGenerator(c, depth=5, **RESIDUAL),
    "pix2pix-running": lambda c: UNetGenerator(c, depth=5, statistics="running", dropout=0.0, **RESIDUAL),
}


def network(name: str, channels: int) -> Generator:
    """In evaluation mode, its batch statistics drawn at random."""
    torch.manual_seed(4)
    generator = FAMILIES[name](channels).eval().requires_grad_(False)
    for layer in generator.modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.running_mean is not None and layer.running_var is not None
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.3, 3)
    return generator


def model(name: str, classes: int = 5) -> tuple[Generator, Semantics]:
    """For label maps, with edges; ``images`` after a name is for images."""
    if name.endswith(" of images"):
        return network(name.removesuffix(" of images"), 4), ImageSemantics(4)
    return network(name, classes + 1), LabelSemantics(classes, edges=True)


NAMES = [*FAMILIES, "pix2pix of images", "pix2pix-running of images", "pix2pixhd of images"]
