"""Generators as they are traced: the same function as in evaluation mode, dense, with what is constant folded in.

Spectrally normalised weights are divided, batch statistics go into the convolutions before or after them. What remains
does not depend on values, so one graph serves all maps, and asks nothing of sizes but that they are multiples.
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.fusion import fuse_conv_bn_eval

from i2i.condition import Semantics
from i2i.errors import InputError
from i2i.image_map import ImageSemantics
from i2i.nn.generator import Generator
from i2i.nn.norm import InstanceNorm2d
from i2i.nn.oasis import OASISGenerator
from i2i.nn.pix2pixhd import GlobalGenerator, LocalEnhancer
from i2i.nn.progressive_spade import ProgressiveSPADEGenerator
from i2i.nn.spade import SPADEGenerator
from i2i.nn.spade_block import Modulation, SPADEResnetBlock, up_sampled
from i2i.nn.unet import UNetGenerator

L = TypeVar("L", bound=nn.Module)


def traceable(generator: Generator, semantics: Semantics) -> Generator:
    """A copy that can be traced with symbolic sizes; the generator itself stays as it is.

    Args:
        generator: of one of the families of i2i.
        semantics: how it reads its condition.

    Raises:
        InputError: a generator of another class, or one that reads images at several sizes.
    """
    kind: type[Generator] = type(generator)  # a subclass may be another function
    if kind in (GlobalGenerator, LocalEnhancer):
        return _fused(generator)
    if kind is UNetGenerator:
        return TraceableUNet(cast(UNetGenerator, generator))
    if isinstance(generator, ProgressiveSPADEGenerator) and generator.growth.done:
        kind = SPADEGenerator
    if kind in (SPADEGenerator, OASISGenerator) and not isinstance(semantics, ImageSemantics):
        return (TraceableOASIS if kind is OASISGenerator else TraceableSPADE)(cast(SPADEGenerator, generator))
    of = " of images" if isinstance(semantics, ImageSemantics) else ""
    raise InputError(f"a {kind.__name__}{of} cannot be exported as a graph; --format safetensors can")


def least_side(generator: Generator) -> int:
    """The smallest height and width of a map that the generator takes once it is padded."""
    whole_picture = isinstance(generator, GlobalGenerator | LocalEnhancer)
    whole_picture |= isinstance(generator, SPADEGenerator) and generator.norm == "instance"
    return generator.multiple + 1 if whole_picture else 1


class TraceableSPADE(SPADEGenerator):
    """A SPADE generator of plain convolutions.

    Args:
        generator: stays as it is.
    """

    def __init__(self, generator: SPADEGenerator) -> None:
        nn.Module.__init__(self)  # the parts come from the generator
        _take_settings(self, generator)
        self.modulation = "dense"
        self.first = plain(generator.first)
        self.blocks = nn.ModuleList(TraceableBlock(cast(SPADEResnetBlock, block)) for block in generator.blocks)
        self.last = plain(cast(nn.Conv2d, generator.last))
        self.eval().requires_grad_(False)

    def check(self, semantics: Any, style: Tensor | None) -> None:
        """Nothing: shapes are those of the graph's inputs."""

    def first_map(self, semantics: Any, style: Tensor | None) -> Tensor:
        """As :meth:`SPADEGenerator.first_map`; a style's map is resized whatever its size is."""
        if self.style_dim is None:
            return cast(Tensor, self.first(semantics.dense()))
        x = self.first(style).unflatten(1, (-1, *self.base_size))
        return F.interpolate(x, size=semantics.size, mode="bilinear", align_corners=False)


class TraceableOASIS(TraceableSPADE, OASISGenerator):
    """An OASIS generator of plain convolutions; the noise comes with the condition."""

    def forward(self, semantics: Any, style: Tensor | None = None) -> Tensor:
        """As :meth:`OASISGenerator.forward`, for a :class:`i2i.export.conditions.TracedNoise`."""
        return self._synthesise(semantics, None)

    def first_map(self, semantics: Any, style: Tensor | None) -> Tensor:
        """As :meth:`OASISGenerator.first_map`."""
        return cast(Tensor, self.first(semantics.dense()))


