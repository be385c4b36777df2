"""The residual block of the SPADE generator, and the modulation that gives it its name (Park et al. 2019, figure 4).

The label map enters at every layer: features are normalised, then scaled and shifted by maps γ and β that are
computed from the labels around each pixel. :class:`Modulation` is the definition; by default a block computes the same
function by label patterns (:mod:`i2i.nn.pattern_modulation`), several times faster.
"""

from __future__ import annotations

from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2i.condition import Condition
from i2i.nn.modulated_conv import modulated_conv
from i2i.nn.norm import Norm, normalise, param_free_norm
from i2i.nn.norm import spectral as under_spectral_norm
from i2i.nn.pattern_modulation import ModulationMethod, TableWeights, modulation_tables
from i2i.nn.recomputation import Block
from i2i.noise import NoisyMap, Patterned
from i2i.semantics import SemanticMap

NARROW = 32
"""With fewer hidden channels the convolutions cost less than it takes to find the patterns."""


class SPADEResnetBlock(Block):
    """Two convolutions, each after modulation, beside a shortcut that is learned where the channels change.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output; the fewer of the two lie between the convolutions.
        label_channels: channels of the condition.
        norm, kernel, hidden, spectral, shared_input_norm: see :class:`SPADEGenerator`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        label_channels: int,
        norm: Norm = "global_batch",
        kernel: Literal[3, 5] = 3,
        hidden: int = 128,
        spectral: bool = True,
        shared_input_norm: bool = True,
    ) -> None:
        super().__init__()
        middle = min(in_channels, out_channels)

        def conv(before: int, after: int, size: int, bias: bool) -> nn.Conv2d:
            layer = nn.Conv2d(before, after, size, padding=size // 2, bias=bias)
            return under_spectral_norm(layer) if spectral else layer

        self.normalise_0 = param_free_norm(norm, in_channels)
        self.modulate_0 = Modulation(label_channels, in_channels, hidden, kernel)
        self.conv_0 = conv(in_channels, middle, 3, bias=True)
        self.normalise_1 = param_free_norm(norm, middle)
        self.modulate_1 = Modulation(label_channels, middle, hidden, kernel)
        self.conv_1 = conv(middle, out_channels, 3, bias=True)
        self.learned_shortcut = in_channels != out_channels
        self.normalise_s: nn.Module | None = None
        if self.learned_shortcut:
            if not shared_input_norm:
                self.normalise_s = param_free_norm(norm, in_channels)
            self.modulate_s = Modulation(label_channels, in_channels, hidden, kernel)
            self.conv_s = conv(in_channels, out_channels, 1, bias=False)

    @property
    def modulations(self) -> list[Modulation]:
        """Of the two convolutions and, where it is learned, of the shortcut."""
        found = [self.modulate_0, self.modulate_1]
        return [*found, self.modulate_s] if self.learned_shortcut else found

    def forward(self, x: Tensor, semantics: SemanticMap | NoisyMap, method: ModulationMethod = "auto") -> Tensor:
        """(N, in_channels, h, w) and the map at the block's size -> (N, out_channels, H, W) of that size.

        Where the map is larger than the features, these are up-sampled (nearest neighbour).
        """
        narrow = self.modulate_0.shared.out_channels < NARROW
        if method == "dense" or (method == "auto" and narrow) or not isinstance(semantics, Patterned):
            return self._dense(up_sampled(x, semantics), semantics)
        rows, tables = modulation_tables(TableWeights.of(self.modulations), semantics, method)
        x = repeatable(x, semantics)
        copies = semantics.size[0] * semantics.size[1] // x[0, 0].numel()
        normalised = normalise(self.normalise_0, x, copies)
        dx = modulated_conv(normalised, rows, tables[0], self.conv_0.weight, self.conv_0.bias)
        dx = modulated_conv(self.normalise_1(dx), rows, tables[1], self.conv_1.weight, self.conv_1.bias)
        if not self.learned_shortcut:
            return up_sampled(x, semantics) + dx
        if self.normalise_s is not None:
            normalised = normalise(self.normalise_s, x, copies)
        return dx + modulated_conv(normalised, rows, tables[2], self.conv_s.weight, slope=None)

    def is_dense(self, method: ModulationMethod) -> bool:
        """Whether this method means the reference here."""
        return method == "dense" or (method == "auto" and self.modulate_0.shared.out_channels < NARROW)

    def _dense(self, x: Tensor, semantics: Condition) -> Tensor:
        """The reference: x of the map's size, γ and β as maps."""
        normalised = self.normalise_0(x)
        dx: Tensor = self.conv_0(F.leaky_relu(self.modulate_0(normalised, semantics), 0.2))
        dx = self.conv_1(F.leaky_relu(self.modulate_1(self.normalise_1(dx), semantics), 0.2))
        if not self.learned_shortcut:
            return x + dx
        if self.normalise_s is not None:
            normalised = self.normalise_s(x)
        shortcut: Tensor = self.conv_s(self.modulate_s(normalised, semantics))
        return dx + shortcut


class Modulation(nn.Module):
    """SPADE's affine map: ``x · (1 + γ) + β``, with γ and β convolved from the labels.

    γ and β at a pixel depend on the labels within ``kernel − 1`` pixels of it (a 5×5 window for kernel 3).

    Args:
        label_channels: channels of the condition.
        features: channels of what is modulated.
        hidden: channels between the two convolutions.
        kernel: size of both convolutions.
    """

    def __init__(self, label_channels: int, features: int, hidden: int = 128, kernel: int = 3) -> None:
        super().__init__()
        self.kernel = kernel
        self.shared = nn.Conv2d(label_channels, hidden, kernel, padding=kernel // 2)
        self.gamma = nn.Conv2d(hidden, features, kernel, padding=kernel // 2)
        self.beta = nn.Conv2d(hidden, features, kernel, padding=kernel // 2)

    def forward(self, normalised: Tensor, semantics: Condition) -> Tensor:
        """(N, features, H, W) and the map of the same size -> (N, features, H, W)."""
        gamma, beta = self.maps(semantics)
        return normalised * (1 + gamma) + beta

    def maps(self, semantics: Condition) -> tuple[Tensor, Tensor]:
        """γ and β, (N, features, H, W) each."""
        hidden = F.relu(self.shared(semantics.dense(compute_type(self.shared.weight))))  # (N, hidden, H, W)
        return self.gamma(hidden), self.beta(hidden)


class HasSize(Protocol):
    """What has pixels, such as a map."""

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""


def repeatable(x: Tensor, there: HasSize) -> Tensor:
    """The features at a size that :func:`modulate` brings to that of a map, and of which there are statistics."""
    height, width = there.size
    if tuple(x.shape[-2:]) in [(height, width), (height / 2, width / 2)] and x[0, 0].numel() > 1:
        return x
    return up_sampled(x, there)


def up_sampled(x: Tensor, there: HasSize) -> Tensor:
    """The features at the size of a map, by their nearest neighbours."""
    return x if tuple(x.shape[-2:]) == there.size else F.interpolate(x, size=there.size, mode="nearest")


def compute_type(weight: Tensor) -> torch.dtype:
    """The type convolutions compute in, so that a one-hot tensor is made in it once and not cast at every layer."""
    kind = "cpu" if weight.is_meta else weight.device.type  # nothing is computed there, but shapes are
    dtype: torch.dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype
    return dtype
