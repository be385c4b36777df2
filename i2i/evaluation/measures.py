"""The measures that can be asked for by name, and which of them are possible with what is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch

from i2i.errors import InputError
from i2i.evaluation.measure import Means, Measure
from i2i.evaluation.painter import Painter, Pictures
from i2i.metrics.artefacts import Artefacts
from i2i.metrics.distribution import Distribution
from i2i.metrics.diversity import Diversity, PerceptualDistance
from i2i.metrics.extractors import InceptionFeatures
from i2i.metrics.judge import Judge
from i2i.metrics.manifold import Manifolds
from i2i.metrics.result import Result
from i2i.metrics.segmentation import Segmentation
from i2i.metrics.similarity import Similarity
from i2i.metrics.style import StyleFidelity


class DistributionMeasure(Measure):
    """FID, KID, precision, recall, density, coverage."""

    figures: ClassVar = {"FID": "lower", "KID": "lower", **dict.fromkeys(Manifolds._fields, "higher")}

    @classmethod
    def prepare(cls, means: Means) -> Measure:
        """Needs real photos and an extractor."""
        means.need_photos("FID")
        extractor = InceptionFeatures() if means.extractor is None else means.extractor
        extractor(means.batch["photo"][:1].float())  # what is no extractor is known before the photos are read
        return cls(Distribution(extractor, means.reference(extractor), means.about_reference))

    def update(self, pictures: Pictures) -> None:
        """Extract features."""
        self.metrics[0].update(pictures.photo, pictures.names)


class SegmentationMeasure(Measure):
    """mIoU and pixel accuracies of a judge, and, as their ceiling, the same on the real photos.

    Args:
        judge: reads the pictures.
        names: of the classes.
        ignored: of those that do not count.
        num_labels: how many labels maps may have.
    """

    figures: ClassVar = {
        "mIoU": "higher",
        "pixel accuracy": "higher",
        "pixel accuracy, ignored classes counted": "higher",
    }

    def __init__(self, judge: Judge, names: Sequence[str], ignored: Sequence[str], num_labels: int) -> None:
        about = judge.describe()
        super().__init__(*(Segmentation(names, ignored, about, labels=num_labels) for _ in range(2)))
        self.judge = judge
        self.names = list(names)
        self._real = False

    @classmethod
    def prepare(cls, means: Means) -> Measure:
        """Needs label maps and a judge whose outputs are known."""
        if not means.names:
            raise InputError("mIoU compares with label maps, and this model translates images")
        if means.judge is None:
            raise InputError("no judge is given; name one with --judge FILE, i2i train-judge makes one")
        unread = means.judge.unread(means.names)
        ignored = [*unread, *(name for name in means.ignored if name not in unread)]
        measure = cls(means.judge, means.names, ignored, means.num_labels)
        height, width = means.batch["labels"].shape[-2:]
        means.judge.read(torch.zeros(1, 3, height, width, device=means.painter.device), means.names)
        return measure

    def start(self, device: torch.device) -> None:
        """Forget everything."""
        super().start(device)
        self._real = False

    def update(self, pictures: Pictures) -> None:
        """Read the pictures, and the real photos where there are some."""
        assert pictures.labels is not None
        self.metrics[0].update(pictures.labels, self.judge.read(pictures.photo, self.names))
        if pictures.real is not None:
            self.metrics[1].update(pictures.labels, self.judge.read(pictures.real, self.names))
            self._real = True

    def results(self) -> list[Result]:
        """Those of the pictures first."""
        return _with_real(self, self._real)


class PerceptualMeasure(Measure):
    """LPIPS to the real photo."""

    figures: ClassVar = {"LPIPS": "lower"}

    columns = ("LPIPS",)

    @classmethod
    def prepare(cls, means: Means) -> Measure:
        """Needs real photos and LPIPS' weights."""
        means.need_photos("LPIPS")
        return cls(PerceptualDistance(means.lpips()))

    def update(self, pictures: Pictures) -> None:
        """Compare each picture with its photo."""
        self.metrics[0].update(pictures.photo, pictures.real, pictures.names)

    def each(self, names: Sequence[str]) -> dict[str, dict[str, float]]:
        """Of each picture."""
        return _columns(self, names)


class DiversityMeasure(Measure):
    """LPIPS between pictures of one map."""

    figures: ClassVar = {"LPIPS diversity": "higher"}

    @classmethod
    def prepare(cls, means: Means) -> Measure:
        """Needs a model whose pictures of one map differ, and LPIPS' weights."""
        if means.samples < 2:
            raise InputError(f"diversity is between pictures of one map; {means.samples} of each is asked for")
        if means.painter.style != "drawn" or not means.painter.varies(means.batch):
            raise InputError("diversity is between pictures of one map, and this model makes the same one each time")
        measure = cls(Diversity(means.lpips()))
        measure.samples = means.samples
        return measure

    def update(self, pictures: Pictures) -> None:
        """Compare the pictures of each map with one another."""
        for name, samples in zip(pictures.names, pictures.samples, strict=True):
            self.metrics[0].update(samples, name)


