"""Painting: a stroke changes the map, and the picture follows; computed whole, or only what the stroke changed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from i2i.benchmark.maps import MapSet
from i2i.benchmark.results import Case, Measurement
from i2i.benchmark.settings import Settings, make_generator
from i2i.benchmark.timing import interleave
from i2i.nn.folded import FoldedSPADE
from i2i.nn.incremental import IncrementalSPADE, Work
from i2i.semantics import LabelSemantics

WHOLE = "whole picture"

STROKES = {"8-pixel dab": (8, 0), "8-pixel stroke": (8, 24), "24-pixel stroke": (24, 72)}
"""Diameter of the round brush, and how far it is moved, in pixels."""

_COUNT = 4  # for each repeat, as strokes differ more than runs

NOTES = [
    f"{WHOLE}: the folded generator, from labels to picture. The others: the same picture by updating the last one, "
    f"after a straight stroke of a round brush in a class of the map (24-pixel: 24 wide, moved by 72); {_COUNT} "
    "strokes for each repeat, one upon the other.",
    "differs: the last picture from the whole one after all strokes. Shares are of a whole picture of the same map.",
]


def runs(inputs: int, settings: Settings) -> int:
    """How often :func:`measure_strokes` ticks."""
    return inputs * (1 + len(STROKES)) * (1 + _COUNT * settings.repeats)


@torch.inference_mode()
def measure_strokes(maps: MapSet, settings: Settings, tick: Callable[[], None]) -> Measurement:
    """Time and exactness of incremental updates.

    Args:
        maps: that are painted on; moved to the device.
        settings: see :class:`Settings`.
        tick: called after each run.
    """
    maps = maps.to(settings.device)
    folded = make_generator(maps, settings).eval().fold(None if settings.dtype == torch.float32 else settings.dtype)
    style = torch.randn(maps.batch, settings.style_dim).to(settings.device)
    count = _COUNT * settings.repeats

    def painters(brush: int, length: int) -> list[_Painter]:
        return [
            _Painter(folded, style, maps.semantics, _painted(maps, i, count, brush, length, settings.seed))
            for i in range(len(maps))
        ]

    by_stroke = {name: painters(*stroke) for name, stroke in STROKES.items()}
    others = painters(*next(iter(STROKES.values())))
    contestants: dict[str, Callable[[int], Tensor]] = {WHOLE: lambda index: others[index].whole()}
    for name, of_maps in by_stroke.items():
        contestants[name] = lambda index, of_maps=of_maps: of_maps[index].update()  # type: ignore[misc]
    for work in contestants.values():  # the first picture of each map, which is whole
        for index in range(len(maps)):
            work(index)
            tick()
    seconds = interleave(contestants, len(maps), count, settings.device, tick)
    cases = [Case(WHOLE, seconds[WHOLE])]
    numbers: dict[str, float] = {}
    for name, of_maps in by_stroke.items():
        cases.append(Case(name, seconds[name], difference=max(painter.difference() for painter in of_maps)))
        shares = np.array([work.convolutions for painter in of_maps for work in painter.works[1:]])
        rows = [work.patterns / painter.works[0].patterns for painter in of_maps for work in painter.works[1:]]
        numbers |= {
            f"{name}: multiplications of convolutions, share, median": float(np.median(shares)),
            f"{name}: the same, mean": float(shares.mean()),
            f"{name}: strokes that take more than half of them, share": float((shares > 0.5).mean()),
            f"{name}: rows of tables computed, share, mean": float(np.mean(rows)),
            f"{name}: MB kept between updates": max(painter.canvas.bytes for painter in of_maps) / 1e6,
        }
    about = settings.about(maps) | {"repeats": count}
    return Measurement("strokes", about, cases, numbers, notes=list(NOTES))


class _Painter:
    """Asks for the picture of one map after the other."""

    def __init__(self, folded: FoldedSPADE, style: Tensor, semantics: LabelSemantics, maps: list[_Maps]) -> None:
        self.canvas = IncrementalSPADE(folded)
        self.works: list[Work] = []
        self._style, self._semantics = style, semantics
        self._maps = iter(maps)
        self._last = maps[-1]

    def whole(self) -> Tensor:
        """The next picture, anew."""
        picture: Tensor = self.canvas.folded(self._semantics(*next(self._maps)), self._style)
        return picture

    def update(self) -> Tensor:
        """The next picture, by what changed."""
        picture = self.canvas.update(self._semantics(*next(self._maps)), self._style)
        assert self.canvas.work is not None
        self.works.append(self.canvas.work)
        return picture

    def difference(self) -> float:
        """Largest difference of the last picture, when all have been asked for, to one that is made anew."""
        semantics = self._semantics(*self._last)
        anew = self.canvas.folded(semantics, self._style)
        return float((self.canvas.update(semantics, self._style) - anew).abs().max())


_Maps = tuple[Tensor, Tensor | None]  # labels and instances


def _painted(maps: MapSet, index: int, count: int, brush: int, length: int, seed: int) -> list[_Maps]:
    """A batch of maps, and what becomes of it by so many strokes anywhere, each upon the one before.

    A stroke takes the class of some pixel of the batch, and is an object of its own where there are instances.
    """
    labels, ids = maps.labels[index], None if maps.instances is None else maps.instances[index]
    found: list[_Maps] = [(labels, ids)]
    random = torch.Generator().manual_seed(seed + index)
    pixels = torch.stack(torch.meshgrid(*(torch.arange(side) for side in maps.size), indexing="ij"), -1)
    for _ in range(count):
        angle = 2 * torch.pi * torch.rand((), generator=random)
        direction = torch.stack([angle.sin(), angle.cos()])
        way = pixels - torch.rand(2, generator=random) * torch.tensor(maps.size)
        across = way - (way @ direction).clamp(0, length)[..., None] * direction
        painted = (across.norm(dim=-1) <= brush / 2).to(labels.device)
        at = torch.randint(labels.numel(), (), generator=random)
        labels = labels.masked_fill(painted, int(labels.flatten()[at]))
        ids = None if ids is None else ids.masked_fill(painted, int(ids.max()) + 1)
        found.append((labels, ids))
    return found
