"""The folded generator for a map that is painted on: what a stroke does not reach is not computed again.

Two things are kept from picture to picture, and both are exact:

- *Patterns and tables.* Only windows with a changed label in them are looked up again, and only a pattern that has not
  been seen before costs a row of the tables. This holds for every generator.
- *Features.* The map enters at every resolution. A changed label changes γ and β within ``kernel − 1`` pixels, and each
  3×3 convolution carries a change one pixel further. So every convolution runs on a crop around its changed input, and
  the result is pasted into the features that are kept.

How much the second saves depends on where the change begins. A smaller map holds the label of one pixel of each cell,
the upper left one. A stroke that covers none of the few such pixels of the smallest maps leaves the first blocks as
they are, and what it changes is a margin around it. The first block that does see it spreads it by 4 pixels of *its*
size, and each later one by 2 more of its own. For a picture of 256×256 and 5 up-samplings, one pixel in the middle of
the 8×8 map changes all of it, of the 16×16 map 87 %, of the 32×32 map 16 %, of the 64×64 map 4 %, and takes 100, 77, 11
and 2 % of the convolutions' multiplications.

Another style changes all features, and instance norm, whose statistics are of the whole image, all from the first
changed block on. Patterns and tables stay even then.

Errors do not add up over strokes: a feature is always computed from features that are right, never from its own former
value. The crop of a convolution may differ from the whole in the last bits, where the library chooses another order
of summation for another size.

Kept are the outputs of the trunk's convolutions, and the tables: for a picture of 256×256, width 64 and float32 68 MB,
and 60 to 150 MB.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2i.changing_patterns import Change, ChangingPatterns
from i2i.nn.folded import FoldedSPADE, FoldedSPADEBlock
from i2i.nn.growing_tables import GrowingTables
from i2i.nn.memory import kept_memory
from i2i.nn.norm import InstanceNorm2d
from i2i.nn.spade_block import repeatable
from i2i.patterns import PixelRows
from i2i.region import Region, Size
from i2i.semantics import SemanticMap


@dataclass(frozen=True)
class Work:
    """What an update took.

    Attributes:
        region: the pixels of the picture that may have changed; None where nothing did.
        convolutions: share of the multiplications of all convolutions of the trunk, in [0, 1].
        patterns: how many outer patterns were new, over all resolutions.
        known: how many have a row in the tables now.
    """

    region: Region | None
    convolutions: float
    patterns: int
    known: int


class IncrementalSPADE:
    """Pictures of a map and a style that change little by little; the same as the folded generator's.

    It belongs to one painter: calls must not overlap. Any number of these may share a folded generator, in threads of
    their own. A batch is painted on as one: the region around the changes of all its maps is computed for each.

    Args:
        folded: the generator; stays as it is, and must.

    Attributes:
        work: what the last update took; None before the first.
    """

    def __init__(self, folded: FoldedSPADE) -> None:
        self.folded = folded
        self.work: Work | None = None
        self._drawing: _Drawing | None = None

    @property
    def bytes(self) -> int:
        """Memory of what is kept for the next update: features, tables and the last picture."""
        return 0 if self._drawing is None else self._drawing.bytes

    @torch.inference_mode(mode=False)  # what is kept is changed in place by later calls, from wherever they come
    @torch.no_grad()
    def update(self, semantics: SemanticMap, style: Tensor | None = None) -> Tensor:
        """The picture of this map in this style.

        A map of another size, batch or device than the last one, or of other classes or edges, is a new start.

        Args:
            semantics: N maps of size (H, W).
            style: (N, style_dim).

        Returns:
            (N, 3, H, W) in [-1, 1], at least float32; the caller's own.

        Raises:
            InputError: as :meth:`SPADEGenerator.forward`; the picture stays as it was.
        """
        self.folded.check(semantics, style)
        drawing = self._drawing
        if drawing is None or drawing.kind != _kind(semantics):
            drawing = _Drawing(self.folded, semantics)
        self._drawing = None  # should this break off, what is half done is not built upon
        with kept_memory(semantics.device):
            self.work = drawing.update(semantics, style)
        self._drawing = drawing
        return drawing.photo.clone()


def _kind(semantics: SemanticMap) -> tuple[object, ...]:
    """What all maps of a drawing have in common."""
    labels = semantics.labels
    return labels.shape, labels.device, semantics.num_classes, semantics.edges is None


class _Drawing:
    """The last map and what is kept of its picture.

    Attributes:
        kind: of the maps.
        maps: the first map, and behind it for every block what its two convolutions gave; of shape 0 at the start.
        photo: (N, 3, H, W), the picture.
    """

    def __init__(self, folded: FoldedSPADE, semantics: SemanticMap) -> None:
        self._folded = folded
        self.kind = _kind(semantics)
        self._blocks = [block for block in folded.blocks if isinstance(block, FoldedSPADEBlock)]
        height, width = (side >> folded.upsamplings for side in semantics.size)
        self._sizes = [(height << doublings, width << doublings) for doublings in folded.doublings]
        codes = semantics.num_classes * (1 if semantics.edges is None else 2)
        kernel = self._blocks[0].table_weights.kernel
        self._patterns = {s: ChangingPatterns((semantics.batch, *s), codes, kernel) for s in self._sizes}
        self._tables = [GrowingTables(block.table_weights) for block in self._blocks]
        self._style: Tensor | None = None
        nothing = torch.empty(0)
        self.maps = [nothing] * (1 + 2 * len(self._blocks))
        self.photo = nothing
        self._local = not any(isinstance(layer, InstanceNorm2d) for layer in folded.modules())
        self._spent = 0

    @property
    def bytes(self) -> int:
        """Memory, but for the patterns'."""
        return sum(t.bytes for t in self._tables) + sum(m.nbytes for m in [*self.maps, self.photo])

    def update(self, semantics: SemanticMap, style: Tensor | None) -> Work:
        """Bring everything up to date."""
        self._spent = 0
        changes = self._number(semantics)
        region = self._restart(semantics, style, changes[self._sizes[0]])
        for i, size in enumerate(self._sizes):
            region = self._redraw_block(i, semantics.resized(*size), region, changes[size])
        if region is not None:
            region = self._redraw_photo(region, semantics.size)
        every = [
            Region.whole(size).area * _weights(block.conv_0, *block.last_convolutions)
            for block, size in zip(self._blocks, self._sizes, strict=True)
        ]
        share = self._spent / (sum(every) + Region.whole(semantics.size).area * _weights(self._folded.last))
        new = sum(0 if change is None else len(change.outer) for change in changes.values())
        return Work(region, share, new, sum(patterns.known for patterns in self._patterns.values()))

    def _number(self, semantics: SemanticMap) -> dict[Size, Change | None]:
        """Patterns and tables; for each size what changed."""
        on_cpu = semantics.to("cpu")
        changes = {}
        for size, patterns in self._patterns.items():
            changes[size] = change = patterns.update(on_cpu.resized(*size).codes)
            if change is None:
                continue
            tables = [of_block for of_block, its in zip(self._tables, self._sizes, strict=True) if its == size]
            for table in tables:
                table.extend(semantics, change)
            stay = patterns.tidy()
            if stay is not None:
                for table in tables:
                    table.keep(*stay)
        return changes

    def _restart(self, semantics: SemanticMap, style: Tensor | None, change: Change | None) -> Region | None:
        """The map before the first block; returns the region of it that changed."""
        size = self._sizes[0]
        if self._folded.style_dim is None:
            if change is None:
                return None
            self.maps[0] = self._folded.first_map(semantics.resized(*size), None)
            return change.region  # the first convolution reaches less far than the patterns do
        assert style is not None
        if self._style is not None and torch.equal(self._style, style):
            return None
        self._style = style.clone()
        self.maps[0] = self._folded.first_map(semantics.resized(*size), style)
        return Region.whole(size)

    def _redraw_block(
        self, i: int, semantics: SemanticMap, region: Region | None, change: Change | None
    ) -> Region | None:
        """The features of a block.

        Args:
            i: its number.
            semantics: the map at its size.
            region: what changed of its input.
            change: of the patterns.

        Returns:
            What changed of its output.
        """
        block, size, x, tables = self._blocks[i], semantics.size, self.maps[2 * i], self._tables[i].tables
        if region is not None:
            region = region.times(size[0] // x.shape[2])
        if change is not None:
            region = change.region.joined(region)
        if region is None:
            return None
        if not self._local:
            region = Region.whole(size)
        x = repeatable(x, semantics)
        factor = size[0] // x.shape[2]

        def rows(crop: Region) -> PixelRows:
            index = crop.of(self._patterns[size].index)
            return PixelRows(index.to(x.device).contiguous(), len(tables[0]))

        changed, crop = _reach(region, size, factor)
        part = crop.over(factor).of(x)
        self._paste(2 * i + 1, block.before(block.centre_0(part), rows(crop), tables), changed, crop)
        self._spent += crop.area * _weights(block.conv_0)

        changed, crop = _reach(changed, size, factor)
        part = crop.over(factor).of(x)
        part = part if block.learned_shortcut else part.clone()  # or else it is overwritten
        dx = crop.of(self.maps[2 * i + 1])
        self._paste(2 * i + 2, block.after(part, dx, block.centre_0(part), rows(crop), tables), changed, crop)
        self._spent += crop.area * _weights(*block.last_convolutions)
        return changed

    def _redraw_photo(self, region: Region, size: Size) -> Region:
        """The last convolution; returns what changed of the picture."""
        changed, crop = _reach(region, size, 1)
        features = F.leaky_relu(crop.of(self.maps[-1]), 0.2)
        photo = torch.tanh(self._folded.last(features))
        photo = photo.to(torch.promote_types(photo.dtype, torch.float32))
        self.photo = _pasted(self.photo, photo, changed, crop)
        self._spent += crop.area * _weights(self._folded.last)
        return changed

    def _paste(self, place: int, part: Tensor, changed: Region, crop: Region) -> None:
        self.maps[place] = _pasted(self.maps[place], part, changed, crop)


def _reach(region: Region, size: Size, factor: int) -> tuple[Region, Region]:
    """What changes of a 3×3 convolution's output where its input changes in a region.

    Returns:
        That, and a crop of which to compute it: convolved with zeros around it, the crop is right but for a ring of one
        pixel along those of its sides that are not sides of the image. It consists of whole pixels of an input that is
        up-sampled by ``factor``.
    """
    changed = region.grown(1, size)
    return changed, changed.grown(1, size).over(factor).times(factor)


def _pasted(kept: Tensor, part: Tensor, changed: Region, crop: Region) -> Tensor:
    """The features (N, C, H, W) with those of the crop where they changed; overwrites ``kept``."""
    if part.shape[-2:] == kept.shape[-2:] or kept.numel() == 0:  # a first picture is computed whole
        return part
    changed.of(kept).copy_(changed.within(crop).of(part))
    return kept


def _weights(*convolutions: nn.Module) -> int:
    return sum(w.numel() for c in convolutions if isinstance(w := c.weight, Tensor))