class SimilarityMeasure(Measure):
    """PSNR and SSIM to the real photo."""

    figures: ClassVar = {"PSNR": "higher", "SSIM": "higher"}

    columns = ("PSNR", "SSIM")

    @classmethod
    def prepare(cls, means: Means) -> Measure:
        """Needs real photos."""
        means.need_photos("PSNR and SSIM")
        return cls(Similarity())

    def update(self, pictures: Pictures) -> None:
        """Compare each picture with its photo."""
        self.metrics[0].update(pictures.photo, pictures.real, pictures.names)

    def each(self, names: Sequence[str]) -> dict[str, dict[str, float]]:
        """Of each picture."""
        return _columns(self, names)


class StyleMeasure(Measure):
    """Whether the encoder finds the style that a picture was made with.

    Args:
        painter: makes the pictures.
    """

    figures: ClassVar = {"style correlation": "higher", "style explained variance": "higher"}

    find_styles = True

    def __init__(self, painter: Painter) -> None:
        assert painter.generator.style_dim is not None
        self.painter = painter
        self.fidelity = StyleFidelity(painter.generator.style_dim, {})
        super().__init__(self.fidelity)

    @classmethod
    def prepare(cls, means: Means) -> Measure:
        """Needs an encoder of style vectors, and drawn styles."""
        painter = means.painter
        if painter.encoder is None or painter.generator.style_dim is None:
            raise InputError("style fidelity asks an encoder for the style of each picture, and this model has none")
        if painter.style != "drawn":
            raise InputError("style fidelity needs styles that are drawn, not those of the photos")
        return cls(painter)

    def start(self, device: torch.device) -> None:
        """Forget everything. What styles are drawn from may have changed: an encoder that is trained remembers some."""
        super().start(device)
        self.fidelity.about = {"styles": f"drawn from {self.painter.source}, one a map"}

    def update(self, pictures: Pictures) -> None:
        """Compare styles."""
        assert pictures.given is not None and pictures.found is not None
        self.fidelity.update(pictures.given, pictures.found, pictures.names)


class ArtefactMeasure(Measure):
    """Saturated values, blobs and repeated texture; the same of the real photos, with which to compare."""

    figures: ClassVar = {}
    columns = ("saturated", "blobs", "repeated")

    def __init__(self) -> None:
        super().__init__(Artefacts(), Artefacts())
        self._real = False

    @classmethod
    def prepare(cls, means: Means) -> Measure:
        """Always possible."""
        return cls()

    def start(self, device: torch.device) -> None:
        """Forget everything."""
        super().start(device)
        self._real = False

    def update(self, pictures: Pictures) -> None:
        """Look at the pictures, and at the real photos where there are some."""
        self.metrics[0].update(pictures.photo, pictures.names)
        if pictures.real is not None:
            self.metrics[1].update(pictures.real, pictures.names)
            self._real = True

    def results(self) -> list[Result]:
        """Those of the pictures first."""
        return _with_real(self, self._real)

    def each(self, names: Sequence[str]) -> dict[str, dict[str, float]]:
        """Of each picture."""
        return _columns(self, names)


MEASURES: dict[str, type[Measure]] = {
    "fid": DistributionMeasure,
    "miou": SegmentationMeasure,
    "lpips": PerceptualMeasure,
    "diversity": DiversityMeasure,
    "similarity": SimilarityMeasure,
    "style": StyleMeasure,
    "artefacts": ArtefactMeasure,
}
"""What can be asked for."""


def choose_measures(means: Means, wanted: Sequence[str] | None) -> tuple[dict[str, Measure], dict[str, str]]:
    """The measures that are wanted; without any, all that are possible, and why the others are not.

    Raises:
        InputError: a wanted one is unknown or not possible, or nothing is.
    """
    if wanted is not None:
        check_names(wanted)
    chosen, left_out = {}, {}
    for name in MEASURES if wanted is None else dict.fromkeys(wanted):
        try:
            chosen[name] = MEASURES[name].prepare(means)
        except InputError as error:
            if wanted is not None:
                raise InputError(f"{name}: {error}") from error
            left_out[name] = str(error)
    if not chosen:
        raise InputError("nothing can be measured: " + "; ".join(f"{n}: {reason}" for n, reason in left_out.items()))
    return chosen, left_out


def check_names(wanted: Sequence[str]) -> None:
    """Raise :class:`InputError` where there are no names, or one of no measure."""
    unknown = next((name for name in wanted if name not in MEASURES), None)
    if unknown is not None or not wanted:
        what = "no metrics are named" if unknown is None else f"there is no metric {unknown!r}"
        raise InputError(f"{what}; there are {', '.join(MEASURES)}")


def _with_real(measure: Measure, real: bool) -> list[Result]:
    """The figures of the first metric and, where there are real photos, the same of the second, which has seen them."""
    results, of_real = (metric.results() if index == 0 or real else [] for index, metric in enumerate(measure.metrics))  # type: ignore[operator]
    return [*results, *(replace(r, name=f"{r.name} of the real photos", of_real_photos=True) for r in of_real)]


def _columns(measure: Measure, names: Sequence[str]) -> dict[str, dict[str, float]]:
    rows = measure.metrics[0].rows_of(names)  # type: ignore[operator]
    return {name: dict(zip(measure.columns, row, strict=True)) for name, row in rows.items()}
