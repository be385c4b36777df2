"""The data: how many samples a second a loader gives, and what numbering their label patterns costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from i2i.benchmark.results import Measurement
from i2i.data.datamodule import DataModule
from i2i.semantics import LabelSemantics

NOTES = [
    "in the main process: reading (painting, for scenes), resizing and augmenting, one after the other. From the "
    "loader: by its workers, their start included. Numbering: all resolutions, in the main process.",
]


def runs(samples: int) -> int:
    """How often :func:`measure_data` ticks."""
    return 2 * samples


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
        "data": type(data.source).__name__,
        "size": list(batches[0]["photo"].shape[2:]),
        "batch": data.batch_size,
        "workers": data.workers,
        "samples": samples,
    }
    numbers = {
        "samples per second, read in the main process": 1 / float(np.mean(reading)),
        "samples per second, from the loader": taken / waited,
    }
    semantics = data.semantics
    if isinstance(semantics, LabelSemantics):  # images have no patterns
        numbering = [_seconds_of_numbering(semantics, b, upsamplings) / len(b["labels"]) for b in batches]
        numbers["ms numbering the patterns of a sample"] = 1e3 * float(np.median(numbering))
    return Measurement("data", about, numbers=numbers, notes=list(NOTES))


def _seconds_of_numbering(semantics: LabelSemantics, batch: dict[str, Any], upsamplings: int) -> float:
    start = time.perf_counter()
    maps = semantics(batch["labels"], batch.get("instances"))
    for doublings in range(upsamplings + 1):
        maps.patterns(*(max(1, side >> doublings) for side in maps.size))
    return time.perf_counter() - start
