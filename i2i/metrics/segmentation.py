"""Does the picture show what the map says? A segmentation network's reading of it against the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

from i2i.errors import InputError
from i2i.metrics.result import Result


class Scores(NamedTuple):
    """Shares in [0, 1]; NaN where there is nothing to divide by.

    Attributes:
        mean_iou: over the classes that are not ignored and occur in maps or readings.
        iou: (C,) of each class; NaN for ignored ones and those that occur nowhere.
        accuracy: share of right pixels, those of ignored classes left out.
        accuracy_all: share of right pixels among all.
    """

    mean_iou: float
    iou: Tensor
    accuracy: float
    accuracy_all: float


def confusion_matrix(labels: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """How often each class was read as each.

    Args:
        labels: (…) integers, the maps.
        predicted: (…) integers, the readings.
        classes: C; both are in [0, C], where C itself means "none of them".

    Returns:
        (C + 1, C + 1) int64; the row is the map's class, the column the one that was read.

    Raises:
        InputError: shapes that differ, or values out of range.
    """
    if labels.shape != predicted.shape:
        raise InputError(f"maps of shape {tuple(labels.shape)} and readings of {tuple(predicted.shape)} do not fit")
    for name, values in (("the map", labels), ("the reading", predicted)):
        low, high = (int(x) for x in torch.aminmax(values))
        if low < 0 or high > classes:
            raise InputError(f"label {low if low < 0 else high} in {name} is out of range; allowed are 0 to {classes}")
    cells = labels.long().flatten() * (classes + 1) + predicted.long().flatten()
    return torch.bincount(cells, minlength=(classes + 1) ** 2).reshape(classes + 1, classes + 1)


def scores(confusion: Tensor, ignored: Sequence[int] = ()) -> Scores:
    """Mean IoU and pixel accuracies of a whole data set.

    Pixels whose map says an ignored class, or none, count nowhere, except in ``accuracy_all``. There they are right
    only if the network reads that very class, which most cannot: that is why the two accuracies differ so much.

    Args:
        confusion: (C + 1, C + 1), the sum over the data set.
        ignored: classes.
    """
    classes = len(confusion) - 1
    confusion = confusion.cpu().double()
    kept = torch.ones(classes + 1, dtype=torch.bool)
    kept[[*ignored, classes]] = False
    right = confusion.diagonal().clone()
    right[classes] = 0  # what is no class in the map cannot be read rightly
    counted = confusion[kept]
    union = counted.sum(dim=1) + counted.sum(dim=0)[kept] - right[kept]
    iou = torch.full((classes + 1,), float("nan"), dtype=torch.double)
    iou[kept] = torch.where(union > 0, right[kept] / union, torch.nan)
    return Scores(
        mean_iou=float(iou.nanmean()),
        iou=iou[:classes],
        accuracy=float(right[kept].sum() / counted.sum()),
        accuracy_all=float(right.sum() / confusion.sum()),
    )


def indices_of(names: Sequence[str], wanted: Sequence[str], what: str) -> list[int]:
    """The places of the wanted names.

    Args:
        names: of the classes.
        wanted: some of them.
        what: what the error says the wanted ones are.

    Raises:
        InputError: a name that no class has, or more than one.
    """
    for name in wanted:
        if names.count(name) != 1:
            how = "more than one class" if name in names else "no class"
            raise InputError(f"{what}: {how} is called {name!r}; the classes are {', '.join(names)}")
    return [names.index(name) for name in wanted]


class Segmentation(Metric):
    """Collects the confusion matrix of a data set, and how many photos it is of.

    Args:
        names: of the classes, in the order of the labels.
        ignored: names of the classes whose pixels do not count.
        about: what the readings were made with (see ``Judge.describe``), for the protocol.
        labels: how many labels maps may have; those beyond the names ("unknown") are no class and never count. By
            default as many as there are names.

    Raises:
        InputError: an ignored class that is none, or nothing left to count.
    """

    full_state_update = False
    confusion: Tensor
    photos: Tensor

    def __init__(
        self, names: Sequence[str], ignored: Sequence[str], about: Mapping[str, Any], labels: int | None = None
    ) -> None:
        super().__init__()
        self.names = list(names)
        self.ignored = indices_of(self.names, list(ignored), "ignored classes")
        if len(set(self.ignored)) == len(self.names):
            raise InputError("all classes are ignored; there is nothing left to measure")
        self.about = dict(about)
        self.labels = len(self.names) if labels is None else labels
        empty = torch.zeros(len(self.names) + 1, len(self.names) + 1, dtype=torch.long)
        self.add_state("confusion", empty, dist_reduce_fx="sum")
        self.add_state("photos", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, labels: Tensor, predicted: Tensor) -> None:
        """Add maps (N, H, W) and readings (N, H, W), see :func:`confusion_matrix`; each photo must come once.

        Raises:
            InputError: a label that the class table does not know, or shapes that differ.
        """
        highest, classes = int(labels.max()), len(self.names)
        if highest >= self.labels:
            raise InputError(f"label {highest} in the map does not fit the class table of {classes} classes")
        self.confusion += confusion_matrix(labels.clamp(max=classes), predicted, classes)
        self.photos += len(labels)

    def compute(self) -> tuple[Tensor, int]:
        """The confusion matrix of everything, (C + 1, C + 1), and of how many photos it is.

        Raises:
            InputError: there is not a pixel of a class that counts.
        """
        kept = [index for index in range(len(self.names)) if index not in self.ignored]
        if not self.confusion[kept].any():
            raise InputError("mIoU: no pixel of a class that counts was measured")
        return self.confusion, int(self.photos)

    def results(self) -> list[Result]:
        """mIoU with the IoU of each class, and the pixel accuracies without and with ignored classes, in percent."""
        confusion, photos = self.compute()
        measured = scores(confusion, self.ignored)
        parts = {
            name: 100 * float(value)
            for index, (name, value) in enumerate(zip(self.names, measured.iou, strict=True))
            if index not in self.ignored
        }
        protocol = {
            **self.about,
            "confusion matrix": "of the whole data set",
            "ignored classes": [self.names[index] for index in self.ignored],
            "photos": photos,
            "classes averaged": int(torch.isfinite(measured.iou).sum()),
        }
        accuracy = {key: value for key, value in protocol.items() if key != "classes averaged"}
        return [
            Result("mIoU", 100 * measured.mean_iou, protocol, "higher", "%", parts=parts),
            Result("pixel accuracy", 100 * measured.accuracy, accuracy, "higher", "%"),
            Result(
                "pixel accuracy, ignored classes counted",
                100 * measured.accuracy_all,
                accuracy | {"ignored classes": "counted: " + ", ".join(accuracy["ignored classes"])},
                "higher",
                "%",
            ),
        ]
