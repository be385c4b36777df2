"""The U-Net generator of pix2pix (Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial
Networks").

An encoder halves the condition down to a few pixels, a decoder doubles it back, and every layer of the decoder also
sees the encoder's features of its size. Its only noise is dropout, which the paper keeps at test time, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2i import draws
from i2i.condition import Condition
from i2i.errors import InputError
from i2i.nn.generator import Generator
from i2i.nn.init import Init, initialise
from i2i.nn.norm import Norm, norm_layer
from i2i.recipe import recorded

_DEEPEST = 12


@recorded
class UNetGenerator(Generator):
    """From a condition, a label map or an image, to a photograph.

    Args:
        label_channels: channels of the condition, ``Condition.channels``.
        width: channels of the first layer; they double up to 8 times as many.
        depth: halvings and doublings: 8 for 256², 7 for 128², 9 for 512² bring the innermost features to one pixel, as
            published. Height and width of a condition must be multiples of ``2**depth``.
        dropout: share of the features that the noise removes; 0 for a network without noise.
        dropout_layers: how many layers of the decoder, the innermost first, have dropout.
        norm: normalisation of all layers but the first, the innermost and the last; batch norms learn a scale and a
            shift here.
        statistics: what batch norms use in evaluation: those of each "picture" alone, which the published protocol has
            by testing at a batch of 1, or the "running" averages of the training. A picture then does not depend on
            the others of its batch in either case.
        init: how the weights start.
        gain: see :func:`i2i.nn.init.initialise`.

    Raises:
        InputError: an argument out of range.
    """

    def __init__(
        self,
        label_channels: int,
        width: int = 64,
        depth: int = 8,
        dropout: float = 0.5,
        dropout_layers: int = 3,
        norm: Norm = "batch",
        statistics: Literal["picture", "running"] = "picture",
        init: Init = "normal",
        gain: float = 0.02,
    ) -> None:
        super().__init__()
        if not 2 <= depth <= _DEEPEST or width < 1:
            raise InputError(f"depth {depth}, width {width}; allowed are depths 2 to {_DEEPEST} and widths from 1")
        if not 0 <= dropout < 1:
            raise InputError(f"dropout is {dropout}; allowed is 0 (none) up to, but without, 1")
        if not 0 <= dropout_layers < depth:
            raise InputError(f"dropout_layers is {dropout_layers}; with depth {depth} allowed are 0 to {depth - 1}")
        self.label_channels = label_channels
        self.depth = depth
        self.multiple = 1 << depth
        self.dropout = dropout
        self.dropout_layers = dropout_layers
        self.statistics = statistics

        channels = [width * min(1 << i, 8) for i in range(depth)]
        self.down = nn.ModuleList([_Halving(label_channels, channels[0], "none")])
        for before, after in pairwise(channels[:-1]):
            self.down.append(_Halving(before, after, norm))
        self.down.append(_Halving(channels[-2], channels[-1], "none"))
        self.noisy_channels = channels[-2::-1][: dropout_layers if dropout > 0 else 0]
        self.up = nn.ModuleList([_Doubling(channels[-1], channels[-2], norm)])
        for before, after in pairwise(reversed(channels[:-1])):
            self.up.append(_Doubling(2 * before, after, norm))  # its own and the encoder's features
        self.last = nn.ConvTranspose2d(2 * channels[0], 3, 4, stride=2, padding=1)
        initialise(self, init, gain)

    def draw(self, condition: Condition, random: torch.Generator | None = None) -> Tensor | None:
        """The noise for each condition of the batch: which features dropout keeps.

        Drawn on the CPU and picture after picture, so that a seed gives the same on every device and whatever the
        batch.

        Args:
            condition: N of them, of the size that will be synthesised.
            random: a generator on the CPU; None draws as :mod:`i2i.draws` says.

        Returns:
            (N, K) bool, true where a feature is kept, K the number of features of all layers with dropout; None for a
            network without.
        """
        count = sum(self._noise_sizes(condition))
        if count == 0:
            return None
        if random is None:
            drawn = draws.uniform((condition.batch, count))
        else:
            drawn = torch.stack([torch.rand(count, generator=random) for _ in range(condition.batch)])
        return (drawn >= self.dropout).to(condition.device)

    def forward(self, condition: Condition, style: Tensor | None = None) -> Tensor:
        """Synthesise.

        Args:
            condition: N label maps or images of size (H, W), multiples of ``multiple``.
            style: what :meth:`draw` gave for this size; None leaves dropout out: every feature is kept, which is the
                one picture without noise.

        Returns:
            (N, 3, H, W) in [-1, 1].

        Raises:
            InputError: another number of channels, a size that is no multiple, noise of another shape.
        """
        self._check(condition)
        kept = self._kept(condition, style)
        x = condition.dense(self.last.weight.dtype)  # (N, label_channels, H, W)
        skips: list[Tensor] = []
        for index, layer in enumerate(self.down):
            x = layer(F.leaky_relu(x, 0.2) if index else x, self._alone)  # (N, C, H >> index + 1, W >> index + 1)
            skips.append(x)
        skips.pop()
        for index, layer in enumerate(self.up):
            x = layer(F.relu(x), self._alone)
            if index < len(kept):
                x = x * (kept[index].view_as(x).to(x.dtype) / (1 - self.dropout))
            x = torch.cat([x, skips.pop()], 1)
        return torch.tanh(self.last(F.relu(x)))  # (N, 3, H, W)

    @property
    def _alone(self) -> bool:
        return not self.training and self.statistics == "picture"

    def _noise_sizes(self, condition: Condition) -> list[int]:
        """Features of each layer with dropout."""
        sizes = []
        for index, channels in enumerate(self.noisy_channels):
            height, width = (side // (1 << (self.depth - 1 - index)) for side in condition.size)
            sizes.append(channels * height * width)
        return sizes

    def _kept(self, condition: Condition, style: Tensor | None) -> Sequence[Tensor]:
        """The noise of each layer with dropout, (N, features of the layer); none where there is no noise."""
        if style is None:
            return []
        sizes = self._noise_sizes(condition)
        wanted = (condition.batch, sum(sizes))
        if tuple(style.shape) != wanted:
            raise InputError(f"the noise has shape {tuple(style.shape)}; the generator's draw gives {wanted} here")
        return torch.split(style, sizes, 1)

    def _check(self, condition: Condition) -> None:
        if condition.channels != self.label_channels:
            raise InputError(
                f"the condition has {condition.channels} channels, the generator takes {self.label_channels}"
            )
        height, width = condition.size
        if height % self.multiple or width % self.multiple:
            raise InputError(
                f"the condition is {height} x {width}; for a U-Net of depth {self.depth} height and width must be "
                f"multiples of {self.multiple}"
            )


class _Halving(nn.Module):
    """A strided 4×4 convolution and its normalisation."""

    def __init__(self, before: int, after: int, norm: Norm) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 4, stride=2, padding=1, bias=norm == "none")
        self.norm = norm_layer(norm, after, affine=True)

    def forward(self, x: Tensor, alone: bool) -> Tensor:
        return _normalised(self.norm, self.conv(x), alone)


class _Doubling(nn.Module):
    """A transposed 4×4 convolution of stride 2 and its normalisation."""

    def __init__(self, before: int, after: int, norm: Norm) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=norm == "none")
        self.norm = norm_layer(norm, after, affine=True)

    def forward(self, x: Tensor, alone: bool) -> Tensor:
        return _normalised(self.norm, self.conv(x), alone)


def _normalised(norm: nn.Module, x: Tensor, alone: bool) -> Tensor:
    """``norm(x)``; where ``alone``, batch norms take the statistics of each picture by itself."""
    if alone and isinstance(norm, nn.BatchNorm2d):
        return F.group_norm(x.contiguous(), x.shape[1], norm.weight, norm.bias, norm.eps)
    out: Tensor = norm(x)
    return out
