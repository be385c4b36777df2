"""torch.compile for the parts of networks that gain by it: convolutions and what follows them, tensor to tensor.

What reads label maps is left as it is, so their changing patterns compile nothing anew: SPADE's and OASIS's generators
whole, whose modulation is a kernel already for which a compiler would have plain operations, the look-up of labels
before a patch discriminator. So is OASIS's discriminator: compiled by inductor it did not train the same to 1e-6.

CUDA graphs are not made of the step. They replay fixed shapes, where SPADE's tables have another length with every
batch; the guard against NaN asks for values before each optimizer steps; and what they save is the time of launching
kernels, which at the published sizes are large enough to hide it. The last has not been measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from torch import nn

from i2i.nn.encoder import StyleEncoder
from i2i.nn.features import VGG19Features
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.nn.pix2pixhd import GlobalGenerator, LocalEnhancer
from i2i.nn.unet import UNetGenerator


def compile_networks(networks: Iterable[nn.Module | None], backend: str | Callable[..., Any] = "inductor") -> int:
    """Let torch.compile prepare the parts of these networks that it serves; the names of weights stay.

    They are compiled at their first calls, once for each way of use: in the player's own turn, in the other's, without
    gradient. That takes minutes.

    Args:
        networks: changed in place; None for one that is not there.
        backend: of torch.compile.

    Returns:
        How many parts there are.
    """
    parts = [part for network in networks for part in parts_of(network)]
    for part in parts:
        part.compile(backend=backend)
    return len(parts)


def parts_of(network: nn.Module | None) -> list[nn.Module]:
    """The parts of a network that are compiled; none of a network that is not known here."""
    match network:
        case MultiscalePatchGAN():
            return list(network.scales)
        case GlobalGenerator():
            return [network.trunk]
        case LocalEnhancer():
            return [network.coarse, *network.enhancers]
        case UNetGenerator():
            return [*network.down, *network.up]
        case StyleEncoder():
            return list(network.layers)
        case VGG19Features():
            return [network]
    return []
