"""Label maps with a style code for each region (SEAN, Zhu et al. 2020): a condition of the blocks that take one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from i2i.label_regions import JoinedRows, Regions
from i2i.noise import NoisyMap
from i2i.patterns import PixelRows, Windows
from i2i.pixels import Pixels
from i2i.semantics import SemanticMap

Noise = Sequence[Tensor | None]
"""What is added to the features before each modulation of a block: (N, 1, H, W) or the same for all images
(1, 1, H, W), or None; empty for a block without."""


@dataclass(frozen=True)
class ByClass:
    """Vectors of regions, laid out so that those of one class are multiplied by its matrix at a time.

    Attributes:
        classes: (P,) int64, the classes that there are.
        group: (R,) int64 in [0, P), where the class of each region stands among them.
        slot: (R,) int64 in [0, most), the number of each region among those of its class.
        most: regions of the class that has most.
    """

    classes: Tensor
    group: Tensor
    slot: Tensor
    most: int

    @classmethod
    def of(cls, labels: Tensor) -> ByClass:
        """For regions of these classes (R,)."""
        if labels.is_meta:  # as many as can be: see class_regions
            return cls(labels, labels, labels, 1)
        classes, group, counts = torch.unique(labels, return_inverse=True, return_counts=True)
        order = torch.argsort(group, stable=True)
        first = counts.cumsum(0) - counts
        slot = torch.empty_like(group).scatter_(0, order, torch.arange(len(order), device=order.device))
        return cls(classes, group, slot - first[group], int(counts.max()))

    def lay(self, vectors: Tensor) -> Tensor:
        """(R, C) -> (P, most, C), zeros where there is no region."""
        laid = vectors.new_zeros(len(self.classes), self.most, vectors.shape[1])
        return laid.index_put((self.group, self.slot), vectors)

    def gather(self, laid: Tensor) -> Tensor:
        """(P, most, C) -> (R, C)."""
        return laid[self.group, self.slot]


class StyledMap:
    """A batch of label maps of which every region has a style code. Other sizes share the codes.

    Args:
        semantics: the label maps.
        regions: of their pixels.
        labels: (R,) int64, the class of each region.
        codes: (R, D), the style code of each.
    """

    def __init__(self, semantics: SemanticMap, regions: Regions, labels: Tensor, codes: Tensor) -> None:
        self.semantics = semantics
        self.regions = regions
        self.labels = labels
        self.codes = codes

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.semantics.size

    @property
    def batch(self) -> int:
        """N, the number of maps."""
        return self.semantics.batch

    @property
    def device(self) -> torch.device:
        """Where the maps lie."""
        return self.semantics.device

    @cached_property
    def by_class(self) -> ByClass:
        """The regions by their classes."""
        return ByClass.of(self.labels)

    def resized(self, height: int, width: int) -> StyledMap:
        """Of another size, labels and regions by their nearest neighbours."""
        if (height, width) == self.size:
            return self
        semantics, regions = self.semantics.resized(height, width), self.regions.resized(height, width)
        other = StyledMap(semantics, regions, self.labels, self.codes)
        other.__dict__["by_class"] = self.by_class
        return other

    def gathered(self, pixels: Pixels) -> StyledMap:
        """Of other pixels, with the regions that are there."""
        found, index = torch.unique(pixels.of_maps(self.regions.index), return_inverse=True)
        regions = Regions(index, len(found))
        return StyledMap(self.semantics.gathered(pixels), regions, self.labels[found], self.codes[found])

    def windows(self, kernel: int) -> Windows:
        """The distinct k×k windows of regions; see :meth:`i2i.label_regions.Regions.windows`."""
        return self.regions.windows(kernel)

    def joined(self, rows: PixelRows, kernel: int) -> JoinedRows:
        """Rows of labels paired with windows of regions; see :meth:`i2i.label_regions.Regions.joined`."""
        return self.regions.joined(rows, kernel)


Seen = SemanticMap | NoisyMap | StyledMap
"""What the blocks of a generator see at every pixel: the labels, with noise channels, or with a style code."""
