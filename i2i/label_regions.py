"""The regions of label maps that share something, such as a style or a noise vector: all of one class, or an instance.

Regions are numbered over the whole batch, so that what belongs to each of them is gathered and spread without a loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor

from i2i.errors import InputError
from i2i.patterns import Patterns, PixelRows, Windows, find_patterns, number_windows
from i2i.semantics import SemanticMap

RegionKind = Literal["class", "instance"]
"""Which pixels are one region: those of one class in an image, or those of one instance."""


@dataclass(frozen=True)
class JoinedRows:
    """Rows of pairs: of the rows that pixels have in two tables at a time.

    Attributes:
        rows: for every pixel its pair.
        first: (P,) int64, the row of each pair in the first table; None where it is the pair's own number.
        second: (P,) int64, the row of each pair in the second table.
    """

    rows: PixelRows
    first: Tensor | None
    second: Tensor


class Regions:
    """Which pixels share something, numbered over the whole batch. Other sizes, patterns and windows are found once.

    Args:
        index: (N, H, W) int64 in [0, count), the region of each pixel.
        count: number of regions.
    """

    def __init__(self, index: Tensor, count: int) -> None:
        self.index = index
        self.count = count
        self._resized: dict[tuple[int, int], Regions] = {}
        self._patterns: dict[int, Patterns] = {}
        self._windows: dict[int, Windows] = {}
        self._joined: WeakKeyDictionary[PixelRows, JoinedRows] = WeakKeyDictionary()

    def resized(self, height: int, width: int) -> Regions:
        """Nearest-neighbour copy of another size, by PyTorch's ``mode="nearest"`` rule."""
        if (height, width) == tuple(self.index.shape[-2:]):
            return self
        if (height, width) not in self._resized:
            with torch.inference_mode(mode=False):  # it is kept, and may be asked for where a gradient is wanted next
                index = F.interpolate(self.index[:, None].float(), size=(height, width), mode="nearest")  # exact < 2²⁴
                self._resized[height, width] = Regions(index[:, 0].long(), self.count)
        return self._resized[height, width]

    def patterns(self, semantics: SemanticMap, kernel: int) -> Patterns:
        """The distinct neighbourhoods of (region, label) in a map of these regions' size.

        Args:
            semantics: the map that the regions belong to; always the same.
            kernel: size of the windows.
        """
        if self.count == 1:
            return semantics.patterns(*semantics.size, kernel)
        if kernel not in self._patterns:
            codes = self.index * semantics.num_codes + semantics.codes
            self._patterns[kernel] = find_patterns(codes, self.count * semantics.num_codes, kernel)
        return self._patterns[kernel]

    def windows(self, kernel: int) -> Windows:
        """The distinct k×k windows of regions, where ``count`` stands for "outside the image".

        Args:
            kernel: size k of the windows, odd.
        """
        if kernel not in self._windows:
            with torch.inference_mode(mode=False):
                self._windows[kernel] = number_windows(self.index, self.count, kernel)
        return self._windows[kernel]

    def joined(self, first: PixelRows, kernel: int) -> JoinedRows:
        """The rows that pixels have in a table, paired with their windows of regions; found once for these rows.

        Args:
            first: rows of the (N, H, W) pixels, each of which occurs; always with the same kernel.
            kernel: size of the windows.
        """
        found = self._joined.get(first)
        if found is None:
            with torch.inference_mode(mode=False), torch.no_grad():
                found = self._joined.setdefault(first, _joined(first, self.windows(kernel).rows))
        return found


def _joined(first: PixelRows, second: PixelRows) -> JoinedRows:
    rows, others = first.index.flatten().long(), second.index.flatten().long()
    if first.count < len(rows):
        pairs = number_windows((rows * second.count + others).view(first.index.shape), -1, 1)
        pair = pairs.contents.flatten()
        of_first, of_second = pair // second.count, pair % second.count
        if len(pairs) > first.count:
            return JoinedRows(pairs.rows, of_first, of_second)
        rows, others = of_first, of_second
    # The first row tells the second one.
    return JoinedRows(first, None, torch.empty_like(others).scatter_(0, rows, others))


@dataclass(frozen=True)
class FoundRegions:
    """The regions of a batch, and where each stands in vectors that are given as (N, K, channels).

    Attributes:
        regions: R of them, over the whole batch.
        image: (R,) int64, the map that each lies in.
        place: (R,) int64 in [0, K), which of the vectors of that map is its own.
        label: (R,) int64, its class.
        id: (R,) int64, its instance; the class where regions are classes.
        places: K.
    """

    regions: Regions
    image: Tensor
    place: Tensor
    label: Tensor
    id: Tensor
    places: int

    def chosen(self, vectors: Tensor) -> Tensor:
        """(N, K, channels) -> (R, channels), the vector of each region."""
        return vectors[self.image, self.place]

    def of_classes(self, vectors: Tensor) -> Tensor:
        """(N, classes, channels), vectors of classes -> (N, K, channels), of which each region has its class's."""
        placed = vectors.new_zeros(len(vectors), self.places, vectors.shape[2])
        placed[self.image, self.place] = vectors[self.image, self.label]
        return placed


def regions_of(semantics: SemanticMap, kind: RegionKind) -> FoundRegions:
    """The regions of a batch; found once.

    Raises:
        InputError: instances of a map without them.
    """
    find = instance_regions if kind == "instance" else class_regions
    return semantics.kept_for(find, lambda: find(semantics))


@torch.inference_mode(mode=False)  # regions are kept with the map, whoever asked for them first
def image_regions(semantics: SemanticMap) -> Regions:
    """One region for each map of the batch."""
    images = torch.arange(semantics.batch, device=semantics.device)
    return Regions(images[:, None, None].expand(semantics.labels.shape), semantics.batch)


@torch.inference_mode(mode=False)
def class_regions(semantics: SemanticMap) -> FoundRegions:
    """One region for each class that occurs in a map; the place of a class is its label."""
    classes = semantics.num_classes
    images = torch.arange(semantics.batch, device=semantics.device)[:, None, None]
    index = images * classes + semantics.labels
    if index.is_meta:  # of labels without values, as where operations are only counted, any class may occur
        found = torch.arange(semantics.batch * classes, device=semantics.device)
    else:
        found, index = torch.unique(index, return_inverse=True)
    label = found % classes
    return FoundRegions(Regions(index, len(found)), found // classes, label, label, label, classes)


@torch.inference_mode(mode=False)
def instance_regions(semantics: SemanticMap) -> FoundRegions:
    """One region for each instance in a map, where an id in two classes is two instances; placed by class, then by id.

    Raises:
        InputError: the map has no instances.
    """
    if semantics.instances is None:
        raise InputError(
            "there are no instance maps, which noise or a style for each instance needs; choose it for each class"
        )
    ids, instance = torch.unique(semantics.instances, return_inverse=True)
    images = torch.arange(semantics.batch, device=semantics.device)[:, None, None]
    keys = (images * semantics.num_classes + semantics.labels) * len(ids) + instance
    found, index = torch.unique(keys, return_inverse=True)
    image, label = found // len(ids) // semantics.num_classes, found // len(ids) % semantics.num_classes
    counts = torch.bincount(image, minlength=semantics.batch)
    first = counts.cumsum(0) - counts  # regions of the maps before
    place = torch.arange(len(found), device=semantics.device) - first[image]
    return FoundRegions(Regions(index, len(found)), image, place, label, ids[found % len(ids)], int(counts.max()))
