"""How a large picture is cut into bands of rows so that it fits a given memory: what a plan takes, and which to take.

The last blocks of SPADE, OASIS and SEAN have most of the pixels and thereby most of the memory: of a picture of
2048×1024 and width 64 the features of SPADE's last block alone take 3.2 GB of float32, those of the one before it half
as much. So the first blocks are computed whole, and the last few together, one band of rows after the other. Bands
overlap by what the convolutions reach; the shorter the bands and the more blocks, the less memory, and the more is
computed twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import pairwise
from operator import or_

from i2i.nn.block_memory import BlockMemory, Features
from i2i.nn.folded import FoldedSPADE
from i2i.nn.folded_block import FoldedBlock
from i2i.region import Region, Size
from i2i.styled_map import Seen, StyledMap

_HEIGHTS = (1024, 512, 256, 128, 64, 32)  # rows of the picture in a band
_MOST_BLOCKS = 5  # in bands: more of them have little memory left to save
_SHARE = 4  # the tables of a block are made for the whole map where they take at most one such part of the memory
_PATTERNS = 120  # bytes for every pixel while patterns are found
_PICTURE = 12  # bytes for every pixel of the picture
_REGIONS = 16  # bytes for every pixel that regions with a style take, with their smaller sizes and windows


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

    def __init__(self, folded: FoldedSPADE, seen: Seen) -> None:
        height, width = (side >> folded.upsamplings for side in seen.size)
        self.sizes = [(height << doublings, width << doublings) for doublings in folded.doublings]
        blocks = [block for block in folded.blocks if isinstance(block, FoldedBlock)]
        factors = [1, *(after[0] // before[0] for before, after in pairwise(self.sizes))]
        self._blocks = [
            BlockMemory.of(block, seen, size, factor, folded.modulation)
            for block, size, factor in zip(blocks, self.sizes, factors, strict=True)
        ]
        self._batch = seen.batch
        self._last = folded.last.weight.numel()
        self._picture = self._blocks[-1].pixels * (_PICTURE + (_REGIONS if isinstance(seen, StyledMap) else 0))

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
        """All at once: what a block takes is kept for others, see :mod:`i2i.nn.memory`, and what fits none adds up."""
        count, size = len(self.sizes), self.sizes[-1]
        tables = sum(block.tables.total for block in self._blocks)
        return BandPlan(count, size[0], (True,) * count, self._of_whole(tables), self._work(count))

    def _plan(self, first: int, rows: int, largest: int) -> BandPlan:
        """The blocks from ``first`` on in bands; nothing but their features and noise is kept from band to band.

        Their tables are made once where they take at most ``largest`` bytes.
        """
        wholes = [i < first or block.tables.total <= largest for i, block in enumerate(self._blocks)]
        held = self._blocks[first].input
        kept = sum(block.tables.lasting for block, whole in zip(self._blocks, wholes, strict=True) if whole)
        kept_in_bands = sum(block.noise for block in self._blocks[first:])
        kept_in_bands += sum(block.tables.mixed for i, block in enumerate(self._blocks) if wholes[i] and i >= first)
        peak = self._found
        for block in self._blocks[:first]:
            used = max(_bytes([block.features(block.pixels)]) + block.noise, block.input + block.tables.making)
            peak = max(peak, used + block.tables.mixed)
        for i, block in enumerate(self._blocks[first:], first):
            peak = max(peak, kept_in_bands + held + (block.tables.making if wholes[i] else 0))
        work = self._work(first)
        for band in bands_of(self.sizes[-1], rows):
            steps, _ = steps_of(band, self.sizes, first)
            parts = [(self._blocks[i], step.crop.area * self._batch, wholes[i]) for i, step in enumerate(steps, first)]
            work += sum(pixels * block.weights for block, pixels, _ in parts)
            features = _bytes(block.features(pixels) for block, pixels, _ in parts)
            # The sum, although they follow one another: what one leaves seldom fits the next.
            made = sum(0 if whole else block.tables_of_part(pixels) for block, pixels, whole in parts)
            behind = self._blocks[-1].output(parts[-1][1])  # activated, beside what it was
            peak = max(peak, kept_in_bands + held + features + max(made, behind))
        return BandPlan(first, rows, tuple(wholes), kept + peak + self._picture, work)

    def _work(self, first: int) -> int:
        """Multiplications of the whole blocks and the last convolution."""
        last = self._blocks[-1].pixels * self._last
        return last + sum(block.pixels * block.weights for block in self._blocks[:first])

    @property
    def _found(self) -> int:
        """Bytes while patterns are found."""
        return self._blocks[-1].pixels * _PATTERNS

    @cached_property
    def _bound(self) -> int:
        """What the whole picture takes at most, whatever the patterns are."""
        return self._of_whole(sum(block.tables_by_pixel(block.pixels).total for block in self._blocks))

    def _of_whole(self, tables: int) -> int:
        features = _bytes(block.features(block.pixels) for block in self._blocks)
        noise = sum(block.noise for block in self._blocks)
        return features + tables + noise + self._found + self._picture


def _bytes(features: Iterable[Features]) -> int:
    """What computing blocks one after the other takes."""
    most = reduce(or_, features)
    return sum(size * count for size, count in most.items())
