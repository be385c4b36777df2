"""The condition that flows through every network: an integer class map, optionally with instance edges.

Integers travel. What is made of them (other sizes, label patterns, the one-hot tensor) is made on demand and kept with
the map, so that it is made once for all layers and, where a map is used again, once for all its pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from i2i.condition import Semantics
from i2i.errors import InputError
from i2i.patterns import Patterns, Windows, find_patterns, number_windows
from i2i.pixels import Pixels
from i2i.recipe import recorded

T = TypeVar("T")

Maps = Tensor | NDArray[Any]
_UNSIGNED = {torch.uint16: torch.int32, torch.uint32: torch.int64, torch.uint64: torch.int64}
"""What maps of these types become: PyTorch has them, but hardly any operation on them."""

Step = tuple[int, int, int]
"""A convolution's or pooling's kernel, stride and padding."""


class SemanticMap:
    """A batch of class maps and, where the model wants them, the edges between instances.

    Args:
        labels: (N, H, W) integers in [0, num_classes).
        num_classes: number of classes, an "unknown" class included.
        edges: (N, H, W) bool, true where an instance ends; None for a model without instance edges.
        instances: (N, H, W) ids, for networks that treat each instance by itself; None where there are none.

    Attributes:
        distinct: the map that this one repeats, and how often; itself and 1.
    """

    def __init__(
        self, labels: Tensor, num_classes: int, edges: Tensor | None = None, instances: Tensor | None = None
    ) -> None:
        self.labels = labels
        self.num_classes = num_classes
        self.edges = edges
        self.instances = instances
        self._resized: dict[tuple[int, int], SemanticMap] = {}
        self._dense: dict[torch.dtype, Tensor] = {}
        self._patterns: dict[int, Patterns] = {}
        self._windows: dict[tuple[Step, ...], Windows] = {}
        self.distinct: tuple[SemanticMap, int] = (self, 1)
        self._made_by: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()

    @classmethod
    def from_labels(cls, labels: Maps, num_classes: int, instances: Maps | None = None) -> SemanticMap:
        """Check a class map and derive the instance edges.

        Args:
            labels: (N, H, W) or (N, 1, H, W), any integer type, a tensor or an array.
            num_classes: values must lie in [0, num_classes).
            instances: instance ids of the same shape; an edge is a pixel whose id differs from that of one of its
                4 neighbours (Wang et al. 2018, section 3.3).

        Raises:
            InputError: another shape or type, or a value out of range (named with its position).
        """
        labels = _as_maps(labels, "labels")
        low, high = (int(x) for x in torch.aminmax(labels))
        if low < 0 or high >= num_classes:
            value = low if low < 0 else high
            n, y, x = (int(i) for i in (labels == value).nonzero()[0])
            raise InputError(
                f"label {value} at image {n}, row {y}, column {x} is out of range; allowed are 0 to {num_classes - 1}"
            )
        if instances is None:
            return cls(labels, num_classes)
        instances = _as_maps(instances, "instances")
        if instances.shape != labels.shape:
            raise InputError(f"instances have shape {tuple(instances.shape)}, the labels {tuple(labels.shape)}")
        return cls(labels, num_classes, instance_edges(instances), instances)

    @property
    def channels(self) -> int:
        """Channels of the one-hot tensor: the classes, plus one for the edges where there are any."""
        return self.num_classes + (self.edges is not None)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.labels.shape[-2], self.labels.shape[-1]

    @property
    def batch(self) -> int:
        """N, the number of maps."""
        return self.labels.shape[0]

    @property
    def device(self) -> torch.device:
        """Where the maps lie, and everything made from them."""
        return self.labels.device

    def to(self, device: torch.device | str) -> SemanticMap:
        """The same maps on another device, with the sizes and patterns that were found already."""
        moved = self._each(lambda maps: maps.to(device))
        moved._resized = {size: semantics.to(device) for size, semantics in self._resized.items()}
        moved._patterns = {kernel: patterns.to(device) for kernel, patterns in self._patterns.items()}
        moved._windows = {steps: windows.to(device) for steps, windows in self._windows.items()}
        return moved

    def __getstate__(self) -> dict[str, Any]:
        """Without what networks left here: that stays in its process."""
        return self.__dict__ | {"_made_by": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state | {"_made_by": WeakKeyDictionary()}

    def resized(self, height: int, width: int) -> SemanticMap:
        """Nearest-neighbour copy of another size, by PyTorch's ``mode="nearest"`` rule; made once per size."""
        if (height, width) == self.size:
            return self
        if (height, width) not in self._resized:
            rows = _nearest_indices(self.size[0], height, self.device)[:, None]
            columns = _nearest_indices(self.size[1], width, self.device)[None, :]
            with torch.inference_mode(mode=False):  # it is kept, and may be asked for where a gradient is wanted next
                self._resized[height, width] = self._each(lambda maps: maps[:, rows, columns])
        return self._resized[height, width]

    @property
    def codes(self) -> Tensor:
        """(N, H, W) int64, one number for all that the networks see of a pixel: the label, or ``2 · label + edge``."""
        labels = self.labels.long()
        return labels if self.edges is None else 2 * labels + self.edges

    @property
    def num_codes(self) -> int:
        """How many codes there are: :attr:`codes` lie in [0, num_codes)."""
        return self.num_classes * (1 if self.edges is None else 2)

    def patterns(self, height: int, width: int, kernel: int = 3) -> Patterns:
        """The distinct neighbourhoods in the map of that size, for two k×k convolutions; found once.

        Args:
            height: of the resized map.
            width: of the resized map.
            kernel: size k of the convolutions, odd.
        """
        semantics = self.resized(height, width)
        if kernel not in semantics._patterns:
            semantics._patterns[kernel] = find_patterns(semantics.codes, self.num_codes, kernel)
        return semantics._patterns[kernel]

    def windows(self, *steps: Step) -> Windows:
        """The distinct windows of codes, then the distinct windows of these, and so on; found once.

        Args:
            steps: convolutions or poolings that follow one another. What lies outside the image is a number of its own
                at each: that of all codes, or of all windows of the step before.

        Returns:
            The windows of the last step.
        """
        if steps not in self._windows:
            if len(steps) == 1:
                ids, outside = self.codes, self.num_codes
            else:
                before = self.windows(*steps[:-1])
                ids, outside = before.rows.index, len(before)
            with torch.inference_mode(mode=False):  # kept, and perhaps asked for in training next
                self._windows[steps] = number_windows(ids, outside, *steps[-1])
        return self._windows[steps]

    def kept_for(self, maker: object, make: Callable[[], T]) -> T:
        """What ``make`` returns; made once for every ``maker`` and kept as long as map and maker both exist.

        ``maker`` is told apart by identity, so it must give the same at every call. Threads may share a map: at worst
        two of them make the same at the same time.
        """
        made = self._made_by.get(maker)
        if made is None:
            made = self._made_by.setdefault(maker, make())
        found: T = made
        return found

    def repeated(self, times: int) -> SemanticMap:
        """The batch ``times`` over, as the discriminator wants it for fake and real together."""
        batch = self._each(lambda maps: maps.repeat(times, 1, 1))
        batch.distinct = (self.distinct[0], self.distinct[1] * times)
        return batch

    def gathered(self, pixels: Pixels) -> SemanticMap:
        """The chosen pixels, edges and instances as they were: where a crop ends, no instance does."""
        return self._each(pixels.of_maps)

    def _each(self, change: Callable[[Tensor], Tensor]) -> SemanticMap:
        """A map of the changed labels, edges and instances."""
        edges, instances = (None if maps is None else change(maps) for maps in (self.edges, self.instances))
        return SemanticMap(change(self.labels), self.num_classes, edges, instances)

    def dense(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """The one-hot tensor, (N, channels, H, W): the classes first, the edge channel last. Made once per type."""
        if dtype not in self._dense:
            n, h, w = self.labels.shape
            with torch.inference_mode(mode=False):  # it is kept, and may be asked for where a gradient is wanted next
                dense = torch.zeros(n, self.channels, h, w, dtype=dtype, device=self.device)
                dense.scatter_(1, self.labels[:, None].long(), 1)
                if self.edges is not None:
                    dense[:, -1] = self.edges
            self._dense[dtype] = dense
        return self._dense[dtype]


@recorded
class LabelSemantics(Semantics):
    """How a model reads its condition: turns a batch of labels (and instances) into a :class:`SemanticMap`.

    Args:
        num_classes: number of classes, an "unknown" class included.
        edges: whether the networks take the instance-edge channel.
    """

    def __init__(self, num_classes: int, edges: bool = False) -> None:
        self.num_classes = num_classes
        self.edges = edges

    @property
    def channels(self) -> int:
        """What the networks take as ``label_channels``."""
        return self.num_classes + self.edges

    def read(self, batch: Mapping[str, Any]) -> SemanticMap:
        """The condition of a batch of the loader, which may have made it already."""
        if isinstance(batch.get("semantics"), SemanticMap):
            made: SemanticMap = batch["semantics"]
            return made
        if "labels" not in batch:
            raise InputError(f"the model takes label maps of {self.num_classes} classes, but the data has images")
        return self(batch["labels"], batch.get("instances"))

    def __call__(self, labels: Maps, instances: Maps | None = None) -> SemanticMap:
        """(N, H, W) or (N, 1, H, W) integers to a checked map.

        Where the model wants edges and no instances are given, the borders between classes serve: labels alone are
        enough. Where it wants none, instances are ignored.
        """
        if not self.edges:
            return SemanticMap.from_labels(labels, self.num_classes)
        return SemanticMap.from_labels(labels, self.num_classes, labels if instances is None else instances)


def instance_edges(instances: Tensor) -> Tensor:
    """(N, H, W) ids -> (N, H, W) bool, true where one of the 4 neighbours has another id."""
    edges = torch.zeros_like(instances, dtype=torch.bool)
    across = instances[:, :, 1:] != instances[:, :, :-1]
    edges[:, :, 1:] |= across
    edges[:, :, :-1] |= across
    down = instances[:, 1:] != instances[:, :-1]
    edges[:, 1:] |= down
    edges[:, :-1] |= down
    return edges


def _as_maps(maps: Maps, name: str) -> Tensor:
    maps = torch.as_tensor(maps)
    if maps.dtype in _UNSIGNED:
        maps = maps.to(_UNSIGNED[maps.dtype])
    if maps.dim() == 4 and maps.shape[1] == 1:
        maps = maps[:, 0]
    if maps.dim() != 3 or 0 in maps.shape:
        raise InputError(f"{name} have shape {tuple(maps.shape)}; expected (N, H, W) or (N, 1, H, W), none of them 0")
    if maps.is_floating_point() or maps.is_complex() or maps.dtype == torch.bool:
        raise InputError(f"{name} are {maps.dtype}; a map of ids has an integer type")
    return maps


def _nearest_indices(source: int, target: int, device: torch.device) -> Tensor:
    """The source index of each target pixel, taken from ``interpolate`` itself so that the two rules cannot differ."""
    positions = torch.arange(source, dtype=torch.float32, device=device)[None, None]
    return F.interpolate(positions, size=target, mode="nearest")[0, 0].long()
