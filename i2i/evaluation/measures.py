"""The measures of synthesised pictures: what each needs, what it looks at, and its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch

from i2i.errors import InputError
from i2i.evaluation.measure import Means, Measure, naming
from i2i.evaluation.painter import Painter, Pictures
from i2i.metrics.artefacts import Artefacts
from i2i.metrics.distribution import Distribution, check_count
from i2i.metrics.diversity import LPIPS, Diversity, PerceptualDistance
from i2i.metrics.extractors import InceptionFeatures
from i2i.metrics.judge import Judge
from i2i.metrics.manifold import Manifolds
from i2i.metrics.result import Result
from i2i.metrics.segmentation import Segmentation, indices_of
from i2i.metrics.similarity import Similarity, structural_similarity
from i2i.metrics.style import StyleFidelity
from i2i.metrics.style import check_count as check_styles


class DistributionMeasure(Measure):
    """FID, KID, precision, recall, density, coverage."""

    figures: ClassVar = {"FID": "lower", "KID": "lower", **dict.fromkeys(Manifolds._fields, "higher")}

    @classmethod
    def prepare(cls, means: Means) -> Measure:
        """Needs an extractor and more than a few photos, real ones, too."""
        means.need_photos("FID")
        extractor = InceptionFeatures() if means.extractor is None else means.extractor
        with naming(means.extractor is not None):
            extractor(means.batch["photo"][:1].float())  # what is no extractor is known before the photos are read
        check_count(means.photos, "synthesised")
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
        with naming():
            indices_of(means.names, means.ignored, "ignored classes")
        if means.judge is None:
            raise InputError("no judge is given; name one with --judge FILE, i2i train-judge makes one")
        with naming():
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
        """Needs real photos, large ones, and LPIPS' weights."""
        means.need_photos("LPIPS")
        return cls(PerceptualDistance(_lpips_of(means)))

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
        measure = cls(Diversity(_lpips_of(means)))
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
        """Needs real photos, no tiny ones."""
        means.need_photos("PSNR and SSIM")
        structural_similarity(*[means.batch["photo"][:1].float()] * 2)
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
        """Needs an encoder of style vectors, drawn styles, and more than two of them."""
        painter = means.painter
        if painter.encoder is None or painter.generator.style_dim is None:
            raise InputError("style fidelity asks an encoder for the style of each picture, and this model has none")
        if painter.style != "drawn":
            raise InputError("style fidelity needs styles that are drawn, not those of the photos")
        check_styles(means.photos)
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


def _lpips_of(means: Means) -> LPIPS:
    """The network, which has been tried."""
    network = means.lpips()
    like = means.batch["labels"] if "labels" in means.batch else means.batch["condition"]
    photo = torch.zeros(1, 3, *like.shape[-2:])
    network(photo, photo)
    return network


def _with_real(measure: Measure, real: bool) -> list[Result]:
    """The figures of the first metric and, where there are real photos, the same of the second, which has seen them."""
    results, of_real = (metric.results() if index == 0 or real else [] for index, metric in enumerate(measure.metrics))  # type: ignore[operator]
    return [*results, *(replace(r, name=f"{r.name} of the real photos", of_real_photos=True) for r in of_real)]


def _columns(measure: Measure, names: Sequence[str]) -> dict[str, dict[str, float]]:
    rows = measure.metrics[0].rows_of(names)  # type: ignore[operator]
    return {name: dict(zip(measure.columns, row, strict=True)) for name, row in rows.items()}
