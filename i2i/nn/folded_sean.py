"""SEAN's generator prepared for inference: as :mod:`i2i.nn.folded`, with a second half of every table.

The half of the labels is kept with the map; that of the styles is made for each picture, a row for every window of
regions, and mixed into a table of the pairs of both.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from i2i.nn.folded import FoldedSPADE
from i2i.nn.folded_block import Centre, FoldedBlock, Tables, scaled
from i2i.nn.modulate import modulate
from i2i.nn.pattern_modulation import ModulationMethod, TableWeights
from i2i.nn.sean import SEANGenerator
from i2i.nn.sean_block import SEANModulation, SEANResnetBlock, mixed_tables
from i2i.nn.spade_block import repeatable, up_sampled
from i2i.patterns import PixelRows
from i2i.styled_map import Noise, Seen, StyledMap


class FoldedSEAN(FoldedSPADE, SEANGenerator):
    """What :meth:`SEANGenerator.fold` returns."""

    def fold_block(self, block: nn.Module, dtype: torch.dtype | None) -> nn.Module:
        """A block of the generator, prepared."""
        assert isinstance(block, SEANResnetBlock)
        return FoldedSEANBlock(block, dtype)


class FoldedSEANBlock(FoldedBlock):
    """A residual block of SEAN, prepared.

    Attributes:
        noise_scales: (features, 1, 1) of each modulation; none for a block without noise.
    """

    def __init__(self, block: SEANResnetBlock, dtype: torch.dtype | None) -> None:
        norms = [block.normalise_0, block.normalise_1, *([block.normalise_s] if block.learned_shortcut else [])]
        with torch.no_grad():
            weights = TableWeights.of([m.labels for m in block.modulations])
        super().__init__(block, weights, norms, dtype)
        self._styles = nn.ModuleList(
            FoldedStyle(m, norm) for m, norm in zip(block.modulations, norms, strict=True) if m.style is not None
        )
        self.centres = nn.ModuleList(Centre(norm) for norm in norms)
        scales = [m.noise_scale for m in block.modulations]
        self.noise_scales = nn.ParameterList(s.detach().clone() for s in scales if s is not None)

    @property
    def styles(self) -> list[FoldedStyle]:
        """The half of the styles of each modulation; none in the last block."""
        return [style for style in self._styles if isinstance(style, FoldedStyle)]

    def forward(
        self, x: Tensor, styled: StyledMap, noise: Noise = (None, None, None), method: ModulationMethod = "auto"
    ) -> Tensor:
        """As the block's."""
        rows, tables = self.tables(styled, method)
        return self.convolved(repeatable(x, styled), rows, tables, noise)

    def tables(self, seen: Seen, method: ModulationMethod, keep: bool = True) -> Tables:
        """As :meth:`FoldedBlock.tables`."""
        assert isinstance(seen, StyledMap)
        rows, tables = self.label_tables(seen.semantics, method, keep)
        if not self.styles:
            return rows, tables
        return mixed_tables(rows, tables, seen, [(s.transform, s.convolution, s.shares) for s in self.styles])

    def convolved(self, x: Tensor, rows: PixelRows, tables: Sequence[Tensor], noise: Noise = ()) -> Tensor:
        """As :meth:`FoldedBlock.convolved`. The input is up-sampled where its noise is added, and no sooner."""
        dx: Tensor = self.conv_0(modulate(self._centred(0, x, rows, noise), rows, tables[0]))
        if self.learned_shortcut:
            shortcut = self.conv_s(modulate(self._centred(2, x, rows, noise), rows, tables[2], slope=None))
        else:
            shortcut = up_sampled(x, rows)
        out: Tensor = self.conv_1(modulate(self._centred(1, dx, rows, noise), rows, tables[1]), onto=shortcut)
        return out

    def _centred(self, place: int, x: Tensor, rows: PixelRows, noise: Noise) -> Tensor:
        """What is modulated: with its noise, normalised but for the scale, which is in the tables."""
        part = noise[place] if len(self.noise_scales) else None
        if part is not None:
            x = torch.addcmul(up_sampled(x, rows), self.noise_scales[place].to(x.dtype), part.to(x.dtype))
        out: Tensor = self.centres[place](x)
        return out


class FoldedStyle(nn.Module):
    """The half of the styles."""

    shares: Tensor

    def __init__(self, modulation: SEANModulation, norm: nn.Module) -> None:
        super().__init__()
        assert modulation.style is not None
        self.transform = copy.deepcopy(modulation.style.transform)
        with torch.no_grad():
            self.convolution = scaled(modulation.style.convolution, norm)
            self.register_buffer("shares", modulation.style.shares)
