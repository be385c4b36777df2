"""What was measured, as numbers, as JSON and as a table to read."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.table import Table as RichTable

import i2i


@dataclass(frozen=True)
class Case:
    """One contestant.

    Attributes:
        name: what it is called.
        seconds: ``[input][repeat]``.
        peak: most bytes allocated at a time beyond what was there before; None where not measured.
        kept: bytes of activations kept for the backward pass, in training.
        difference: largest absolute difference of its pictures to the reference's.
    """

    name: str
    seconds: list[list[float]]
    peak: int | None = None
    kept: int | None = None
    difference: float | None = None

    @property
    def median(self) -> float:
        """Seconds."""
        return float(np.median(self.seconds))


@dataclass(frozen=True)
class Ratio:
    """How many times faster a case is than the reference.

    Attributes:
        value: quotient of the two medians.
        low, high: quartiles of the quotients of runs that followed each other on the same input.
        worst: the smallest quotient of medians of a single input.
        fastest: quotient of the fastest runs on an input, median over the inputs: what other work on the machine
            disturbs least.
    """

    value: float
    low: float
    high: float
    worst: float
    fastest: float

    @classmethod
    def of(cls, reference: Case, case: Case) -> Ratio:
        """The reference's times by the case's."""
        ours, theirs = np.array(case.seconds), np.array(reference.seconds)
        low, high = np.quantile(theirs / ours, [0.25, 0.75])
        by_input = np.median(theirs, 1) / np.median(ours, 1)
        fastest = np.median(theirs.min(1) / ours.min(1))
        return cls(reference.median / case.median, float(low), float(high), float(by_input.min()), float(fastest))


@dataclass(frozen=True)
class Measurement:
    """One table: everything about one data set, size, batch, device and type.

    Attributes:
        measure: "generator", "strokes", "step" or "data".
        about: data set, classes, size, batch, device, type, width, …
        cases: the contestants, the reference first.
        numbers: further numbers by name, each with its unit in the name.
        patterns: for each resolution its pixels and its inner and outer patterns, means over the inputs.
        notes: what has to be known to read the numbers.
    """

    measure: str
    about: dict[str, Any]
    cases: list[Case] = field(default_factory=list)
    numbers: dict[str, float] = field(default_factory=dict)
    patterns: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain data; times in seconds, memory in bytes."""
        return {
            "measure": self.measure,
            **self.about,
            "cases": [self._case(case) for case in self.cases],
            "numbers": self.numbers,
            "patterns": self.patterns,
            "disturbed": self.disturbed(),
            "notes": self.notes,
        }

    def _case(self, case: Case) -> dict[str, Any]:
        ratio = Ratio.of(self.cases[0], case)
        low, high = np.quantile(case.seconds, [0.25, 0.75])
        return {
            "name": case.name,
            "seconds": case.seconds,
            "median": case.median,
            "quartiles": [float(low), float(high)],
            "ratio": ratio.value,
            "ratio_quartiles": [ratio.low, ratio.high],
            "ratio_of_worst_input": ratio.worst,
            "ratio_of_fastest_runs": ratio.fastest,
            "peak_bytes": case.peak,
            "kept_bytes": case.kept,
            "difference": case.difference,
        }

    def disturbed(self) -> list[str]:
        """The cases whose ratio is not between its quartiles: something else ran on the machine at times."""
        ratios = {case.name: Ratio.of(self.cases[0], case) for case in self.cases}
        return [name for name, ratio in ratios.items() if not 0.95 * ratio.low <= ratio.value <= 1.05 * ratio.high]

    def title(self) -> str:
        """One line: what is measured on what."""
        about = {"measure": self.measure, **self.about}
        words = [_words(name, about[name]) for name in _TITLE if about.get(name) not in (None, False)]
        return ", ".join(words)

    def tables(self) -> list[RichTable]:
        """What to print, in order: the cases, the patterns, the other numbers; those that there are."""
        found = [self._cases()] if self.cases else []
        found += [self._patterns()] if self.patterns else []
        numbers = RichTable(box=None, show_header=False)
        for name, value in self.numbers.items():
            numbers.add_row(name, f"{value:.4g}")
        return [*found, numbers]

    def _cases(self) -> RichTable:
        kept = any(case.kept is not None for case in self.cases)
        different = any(case.difference is not None for case in self.cases)
        columns = ["ms", "faster", "quartiles", "worst", "best", "peak MB"]
        table = _table("case", *columns, *["kept MB"] * kept, *["differs"] * different)
        for case in self.cases:
            ratio = Ratio.of(self.cases[0], case)
            row = [case.name, f"{1e3 * case.median:.1f}", f"{ratio.value:.2f}", f"{ratio.low:.2f}–{ratio.high:.2f}"]
            row += [f"{ratio.worst:.2f}", f"{ratio.fastest:.2f}", _megabytes(case.peak)] + [
                _megabytes(case.kept)
            ] * kept
            row += ["–" if case.difference is None else f"{case.difference:.1e}"] * different
            table.add_row(*row)
        return table

    def _patterns(self) -> RichTable:
        table = _table("patterns at", "pixels", "inner 3×3", "share", "outer 5×5", "share")
        for level in self.patterns:
            row = ["×".join(map(str, level["size"])), f"{level['pixels']}"]
            for kind in ("inner", "outer"):
                row += [f"{level[kind]:.0f}", f"{100 * level[kind] / level['pixels']:.1f} %"]
            table.add_row(*row)
        return table


_TITLE = ("measure", "losses", "data", "classes", "edges", "size", "batch", "device", "dtype", "width", "workers")


def _words(name: str, value: Any) -> str:
    match name:
        case "measure" | "losses" | "data" | "device" | "dtype":
            return str(value)
        case "edges":
            return "edges"
        case "classes" | "workers":
            return f"{value} {name}"
        case "size":
            return "×".join(map(str, value))
    return f"{name} {value}"


def _table(first: str, *others: str) -> RichTable:
    table = RichTable(box=None, pad_edge=False, collapse_padding=True)
    table.add_column(first, no_wrap=True)
    for column in others:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def machine() -> dict[str, Any]:
    """Where it was measured."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "i2i": i2i.__version__,
        "torch": torch.__version__,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "gpu": gpu,
    }


def report(measurements: Sequence[Measurement]) -> dict[str, Any]:
    """All of a run as plain data."""
    return {"machine": machine(), "measurements": [m.to_json() for m in measurements]}


def _megabytes(count: int | None) -> str:
    return "–" if count is None else f"{count / 1e6:.0f}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
