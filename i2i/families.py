"""The families of models: what networks each is made of on the data set that its paper is known by.

The table states what the shipped configurations state, for users who have only the package. Numbers are not in it:
networks are built without memory, on PyTorch's meta device, and counted.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from i2i.condition import Condition
from i2i.errors import InputError
from i2i.nn.encoder import StyleEncoder
from i2i.nn.generator import Generator
from i2i.nn.instance_encoder import InstanceEncoder
from i2i.nn.oasis import OASISGenerator
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.nn.pix2pixhd import GlobalGenerator, LocalEnhancer
from i2i.nn.region_encoder import RegionEncoder
from i2i.nn.sean import SEANGenerator
from i2i.nn.segmenter import SegmentationDiscriminator
from i2i.nn.spade import SPADEGenerator
from i2i.nn.unet import UNetGenerator
from i2i.semantics import SemanticMap

M = TypeVar("M", bound=nn.Module)


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
        generator: makes it for a number of label channels, and of classes where it has parts for each of them (SEAN):
            the only arguments that are not stated here.
        discriminator: likewise; where it names classes (OASIS), there are no edges, and the channels are the classes.
        encoder: makes the encoder of styles, features or codes, in families that have one; for a number of classes
            where it has parts for each of them.
    """

    name: str
    data: str
    configs: tuple[str, ...]
    size: tuple[int, int]
    classes: int
    edges: bool
    generator: Callable[..., Generator]
    discriminator: Callable[[int], nn.Module]
    encoder: Callable[..., nn.Module] | None = None

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
            generator = made(self.generator, channels, classes)
            discriminator = self.discriminator(channels)
            encoder = None if self.encoder is None else made(self.encoder, channels, classes)
        maps = torch.zeros(1, height, width, dtype=torch.int32)
        condition = SemanticMap.from_labels(maps, classes, maps if self.edges else None)
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


def made(maker: Callable[..., M], channels: int, classes: int) -> M:
    """The network for so many label channels and classes, of which it is told what it asks for."""
    known = {"label_channels": channels, "num_classes": classes}
    return maker(**{name: known[name] for name in known.keys() & inspect.signature(maker).parameters.keys()})


def parameters(network: nn.Module) -> int:
    """How many numbers the network learns."""
    return sum(parameter.numel() for parameter in network.parameters())


@torch.no_grad()
def multiply_accumulates(generator: Generator, condition: Condition) -> int:
    """Multiplications, each with its addition, in all convolutions and matrix products of one batch.

    Convolutions over one-hot maps count in full, as in papers: look-ups in their place need fewer, how many depends on
    the map.

    Args:
        generator: on the meta device nothing is computed. It is put into evaluation mode and, where it knows other
            ways, onto the dense one.
        condition: the batch, on the CPU: what style it takes may depend on its values.

    Raises:
        InputError: the generator does not take the condition.
    """
    generator.eval()
    if hasattr(generator, "modulation"):
        setattr(generator, "modulation", "dense")  # noqa: B010 - it is no attribute of every generator
    device = next(generator.parameters()).device
    style = generator.draw(condition)
    with FlopCounterMode(display=False) as counter:
        generator(condition.to(device), None if style is None else style.to(device))
    return int(counter.get_total_flops()) // 2


_SPADE_D = partial(MultiscalePatchGAN, width=64, layers=4, scales=2)
_PIX2PIXHD_D = partial(MultiscalePatchGAN, width=64, layers=4, scales=2, spectral=False, init="normal")

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
    Family(
        name="pix2pixHD, global",
        data="Cityscapes",
        configs=("configs/cityscapes/pix2pixhd.yaml",),
        size=(512, 1024),
        classes=35,
        edges=True,
        generator=partial(GlobalGenerator, width=64, downsamplings=4, blocks=9),
        discriminator=_PIX2PIXHD_D,
    ),
    Family(
        name="pix2pixHD with instance features",
        data="Cityscapes",
        configs=("configs/cityscapes/pix2pixhd.yaml", "configs/options/instance_features.yaml"),
        size=(512, 1024),
        classes=35,
        edges=True,
        generator=partial(GlobalGenerator, width=64, downsamplings=4, blocks=9, feature_channels=3),
        discriminator=_PIX2PIXHD_D,
        encoder=partial(InstanceEncoder, features=3, width=16),
    ),
    Family(
        name="pix2pixHD, enhancer",
        data="Cityscapes",
        configs=("configs/cityscapes/pix2pixhd_enhancer.yaml",),
        size=(1024, 2048),
        classes=35,
        edges=True,
        generator=partial(LocalEnhancer, width=32, levels=1, blocks=3, coarse_downsamplings=4, coarse_blocks=9),
        discriminator=partial(_PIX2PIXHD_D, scales=3),
    ),
    Family(
        name="pix2pix, U-Net",
        data="CMP facades",
        configs=("configs/facades/pix2pix.yaml",),
        size=(256, 256),
        classes=12,
        edges=False,
        generator=partial(UNetGenerator, width=64, depth=8),
        discriminator=partial(
            MultiscalePatchGAN, width=64, layers=4, scales=1, padding=1, spectral=False, norm="batch", init="normal"
        ),
    ),
    Family(
        name="SEAN",
        data="Cityscapes",
        configs=("configs/cityscapes/sean.yaml",),
        size=(256, 512),
        classes=35,
        edges=True,
        generator=partial(SEANGenerator, region_channels=512, width=64, upsamplings=6),
        discriminator=_SPADE_D,
        encoder=partial(RegionEncoder, region_channels=512, width=32),
    ),
    Family(
        name="SEAN, shorter codes",
        data="ADE20K",
        configs=("configs/ade20k/sean.yaml",),
        size=(256, 256),
        classes=151,
        edges=False,
        generator=partial(SEANGenerator, region_channels=128, width=64, upsamplings=5),
        discriminator=_SPADE_D,
        encoder=partial(RegionEncoder, region_channels=128, width=32),
    ),
    Family(
        name="OASIS",
        data="ADE20K",
        configs=("configs/ade20k/oasis.yaml",),
        size=(256, 256),
        classes=151,
        edges=False,
        generator=partial(OASISGenerator, width=64, noise_channels=64, noise="image"),
        discriminator=partial(SegmentationDiscriminator, width=64),
    ),
)
