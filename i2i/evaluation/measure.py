"""What a measure is, and what there is to measure with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torchmetrics import Metric

from i2i.errors import InputError
from i2i.evaluation.painter import Painter, Pictures
from i2i.metrics.diversity import LPIPS
from i2i.metrics.extractors import Extractor
from i2i.metrics.judge import Judge
from i2i.metrics.result import Result


@dataclass
class Means:
    """What there is to measure with.

    Attributes:
        painter: makes the pictures.
        batch: one of the batches that will be measured, to try things on.
        names: of the data set's classes; none for a model that translates images.
        num_labels: how many labels maps may have.
        photos: how many pictures will be measured.
        reference: gives the features (n, d) of the real photos by an extractor.
        about_reference: what the real photos are, for the protocol.
        extractor: of features for FID; None takes the Inception of the papers from torch's cache.
        judge: reads pictures; None where there is none.
        lpips: makes the network of LPIPS.
        ignored: names of classes that do not count, beside those that the judge cannot read.
        samples: pictures of each map whose diversity is measured.
    """

    painter: Painter
    batch: dict[str, Any]
    names: list[str]
    num_labels: int
    photos: int
    reference: Callable[[Extractor], Tensor]
    about_reference: dict[str, Any] = field(default_factory=dict)
    extractor: Extractor | None = None
    judge: Judge | None = None
    lpips: Callable[[], LPIPS] = LPIPS
    ignored: Sequence[str] = ()
    samples: int = 4

    def need_photos(self, what: str) -> None:
        """Raise :class:`InputError` where there are no real photos."""
        if "photo" not in self.batch:
            raise InputError(f"{what} compares with real photos, and this split has none")


class Unusable(InputError):
    """What was named to measure with cannot be used: this ends the work, while a measure that is not possible ends only
    where it was asked for."""


@contextmanager
def naming(named: bool = True) -> Iterator[None]:
    """Within it an :class:`InputError` becomes :class:`Unusable`.

    Args:
        named: whether what is tried is what the user named, and no default.
    """
    try:
        yield
    except InputError as error:
        if not named:
            raise
        raise Unusable(str(error)) from error


class Measure(ABC):
    """One or several figures that are made together.

    Args:
        metrics: that collect; they follow the pictures to their device.

    Attributes:
        samples: how many pictures of each map it asks for.
        find_styles: whether the encoder has to read each picture.
        columns: what :meth:`each` gives of a picture.
        figures: the names of its results, with the direction that is good; those of real photos left out.
    """

    samples = 1
    find_styles = False
    columns: Sequence[str] = ()
    figures: ClassVar[Mapping[str, Literal["higher", "lower"]]]

    def __init__(self, *metrics: Metric) -> None:
        self.metrics = metrics

    @classmethod
    @abstractmethod
    def prepare(cls, means: Means) -> Measure:
        """The measure on this data; raises :class:`InputError` where it is not possible, and says what is missing."""

    @abstractmethod
    def update(self, pictures: Pictures) -> None:
        """Add the pictures of a batch."""

    def results(self) -> list[Result]:
        """The figures; where processes share the work, all of them must ask."""
        return [result for metric in self.metrics for result in metric.results()]  # type: ignore[operator]

    def each(self, names: Sequence[str]) -> dict[str, dict[str, float]]:
        """The figures of each named picture, by column; none for a measure of the whole set."""
        return {}

    def start(self, device: torch.device) -> None:
        """Forget everything."""
        for metric in self.metrics:
            metric.to(device)
            metric.reset()
