"""Large pictures of the folded generator in bands of rows: exactly the whole picture, in less memory.

The first blocks are computed whole. Of the last ones, :mod:`i2i.nn.band_plan` tells how many, one band of rows after
the other is computed, each wider by what the convolutions reach; so there are no seams to hide. Where the map has few
patterns the tables are made once, for the whole map; else each band makes its own from the map around it.

A band may differ from the whole in the last bits, where the library chooses another order of summation for other sizes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from i2i.errors import InputError
from i2i.nn.band_plan import BandPlan, Planner, Step, bands_of, steps_of
from i2i.nn.folded import FoldedOASIS, FoldedSPADE
from i2i.nn.folded_block import FoldedBlock, Tables
from i2i.nn.folded_sean import FoldedSEAN
from i2i.nn.generator import Generator
from i2i.nn.memory import kept_memory, release_memory, trim_memory
from i2i.nn.norm import InstanceNorm2d
from i2i.patterns import PixelRows
from i2i.pixels import Pixels
from i2i.region import Region, Size
from i2i.semantics import SemanticMap
from i2i.styled_map import Seen


def has_bands(generator: Generator) -> bool:
    """Whether pictures of this generator can be made in bands.

    It must be a folded SPADE, OASIS or SEAN network without instance norm, whose statistics are of the whole picture.
    What is made of these networks may be another function of map and style, so the class itself is asked for.
    """
    local = not any(isinstance(layer, InstanceNorm2d) for layer in generator.modules())
    return type(generator) in (FoldedSPADE, FoldedOASIS, FoldedSEAN) and local


class BandedSPADE:
    """Pictures in bands where the memory is short. Any number of threads may share it.

    Args:
        folded: the generator.

    Raises:
        InputError: its pictures cannot be made in bands.
    """

    def __init__(self, folded: Generator) -> None:
        if not isinstance(folded, FoldedSPADE) or not has_bands(folded):
            name = type(folded).__name__
            raise InputError(
                f"pictures of this network ({name}) are made whole; SPADE, OASIS and SEAN without instance norm "
                "can be made in bands, which take less memory"
            )
        self._folded = folded
        self._blocks = [block for block in folded.blocks if isinstance(block, FoldedBlock)]

    def plan(self, semantics: SemanticMap, style: Tensor | None, limit: int) -> BandPlan:
        """The plan with the least work that takes at most ``limit`` bytes; where there is none, the smallest.

        Args:
            semantics: N maps.
            style: as the generator takes it.
            limit: for features and tables; the weights are there anyway.

        Raises:
            InputError: as the generator's forward.
        """
        self._folded.check(semantics, style)
        return Planner(self._folded, self._folded.seen(semantics, style)[0]).best(limit)

    def __call__(self, semantics: SemanticMap, style: Tensor | None, plan: BandPlan) -> Tensor:
        """As the generator's forward, by a plan for a map and style of these shapes.

        Returns:
            (N, 3, H, W) in [-1, 1], at least float32.
        """
        folded = self._folded
        if plan.first == len(self._blocks):
            whole: Tensor = folded(semantics, style)
            return whole
        folded.check(semantics, style)
        seen, style = folded.seen(semantics, style)
        sizes = Planner(folded, seen).sizes
        x = folded.first_map(seen.resized(*sizes[0]), style)
        for i, size in enumerate(sizes[: plan.first]):
            x = folded.through_block(i, x, seen.resized(*size))
        blocks = [
            _BandedBlock(folded, i, block, seen, sizes[i], plan.tables[i])
            for i, block in enumerate(self._blocks)
            if i >= plan.first
        ]
        photo: Tensor | None = None
        crops: list[Size] = []
        for band in bands_of(sizes[-1], plan.rows):
            steps, wanted = steps_of(band, sizes, plan.first)
            if crops != [step.crop.size for step in steps]:  # what is kept does not fit them
                release_memory()
                crops = [step.crop.size for step in steps]
            part = self._band(x, blocks, steps)
            part = band.within(wanted).of(part).to(torch.promote_types(part.dtype, torch.float32))
            if photo is None:
                photo = part.new_empty(len(part), 3, *sizes[-1])
            band.of(photo).copy_(part)
            trim_memory()  # of tables, whose sizes differ from band to band
        release_memory()
        assert photo is not None
        return photo

    def _band(self, x: Tensor, blocks: list[_BandedBlock], steps: list[Step]) -> Tensor:
        """(N, 3, h, w), what the last blocks make of the features before them."""
        factor = blocks[0].size[0] // x.shape[2]
        x = steps[0].crop.over(factor).of(x)
        for block, step in zip(blocks, steps, strict=True):
            x = block(x, step)
        return torch.tanh(self._folded.last(F.leaky_relu(x, 0.2)))


class _BandedBlock:
    """A block that is computed in bands, with what is the same for all of them.

    Args:
        folded: the generator.
        number: of the block in it.
        block: this one.
        seen: what the generator's blocks see.
        size: of the map at this block.
        once: whether its tables are made for the whole map.
    """

    def __init__(
        self, folded: FoldedSPADE, number: int, block: FoldedBlock, seen: Seen, size: Size, once: bool
    ) -> None:
        self.size = size
        self._block = block
        self._seen = seen
        self._method = folded.modulation
        self._noise = folded.pixel_noise(number, seen.resized(*size))
        self._once = block.tables(seen.resized(*size), self._method) if once else None

    def __call__(self, x: Tensor, step: Step) -> Tensor:
        """The output where it is right, from the input in the step's crop."""
        rows, tables = self._tables(step.crop) if self._once is None else _cropped(*self._once, step.crop)
        noise = [part if part is None else step.crop.of(part) for part in self._noise]
        x = x if self._block.learned_shortcut else x.clone()  # or else it is overwritten
        with kept_memory(x.device):  # only here, where all bands want blocks of the same sizes
            out = self._block.convolved(x, rows, tables, noise)
        return step.right.within(step.crop).of(out)

    def _tables(self, crop: Region) -> Tables:
        """Those of a crop alone."""
        here = self._seen.resized(*self.size)
        around = crop.grown(self._block.table_weights.kernel - 1, self.size)  # what patterns in the crop are made of
        images = torch.arange(here.batch, device=here.device)
        corner = torch.full_like(images, around.top), torch.full_like(images, around.left)
        part = here.gathered(Pixels.cropped(images, *corner, around.size))
        return _cropped(*self._block.tables(part, self._method, keep=False), crop.within(around))


def _cropped(rows: PixelRows, tables: list[Tensor], crop: Region) -> Tables:
    return PixelRows(crop.of(rows.index).contiguous(), rows.count), tables
