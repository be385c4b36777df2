"""The generator: pictures from maps, the fast form against the dense reference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from i2i.benchmark.maps import MapSet
from i2i.benchmark.memory import peak_bytes
from i2i.benchmark.results import Case, Measurement
from i2i.benchmark.settings import Settings, make_generator
from i2i.benchmark.timing import elapsed, interleave, stopwatch
from i2i.nn.compiled import plain_operations
from i2i.nn.spade import SPADEGenerator
from i2i.nn.spade_block import Modulation

DENSE = "dense"
COMPILED = "dense, compiled"
FAST = "fast"
PLAIN = "fast, plain torch"
STYLES = "fast, next style"

NOTES = [
    f"{DENSE}: the reference. One-hot labels, convolutions of their own for γ and β, spectral norm in the graph, "
    "contiguous, eager.",
    f"{FAST}: the folded generator, from labels to picture. {PLAIN}: without compiled kernels. "
    f"{STYLES}: the map and its tables are kept. Everywhere else all work on the labels is counted.",
    "ms: medians. faster: the reference's by this one. quartiles: of that quotient for neighbouring runs. worst: for "
    "the worst input. best: for the best run of each input, which other work on the machine disturbs least.",
    "peak MB: allocated beyond weights and maps, on the first input. Weights are random; times do not depend on them.",
]


def runs(inputs: int, settings: Settings) -> int:
    """How often :func:`measure_generator` ticks."""
    return inputs * (4 + settings.compile) * (1 + settings.repeats)


@torch.inference_mode()
def measure_generator(maps: MapSet, settings: Settings, tick: Callable[[], None]) -> Measurement:
    """Time, memory and exactness of the generator on a set of maps.

    Args:
        maps: what to synthesise; moved to the device.
        settings: see :class:`Settings`.
        tick: called after each run.
    """
    maps = maps.to(settings.device)
    contestants, dense = _contestants(maps, settings)
    differences = dict.fromkeys(contestants, 0.0)
    for index in range(len(maps)):  # every case is warm after this
        expected = contestants[DENSE](index).float()
        tick()
        for name in list(contestants)[1:]:
            found = contestants[name](index).float()
            differences[name] = max(differences[name], float((found - expected).abs().max()))
            tick()
    seconds = interleave(contestants, len(maps), settings.repeats, settings.device, tick)
    peaks = {name: peak_bytes(lambda work=work: work(0), settings.device) for name, work in contestants.items()}  # type: ignore[misc]
    cases = [Case(n, seconds[n], peaks[n], difference=None if n == DENSE else differences[n]) for n in contestants]
    by_name = {case.name: case.median for case in cases}
    numbering = _seconds_of_numbering(maps, settings)
    numbers = {
        "modulation, share of the dense time": _share_of_modulation(dense, maps, settings),
        "fast: ms numbering patterns": 1e3 * numbering,
        "fast: ms making tables (by difference)": 1e3 * max(by_name[FAST] - by_name[STYLES] - numbering, 0.0),
        "fast: ms everything else": 1e3 * by_name[STYLES],
    }
    if COMPILED in by_name:
        numbers["fast, times faster than dense under torch.compile"] = by_name[COMPILED] / by_name[FAST]
    return Measurement("generator", settings.about(maps), cases, numbers, _count_patterns(maps), list(NOTES))


def _count_patterns(maps: MapSet) -> list[dict[str, object]]:
    """For each resolution the pixels of a batch and its patterns, means over the batches."""
    levels: list[dict[str, object]] = []
    for size in maps.sizes:
        counts = [maps.fresh(i).patterns(*size).counts for i in range(len(maps))]
        means = {k: float(np.mean([getattr(c, k) for c in counts])) for k in ("inner", "outer")}
        collided = sum(c.collided for c in counts)
        levels.append({"size": list(size), "pixels": counts[0].pixels, **means, "collided": collided})
    return levels


def _contestants(maps: MapSet, settings: Settings) -> tuple[dict[str, Callable[[int], Tensor]], SPADEGenerator]:
    dense = make_generator(maps, settings).eval()
    dense.modulation = "dense"
    original = make_generator(maps, settings).eval()
    folded = original.fold(None if settings.dtype == torch.float32 else settings.dtype)
    style = torch.randn(maps.batch, settings.style_dim).to(settings.device)
    kept = [maps.fresh(i) for i in range(len(maps))]

    def run_dense(index: int) -> Tensor:
        with settings.autocast():
            picture: Tensor = dense(maps.fresh(index), style)
        return picture

    def run_plainly(index: int) -> Tensor:
        with plain_operations():
            picture: Tensor = folded(maps.fresh(index), style)
        return picture

    contestants: dict[str, Callable[[int], Tensor]] = {
        DENSE: run_dense,
        FAST: lambda index: folded(maps.fresh(index), style),
        PLAIN: run_plainly,
        STYLES: lambda index: folded(kept[index], style),
    }
    if settings.compile:
        contestants[COMPILED] = _compiled(dense, maps, style, settings)
    return contestants, dense


def _compiled(dense: SPADEGenerator, maps: MapSet, style: Tensor, settings: Settings) -> Callable[[int], Tensor]:
    """The reference under ``torch.compile``; only the one-hot tensors are made outside, as they are no network."""
    program = torch.compile(dense)

    def run(index: int) -> Tensor:
        semantics = maps.fresh(index)
        for size in maps.sizes:
            semantics.resized(*size).dense(settings.dtype)
        with settings.autocast():
            picture: Tensor = program(semantics, style)
        return picture

    return run


def _share_of_modulation(dense: SPADEGenerator, maps: MapSet, settings: Settings) -> float:
    modulations = [module for module in dense.modules() if isinstance(module, Modulation)]
    style = torch.zeros(maps.batch, settings.style_dim, device=settings.device)
    with stopwatch(modulations, settings.device) as inside, settings.autocast():
        whole = elapsed(lambda: dense(maps.fresh(0), style), settings.device)
    return sum(inside) / whole


def _seconds_of_numbering(maps: MapSet, settings: Settings) -> float:
    seconds = []
    for index in range(len(maps)):
        for _ in range(settings.repeats):
            semantics = maps.fresh(index)
            seconds.append(elapsed(lambda s=semantics: [s.patterns(*size) for size in maps.sizes], settings.device))  # type: ignore[misc]
    return float(np.median(seconds))
