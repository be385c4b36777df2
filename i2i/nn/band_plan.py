"""How a large picture is cut into bands of rows so that it fits a given memory: what a plan takes, and which to take.

The last blocks of SPADE have most of the pixels and thereby most of the memory: of a picture of 2048×1024 and width 64
the last block alone takes 2.7 GB of float32 features, the one before it half as much. So the first blocks are computed
whole, and the last few together, one band of rows after the other. Bands overlap by what the convolutions reach; the
shorter the bands and the more blocks, the less memory, and the more is computed twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch

from i2i.nn.folded import FoldedBlock, FoldedSPADE
from i2i.nn.pattern_modulation import cheapest
from i2i.noise import NoisyMap, Patterned
from i2i.patterns import PatternCounts
from i2i.region import Region, Size
from i2i.semantics import SemanticMap

_HEIGHTS = (1024, 512, 256, 128, 64, 32)  # rows of the picture in a band
_MOST_BLOCKS = 5  # in bands: more of them have little memory left to save
_SHARE = 4  # the tables of a block are made for the whole map where they take at most one such part of the memory
_PATTERNS = 120  # bytes for every pixel while patterns are found
_PICTURE = 12  # bytes for every pixel of the picture


@dataclass(frozen=True)
class BandPlan:
    """How a picture is made.

    Attributes:
        first: the number of the first block that is computed in bands; as many as there are blocks for none.
        rows: of the picture in a band.
        tables: for each block whether its tables are made for the whole map, once, or for every band anew.
        bytes: estimate of the memory for features and tables at the peak.
        work: multiplications of the trunk's convolutions.
    """

    first: int
    rows: int
    tables: tuple[bool, ...]
    bytes: int
    work: int


@dataclass(frozen=True)
class Step:
    """A block's part in a band.

    Attributes:
        crop: the pixels, of the block's size, of which it is computed.
        right: those of them that are right, although zeros were around the crop; what the next step needs.
    """

    crop: Region
    right: Region


def steps_of(band: Region, sizes: list[Size], first: int) -> tuple[list[Step], Region]:
    """What the blocks from ``first`` on have to compute for a band of the picture, and the region of the last's output.

    The last convolution reaches one pixel, every block two: one for each of its 3×3 convolutions.

    Args:
        band: of the picture.
        sizes: of the maps of all blocks, the last of which is the picture's.
        first: number of the first block.
    """
    steps: list[Step] = []
    wanted = needed = band.grown(1, sizes[-1])
    for i in reversed(range(first, len(sizes))):
        factor = 1 if i == 0 else sizes[i][0] // sizes[i - 1][0]
        source = needed.grown(2, sizes[i]).over(factor)
        steps.append(Step(source.times(factor), needed))
        needed = source
    return steps[::-1], wanted


def bands_of(size: Size, rows: int) -> Iterator[Region]:
    """The picture's bands from top to bottom."""
    for top in range(0, size[0], rows):
        yield Region(top, min(top + rows, size[0]), 0, size[1])


