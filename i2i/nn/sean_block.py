"""SEAN's residual block (Zhu et al. 2020, "SEAN: Image Synthesis with Semantic Region-Adaptive Normalization").

Features are scaled and shifted by maps γ and β as in SPADE, but these are mixtures of two: one is SPADE's own,
convolved from the labels; the other is convolved from a *style map*, in which every region has a style code that was
transformed by a matrix of its class (equation 2 and figure 4)::

    γ = a · γ_style + (1 − a) · γ_labels,    β = b · β_style + (1 − b) · β_labels

a and b are learned in every modulation. Noise of each pixel, scaled by a learned factor of each channel, is added to
the features before they are normalised. :class:`SEANModulation` is the definition. By default the same function is
computed by patterns: that of labels (:mod:`i2i.nn.pattern_modulation`), and the same again for regions, as a style map
has few different windows, too. What both give is mixed once for every pair of the two that occurs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2i.nn.modulated_conv import modulated_conv
from i2i.nn.norm import Norm, normalise, param_free_norm
from i2i.nn.norm import spectral as under_spectral_norm
from i2i.nn.pattern_modulation import (
    ModulationMethod,
    SecondConvolution,
    TableWeights,
    modulation_tables,
    second_convolution,
    table_by_products,
)
from i2i.nn.per_class import PerClassLinear
from i2i.nn.recomputation import Block
from i2i.nn.spade_block import NARROW, Modulation, repeatable, up_sampled
from i2i.patterns import PixelRows
from i2i.styled_map import Noise, StyledMap


class SEANResnetBlock(Block):
    """Two convolutions, each after modulation, beside a shortcut that is learned where the channels change.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output; the fewer of the two lie between the convolutions.
        label_channels: channels of the label maps.
        classes: number of classes.
        style_channels: length of a style code; 0 for a block that takes labels alone.
        noise: whether noise is added.
        norm, kernel, hidden, spectral: see :class:`i2i.nn.sean.SEANGenerator`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        label_channels: int,
        classes: int,
        style_channels: int = 512,
        noise: bool = True,
        norm: Norm = "global_batch",
        kernel: Literal[3, 5] = 3,
        hidden: int = 128,
        spectral: bool = True,
    ) -> None:
        super().__init__()
        middle = min(in_channels, out_channels)

        def conv(before: int, after: int, size: int, bias: bool) -> nn.Conv2d:
            layer = nn.Conv2d(before, after, size, padding=size // 2, bias=bias)
            return under_spectral_norm(layer) if spectral else layer

        def modulation(features: int) -> SEANModulation:
            return SEANModulation(label_channels, features, classes, style_channels, noise, hidden, kernel)

        self.normalise_0 = param_free_norm(norm, in_channels)
        self.modulate_0 = modulation(in_channels)
        self.conv_0 = conv(in_channels, middle, 3, bias=True)
        self.normalise_1 = param_free_norm(norm, middle)
        self.modulate_1 = modulation(middle)
        self.conv_1 = conv(middle, out_channels, 3, bias=True)
        self.learned_shortcut = in_channels != out_channels
        if self.learned_shortcut:
            self.normalise_s = param_free_norm(norm, in_channels)
            self.modulate_s = modulation(in_channels)
            self.conv_s = conv(in_channels, out_channels, 1, bias=False)

    @property
    def modulations(self) -> list[SEANModulation]:
        """Of the two convolutions and, where it is learned, of the shortcut."""
        found = [self.modulate_0, self.modulate_1]
        return [*found, self.modulate_s] if self.learned_shortcut else found

    def forward(
        self, x: Tensor, styled: StyledMap, noise: Noise = (None, None, None), method: ModulationMethod = "auto"
    ) -> Tensor:
        """(N, in_channels, h, w) and the map at the block's size -> (N, out_channels, H, W) of that size.

        Where the map is larger than the features, these are up-sampled (nearest neighbour).
        """
        if self.is_dense(method):
            return self._dense(up_sampled(x, styled), styled, noise)
        rows, tables = self._tables(styled, method)
        small = repeatable(x, styled)
        x = small if all(part is None for part in noise) else up_sampled(x, styled)
        copies = styled.size[0] * styled.size[1] // x[0, 0].numel()
        features = normalise(self.normalise_0, self.modulate_0.noisy(x, noise[0]), copies)
        dx = modulated_conv(features, rows, tables[0], self.conv_0.weight, self.conv_0.bias)
        features = self.normalise_1(self.modulate_1.noisy(dx, noise[1]))
        dx = modulated_conv(features, rows, tables[1], self.conv_1.weight, self.conv_1.bias)
        if not self.learned_shortcut:
            return up_sampled(x, styled) + dx
        features = normalise(self.normalise_s, self.modulate_s.noisy(x, noise[2]), copies)
        return dx + modulated_conv(features, rows, tables[2], self.conv_s.weight, slope=None)

    def is_dense(self, method: ModulationMethod) -> bool:
        """Whether this method means the reference here."""
        return method == "dense" or (method == "auto" and self.modulate_0.labels.shared.out_channels < NARROW)

    def _tables(self, styled: StyledMap, method: ModulationMethod) -> tuple[PixelRows, list[Tensor]]:
        way: Literal["auto", "patterns"] = "patterns" if method == "patterns" else "auto"
        of_labels = TableWeights.of([m.labels for m in self.modulations])
        rows, tables = modulation_tables(of_labels, styled.semantics, way)
        if self.modulate_0.style is None:
            return rows, tables
        styles = [m.style for m in self.modulations if m.style is not None]
        with torch.autocast(styled.semantics.device.type, enabled=False):
            return mixed_tables(rows, tables, styled, [(s.transform, s.convolution, s.shares) for s in styles])

    def _dense(self, x: Tensor, styled: StyledMap, noise: Noise) -> Tensor:
        """The reference: x of the map's size, γ and β as maps."""
        features = self.normalise_0(self.modulate_0.noisy(x, noise[0]))
        dx: Tensor = self.conv_0(F.leaky_relu(self.modulate_0(features, styled), 0.2))
        features = self.normalise_1(self.modulate_1.noisy(dx, noise[1]))
        dx = self.conv_1(F.leaky_relu(self.modulate_1(features, styled), 0.2))
        if not self.learned_shortcut:
            return x + dx
        features = self.normalise_s(self.modulate_s.noisy(x, noise[2]))
        shortcut: Tensor = self.conv_s(self.modulate_s(features, styled))
        return dx + shortcut


class SEANModulation(nn.Module):
    """``x · (1 + γ) + β``, with γ and β mixed from those of the labels and those of the styles.

    Args:
        label_channels: channels of the label maps.
        features: channels of what is modulated.
        classes: number of classes.
        style_channels: length of a style code; 0 for a modulation by labels alone.
        noise: whether noise is added to what is modulated, before it is normalised.
        hidden: channels between the labels and their γ, β.
        kernel: size of all convolutions.

    Attributes:
        labels: the half of the labels.
        style: the half of the styles; None without.
        noise_scale: (features, 1, 1), of the noise; None without.
    """

    def __init__(
        self,
        label_channels: int,
        features: int,
        classes: int,
        style_channels: int,
        noise: bool = True,
        hidden: int = 128,
        kernel: int = 3,
    ) -> None:
        super().__init__()
        self.labels = Modulation(label_channels, features, hidden, kernel)
        self.style = StyleModulation(features, classes, style_channels, kernel) if style_channels else None
        self.noise_scale = nn.Parameter(torch.zeros(features, 1, 1)) if noise else None

    def forward(self, normalised: Tensor, styled: StyledMap) -> Tensor:
        """(N, features, H, W) and the map of the same size -> (N, features, H, W)."""
        gamma, beta = self.labels.maps(styled.semantics)
        if self.style is not None:
            style_gamma, style_beta = self.style.maps(styled)
            a, b = self.style.mixing.sigmoid()
            gamma, beta = a * style_gamma + (1 - a) * gamma, b * style_beta + (1 - b) * beta
        return normalised * (1 + gamma) + beta

    def noisy(self, x: Tensor, noise: Tensor | None) -> Tensor:
        """The features with their noise."""
        if noise is None or self.noise_scale is None:
            return x
        return x + self.noise_scale.to(x.dtype) * noise.to(x.dtype)


class StyleModulation(nn.Module):
    """The half of the styles: codes are transformed by class, laid out as a style map, and convolved to γ and β.

    Args:
        features: channels of what is modulated.
        classes: number of classes.
        style_channels: length of a style code, before and after the transform.
        kernel: size of the convolutions.

    Attributes:
        transform: the matrix of each class; a ReLU follows.
        mixing: (2,), of whose sigmoid the shares of the styles in γ and in β are; they start at a half.
    """

    def __init__(self, features: int, classes: int, style_channels: int, kernel: int = 3) -> None:
        super().__init__()
        self.transform = PerClassLinear(classes, style_channels, style_channels)
        self.gamma = nn.Conv2d(style_channels, features, kernel, padding=kernel // 2)
        self.beta = nn.Conv2d(style_channels, features, kernel, padding=kernel // 2)
        self.mixing = nn.Parameter(torch.zeros(2))

    def maps(self, styled: StyledMap) -> tuple[Tensor, Tensor]:
        """γ and β, (N, features, H, W) each."""
        transformed = F.relu(self.transform(styled.codes, styled.by_class))  # (R, style_channels)
        style_map = F.embedding(styled.regions.index, transformed).permute(0, 3, 1, 2)
        return self.gamma(style_map), self.beta(style_map)

    @property
    def convolution(self) -> SecondConvolution:
        """What gives factors 1 + γ and shifts β."""
        return second_convolution(self.gamma, self.beta)

    @property
    def shares(self) -> Tensor:
        """(2 · features,), of the styles in every factor and shift."""
        return self.mixing.sigmoid().repeat_interleave(self.gamma.out_channels)


Style = tuple[PerClassLinear, SecondConvolution, Tensor]
"""Of one modulation the transform, the convolution to factors and shifts (2C), and the shares of the styles (2C,)."""


def mixed_tables(
    rows: PixelRows, tables: Sequence[Tensor], styled: StyledMap, styles: Sequence[Style]
) -> tuple[PixelRows, list[Tensor]]:
    """Tables of the labels' factors and shifts, mixed with those of the styles.

    As γ and β are mixed with shares that add up to 1, so are the factors 1 + γ.

    Args:
        rows: for every pixel its row in the tables of the labels.
        tables: of each modulation, (P, 2C).
        styled: the map.
        styles: the other half of each modulation.

    Returns:
        Rows of pairs of a label pattern and a window of regions, and the tables of these pairs.
    """
    kernel = styles[0][1].kernel
    windows, joined = styled.windows(kernel), styled.joined(rows, kernel)
    mixed = []
    for table, (transform, convolution, shares) in zip(tables, styles, strict=True):
        codes = F.relu(transform(styled.codes.to(transform.weight.dtype), styled.by_class))
        # The row of zeros is "outside the image".
        of_windows = table_by_products(F.pad(codes.to(table.dtype), (0, 0, 0, 1)), windows.contents, convolution)
        of_labels = table if joined.first is None else F.embedding(joined.first, table)
        mixed.append(torch.lerp(of_labels, F.embedding(joined.second, of_windows), shares.to(table.dtype)))
    return joined.rows, mixed
