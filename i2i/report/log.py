"""The log of a training run, as the trainer wrote it: every value with its step."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import NamedTuple


class Curve(NamedTuple):
    """A logged value over the training.

    Attributes:
        steps: of the optimizers, rising.
        values: as many, all finite.
    """

    steps: list[int]
    values: list[float]


def run_folder(model: Path) -> Path | None:
    """The folder of the run that a checkpoint lies in; None where it lies elsewhere."""
    run = model.resolve().parent.parent
    return run if model.resolve().parent.name == "checkpoints" and (run / "logs").is_dir() else None


def read_log(run: Path) -> dict[str, Curve]:
    """All curves of a run by name. A run that was resumed has several logs; a step that two have is the later one's."""
    found: dict[str, dict[int, float]] = {}
    for path in sorted((run / "logs").glob("*/metrics.csv"), key=lambda p: (len(p.parent.name), p.parent.name)):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                step = row.pop("step", None)
                if step is None or not step.isdecimal():
                    continue
                for name, text in row.items():
                    value = _number(text)
                    if name != "epoch" and math.isfinite(value):
                        found.setdefault(name, {})[int(step)] = value
    return {name: Curve(*map(list, zip(*sorted(values.items()), strict=True))) for name, values in found.items()}


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
