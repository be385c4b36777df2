"""From a painter and a data set to figures: everything that can fail is tried on one batch before the work begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from i2i.data.datamodule import DataModule
from i2i.data.loading import collate
from i2i.data.transforms import Resize
from i2i.errors import InputError
from i2i.evaluation.choice import choose_measures
from i2i.evaluation.measure import Means
from i2i.evaluation.painter import Painter
from i2i.metrics import judges  # noqa: F401 - so that judges are found by the names of their classes
from i2i.metrics.data_digest import DataDigest, probe
from i2i.metrics.distribution import check_count
from i2i.metrics.diversity import LPIPS
from i2i.metrics.extractors import Extractor
from i2i.metrics.judge import Judge
from i2i.metrics.reference import fingerprint, reference_features
from i2i.metrics.result import Result
from i2i.recipe import recipe

Track = Callable[[Iterable[Any], str, int], Iterable[Any]]
"""Shows how far an iteration of so many steps is, under a title."""


def silently(steps: Iterable[Any], title: str, count: int) -> Iterable[Any]:
    """No progress is shown."""
    return steps


@dataclass(frozen=True)
class Wish:
    """What is to be measured, and by what.

    Attributes:
        metrics: names of :data:`i2i.evaluation.choice.MEASURES`; None for all that are possible.
        split: whose maps are synthesised.
        limit: only so many of its first maps.
        reference: the split of the real photos of FID and its kin; None for the same.
        extractor: of features for FID; None takes the Inception of the papers from torch's cache.
        judge: reads pictures for mIoU.
        lpips: makes the network of LPIPS.
        ignored: classes that do not count, beside those that the judge cannot read.
        samples: pictures of each map for the diversity.
    """

    metrics: Sequence[str] | None = None
    split: str = "val"
    limit: int | None = None
    reference: str | None = None
    extractor: Extractor | None = None
    judge: Judge | None = None
    lpips: Callable[[], LPIPS] = LPIPS
    ignored: Sequence[str] = ()
    samples: int = 4


class Evaluation:
    """The chosen measures on one split.

    Args:
        data: the data set; where a trainer has it, each process measures its share.
        painter: makes the pictures.
        wish: what is to be measured.
        say: takes a line of news.
        track: shows progress.

    Attributes:
        measures: that were chosen, by name.
        left_out: by name why the others were not.

    Raises:
        InputError: the split is empty, the model does not fit it, or a wanted measure is not possible.
    """

    def __init__(
        self,
        data: DataModule,
        painter: Painter,
        wish: Wish,
        say: Callable[[str], object] = print,
        track: Track = silently,
    ) -> None:
        if wish.limit is not None and wish.limit < 1:
            raise InputError(f"limit is {wish.limit}; it is a number of photos, at least 1")
        self.data = data
        self.wish = wish
        self.track = track
        self.say = say
        self.painter = painter
        self.dataset = data.dataset(wish.split, first=wish.limit)
        if not len(self.dataset):
            raise InputError(f"the split {wish.split} is empty; there is nothing to measure")
        first = collate([self.dataset[0]])
        painter.paint(first)  # what does not fit is known before anything long begins
        encoding = data.encoding
        self._digest = DataDigest()
        self._data: dict[str, str] = {}
        self._reference_data: dict[str, str] = {}
        means = Means(
            painter=painter,
            batch=first,
            names=[] if encoding is None else encoding.classes.names,
            num_labels=0 if encoding is None else encoding.num_classes,
            photos=len(self.dataset),
            reference=self._reference,
            about_reference={"reference split": wish.reference or wish.split},
            extractor=wish.extractor,
            judge=wish.judge,
            lpips=wish.lpips,
            ignored=wish.ignored,
            samples=wish.samples,
        )
        self.measures, self.left_out = choose_measures(means, wish.metrics)
        height, width = (first["labels"] if "labels" in first else first["condition"]).shape[-2:]
        self.size = (height, width)

    @property
    def protocol(self) -> dict[str, Any]:
        """What they were measured on: what all figures have in common, and what does not make them others."""
        source = self.painter.source
        resize = {"data resize": _described(self.data.resize)}  # the pixels that it leads to are those of the digest
        return self._common() | resize | ({} if source is None else {"styles drawn from": source})

    @property
    def names(self) -> list[str]:
        """Of all maps, those of other processes included."""
        return [self.dataset.split.name(index) for index in range(len(self.dataset))]

    def run(self, painter: Painter | None = None) -> list[Result]:
        """Synthesise and measure.

        Args:
            painter: makes the pictures this time.
        """
        painter = painter or self.painter
        measures = list(self.measures.values())
        self._digest.to(painter.device)
        self._digest.reset()
        for measure in measures:
            measure.start(painter.device)
        samples = max(measure.samples for measure in measures)
        find_styles = any(measure.find_styles for measure in measures)
        loader = self.data.in_order(self.wish.split, self.wish.limit)
        for batch in self.track(loader, "Synthesising and measuring", len(loader)):
            self._digest.update(batch)
            pictures = painter.paint(batch, samples, find_styles)
            for measure in measures:
                measure.update(pictures)
        return self.results()

    def results(self) -> list[Result]:
        """The figures of the last run; where processes share the work, all of them must ask."""
        found = [result for measure in self.measures.values() for result in measure.results()]
        self._data = {"data sha256": self._digest.compute()}
        common = self._common()
        protocols = [
            {**common, **result.protocol, **(self._reference_data if "reference split" in result.protocol else {})}
            for result in found
        ]
        return [replace(result, protocol=protocol) for result, protocol in zip(found, protocols, strict=True)]

    def each(self) -> dict[str, dict[str, float]]:
        """The figures of each picture by name; for one process."""
        names = self.names
        rows: dict[str, dict[str, float]] = {name: {} for name in names}
        for measure in self.measures.values():
            for name, row in measure.each(names).items():
                rows[name] |= row
        return rows

    def _common(self) -> dict[str, Any]:
        height, width = self.size
        return {
            "data": type(self.data.original).__name__,
            **self._data,
            "split": self.wish.split,
            "size": f"{width}x{height}",
            **self.painter.describe(),
        }

    def _reference(self, extractor: Extractor) -> Tensor:
        """The features of the real photos, from the cache or computed anew."""
        name = self.wish.reference or self.wish.split
        limit = self.wish.limit if name == self.wish.split else None
        dataset = self.data.dataset(name, first=limit)
        split = dataset.split
        check_count(len(split), "real")
        if name != self.wish.split:  # else its photos are those beside the maps
            self._reference_data = {"reference sha256": probe(dataset)}
        key = {
            "data": fingerprint(split),
            "resize": recipe(self.data.resize),
            "extractor": extractor.describe(),
        }
        return reference_features(key, lambda: torch.cat(list(self._features(extractor, name, limit))), say=self.say)

    def _features(self, extractor: Extractor, name: str, limit: int | None) -> Iterator[Tensor]:
        loader = self.data.in_order(name, limit, shared=False)
        for batch in self.track(loader, "Features of the real photos", len(loader)):
            yield extractor(batch["photo"].float().to(self.painter.device)).cpu()


def _described(resize: Resize) -> str:
    """The class and its arguments, but for what is done in training alone: ``Fixed, size 512x256``."""
    try:
        arguments = {name: value for name, value in recipe(resize)["arguments"].items() if name != "enlarge"}
    except TypeError:  # one of the user's own that has no recipe
        arguments = {}
    if "size" in arguments:
        arguments["size"] = "x".join(str(side) for side in reversed(arguments["size"]))
    return ", ".join([type(resize).__name__, *(f"{name} {value}" for name, value in arguments.items())])
