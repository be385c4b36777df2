"""`i2i memory -c CONFIG`: what a training step needs of memory, and which options fit a card."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from rich.console import Console
from rich.table import Table

from i2i.commands.arguments import Parser
from i2i.commands.configuration import read_configuration, refuse_samples
from i2i.commands.training import TrainingCLI, quieten
from i2i.data.datamodule import Batch, DataModule
from i2i.errors import InputError
from i2i.footprint.prediction import Footprint, Rehearsed, predict, rehearsed_batch
from i2i.footprint.rehearsal import Rehearsal

_GIB = 1 << 30
_CARDS = ("8GiB", "12GiB", "16GiB", "24GiB", "48GiB", "80GiB")
_CONTEXT = _GIB // 2
_SPARE = 0.1
_MANY = 64  # times as many samples as in the smallest batch are rehearsed at most
_NOTES = """
peak: weights, averaged generator, optimizers, gradients and activations at their most, on one process, as i2i fit
trains; nothing is trained for it, and label maps are painted. Cards: the largest batch that fits, with 0.5 GiB and 10 %
left for the driver, the libraries' workspaces and gaps. A larger batch than fits: --model.accumulate. Of several
processes each has its own batch, and keeps its gradients between steps, too."""


def run(arguments: Sequence[str]) -> int:
    """Rehearse and print."""
    options, flags = _parser().parse_known_args(arguments[1:])
    cards = {name: _size(name) for name in options.card or _CARDS}
    for config in options.config:
        refuse_samples(read_configuration(config), config)
    quieten()
    warnings.filterwarnings("ignore", message="Accessing the data pointer of FakeTensor")
    flags = [*(flag for config in options.config for flag in ("-c", config)), *flags]
    with Rehearsal(as_gpu=True) as rehearsal:
        parts = Parts(flags)
        batches = options.batch or [parts.data.batch_size]
        if min(batches) < 1:
            raise InputError(f"--batch is {min(batches)}; allowed are 1 and more")
        few = min(4, *batches, parts.data.batch_size)
        batch = cache(partial(rehearsed_batch, parts.data, parts.size))
        found = {name: rehearsed(partial(_rehearse, parts, rehearsal, precision, batch), few)
                 for name, precision in parts.choices()}  # fmt: skip
    _print(parts, batches, found, cards)
    return 0


class Parts(TrainingCLI):
    """The model and the data of a configuration, without a Trainer.

    Args:
        flags: those of `i2i fit`.
    """

    model: Rehearsed
    data: DataModule

    def __init__(self, flags: Sequence[str]) -> None:
        super().__init__(
            Rehearsed,
            DataModule,
            save_config_callback=None,
            seed_everything_default=False,
            auto_configure_optimizers=False,
            parser_kwargs={"exit_on_error": False},
            args=list(flags),
            run=False,
        )

    def before_instantiate_classes(self) -> None:
        """What belongs to the Trainer is not needed; and the order of channels changes no tensor's size."""
        self.config["model"]["channels_last"] = False
        self.config["trainer"]["callbacks"] = None
        self.config["trainer"]["logger"] = None

    def instantiate_classes(self) -> None:
        """The data and the model."""
        made = self.parser.instantiate_classes(self.config)
        self.model, self.data = made["model"], made["data"]

    @property
    def precision(self) -> str:
        """Of the trainer."""
        given = str(self.config["trainer"]["precision"] or "32-true")
        return {"32": "32-true"}.get(given, given)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) that the networks see."""
        if self.data.resize.size is not None:
            return self.data.resize.size
        height, width = self.data.dataset("train")[0]["photo"].shape[-2:]
        return height, width

    def choices(self) -> Iterator[tuple[str, str]]:
        """Name and precision of each combination of options; the model is switched to it meanwhile."""
        configured = any(getattr(module, "recompute", False) for module in self.model.generator.modules())
        for precision in dict.fromkeys([self.precision, "bf16-mixed"]):
            for recompute in dict.fromkeys([configured, True]):
                if self.model.recompute(recompute) or not recompute:
                    yield precision + recompute * ", activation checkpointing", precision


@dataclass(frozen=True)
class Line:
    """The peaks of rehearsed batches, and the straight lines between and beyond them that other batches lie on.

    There are kinks: the most is needed at another moment of the step for a few samples, when the optimizers step, than
    for many, whose activations take more.

    Attributes:
        counts: samples of the rehearsed batches, two at least, in rising order.
        footprints: of these batches.
    """

    counts: Sequence[int]
    footprints: Sequence[Footprint]

    def peak(self, count: int) -> float:
        """Bytes, of a batch."""
        last = next((i for i in range(1, len(self.counts)) if count <= self.counts[i]), -1)
        return self._start(last) + (count - self.counts[last - 1]) * self._slope(last)

    def largest(self, room: float) -> int:
        """The largest batch whose peak fits into so many bytes; 0 where none does."""
        last = next((i for i in reversed(range(1, len(self.counts))) if self._start(i) <= room), 1)
        return max(0, math.floor((room - self._start(last)) / self._slope(last)) + self.counts[last - 1])

    def _start(self, last: int) -> float:
        return self.footprints[last - 1].peak

    def _slope(self, last: int) -> float:
        """Bytes a sample, before the rehearsed batch of this place."""
        more = self.footprints[last].peak - self.footprints[last - 1].peak
        return max(1.0, more / (self.counts[last] - self.counts[last - 1]))


def rehearsed(rehearse: Callable[[int], Footprint], few: int) -> Line:
    """Rehearse larger and larger batches until it is the samples that take the most.

    Args:
        rehearse: the footprint of a batch of so many samples.
        few: samples of the smallest.
    """
    counts, footprints = [few], [rehearse(few)]
    while len(counts) < 2 or (footprints[-1].peak < 1.8 * footprints[0].peak and counts[-1] < _MANY * few):
        counts.append(2 * counts[-1])
        footprints.append(rehearse(counts[-1]))
    return Line(counts, footprints)


def _rehearse(
    parts: Parts, rehearsal: Rehearsal, precision: str, batch: Callable[[int], Batch], count: int
) -> Footprint:
    return predict(parts.model, rehearsal, batch(count), precision)


def _print(parts: Parts, batches: Sequence[int], found: dict[str, Line], cards: dict[str, float]) -> None:
    console = Console()
    height, width = parts.size
    first = next(iter(found.values())).footprints[0]
    console.print(f"Photos of {height} x {width}. In GiB: weights {_gib(first.weights)}, averaged generator "
                  f"{_gib(first.average)}, optimizers {_gib(first.optimizers)}, gradients {_gib(first.gradients)}",
                  highlight=False)  # fmt: skip
    table = Table(box=None, pad_edge=False)
    table.add_column("options")
    for title in (*(f"peak, batch {count}" for count in batches), *cards):
        table.add_column(title, justify="right")
    for name, line in found.items():
        fits = [line.largest(card * (1 - _SPARE) - _CONTEXT) for card in cards.values()]
        table.add_row(name, *(_gib(line.peak(count)) for count in batches), *(str(n) if n else "–" for n in fits))
    console.print(table)
    console.print(_NOTES, style="dim", highlight=False)


def _gib(count: float) -> str:
    return f"{count / _GIB:.2f}"


def _size(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(GiB|GB)", text)
    if found is None or float(found[1]) == 0:
        raise InputError(f"--card is {text!r}; it is a size such as 8GiB or 24GB")
    return float(found[1]) * (1e9 if found[2] == "GB" else _GIB)


def _parser() -> Any:
    parser = Parser("i2i memory", description="The memory of a training step; flags of i2i fit override.")
    add = parser.add_argument
    add("-c", "--config", action="append", required=True, help="a configuration of i2i fit; may be given again")
    add("--batch", type=int, action="append", help="samples a batch; may be given again (default: the configuration's)")
    add("--card", action="append", help=f"memory of a card; may be given again (default {', '.join(_CARDS)})")
    return parser
