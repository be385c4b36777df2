"""What a station of the tour is: trainings, what is told of them, and what is shown of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from i2i.pictures import Pixels
from i2i.report.log import Curve

Log = Mapping[str, Curve]
"""The curves of a run by name."""


@dataclass(frozen=True)
class Training:
    """One run of `i2i fit`.

    Attributes:
        name: of the run's folder.
        label: what the page calls it.
        config: in the folder ``configs``.
        flags: of `i2i fit`, over the configuration.
    """

    name: str
    label: str
    config: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A number that a run has logged.

    Attributes:
        name: what the page calls it.
        curve: its name in the log.
        form: how it is written, as :func:`format` takes it.
        late: whether it is the mean over the last quarter of the training, as for curves that swing; else the last.
    """

    name: str
    curve: str
    form: str = ".3f"
    late: bool = False

    def of(self, log: Log) -> float | None:
        """The number; None where the run has not logged it."""
        if self.curve not in log:
            return None
        values = log[self.curve].values
        counted = values[-max(1, len(values) // 4) :] if self.late else values[-1:]
        return sum(counted) / len(counted)

    def written(self, log: Log) -> str:
        """The number for people."""
        value = self.of(log)
        return "–" if value is None else format(value, self.form)


class Plot(NamedTuple):
    """A chart: curves of one run, or one curve of several.

    Attributes:
        title: of the chart.
        curves: (name of the training, name in the log, what the key calls it) each; at most six.
        text: what is to be seen.
        band: see :func:`i2i.report.curves.chart`.
    """

    title: str
    curves: Sequence[tuple[str, str, str]]
    text: str
    band: tuple[float, float] | None = None


class Shown(NamedTuple):
    """A picture on the page.

    Attributes:
        caption: above it, plain text.
        picture: (H, W, 3).
        sharp: whether its pixels are to stay sharp when it is enlarged.
    """

    caption: str
    picture: Pixels
    sharp: bool = False


@dataclass(frozen=True)
class Exhibit:
    """A row of pictures.

    Attributes:
        title: of the row, plain text.
        text: what is to be seen, plain text.
        make: the pictures, from the folders of the station's runs by name.
    """

    title: str
    text: str
    make: Callable[[Mapping[str, Path]], Sequence[Shown]]


@dataclass(frozen=True)
class Station:
    """A step of the road.

    Attributes:
        name: to call it by: `i2i tour OUT --only NAME`.
        title: of its section.
        short: what it adds, plain text, for the overview.
        idea: HTML: what the step before could not do, and what this one adds.
        loss: (who, formula as HTML) each.
        look: HTML: what to look at.
        trainings: in their order; the last is the one that the overview tells of.
        figures: of each training, the columns of a table; the first is in the overview.
        exhibits: rows of pictures.
        plots: charts.
        left: HTML: what is still wrong, and so leads on.
    """

    name: str
    title: str
    short: str
    idea: str
    loss: Sequence[tuple[str, str]]
    look: str
    trainings: Sequence[Training]
    figures: Sequence[Figure]
    exhibits: Sequence[Exhibit] = ()
    plots: Sequence[Plot] = field(default=())
    left: str = ""
