"""pix2pixHD (Wang et al. 2018, "High-Resolution Image Synthesis … with Conditional GANs"): the two generators.

The label map enters as a one-hot tensor at the first layer, beside a map of instance features where the model has them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2i import draws
from i2i.condition import Condition
from i2i.errors import InputError
from i2i.nn.generator import Generator
from i2i.nn.init import Init, initialise
from i2i.nn.instances import InstanceIndex
from i2i.nn.lean import in_bands, is_large
from i2i.nn.norm import Norm
from i2i.nn.residual import ResidualBlock, ResidualTrunk, check_sizes, doubling, halving, last_layer, same_size
from i2i.nn.spade_block import compute_type
from i2i.recipe import recorded


class _Pix2PixHDGenerator(Generator):
    """What the two generators share: their input, its checks, and the styles they take."""

    label_channels: int
    feature_channels: int
    last: nn.Conv2d

    def draw(self, condition: Condition, random: torch.Generator | None = None) -> Tensor | None:
        """Features of each instance, uniform in [-1, 1], as a map; None for a network without features.

        That is noise per instance. Features as the photos of the training set have them come from an encoder, or from
        its clusters: see :class:`i2i.nn.instance_encoder.InstanceEncoder`.

        Args:
            condition: N maps of size (H, W), with instances.
            random: where to draw from, a generator of the CPU; None draws as :mod:`i2i.draws` says.

        Returns:
            (N, feature_channels, H, W).

        Raises:
            InputError: the maps have no instances.
        """
        if not self.feature_channels:
            return None
        index = InstanceIndex.of(condition)
        if random is None:
            counts = torch.bincount(index.maps, minlength=condition.batch).tolist()
            values = draws.uniform_rows(counts, self.feature_channels) * 2 - 1
        else:
            values = torch.rand(index.count, self.feature_channels, generator=random) * 2 - 1
        return index.spread(values.to(condition.device))

    def _input(self, condition: Condition, style: Tensor | None) -> Tensor:
        """(N, label_channels + feature_channels, H, W)."""
        self._check(condition, style)
        dense = condition.dense(compute_type(self.last.weight))
        if not self.feature_channels:
            return dense
        assert style is not None
        return torch.cat([dense, style.to(dense.dtype)], 1)

    def _picture(self, features: Tensor) -> Tensor:
        """(N, width, H, W) -> (N, 3, H, W) in [-1, 1]."""
        lean = is_large(features, self.last)
        return torch.tanh(in_bands(self.last, features) if lean else self.last(features))

    def _check(self, condition: Condition, style: Tensor | None) -> None:
        if condition.channels != self.label_channels:
            raise InputError(
                f"the label map has {condition.channels} channels (classes and edges), "
                f"the generator takes {self.label_channels}"
            )
        height, width = condition.size
        if height % self.multiple or width % self.multiple or min(height, width) < self.least:
            raise InputError(
                f"the label map is {height} x {width}; this generator needs height and width to be multiples of "
                f"{self.multiple}, and at least {self.least}"
            )
        wanted = (condition.batch, self.feature_channels, height, width)
        if self.feature_channels and (style is None or tuple(style.shape) != wanted):
            found = "none" if style is None else f"a style of shape {tuple(style.shape)}"
            raise InputError(f"the generator takes instance features of shape {wanted}, got {found}")


@recorded
class GlobalGenerator(_Pix2PixHDGenerator):
    """The global generator (Wang et al. 2018, section 3.2), the first stage of coarse-to-fine training.

    Args:
        label_channels: channels of the condition.
        feature_channels: channels of the instance features; 0 for a network without.
        width: channels of the first and the last layer; each down-sampling doubles them.
        downsamplings: halvings before the residual blocks.
        blocks: residual blocks.
        norm: normalisation after every convolution but the last. Instance norm, as published, takes a constant label
            map for nothing at all: its picture does not depend on the class.
        init: how the weights start.
        gain: see :func:`i2i.nn.init.initialise`.

    Raises:
        InputError: a number is too small.
    """

    def __init__(
        self,
        label_channels: int,
        feature_channels: int = 0,
        width: int = 64,
        downsamplings: int = 4,
        blocks: int = 9,
        norm: Norm = "instance",
        init: Init = "normal",
        gain: float = 0.02,
    ) -> None:
        super().__init__()
        check_sizes(feature_channels=(feature_channels, 0), width=(width, 1), downsamplings=(downsamplings, 1))
        check_sizes(blocks=(blocks, 0))
        self.label_channels = label_channels
        self.feature_channels = feature_channels
        self.multiple = 1 << downsamplings
        self.least = 2 * self.multiple  # for what is padded by reflection at the smallest size
        self.trunk = ResidualTrunk(label_channels + feature_channels, width, downsamplings, blocks, norm)
        self.last = last_layer(width, 3)
        initialise(self, init, gain)

    def forward(self, condition: Condition, style: Tensor | None = None) -> Tensor:
        """Synthesise.

        Args:
            condition: N maps of size (H, W), multiples of :attr:`multiple` and at least twice it.
            style: (N, feature_channels, H, W), the features of each pixel's instance; a network without features
                ignores it.

        Returns:
            (N, 3, H, W) in [-1, 1].

        Raises:
            InputError: another number of channels, a size that does not fit, features that are missing or of another
                shape.
        """
        return self._picture(self.trunk.behind_first(self.trunk.down[0](self._input(condition, style))))


@recorded
class LocalEnhancer(_Pix2PixHDGenerator):
    """The global generator inside one or more local enhancers, each at twice the size (Wang et al. 2018, section 3.2).

    The input is averaged down to an image pyramid. The coarse network works on its smallest level; what it has before
    its last convolution is added to the features of the next finer enhancer, whose output is added to the next.

    Args:
        label_channels: channels of the condition.
        feature_channels: channels of the instance features; 0 for a network without.
        width: channels of the finest enhancer; each coarser level, and at last the coarse network, has twice as many.
        levels: number of enhancers.
        blocks: residual blocks of each enhancer.
        coarse_downsamplings: of the coarse network.
        coarse_blocks: of the coarse network.
        norm: normalisation after every convolution but the last.
        init: how the weights start.
        gain: see :func:`i2i.nn.init.initialise`.

    Raises:
        InputError: a number is too small.
    """

    def __init__(
        self,
        label_channels: int,
        feature_channels: int = 0,
        width: int = 32,
        levels: int = 1,
        blocks: int = 3,
        coarse_downsamplings: int = 4,
        coarse_blocks: int = 9,
        norm: Norm = "instance",
        init: Init = "normal",
        gain: float = 0.02,
    ) -> None:
        super().__init__()
        check_sizes(feature_channels=(feature_channels, 0), width=(width, 1), levels=(levels, 1), blocks=(blocks, 0))
        check_sizes(coarse_downsamplings=(coarse_downsamplings, 1), coarse_blocks=(coarse_blocks, 0))
        self.label_channels = label_channels
        self.feature_channels = feature_channels
        self.multiple = 1 << (coarse_downsamplings + levels)
        self.least = 2 * self.multiple
        channels = label_channels + feature_channels
        self.coarse = ResidualTrunk(channels, width << levels, coarse_downsamplings, coarse_blocks, norm)
        self.enhancers = nn.ModuleList(
            _Enhancer(channels, width << level, blocks, norm) for level in reversed(range(levels))
        )
        self.last = last_layer(width, 3)
        initialise(self, init, gain)

    def previous_stage(self) -> list[str]:
        """All but the finest enhancer and the last layer."""
        return ["coarse", *(f"enhancers.{i}" for i in range(len(self.enhancers) - 1))]

    def forward(self, condition: Condition, style: Tensor | None = None) -> Tensor:
        """Synthesise; see :meth:`GlobalGenerator.forward`."""
        pyramid = [self._input(condition, style)]
        for _ in self.enhancers:
            pyramid.append(F.avg_pool2d(pyramid[-1], 3, stride=2, padding=1, count_include_pad=False))
        features = self.coarse(pyramid.pop())
        for enhancer in self.enhancers:
            features = enhancer(pyramid.pop(), features)
        return self._picture(features)


class _Enhancer(nn.Module):
    """One level: half-way down, the coarser network's features are added; residual blocks and the way up follow."""

    def __init__(self, in_channels: int, width: int, blocks: int, norm: Norm) -> None:
        super().__init__()
        self.down = nn.ModuleList([same_size(in_channels, width, 7, norm), halving(width, 2 * width, norm)])
        self.blocks = nn.ModuleList(ResidualBlock(2 * width, norm) for _ in range(blocks))
        self.up = doubling(2 * width, width, norm)

    def forward(self, x: Tensor, coarser: Tensor) -> Tensor:
        """(N, in_channels, H, W) and (N, 2 · width, H/2, W/2) -> (N, width, H, W)."""
        for layer in self.down:
            x = layer(x)
        x = x + coarser
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.up(x)
        return out
