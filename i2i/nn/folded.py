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
import torch.nn.functional as F
from torch import Tensor, nn

from i2i.nn.memory import kept_memory
from i2i.nn.modulate import modulate
from i2i.nn.oasis import OASISGenerator
from i2i.nn.pattern_modulation import ModulationMethod, TableWeights, modulation_tables
from i2i.nn.prepacked import PackedConvolution, PackedProduct
from i2i.nn.spade import SPADEGenerator
from i2i.nn.spade_block import SPADEResnetBlock, repeatable
from i2i.noise import NoisyMap
from i2i.patterns import PixelRows
from i2i.semantics import SemanticMap


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
        return FoldedBlock(block, dtype)

    def first_map(self, semantics: SemanticMap | NoisyMap, style: Tensor | None) -> Tensor:
        """As :meth:`SPADEGenerator.first_map`."""
        return super().first_map(semantics, style).to(self.last.weight.dtype)


class FoldedBlock(nn.Module):
    """A residual block of which only the convolutions and tables are left."""

    rows: Tensor
    bias: Tensor

    def __init__(self, block: SPADEResnetBlock, dtype: torch.dtype | None) -> None:
        super().__init__()
        self.learned_shortcut = block.learned_shortcut
        self.conv_0, self.conv_1 = packed(block.conv_0, dtype), packed(block.conv_1, dtype)
        with torch.no_grad():
            weights = TableWeights.of(block.modulations)
        self.register_buffer("rows", weights.rows)
        self.register_buffer("bias", weights.bias)
        norms = [block.normalise_0, block.normalise_1, block.normalise_s or block.normalise_0]
        self.second = nn.ModuleList()
        for second, norm in zip(weights.second, norms, strict=False):
            weight, bias, scale = second.weight, second.bias, scale_of(norm)
            if scale is not None:
                weight[:, :, : len(scale)] *= scale
                bias[: len(scale)] *= scale
            self.second.append(PackedProduct(weight, bias))
        # The mean is subtracted from the features, as taking it from β would cancel digits; in the middle of the block
        # the convolution before does it.
        self.centre_0 = Centre(block.normalise_0)
        self.centre_s: nn.Module | None = None
        middle = block.normalise_1
        if isinstance(middle, nn.BatchNorm2d):
            assert self.conv_0.bias is not None and middle.running_mean is not None
            self.conv_0.bias -= middle.running_mean
        self.centre_1 = nn.Identity() if isinstance(middle, nn.BatchNorm2d) else copy.deepcopy(middle)
        if block.learned_shortcut:
            self.conv_s = packed(block.conv_s, dtype)
            self.centre_s = None if block.normalise_s is None else Centre(block.normalise_s)

    def forward(self, x: Tensor, semantics: SemanticMap | NoisyMap, method: ModulationMethod = "auto") -> Tensor:
        """As the block's."""
        rows, tables = self.tables(semantics, method)
        x = repeatable(x, semantics)
        centred = self.centre_0(x)
        return self.after(x, self.before(centred, rows, tables), centred, rows, tables)

    def before(self, centred: Tensor, rows: PixelRows, tables: Sequence[Tensor]) -> Tensor:
        """The first convolution.

        Args:
            centred: (N, in_channels, h, w), what ``centre_0`` makes of the input.
            rows: for every pixel (N, H, W) its row; H × W is h × w, or twice that.
            tables: of the modulations.

        Returns:
            (N, middle, H, W).
        """
        dx: Tensor = self.conv_0(modulate(centred, rows, tables[0]))
        return dx

    def after(self, x: Tensor, dx: Tensor, centred: Tensor, rows: PixelRows, tables: Sequence[Tensor]) -> Tensor:
        """The second convolution and the shortcut.

        Args:
            x: (N, in_channels, h, w), the input; may be overwritten where the shortcut is not learned.
            dx: (N, middle, H, W), what :meth:`before` returned.
            centred, rows, tables: as there.

        Returns:
            (N, out_channels, H, W).
        """
        if self.learned_shortcut:
            centred = centred if self.centre_s is None else self.centre_s(x)
            shortcut = self.conv_s(modulate(centred, rows, tables[2], slope=None))
        else:
            size = rows.index.shape[1:]
            shortcut = x if x.shape[2:] == size else F.interpolate(x, size=size, mode="nearest")
        out: Tensor = self.conv_1(modulate(self.centre_1(dx), rows, tables[1]), onto=shortcut)
        return out

    @property
    def last_convolutions(self) -> list[PackedConvolution]:
        """Those of :meth:`after`."""
        return [self.conv_1, *([self.conv_s] if self.learned_shortcut else [])]

    @property
    def table_weights(self) -> TableWeights:
        """What the block's tables are made from."""
        second = [product for product in self.second if isinstance(product, PackedProduct)]
        return TableWeights(self.rows, self.bias, second)

    def tables(
        self, semantics: SemanticMap | NoisyMap, method: ModulationMethod, keep: bool = True
    ) -> tuple[PixelRows, list[Tensor]]:
        """The rows of the pixels and the tables of the modulations, as :meth:`before` takes them.

        Args:
            semantics: the map at the block's size.
            method: see :data:`ModulationMethod`; "dense" is as "auto".
            keep: with the map, for its next picture. A map with noise keeps none, as the noise is of one picture alone.
        """
        if isinstance(semantics, NoisyMap) or not keep:
            return self._made_tables(semantics, method)
        return semantics.kept_for(self, lambda: self._lasting_tables(semantics, method))

    @torch.inference_mode(mode=False)  # the tables are kept, and may be asked for where a gradient is wanted next
    @torch.no_grad()
    def _lasting_tables(self, semantics: SemanticMap, method: ModulationMethod) -> tuple[PixelRows, list[Tensor]]:
        return self._made_tables(semantics, method)

    def _made_tables(
        self, semantics: SemanticMap | NoisyMap, method: ModulationMethod
    ) -> tuple[PixelRows, list[Tensor]]:
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


def scale_of(norm: nn.Module) -> Tensor | None:
    """(C,), what batch norm in evaluation mode multiplies by."""
    if not isinstance(norm, nn.BatchNorm2d):
        return None
    assert norm.running_var is not None
    return torch.rsqrt(norm.running_var + norm.eps)


@torch.no_grad()
def packed(conv: nn.Conv2d, dtype: torch.dtype | None) -> PackedConvolution:
    """A copy whose weight is no longer parametrized."""
    weight = copy.deepcopy(conv).eval().weight.detach().clone()
    bias = None if conv.bias is None else conv.bias.detach().to(dtype or weight.dtype, copy=True)
    return PackedConvolution(weight.to(dtype or weight.dtype), bias)


class FoldedOASIS(FoldedSPADE, OASISGenerator):
    """What :meth:`OASISGenerator.fold` returns. The tables depend on the noise, so they are made for each picture."""
