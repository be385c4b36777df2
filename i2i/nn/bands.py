"""Large pictures of the folded generator in bands of rows: exactly the whole picture, in less memory.

The first blocks are computed whole. Of the last ones, :mod:`i2i.nn.band_plan` tells how many, one band of rows after
the other is computed, each wider by what the convolutions reach; so there are no seams to hide. Where the map has few
patterns the tables are made once, for the whole map; else each band makes its own from the map around it.

A band may differ from the whole in the last bits, where the library chooses another order of summation for other sizes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from i2i.errors import InputError
from i2i.nn.band_plan import BandPlan, Planner, Step, bands_of, steps_of
from i2i.nn.folded import FoldedBlock, FoldedOASIS, FoldedSPADE
from i2i.nn.generator import Generator
from i2i.nn.memory import kept_memory, release_memory
from i2i.nn.norm import InstanceNorm2d
from i2i.noise import NoisyMap
from i2i.patterns import PixelRows
from i2i.pixels import Pixels
from i2i.region import Region, Size
from i2i.semantics import SemanticMap

Tables = tuple[PixelRows, list[Tensor]]
"""The rows of pixels, and the tables they are rows of."""


def has_bands(generator: Generator) -> bool:
    """Whether pictures of this generator can be made in bands.

    It must be a folded SPADE or OASIS network without instance norm, whose statistics are of the whole picture. What is
    made of these networks may be another function of map and style, so the class itself is asked for.
    """
    local = not any(isinstance(layer, InstanceNorm2d) for layer in generator.modules())
    return type(generator) in (FoldedSPADE, FoldedOASIS) and local


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
                f"pictures of this network ({name}) are made whole; SPADE and OASIS without instance norm can be made "
                "in bands, which take less memory"
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
        for block, size in zip(self._blocks[: plan.first], sizes, strict=False):
            x = block(x, seen.resized(*size), folded.modulation)
        once = {
            i: block.tables(seen.resized(*sizes[i]), folded.modulation)
            for i, block in enumerate(self._blocks)
            if i >= plan.first and plan.tables[i]
        }
        photo: Tensor | None = None
        for band in bands_of(sizes[-1], plan.rows):
            part = self._band(band, x, seen, sizes, plan.first, once)
            if photo is None:
                photo = part.new_empty(len(part), 3, *sizes[-1])
            band.of(photo).copy_(part)
        release_memory()
        assert photo is not None
        return photo

    def _band(
        self,
        band: Region,
        x: Tensor,
        seen: SemanticMap | NoisyMap,
        sizes: list[Size],
        first: int,
        once: Mapping[int, Tables],
    ) -> Tensor:
        """(N, 3, h, W), a band of the picture from the features before the first block that is not whole."""
        steps, wanted = steps_of(band, sizes, first)
        factor = sizes[first][0] // x.shape[2]
        part = steps[0].crop.over(factor).of(x)
        for i, step in enumerate(steps, first):
            part = self._step(self._blocks[i], step, part, seen.resized(*sizes[i]), once.get(i))
        photo = torch.tanh(self._folded.last(F.leaky_relu(part, 0.2)))
        return band.within(wanted).of(photo).to(torch.promote_types(photo.dtype, torch.float32))

    def _step(
        self, block: FoldedBlock, step: Step, part: Tensor, semantics: SemanticMap | NoisyMap, once: Tables | None
    ) -> Tensor:
        """A block's output where it is right, from its input in the crop."""
        rows, tables = self._tables(block, semantics, step.crop) if once is None else _cropped(*once, step.crop)
        part = part if block.learned_shortcut else part.clone()  # or else it is overwritten
        with kept_memory(part.device):  # only here, where all bands want blocks of the same sizes
            centred = block.centre_0(part)
            out = block.after(part, block.before(centred, rows, tables), centred, rows, tables)
        return step.right.within(step.crop).of(out)

    def _tables(self, block: FoldedBlock, semantics: SemanticMap | NoisyMap, crop: Region) -> Tables:
        """The tables of a block for a crop alone."""
        around = crop.grown(block.table_weights.kernel - 1, semantics.size)  # what patterns in the crop are made of
        images = torch.arange(semantics.batch, device=semantics.device)
        corner = torch.full_like(images, around.top), torch.full_like(images, around.left)
        part = semantics.gathered(Pixels.cropped(images, *corner, around.size))
        return _cropped(*block.tables(part, self._folded.modulation, keep=False), crop.within(around))


def _cropped(rows: PixelRows, tables: list[Tensor], crop: Region) -> Tables:
    return PixelRows(crop.of(rows.index).contiguous(), rows.count), tables
