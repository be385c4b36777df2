"""SEAN's generator prepared for inference: as :mod:`i2i.nn.folded`, with a second half of every table.

The half of the labels is kept with the map; that of the styles is made for each picture, a row for every window of
regions, and mixed into a table of the pairs of both.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from i2i.nn.folded import Centre, FoldedSPADE, packed, scale_of
from i2i.nn.modulate import modulate
from i2i.nn.pattern_modulation import ModulationMethod, SecondConvolution, TableWeights, modulation_tables
from i2i.nn.prepacked import PackedProduct
from i2i.nn.sean import SEANGenerator
from i2i.nn.sean_block import Noise, SEANModulation, SEANResnetBlock, mixed_tables
from i2i.nn.spade_block import repeatable, up_sampled
from i2i.patterns import PixelRows
from i2i.semantics import SemanticMap
from i2i.styled_map import StyledMap


class FoldedSEAN(FoldedSPADE, SEANGenerator):
    """What :meth:`SEANGenerator.fold` returns."""

    def fold_block(self, block: nn.Module, dtype: torch.dtype | None) -> nn.Module:
        """A block of the generator, prepared."""
        assert isinstance(block, SEANResnetBlock)
        return FoldedSEANBlock(block, dtype)


class FoldedSEANBlock(nn.Module):
    """A residual block of which only the convolutions, the transforms and what makes tables are left."""

    rows: Tensor
    bias: Tensor

    def __init__(self, block: SEANResnetBlock, dtype: torch.dtype | None) -> None:
        super().__init__()
        self.learned_shortcut = block.learned_shortcut
        self.conv_0, self.conv_1 = packed(block.conv_0, dtype), packed(block.conv_1, dtype)
        with torch.no_grad():
            weights = TableWeights.of([m.labels for m in block.modulations])
        self.register_buffer("rows", weights.rows)
        self.register_buffer("bias", weights.bias)
        norms = [block.normalise_0, block.normalise_1]
        if block.learned_shortcut:
            self.conv_s = packed(block.conv_s, dtype)
            norms.append(block.normalise_s)
        self.second = nn.ModuleList(_scaled(s, norm) for s, norm in zip(weights.second, norms, strict=True))
        self.styles = nn.ModuleList(
            _FoldedStyle(m, norm) for m, norm in zip(block.modulations, norms, strict=True) if m.style is not None
        )
        self.centres = nn.ModuleList(Centre(norm) for norm in norms)
        scales = [m.noise_scale for m in block.modulations]
        self.noise_scales = nn.ParameterList(s.detach().clone() for s in scales if s is not None)

    def forward(
        self, x: Tensor, styled: StyledMap, noise: Noise = (None, None, None), method: ModulationMethod = "auto"
    ) -> Tensor:
        """As the block's."""
        semantics = styled.semantics
        rows, tables = semantics.kept_for(self, lambda: self._kept_tables(semantics, method))
        if len(self.styles):
            styles = [(s.transform, s.convolution, s.shares) for s in self.styles if isinstance(s, _FoldedStyle)]
            rows, tables = mixed_tables(rows, tables, styled, styles)
        x = up_sampled(x, semantics) if len(self.noise_scales) else repeatable(x, semantics)
        dx: Tensor = self.conv_0(modulate(self._centred(0, x, noise), rows, tables[0]))
        if self.learned_shortcut:
            shortcut = self.conv_s(modulate(self._centred(2, x, noise), rows, tables[2], slope=None))
        else:
            shortcut = up_sampled(x, semantics)
        out: Tensor = self.conv_1(modulate(self._centred(1, dx, noise), rows, tables[1]), onto=shortcut)
        return out

    def _centred(self, place: int, x: Tensor, noise: Noise) -> Tensor:
        """What is modulated: with its noise, normalised but for the scale, which is in the tables."""
        part = noise[place]
        if part is not None and len(self.noise_scales):
            x = x + self.noise_scales[place].to(x.dtype) * part.to(x.dtype)
        out: Tensor = self.centres[place](x)
        return out

    @torch.inference_mode(mode=False)  # the tables are kept, and may be asked for where a gradient is wanted next
    @torch.no_grad()
    def _kept_tables(self, semantics: SemanticMap, method: ModulationMethod) -> tuple[PixelRows, list[Tensor]]:
        second = [product for product in self.second if isinstance(product, PackedProduct)]
        weights = TableWeights(self.rows, self.bias, second)
        return modulation_tables(weights, semantics, "patterns" if method == "patterns" else "auto")


class _FoldedStyle(nn.Module):
    """The half of the styles."""

    shares: Tensor

    def __init__(self, modulation: SEANModulation, norm: nn.Module) -> None:
        super().__init__()
        assert modulation.style is not None
        self.transform = copy.deepcopy(modulation.style.transform)
        with torch.no_grad():
            self.convolution = _scaled(modulation.style.convolution, norm)
            self.register_buffer("shares", modulation.style.shares)


@torch.no_grad()
def _scaled(second: SecondConvolution, norm: nn.Module) -> PackedProduct:
    """The convolution with the variance of a batch norm in its factors."""
    weight, bias, scale = second.weight, second.bias, scale_of(norm)
    if scale is not None:
        weight[:, :, : len(scale)] *= scale
        bias[: len(scale)] *= scale
    return PackedProduct(weight, bias)
