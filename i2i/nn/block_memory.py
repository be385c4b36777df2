"""What memory a block of a folded generator takes: its features, its tables, and what making these takes beside.

Where few patterns occur in a map the tables are small, and their size is known when the patterns are; else there is a
row for every pixel. These are estimates: of what is large where pictures are.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from i2i.nn.folded_block import FoldedBlock
from i2i.nn.folded_sean import FoldedSEANBlock
from i2i.nn.pattern_modulation import ModulationMethod, cheapest
from i2i.noise import Patterned
from i2i.patterns import Patterns
from i2i.region import Size
from i2i.styled_map import Seen, StyledMap

Features = Counter[int]
"""How many tensors of how many bytes there are at most at a time. Memory is used again for those of the same size, see
:mod:`i2i.nn.memory`, so blocks that follow one another take ``a | b``."""

_WIDE = 4  # bytes of a number in a table, and of noise


@dataclass(frozen=True)
class TableBytes:
    """What a block's tables take.

    Attributes:
        lasting: those of the labels, which stay with the map.
        mixed: those of labels and styles, which are needed while the block is computed.
        making: what else there is while they are made.
    """

    lasting: int
    mixed: int
    making: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.lasting + self.mixed + self.making


class BlockMemory:
    """Estimates for a block of SPADE or OASIS.

    Args:
        block: of a folded generator.
        seen: what the generator's blocks see, of any size.
        size: of the map at this block.
        factor: by which the block up-samples.
        method: of the generator's modulation.
    """

    def __init__(self, block: FoldedBlock, seen: Seen, size: Size, factor: int, method: ModulationMethod) -> None:
        self.size = size
        self._block = block
        self._seen = seen
        self._factor = factor
        self._method = method
        self._middle, self._before = block.conv_0.weight.shape[:2]
        self._after = block.conv_1.weight.shape[0]
        self._value = block.conv_0.weight.element_size()
        labels = block.table_weights
        self._kernel, self._hidden = labels.kernel, len(labels.bias)
        self._columns = [len(second.bias) for second in labels.second]

    @classmethod
    def of(cls, block: FoldedBlock, seen: Seen, size: Size, factor: int, method: ModulationMethod) -> BlockMemory:
        """The estimates for a block of any network."""
        kind = StyledBlockMemory if isinstance(block, FoldedSEANBlock) else BlockMemory
        return kind(block, seen, size, factor, method)

    @property
    def pixels(self) -> int:
        """Of all maps."""
        return self.size[0] * self.size[1] * self._seen.batch

    @property
    def weights(self) -> int:
        """Multiplications of the convolutions for each pixel."""
        return sum(conv.weight.numel() for conv in [self._block.conv_0, *self._block.last_convolutions])

    @property
    def input(self) -> int:
        """Bytes of the features before the block."""
        return self.pixels // self._factor**2 * self._before * self._value

    @property
    def noise(self) -> int:
        """Bytes of what is added to the features."""
        return 0

    def features(self, pixels: int) -> Features:
        """What computing the block of so many pixels takes: its input, plain and centred; modulated; what is between
        the convolutions, and modulated; the output."""
        between = 2 if self._block.learned_shortcut else 1  # or else it is of the input's size
        return self._sizes(pixels, 2, 1, between, 1)

    def output(self, pixels: int) -> int:
        """Bytes of the features behind the block, of so many pixels."""
        return pixels * self._after * self._value

    @cached_property
    def tables(self) -> TableBytes:
        """Of the whole map, whose patterns are looked for."""
        patterns = self._patterns()
        way = "pixels" if patterns is None else cheapest(patterns.counts)
        if patterns is None or (way == "pixels" and self._method != "patterns"):
            return self.tables_by_pixel(self.pixels)
        counts, area = patterns.counts, self._kernel**2
        gathered = 2 * counts.outer * self._hidden // len(self._columns) * area
        second = gathered if way != "products" else counts.inner * area * max(self._columns)
        making = 2 * counts.inner * self._hidden + second
        return self._mixed(TableBytes(_WIDE * counts.outer * sum(self._columns), 0, _WIDE * making), patterns)

    def tables_by_pixel(self, pixels: int) -> TableBytes:
        """Of so many of the pixels, where each has a row of its own: the most that it can be."""
        making = pixels * (2 * self._hidden + max(self._columns))
        return self._mixed(TableBytes(_WIDE * pixels * sum(self._columns), 0, _WIDE * making), pixels)

    def tables_of_part(self, pixels: int) -> int:
        """Bytes that tables of so many of the pixels take, with what making them does, where patterns are dense."""
        share = 2 * pixels / self.pixels
        return min(self.tables_by_pixel(pixels).total, int(share * self.tables.total) + self._of_regions)

    def _sizes(self, pixels: int, small: int, before: int, middle: int, after: int) -> Features:
        """So many features as the input is, the up-sampled input, what is between the convolutions, and the output."""
        values = pixels * self._value
        found: Features = Counter()
        found[values // self._factor**2 * self._before] += small
        for channels, count in ((self._before, before), (self._middle, middle), (self._after, after)):
            found[values * channels] += count
        return found

    def _mixed(self, labels: TableBytes, rows: Patterns | int) -> TableBytes:
        """With the other half of every table, where there is one, for patterns or a number of rows."""
        return labels

    @property
    def _of_regions(self) -> int:
        """Bytes that making tables takes for any part of the map."""
        return 0

    def _patterns(self) -> Patterns | None:
        here = self._seen.resized(*self.size)
        semantics = here.semantics if isinstance(here, StyledMap) else here
        return semantics.patterns(*self.size, self._kernel) if isinstance(semantics, Patterned) else None


class StyledBlockMemory(BlockMemory):
    """Estimates for a block of SEAN, which has tables of pairs of label patterns and windows of regions."""

    _block: FoldedSEANBlock
    _seen: StyledMap

    @property
    def noise(self) -> int:
        """Bytes of what is added to the features, the same for all images."""
        return _WIDE * 3 * self.size[0] * self.size[1] if len(self._block.noise_scales) else 0

    def features(self, pixels: int) -> Features:
        """What computing the block of so many pixels takes: its input; that with its noise, or centred; modulated; the
        same between the convolutions; the output."""
        noisy = len(self._block.noise_scales) > 0
        if not self._block.learned_shortcut:  # all but the input are of one size
            return self._sizes(pixels, 1 if noisy else 2, 0, 3, 1)
        return self._sizes(pixels, 1 if noisy else 2, 2 if noisy else 1, 3, 1)

    def _mixed(self, labels: TableBytes, rows: Patterns | int) -> TableBytes:
        if not self._block.styles:
            return labels
        pairs = windows = rows if isinstance(rows, int) else 0
        if isinstance(rows, Patterns):
            here = self._seen.resized(*self.size)
            pairs = here.joined(rows.outer.rows, self._kernel).rows.count
            windows = len(here.windows(self._kernel))
        of_windows = _WIDE * windows * max(self._columns)
        looked_up = 2 * _WIDE * pairs * max(self._columns)
        making = max(labels.making, self._of_regions + 2 * of_windows, of_windows + looked_up)
        return TableBytes(labels.lasting, _WIDE * pairs * sum(self._columns), making)

    @property
    def _of_regions(self) -> int:
        """The transformed codes, and their products with the weights of every place of a window."""
        if not self._block.styles:
            return 0
        count, length = self._seen.codes.shape
        laid, classes = self._seen.by_class.most, len(self._seen.by_class.classes)
        transform = classes * length * (length + 2 * laid)
        return _WIDE * (transform + count * (2 * length + self._kernel**2 * max(self._columns)))
