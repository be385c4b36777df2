"""The data: how many samples a second a loader gives, how much faster a cache is, and what numbering patterns costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from i2i.benchmark.results import Case, Measurement
from i2i.benchmark.timing import interleave
from i2i.data.datamodule import DataModule
from i2i.data.loading import PreparedSplit
from i2i.semantics import LabelSemantics

NOTES = [
    "in the main process: reading (painting, for scenes), resizing and augmenting, one after the other. From the "
    "loader: by its workers, their start included. Numbering: all resolutions, in the main process.",
]
_CACHE_NOTE = "with a cache, what is read in the main process and from the loader comes from it"


_REPEATS = 3
_CACHE = "from the cache"


def runs(data: DataModule, samples: int) -> int:
    """How often :func:`measure_data` ticks."""
    return (2 if data.cached is None else 2 + 2 * _REPEATS) * samples


def measure_data(data: DataModule, samples: int, upsamplings: int, tick: Callable[[], None]) -> Measurement:
    """Speed of the training split.

    Args:
        data: the loaders.
        samples: how many samples to read, at most.
        upsamplings: of the generator, which give the resolutions whose patterns are numbered.
        tick: called for each sample.
    """
    prepared = data.dataset("train", training=True)
    samples = min(samples, len(prepared))
    reading = []
    for index in range(samples):
        start = time.perf_counter()
        prepared[0, index]
        reading.append(time.perf_counter() - start)
        tick()
    batches: list[dict[str, Any]] = []
    start, taken = time.perf_counter(), 0
    for batch in data.train_dataloader():
        batches.append(batch)
        for _ in range(min(len(batch["name"]), samples - taken)):
            tick()
        taken += len(batch["name"])
        if taken >= samples:
            break
    waited = time.perf_counter() - start
    about = {
        "data": type(data.original).__name__,
        "size": list(batches[0]["photo"].shape[2:]),
        "batch": data.batch_size,
        "workers": data.workers,
        "samples": samples,
    }
    cases = [] if data.cached is None else _compared(data, samples, tick)
    numbers = {
        "samples per second, read in the main process": 1 / float(np.mean(reading)),
        "samples per second, from the loader": taken / waited,
    }
    semantics = data.semantics
    if isinstance(semantics, LabelSemantics):  # images have no patterns
        numbering = [_seconds_of_numbering(semantics, b, upsamplings) / len(b["labels"]) for b in batches]
        numbers["ms numbering the patterns of a sample"] = 1e3 * float(np.median(numbering))
    notes = NOTES if not cases else [*NOTES, _CACHE_NOTE]
    return Measurement("data", about, cases=cases, numbers=numbers, notes=list(notes))


def _compared(data: DataModule, samples: int, tick: Callable[[], None]) -> list[Case]:
    """Training samples decoded from their files and read from the cache, in turn."""
    files = PreparedSplit(data.original.split("train"), data.preparation, data.seed, training=True)
    prepared = {"decoded from the files": files, _CACHE: data.dataset("train", training=True)}
    contestants = {name: partial(_item, split) for name, split in prepared.items()}
    first, cached = (item(0) for item in contestants.values())
    tensors = [name for name, value in first.items() if isinstance(value, torch.Tensor)]
    difference = max(float((first[name].double() - cached[name].double()).abs().max()) for name in tensors)
    seconds = interleave(contestants, min(samples, len(files)), _REPEATS, torch.device("cpu"), tick)
    return [Case(name, times, difference=difference if name == _CACHE else None) for name, times in seconds.items()]


def _item(split: PreparedSplit, index: int) -> dict[str, Any]:
    return split[0, index]


def _seconds_of_numbering(semantics: LabelSemantics, batch: dict[str, Any], upsamplings: int) -> float:
    start = time.perf_counter()
    maps = semantics(batch["labels"], batch.get("instances"))
    for doublings in range(upsamplings + 1):
        maps.patterns(*(max(1, side >> doublings) for side in maps.size))
    return time.perf_counter() - start
