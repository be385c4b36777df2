"""The generator prepared for inference: the same function as in evaluation mode, with all that is constant done once.

Spectrally normalised weights are divided; the statistics of batch norms go into the tables of modulation and the biases
before them; weights are packed for the CPU; convolutions are in the channels_last format. The tables of a map are kept
with the map, so that further styles cost only the convolutions between them.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from i2i.nn.folded_block import Centre, FoldedBlock, Tables, packed
from i2i.nn.memory import kept_memory
from i2i.nn.modulate import modulate
from i2i.nn.oasis import OASISGenerator
from i2i.nn.pattern_modulation import ModulationMethod, TableWeights
from i2i.nn.spade import SPADEGenerator
from i2i.nn.spade_block import SPADEResnetBlock, repeatable, up_sampled
from i2i.noise import NoisyMap
from i2i.patterns import PixelRows
from i2i.semantics import SemanticMap
from i2i.styled_map import Noise, Seen, StyledMap


class FoldedSPADE(SPADEGenerator):
    """What :meth:`SPADEGenerator.fold` returns; called like the generator, from any number of threads at a time.

    It has no recipe and is not saved, as it is made anew from the generator in a moment. It takes no gradient by its
    weights; by the style it does.

    Args:
        generator: stays as it is, and the folded one stays as the generator was.
        dtype: of features and convolutions; None for that of the weights. Tables are at least float32.
    """

    def __init__(self, generator: SPADEGenerator, dtype: torch.dtype | None = None) -> None:
        nn.Module.__init__(self)  # the parts come from the generator
        for name, value in vars(generator).items():
            if not name.startswith("_") and name != "training":
                setattr(self, name, value)
        self.modulation = "patterns" if generator.modulation == "patterns" else "auto"
        self.first = copy.deepcopy(generator.first)
        self.blocks = nn.ModuleList(self.fold_block(block, dtype) for block in generator.blocks)
        self.last = packed(cast(nn.Conv2d, generator.last), dtype)
        self.eval().requires_grad_(False)

    def forward(self, semantics: SemanticMap, style: Tensor | None = None) -> Tensor:
        """As :meth:`SPADEGenerator.forward`; the photo is at least float32."""
        with kept_memory(semantics.device):
            photo = super().forward(semantics, style)
        return photo.to(torch.promote_types(photo.dtype, torch.float32))

    def fold_block(self, block: nn.Module, dtype: torch.dtype | None) -> nn.Module:
        """A block of the generator, prepared."""
        assert isinstance(block, SPADEResnetBlock)
        return FoldedSPADEBlock(block, dtype)

    def first_map(self, semantics: Seen, style: Tensor | None) -> Tensor:
        """As :meth:`SPADEGenerator.first_map`."""
        return super().first_map(semantics, style).to(self.last.weight.dtype)


class FoldedSPADEBlock(FoldedBlock):
    """A residual block of SPADE, prepared."""

    def __init__(self, block: SPADEResnetBlock, dtype: torch.dtype | None) -> None:
        norms = [block.normalise_0, block.normalise_1, block.normalise_s or block.normalise_0]
        with torch.no_grad():
            weights = TableWeights.of(block.modulations)
        super().__init__(block, weights, norms[: len(block.modulations)], dtype)
        # The mean is subtracted from the features, as taking it from β would cancel digits; in the middle of the block
        # the convolution before does it.
        self.centre_0 = Centre(block.normalise_0)
        self.centre_s = None if block.normalise_s is None else Centre(block.normalise_s)
        middle = block.normalise_1
        if isinstance(middle, nn.BatchNorm2d):
            assert self.conv_0.bias is not None and middle.running_mean is not None
            self.conv_0.bias -= middle.running_mean
        self.centre_1 = nn.Identity() if isinstance(middle, nn.BatchNorm2d) else copy.deepcopy(middle)

    def forward(self, x: Tensor, semantics: SemanticMap | NoisyMap, method: ModulationMethod = "auto") -> Tensor:
        """As the block's."""
        rows, tables = self.tables(semantics, method)
        return self.convolved(repeatable(x, semantics), rows, tables)

    def tables(self, seen: Seen, method: ModulationMethod, keep: bool = True) -> Tables:
        """As :meth:`FoldedBlock.tables`."""
        assert not isinstance(seen, StyledMap)
        return self.label_tables(seen, method, keep)

    def convolved(self, x: Tensor, rows: PixelRows, tables: Sequence[Tensor], noise: Noise = ()) -> Tensor:
        """As :meth:`FoldedBlock.convolved`, without noise of the pixels."""
        centred = self.centre_0(x)
        return self.after(x, self.before(centred, rows, tables), centred, rows, tables)

    def before(self, centred: Tensor, rows: PixelRows, tables: Sequence[Tensor]) -> Tensor:
        """The first convolution.

        Args:
            centred: (N, in_channels, h, w), what ``centre_0`` makes of the input.
            rows, tables: as :meth:`convolved` takes them.

        Returns:
            (N, middle, H, W).
        """
        dx: Tensor = self.conv_0(modulate(centred, rows, tables[0]))
        return dx

    def after(self, x: Tensor, dx: Tensor, centred: Tensor, rows: PixelRows, tables: Sequence[Tensor]) -> Tensor:
        """The second convolution and the shortcut.

        Args:
            x: as :meth:`convolved` takes it.
            dx: (N, middle, H, W), what :meth:`before` returned.
            centred, rows, tables: as there.

        Returns:
            (N, out_channels, H, W).
        """
        if self.learned_shortcut:
            centred = centred if self.centre_s is None else self.centre_s(x)
            shortcut = self.conv_s(modulate(centred, rows, tables[2], slope=None))
        else:
            shortcut = up_sampled(x, rows)
        out: Tensor = self.conv_1(modulate(self.centre_1(dx), rows, tables[1]), onto=shortcut)
        return out


class FoldedOASIS(FoldedSPADE, OASISGenerator):
    """What :meth:`OASISGenerator.fold` returns. The tables depend on the noise, so they are made for each picture."""