class Planner:
    """Plans pictures of one generator and map.

    Args:
        folded: the generator.
        seen: what its blocks see, see :meth:`SPADEGenerator.seen`.
    """

    def __init__(self, folded: FoldedSPADE, seen: SemanticMap | NoisyMap) -> None:
        self._seen = seen
        self._method = folded.modulation
        self._blocks = [block for block in folded.blocks if isinstance(block, FoldedBlock)]
        height, width = (side >> folded.upsamplings for side in seen.size)
        self.sizes = [(height << doublings, width << doublings) for doublings in folded.doublings]
        self._last = folded.last.weight.numel()
        self._value = torch.finfo(folded.last.weight.dtype).bits // 8

    def best(self, limit: int) -> BandPlan:
        """The plan with the least work of those that need at most ``limit`` bytes; else the one with least memory."""
        count, size = len(self.sizes), self.sizes[-1]
        if self._bound <= limit:  # without looking for patterns
            return BandPlan(count, size[0], (True,) * count, self._bound, self._work(count))
        plans = [self._whole_plan()]
        for first in range(max(0, count - _MOST_BLOCKS), count):
            for rows in (rows for rows in _HEIGHTS if rows < size[0]):
                plans += [self._plan(first, rows, limit // _SHARE), self._plan(first, rows, 0)]
        fitting = [plan for plan in plans if plan.bytes <= limit]
        return min(fitting, key=lambda plan: plan.work) if fitting else min(plans, key=lambda plan: plan.bytes)

    def _whole_plan(self) -> BandPlan:
        """All at once: what a block takes is kept for the next picture, see :mod:`i2i.nn.memory`, and so adds up."""
        count, size = len(self.sizes), self.sizes[-1]
        taken = sum(self._features(i, self._pixels(self.sizes[i])) + sum(self._tables[i]) for i in range(count))
        every = taken + self._pixels(size) * (_PATTERNS + _PICTURE)
        return BandPlan(count, size[0], (True,) * count, every, self._work(count))

    def _plan(self, first: int, rows: int, largest: int) -> BandPlan:
        """The blocks from ``first`` on in bands; nothing but their features is kept from band to band.

        Their tables are made once where they take at most ``largest`` bytes.
        """
        size, count = self.sizes[-1], len(self.sizes)
        wholes = [i < first or sum(self._tables[i]) <= largest for i in range(count)]
        peak = self._pixels(size) * _PATTERNS
        for i in range(first):
            peak = max(peak, self._features(i, self._pixels(self.sizes[i])))
        for i in range(count):
            peak = max(peak, (self._tables[i][1] if wholes[i] else 0) + self._input(min(i, first)))
        work, held = self._work(first), self._input(first)
        for band in bands_of(size, rows):
            steps, _ = steps_of(band, self.sizes, first)
            pixels = {i: step.crop.area * self._seen.batch for i, step in enumerate(steps, first)}
            work += sum(number * self._weights(i) for i, number in pixels.items())
            features = sum(self._features(i, number) for i, number in pixels.items())
            made = max(0 if wholes[i] else self._tables_of_part(i, number) for i, number in pixels.items())
            peak = max(peak, held + features + made)
        kept = sum(self._tables[i][0] for i in range(count) if wholes[i])
        return BandPlan(first, rows, tuple(wholes), kept + peak + self._pixels(size) * _PICTURE, work)

    def _work(self, first: int) -> int:
        """Multiplications of the whole blocks and the last convolution."""
        last = self._pixels(self.sizes[-1]) * self._last
        return last + sum(self._pixels(self.sizes[i]) * self._weights(i) for i in range(first))

    @cached_property
    def _bound(self) -> int:
        """What the whole picture takes at most, whatever the patterns are."""
        pixels = [self._pixels(size) for size in self.sizes]
        tables = [self._by_pixel(i, count) for i, count in enumerate(pixels)]
        features = sum(self._features(i, count) for i, count in enumerate(pixels))
        return sum(map(sum, tables)) + features + pixels[-1] * (_PATTERNS + _PICTURE)

    @cached_property
    def _tables(self) -> list[tuple[int, int]]:
        """Of each block bytes that its tables take, and that making them takes beside."""
        return [self._tables_of(i) for i in range(len(self.sizes))]

    def _tables_of(self, i: int) -> tuple[int, int]:
        counts = self._counts(i)
        way = "pixels" if counts is None else cheapest(counts)
        if counts is None or (way == "pixels" and self._method != "patterns"):
            return self._by_pixel(i, self._pixels(self.sizes[i]))
        weights = self._blocks[i].table_weights
        columns = [len(second.bias) for second in weights.second]
        hidden, area = len(weights.bias), weights.kernel**2
        first = 2 * counts.inner * hidden
        gathered = 2 * counts.outer * hidden // len(columns) * area
        products = counts.inner * area * max(columns)
        second = gathered if way != "products" else products
        return 4 * counts.outer * sum(columns), 4 * (first + second)

    def _by_pixel(self, i: int, pixels: int) -> tuple[int, int]:
        """The same where every pixel has a row of its own."""
        weights = self._blocks[i].table_weights
        columns = [len(second.bias) for second in weights.second]
        return 4 * pixels * sum(columns), 4 * pixels * (2 * len(weights.bias) + max(columns))

    def _tables_of_part(self, i: int, pixels: int) -> int:
        """Bytes that tables of so many of the pixels take, with what making them does, where patterns are dense."""
        share = 2 * pixels / self._pixels(self.sizes[i])
        return min(sum(self._by_pixel(i, pixels)), int(share * sum(self._tables[i])))

    def _counts(self, i: int) -> PatternCounts | None:
        if not isinstance(self._seen, Patterned):
            return None
        resized = self._seen.resized(*self.sizes[i])
        return resized.patterns(*self.sizes[i], self._blocks[i].table_weights.kernel).counts

    def _pixels(self, size: Size) -> int:
        return size[0] * size[1] * self._seen.batch

    def _input(self, i: int) -> int:
        """Bytes of the features before a block."""
        size = self.sizes[max(i - 1, 0)]
        return self._pixels(size) * self._blocks[i].conv_0.weight.shape[1] * self._value

    def _features(self, i: int, pixels: int) -> int:
        """Bytes of features while a block is computed of so many pixels: its input, plain and centred, and the rest."""
        block = self._blocks[i]
        middle, before = block.conv_0.weight.shape[:2]
        after = block.conv_1.weight.shape[0]
        factor = 1 if i == 0 else self.sizes[i][0] // self.sizes[i - 1][0]
        values = 2 * before / factor**2 + middle + max(before, before + after, middle + after)
        return int(pixels * values * self._value)

    def _weights(self, i: int) -> int:
        block = self._blocks[i]
        return sum(conv.weight.numel() for conv in [block.conv_0, *block.last_convolutions])
