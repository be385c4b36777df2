"""A measured number never travels alone: its name, its value, and the protocol it was measured by."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from i2i.checkpoint import write_atomically
from i2i.errors import InputError

FORMAT = 1


@dataclass(frozen=True)
class Result:
    """One figure.

    Attributes:
        name: what is measured, as the field calls it: ``FID``, ``mIoU``, ….
        value: the figure; may be infinite (the PSNR of equal photos), or NaN where there was nothing to average.
        protocol: everything that must be equal before two figures may be compared: networks and their hashes, resize
            filter, counts, ignored classes. Plain data.
        better: which direction is good; None where neither is.
        unit: what stands behind the value: ``%``, ``dB``, or nothing.
        deviation: the standard deviation over repeated draws, where the figure is a mean of such.
        parts: the figures it is made of by name, such as the IoU of each class, in the same unit.
        of_real_photos: whether it was measured on the real photos: what no synthesised one can be expected to exceed.
    """

    name: str
    value: float
    protocol: Mapping[str, Any] = field(default_factory=dict)
    better: Literal["higher", "lower"] | None = None
    unit: str = ""
    deviation: float | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    of_real_photos: bool = False

    def __str__(self) -> str:
        """``FID 63.12``, with unit and deviation where there are any."""
        return f"{self.name} {self.figure}"

    @property
    def figure(self) -> str:
        """The value with unit and deviation; small ones get more digits."""
        digits = 2 if self.unit or abs(self.value) >= 10 else 4
        spread = "" if self.deviation is None else f" ± {self.deviation:.{digits}f}"
        return f"{self.value:.{digits}f}{spread}{self.unit and ' ' + self.unit}"

    def to_json(self) -> dict[str, Any]:
        """As plain data. JSON has no infinity and no NaN: these become null."""
        return {
            "name": self.name,
            "value": _finite(self.value),
            "unit": self.unit,
            "better": self.better,
            "deviation": None if self.deviation is None else _finite(self.deviation),
            "protocol": dict(self.protocol),
            "parts": {name: _finite(value) for name, value in self.parts.items()},
            "of real photos": self.of_real_photos,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Result:
        """The inverse of :meth:`to_json`; null becomes NaN."""
        return cls(
            name=data["name"],
            value=_number(data["value"]),
            protocol=data["protocol"],
            better=data["better"],
            unit=data["unit"],
            deviation=data["deviation"],
            parts={name: _number(value) for name, value in data["parts"].items()},
            of_real_photos=data.get("of real photos", False),
        )


def write_results(path: str | Path, results: Sequence[Result], about: Mapping[str, Any]) -> None:
    """Write results as JSON, the old file or the new one, never a part of it.

    Args:
        path: the file.
        results: the figures.
        about: what they were measured on (the model's file, the data); plain data.
    """
    content = {"format": FORMAT, "about": dict(about), "results": [result.to_json() for result in results]}
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    # Names of files may be no text in any encoding; a backslash and the number is how JSON writes what stands for them.
    write_atomically(path, lambda file: file.write(text.encode(errors="backslashreplace")))


def read_results(path: str | Path) -> tuple[list[Result], dict[str, Any]]:
    """The results in a file of :func:`write_results`, and what they were measured on.

    Raises:
        InputError: the file is missing, or is not one of these.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise InputError(f"{path}: results of format {content['format']!r}; this version reads {FORMAT}")
        return [Result.from_json(data) for data in content["results"]], content["about"]
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file of results") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not a file of results of i2i evaluate") from error


def report_folder(model: Path) -> Path:
    """Where the figures of a model are: of a checkpoint in the folder of its run, of an exported one beside it."""
    if model.is_dir():
        return model.with_name(f"{model.name}-report")
    parent = model.parent
    return (parent.parent if parent.name == "checkpoints" else parent) / "report"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else value