class TraceableBlock(nn.Module):
    """SPADE's residual block with its normalisations folded into what comes before or after them.

    Args:
        block: stays as it is.
    """

    def __init__(self, block: SPADEResnetBlock) -> None:
        super().__init__()
        self.learned_shortcut = block.learned_shortcut
        self.centre_0 = Centred(block.normalise_0)
        self.modulate_0 = FoldedModulation(block.modulate_0, block.normalise_0)
        self.conv_0, self.normalise_1 = _fused_pair(block.conv_0, block.normalise_1)
        self.modulate_1 = FoldedModulation(block.modulate_1, None)
        self.conv_1 = plain(block.conv_1)
        self.centre_s = None if block.normalise_s is None else Centred(block.normalise_s)
        if block.learned_shortcut:
            self.modulate_s = FoldedModulation(block.modulate_s, block.normalise_s or block.normalise_0)
            self.conv_s = plain(block.conv_s)

    def forward(self, x: Tensor, semantics: Any, method: str = "dense") -> Tensor:
        """As the block's, dense."""
        x = up_sampled(x, semantics)
        centred = self.centre_0(x)
        dx = self.conv_0(F.leaky_relu(self.modulate_0(centred, semantics), 0.2))
        dx = self.conv_1(F.leaky_relu(self.modulate_1(self.normalise_1(dx), semantics), 0.2))
        if not self.learned_shortcut:
            return cast(Tensor, x + dx)
        centred = centred if self.centre_s is None else self.centre_s(x)
        return cast(Tensor, self.conv_s(self.modulate_s(centred, semantics)) + dx)


class Centred(nn.Module):
    """What is left of a normalisation whose variance is in the modulation after it.

    Args:
        norm: batch norm without scale and shift of its own; others stay whole.
    """

    mean: Tensor

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = None if isinstance(norm, nn.BatchNorm2d) else _of_picture(norm)
        mean = norm.running_mean if isinstance(norm, nn.BatchNorm2d) else None
        self.register_buffer("mean", None if mean is None else mean[:, None, None].clone())

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        return cast(Tensor, x - self.mean if self.norm is None else self.norm(x))


class FoldedModulation(nn.Module):
    """``x · γ + β`` with the 1 of SPADE's 1 + γ, and the variance of the normalisation before it, in γ's weights.

    Args:
        modulation: stays as it is.
        norm: the normalisation; None where nothing of it is to be folded in.
    """

    @torch.no_grad()
    def __init__(self, modulation: Modulation, norm: nn.Module | None) -> None:
        super().__init__()
        self.shared = plain(modulation.shared)
        self.gamma, self.beta = plain(modulation.gamma), plain(modulation.beta)
        assert self.gamma.bias is not None
        self.gamma.bias += 1
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_var is not None
            scale = torch.rsqrt(norm.running_var + norm.eps)
            self.gamma.weight *= scale[:, None, None, None]
            self.gamma.bias *= scale

    def forward(self, x: Tensor, semantics: Any) -> Tensor:
        """(N, features, H, W), centred or normalised, and the map of that size -> (N, features, H, W)."""
        hidden = F.relu(self.shared(semantics.dense()))
        return cast(Tensor, x * self.gamma(hidden) + self.beta(hidden))


