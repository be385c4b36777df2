"""The families of models: what networks each is made of on the data set that its paper is known by.

The table states what the shipped configurations state, for users who have only the package. Numbers are not in it:
networks are built without memory, on PyTorch's meta device, and counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from i2i.condition import Condition
from i2i.errors import InputError
from i2i.nn.encoder import StyleEncoder
from i2i.nn.generator import Generator
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.nn.spade import SPADEGenerator
from i2i.semantics import SemanticMap


@dataclass(frozen=True)
class Family:
    """One family on one data set.

    Attributes:
        name: what it is called.
        data: the data set.
        configs: the configurations to train it from, laid over one another, in the order given.
        size: (H, W) of the photos.
        classes: classes of the label maps.
        edges: whether the networks take the edges between instances, one more channel.
        generator: makes it for a number of label channels, the only argument that is not stated here.
        discriminator: likewise.
        encoder: makes the style encoder, in families that have one.
    """

    name: str
    data: str
    configs: tuple[str, ...]
    size: tuple[int, int]
    classes: int
    edges: bool
    generator: Callable[[int], Generator]
    discriminator: Callable[[int], nn.Module]
    encoder: Callable[[], nn.Module] | None = None

    def sizes(self, size: tuple[int, int] | None = None, classes: int | None = None) -> Sizes:
        """Count the networks.

        Args:
            size: (H, W) of the photos, if not the family's own.
            classes: classes of the label maps, if not the data set's.
        """
        height, width = self.size if size is None else size
        classes = self.classes if classes is None else classes
        channels = classes + self.edges
        with torch.device("meta"):
            generator = self.generator(channels)
            discriminator = self.discriminator(channels)
            encoder = None if self.encoder is None else self.encoder()
            maps = torch.zeros(1, height, width, dtype=torch.int32)
            edges = torch.zeros(1, height, width, dtype=torch.bool) if self.edges else None
        condition = SemanticMap(maps, classes, edges, maps if self.edges else None)
        try:
            work: int | str = multiply_accumulates(generator, condition)
        except InputError as reason:  # the generator says which sizes it takes
            work = str(reason)
        return Sizes(
            size=(height, width),
            channels=channels,
            generator=parameters(generator),
            discriminator=parameters(discriminator),
            encoder=None if encoder is None else parameters(encoder),
            multiply_accumulates=work,
        )


@dataclass(frozen=True)
class Sizes:
    """What was counted of a family.

    Attributes:
        size: (H, W) of the photos.
        channels: of the condition.
        generator: parameters.
        discriminator: parameters.
        encoder: parameters; None without one.
        multiply_accumulates: of the generator, for one photo; why not, where it does not make photos of that size.
    """

    size: tuple[int, int]
    channels: int
    generator: int
    discriminator: int
    encoder: int | None
    multiply_accumulates: int | str


def parameters(network: nn.Module) -> int:
    """How many numbers the network learns."""
    return sum(parameter.numel() for parameter in network.parameters())


@torch.no_grad()
def multiply_accumulates(generator: Generator, condition: Condition) -> int:
    """Multiplications, each with its addition, in all convolutions and matrix products of one batch.

    Convolutions over one-hot maps count in full, as in papers: look-ups in their place need fewer, how many depends on
    the map.

    Args:
        generator: is put into evaluation mode and, where it knows other ways, onto the dense one.
        condition: the batch; on the meta device, as the generator, nothing is computed.

    Raises:
        InputError: the generator does not take the condition.
    """
    generator.eval()
    if hasattr(generator, "modulation"):
        setattr(generator, "modulation", "dense")  # noqa: B010 - it is no attribute of every generator
    style = generator.draw(condition)
    with FlopCounterMode(display=False) as counter:
        generator(condition, style)
    return int(counter.get_total_flops()) // 2


_SPADE_D = partial(MultiscalePatchGAN, width=64, layers=4, scales=2)

FAMILIES = (
    Family(
        name="SPADE",
        data="ADE20K",
        configs=("configs/ade20k/spade.yaml",),
        size=(256, 256),
        classes=151,
        edges=False,
        generator=partial(SPADEGenerator, width=64, upsamplings=5),
        discriminator=_SPADE_D,
    ),
    Family(
        name="SPADE, 6 up-samplings",
        data="Cityscapes",
        configs=("configs/cityscapes/spade.yaml",),
        size=(256, 512),
        classes=35,
        edges=True,
        generator=partial(SPADEGenerator, width=64, upsamplings=6),
        discriminator=_SPADE_D,
    ),
    Family(
        name="SPADE with style encoder",
        data="ADE20K",
        configs=("configs/ade20k/spade.yaml", "configs/options/style_encoder.yaml"),
        size=(256, 256),
        classes=151,
        edges=False,
        generator=partial(SPADEGenerator, width=64, upsamplings=5, style_dim=256, base_size=(8, 8)),
        discriminator=_SPADE_D,
        encoder=partial(StyleEncoder, style_dim=256, width=64),
    ),
)
