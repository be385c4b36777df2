"""What the residual blocks of folded generators have in common: tables, and convolutions between two modulations.

A block is computed in two steps: its tables are made from the map, and then its features by these tables alone. So the
features of a crop can be computed by tables of the whole map, or by those of the map around the crop.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from i2i.nn.pattern_modulation import ModulationMethod, SecondConvolution, TableWeights, modulation_tables
from i2i.nn.prepacked import PackedConvolution, PackedProduct
from i2i.noise import NoisyMap
from i2i.patterns import PixelRows
from i2i.semantics import SemanticMap
from i2i.styled_map import Noise, Seen

Tables = tuple[PixelRows, list[Tensor]]
"""The rows of pixels, and the tables they are rows of."""


class FoldedBlock(nn.Module, ABC):
    """A residual block of which only the convolutions and what makes tables are left.

    Args:
        block: of the generator.
        weights: what the tables of its labels are made from.
        norms: the normalisation before each modulation, whose variance goes into the tables.
        dtype: of features and convolutions; None for that of the weights.
    """

    rows: Tensor
    bias: Tensor

    def __init__(
        self, block: nn.Module, weights: TableWeights, norms: Sequence[nn.Module], dtype: torch.dtype | None
    ) -> None:
        super().__init__()
        parts = cast(Any, block)
        self.learned_shortcut: bool = parts.learned_shortcut
        self.conv_0, self.conv_1 = packed(parts.conv_0, dtype), packed(parts.conv_1, dtype)
        if self.learned_shortcut:
            self.conv_s = packed(parts.conv_s, dtype)
        self.register_buffer("rows", weights.rows)
        self.register_buffer("bias", weights.bias)
        self.second = nn.ModuleList(scaled(s, norm) for s, norm in zip(weights.second, norms, strict=True))

    @abstractmethod
    def tables(self, seen: Seen, method: ModulationMethod, keep: bool = True) -> Tables:
        """The rows of the pixels and the tables of the modulations, as :meth:`convolved` takes them.

        Args:
            seen: the map at the block's size, or a part of it.
            method: see :data:`ModulationMethod`; "dense" is as "auto".
            keep: what depends on the labels alone with the map, for its next picture.
        """

    @abstractmethod
    def convolved(self, x: Tensor, rows: PixelRows, tables: Sequence[Tensor], noise: Noise = ()) -> Tensor:
        """The block's output.

        Args:
            x: (N, in_channels, h, w), the input; may be overwritten where the shortcut is not learned.
            rows: for every pixel (N, H, W) its row; H × W is h × w, or twice that.
            tables: of the modulations.
            noise: of the pixels.

        Returns:
            (N, out_channels, H, W).
        """

    @property
    def last_convolutions(self) -> list[PackedConvolution]:
        """Those behind the first one."""
        return [self.conv_1, *([self.conv_s] if self.learned_shortcut else [])]

    @property
    def table_weights(self) -> TableWeights:
        """What the tables of the labels are made from."""
        second = [product for product in self.second if isinstance(product, PackedProduct)]
        return TableWeights(self.rows, self.bias, second)

    def label_tables(self, semantics: SemanticMap | NoisyMap, method: ModulationMethod, keep: bool) -> Tables:
        """The tables of the labels. A map with noise channels keeps none, as the noise is of one picture alone."""
        if isinstance(semantics, NoisyMap) or not keep:
            return self._made_tables(semantics, method)
        return semantics.kept_for(self, lambda: self._lasting_tables(semantics, method))

    @torch.inference_mode(mode=False)  # the tables are kept, and may be asked for where a gradient is wanted next
    @torch.no_grad()
    def _lasting_tables(self, semantics: SemanticMap, method: ModulationMethod) -> Tables:
        return self._made_tables(semantics, method)

    def _made_tables(self, semantics: SemanticMap | NoisyMap, method: ModulationMethod) -> Tables:
        return modulation_tables(self.table_weights, semantics, "patterns" if method == "patterns" else "auto")


class Centre(nn.Module):
    """What is left of a normalisation when its variance went into the tables."""

    mean: Tensor

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = None if isinstance(norm, nn.BatchNorm2d) else copy.deepcopy(norm)
        mean = norm.running_mean if isinstance(norm, nn.BatchNorm2d) else None
        self.register_buffer("mean", None if mean is None else mean[:, None, None].clone())

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape and type."""
        out: Tensor = (x - self.mean).to(x.dtype) if self.norm is None else self.norm(x)
        return out


@torch.no_grad()
def scaled(second: SecondConvolution, norm: nn.Module) -> PackedProduct:
    """A modulation's second convolution with what batch norm in evaluation mode multiplies by in its factors."""
    weight, bias = second.weight, second.bias
    if isinstance(norm, nn.BatchNorm2d):
        assert norm.running_var is not None
        scale = torch.rsqrt(norm.running_var + norm.eps)  # (C,)
        weight[:, :, : len(scale)] *= scale
        bias[: len(scale)] *= scale
    return PackedProduct(weight, bias)


@torch.no_grad()
def packed(conv: nn.Conv2d, dtype: torch.dtype | None) -> PackedConvolution:
    """A copy whose weight is no longer parametrized."""
    weight = copy.deepcopy(conv).eval().weight.detach().clone()
    bias = None if conv.bias is None else conv.bias.detach().to(dtype or weight.dtype, copy=True)
    return PackedConvolution(weight.to(dtype or weight.dtype), bias)