class PictureNorm(nn.Module):
    """Normalises every channel of every picture by its own mean and variance.

    A mean is that of the means of the rows. Runtimes add up value after value in float32, and over a whole channel that
    costs digits: 1e-5 of a deviation at 96×96 pixels in onnxruntime, and the more the larger the picture is.

    Args:
        norm: instance norm, or a batch norm to be used as one, with its scale and shift.
    """

    weight: Tensor | None
    bias: Tensor

    def __init__(self, norm: InstanceNorm2d | nn.BatchNorm2d) -> None:
        super().__init__()
        self.eps = norm.eps
        affine = isinstance(norm, nn.BatchNorm2d) and norm.affine
        for name in ("weight", "bias"):
            value = getattr(norm, name).detach()[:, None, None].clone() if affine else None
            self.register_buffer(name, value)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        x = x - x[:, :, :1, :1]  # a channel that is constant is then zero, and not what rounding leaves of it
        centred = x - _mean(x)
        out = centred * torch.rsqrt(_mean(centred.square()) + self.eps)
        return out if self.weight is None else out * self.weight + self.bias


class TraceableUNet(UNetGenerator):
    """A U-Net whose batch norms are in the convolutions before them, or use the statistics of each picture alone.

    Args:
        generator: stays as it is.
    """

    def __init__(self, generator: UNetGenerator) -> None:
        nn.Module.__init__(self)  # the parts come from the generator
        _take_settings(self, generator)
        self.down, self.up = copy.deepcopy(generator.down).eval(), copy.deepcopy(generator.up).eval()
        self.last = plain(generator.last)
        for layer in (*self.down, *self.up):
            if self.statistics == "running" or not isinstance(layer.norm, nn.BatchNorm2d):
                layer.conv, layer.norm = _fused_pair(cast(nn.Conv2d, layer.conv), cast(nn.Module, layer.norm))
            else:
                layer.norm = PictureNorm(layer.norm)
        self.eval().requires_grad_(False)

    def _kept(self, condition: Any, style: Tensor | None) -> list[Tensor]:
        """Taken by index, as a symbolic length cannot be checked."""
        if style is None:
            return []
        parts, start = [], 0
        for size in self._noise_sizes(condition):
            parts.append(style.index_select(1, torch.arange(start, start + size, device=style.device)))
            start = start + size
        return parts


def plain(layer: L) -> L:
    """A copy of a layer whose weights are no longer parametrized, in evaluation mode and without gradient.

    PyTorch's own ``remove_parametrizations`` would take the weight from the class, which copies share.
    """
    copied = copy.deepcopy(layer).eval()
    for part in copied.modules():
        if parametrize.is_parametrized(part, "weight"):
            weight = cast(Tensor, part.weight).detach().clone()
            del part._modules["parametrizations"]
            part.__class__ = parametrize.type_before_parametrizations(part)
            part.register_parameter("weight", nn.Parameter(weight))
    return copied.requires_grad_(False)


def _fused(generator: Generator) -> Generator:
    """A copy in which every batch norm right behind a convolution is in its weights."""
    copied = plain(generator)
    for part in copied.modules():
        if isinstance(part, nn.Sequential) and len(part) > 1:
            part[0], part[1] = _fused_pair(part[0], part[1])
    return copied


def _fused_pair(conv: nn.Module, norm: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Copies of a convolution and of the normalisation behind it, which is nothing where it can be folded in."""
    conv = plain(conv)
    if not isinstance(norm, nn.BatchNorm2d):
        return conv, _of_picture(norm)
    assert isinstance(conv, nn.Conv2d | nn.ConvTranspose2d)
    transposed = isinstance(conv, nn.ConvTranspose2d)
    fused: nn.Module = fuse_conv_bn_eval(conv, copy.deepcopy(norm).eval(), transpose=transposed)
    return fused.requires_grad_(False), nn.Identity()


def _of_picture(norm: nn.Module) -> nn.Module:
    """Instance norm as it is traced; where nothing is normalised, nothing."""
    return PictureNorm(norm) if isinstance(norm, InstanceNorm2d) else copy.deepcopy(norm)


def _mean(x: Tensor) -> Tensor:
    return x.mean(3, keepdim=True).mean(2, keepdim=True)


def _take_settings(network: nn.Module, generator: nn.Module) -> None:
    for name, value in vars(generator).items():
        if not name.startswith("_") and name != "training":
            setattr(network, name, value)
