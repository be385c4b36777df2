"""SPADE by label patterns: the same γ and β, computed once per neighbourhood instead of once per pixel.

SPADE scales and shifts normalised features by maps γ, β that two convolutions make from the one-hot labels. At a
pixel they depend on the labels around it alone, and few different neighbourhoods occur in a map. :mod:`i2i.patterns`
numbers them: *inner* patterns are windows of labels, *outer* patterns are windows of inner ones. So, for all
modulations of a block:

1. first convolution and ReLU, once per inner pattern: on one-hot labels a convolution is a sum of k² rows of its
   weight, an ``embedding_bag``;
2. second convolution, γ and β in one, once per outer pattern, as a *table* (outer, 2C) of factors 1 + γ and shifts β.
   Two ways of equal result: gather the k² inner rows of every outer pattern and multiply once, or multiply every inner
   row by the weights of each of the k² places and sum these products per outer pattern, an ``embedding_bag`` again;
3. every pixel looks its row up (:mod:`i2i.nn.modulate`), while the features are up-sampled, modulated and activated.

Padding needs no care: outside the image is a label whose row is zero, and an inner pattern whose row is zero. A map of
noise has a pattern per pixel; then the second convolution is done as such, and its output is a table with a row per
pixel. It is all one function of the weights, so gradients flow, and it needs no one-hot tensor.

Noise channels that are constant over regions (:mod:`i2i.noise`) add rows: the weight of their channels times the noise
vector of each region, k² rows a region, of which a pattern sums those of its regions beside those of its labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2i.noise import NoisyMap, Patterned, RegionNoiseMap
from i2i.patterns import PatternCounts, PixelRows
from i2i.semantics import SemanticMap

if TYPE_CHECKING:
    from i2i.nn.spade_block import Modulation

ModulationMethod = Literal["auto", "dense", "patterns"]
"""How γ and β are computed: by convolutions on the one-hot map (the reference), by label patterns, or by patterns where
these are few and else by a convolution that shares their first step. All are the same function."""


class SecondConvolution(Protocol):
    """The convolution that gives factors and shifts from hidden features."""

    @property
    def kernel(self) -> int:
        """Its size k."""

    @property
    def weight(self) -> Tensor:
        """(hidden, k², 2C), contiguous."""

    @property
    def bias(self) -> Tensor:
        """(2C,), with 1 + γ in mind."""

    def multiply(self, rows: Tensor) -> Tensor:
        """(U, hidden) -> (U, k² · 2C), or (U, hidden · k²) -> (U, 2C): the product with the weight as a matrix."""


@dataclass
class _Second:
    gamma: Tensor
    beta: Tensor
    bias: Tensor

    @property
    def kernel(self) -> int:
        return self.gamma.shape[-1]

    @property
    def weight(self) -> Tensor:
        return _laid_out(self.gamma, self.beta)

    def multiply(self, rows: Tensor) -> Tensor:
        return cast(Tensor, _Product.apply(rows, self.gamma, self.beta))


class _Product(torch.autograd.Function):
    """Rows times the laid out weight, which is as large as the parameters: it is not kept but laid out again."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        ctx.save_for_backward(rows, gamma, beta)
        return rows @ _laid_out(gamma, beta).view(rows.shape[1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        rows, gamma, beta = ctx.saved_tensors
        laid_out = _laid_out(gamma, beta)
        of_weight = (rows.t() @ gradients[0]).view(laid_out.shape).permute(2, 0, 1)  # (2C, hidden, k²)
        of_gamma, of_beta = (half.reshape(gamma.shape).to(gamma.dtype) for half in of_weight.chunk(2))
        return gradients[0] @ laid_out.view(rows.shape[1], -1).t(), of_gamma, of_beta


def _laid_out(gamma: Tensor, beta: Tensor) -> Tensor:
    """Two weights (C, hidden, k, k) -> (hidden, k², 2C)."""
    return torch.cat([_wide(weight).flatten(2).permute(1, 2, 0) for weight in (gamma, beta)], 2)


@dataclass(frozen=True)
class TableWeights:
    """What the tables of the M modulations of a block are made from; at least float32.

    Attributes:
        rows: (channels · k² + 1, M · hidden), the first convolutions' weights; see :func:`label_rows`.
        bias: (M · hidden,) of the first convolutions.
        second: the second convolution of each modulation.
    """

    rows: Tensor
    bias: Tensor
    second: Sequence[SecondConvolution]

    @property
    def kernel(self) -> int:
        """Size k of the convolutions."""
        return self.second[0].kernel

    @classmethod
    def of(cls, modulations: Sequence[Modulation]) -> TableWeights:
        """The weights of these modulations, which see the same labels; differentiable."""
        rows = label_rows(torch.cat([_wide(m.shared.weight) for m in modulations]))
        first_bias = []
        for m in modulations:
            assert m.shared.bias is not None
            first_bias.append(_wide(m.shared.bias))
        return cls(rows, torch.cat(first_bias), [second_convolution(m.gamma, m.beta) for m in modulations])


def second_convolution(gamma: nn.Conv2d, beta: nn.Conv2d) -> SecondConvolution:
    """The convolutions that give γ and β as the one that gives factors 1 + γ and shifts β; differentiable."""
    assert gamma.bias is not None and beta.bias is not None
    return _Second(gamma.weight, beta.weight, torch.cat([1 + _wide(gamma.bias), _wide(beta.bias)]))


def modulation_tables(
    weights: TableWeights, semantics: SemanticMap | NoisyMap, method: Literal["auto", "patterns"] = "auto"
) -> tuple[PixelRows, list[Tensor]]:
    """The tables of a block's modulations and the row of each pixel in all of them.

    Args:
        weights: of the modulations.
        semantics: the map at the block's size.
        method: "auto" takes a row per pixel where patterns are many; so does any method where there are none.

    Returns:
        rows of (N, H, W) pixels, and for each modulation (P, 2C): the factors 1 + γ, then the shifts β.
    """
    with torch.autocast(semantics.device.type, enabled=False):
        if not isinstance(semantics, Patterned):
            hidden = F.relu(_convolve_dense(weights, semantics))
            return _by_pixel(hidden.chunk(len(weights.second), 1), weights.second)
        patterns = semantics.patterns(*semantics.size, weights.kernel)
        sums = convolve_labels(weights.rows, weights.bias, semantics, patterns.inner.contents)
        hidden = F.relu(sums)  # (inner, M · hidden)
        parts = hidden.chunk(len(weights.second), 1)
        way = cheapest(patterns.counts)
        if way == "pixels" and method == "auto":
            index = patterns.inner.rows.index
            return _by_pixel((F.embedding(index, h).permute(0, 3, 1, 2) for h in parts), weights.second)
        table = table_by_products if way == "products" else table_by_gathering
        contents = patterns.outer.contents  # where the last row of what follows, of zeros, is "outside the image"
        tables = [table(F.pad(h, (0, 0, 0, 1)), contents, s) for h, s in zip(parts, weights.second, strict=True)]
        return patterns.outer.rows, tables


def cheapest(counts: PatternCounts) -> Literal["gather", "products", "pixels"]:
    """The cheapest way to the tables, by the rows that are multiplied with the weights.

    "gather": a row per outer pattern. "products": a row per inner pattern, and as many sums as there are outer ones,
    which cost about as much as a quarter of the products they are sums of. "pixels": a row per pixel, which, where the
    map is large, saves the memory of gathering.
    """
    if counts.pixels > 1024 and min(counts.inner, counts.outer) > 0.7 * counts.pixels:
        return "pixels"
    return "gather" if counts.outer <= 1.3 * counts.inner else "products"


def convolve_labels(rows: Tensor, bias: Tensor, semantics: Patterned, contents: Tensor) -> Tensor:
    """What a convolution of the dense map gives at each window of codes.

    Args:
        rows: (channels · k² + 1, O), the weight as :func:`label_rows` lays it out.
        bias: (O,).
        semantics: the map that the windows come from.
        contents: (U, k²) codes.

    Returns:
        (U, O).
    """
    if isinstance(semantics, RegionNoiseMap):
        return _convolve_noisy(rows, bias, semantics, contents)
    area = contents.shape[1]
    nothing = len(rows) - 1
    place = torch.arange(area, device=semantics.device)
    if semantics.edges is None:
        used = (contents * area + place).clamp(max=nothing)
    else:
        inside = contents < 2 * semantics.num_classes
        label = torch.where(inside, contents // 2 * area + place, nothing)
        edge = torch.where(inside & (contents % 2 == 1), semantics.num_classes * area + place, nothing)
        used = torch.cat([label, edge], 1)
    return F.embedding_bag(used, rows, mode="sum", padding_idx=nothing) + bias


def _convolve_noisy(rows: Tensor, bias: Tensor, noisy: RegionNoiseMap, contents: Tensor) -> Tensor:
    """The same for codes of region and label: the sum of what labels and regions give."""
    area, count, codes = contents.shape[1], noisy.regions.count, noisy.semantics.num_codes
    first = noisy.semantics.channels * area  # of the rows of noise channels
    labels, channels, zero = rows[:first], rows[first:-1], rows[-1:]
    vectors = noisy.noise.to(rows.dtype)
    of_regions = (vectors @ channels.view(noisy.noise_channels, -1)).view(count * area, -1)  # (R · k², O)
    inside = contents < count * codes
    place = torch.arange(area, device=noisy.device)
    used = torch.where(inside, contents // codes * area + place, count * area)
    by_region = F.embedding_bag(used, torch.cat([of_regions, zero]), mode="sum", padding_idx=count * area)
    label_codes = torch.where(inside, contents % codes, codes)
    return convolve_labels(torch.cat([labels, zero]), bias, noisy.semantics, label_codes) + by_region


def label_rows(weight: Tensor) -> Tensor:
    """A convolution's weight (O, channels, k, k) as rows (channels · k² + 1, O), by channel and place, the last 0."""
    rows = _wide(weight).flatten(2).permute(1, 2, 0).flatten(0, 1)
    return F.pad(rows, (0, 0, 0, 1))


def table_by_gathering(hidden: Tensor, contents: Tensor, second: SecondConvolution) -> Tensor:
    """One matrix product with a row per outer pattern.

    Args:
        hidden: (inner + 1, hidden), the row of zeros for "outside the image" among them.
        contents: (outer, k²), the rows of ``hidden`` in every outer pattern.
        second: the convolution.

    Returns:
        (outer, 2C).
    """
    gathered = F.embedding(contents, hidden)  # (outer, k², hidden)
    return second.multiply(gathered.transpose(1, 2).flatten(1)) + second.bias


def table_by_products(hidden: Tensor, contents: Tensor, second: SecondConvolution) -> Tensor:
    """As :func:`table_by_gathering`, but k² products with a row per inner pattern, summed per outer pattern."""
    area = contents.shape[1]
    products = second.multiply(hidden)  # (inner + 1, k² · 2C)
    used = contents * area + torch.arange(area, device=hidden.device)
    return F.embedding_bag(used, products.view(-1, len(second.bias)), mode="sum") + second.bias


def _by_pixel(hidden: Iterable[Tensor], second: Sequence[SecondConvolution]) -> tuple[PixelRows, list[Tensor]]:
    """(N, hidden, H, W) for each modulation -> a row for every pixel, and a table (N · H · W, 2C) for each."""
    tables = []
    for features, conv in zip(hidden, second, strict=True):
        weight = conv.weight.view(-1, conv.kernel, conv.kernel, len(conv.bias)).permute(3, 0, 1, 2)
        maps = F.conv2d(features, weight, conv.bias, padding=conv.kernel // 2)
        tables.append(maps.permute(0, 2, 3, 1).flatten(0, 2))
    count, _, height, width = maps.shape
    return PixelRows.one_each(count, height, width, maps.device), tables


def _convolve_dense(weights: TableWeights, condition: NoisyMap) -> Tensor:
    """(N, M · hidden, H, W), the first convolutions of a map that has no patterns."""
    weight = weights.rows[:-1].view(-1, weights.kernel, weights.kernel, len(weights.bias)).permute(3, 0, 1, 2)
    return F.conv2d(condition.dense(weight.dtype), weight, weights.bias, padding=weights.kernel // 2)


def _wide(parameter: Tensor) -> Tensor:
    return parameter.to(torch.promote_types(parameter.dtype, torch.float32))
