"""Is the data fit to train on? A cheap look before training, and a walk over everything that collects all problems."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from i2i.classes import LabelEncoding
from i2i.data.datamodule import DataModule
from i2i.data.paired import FileSource, FileSplit, Source, Split
from i2i.errors import InputError

UNUSED = "(unused channel)"


def check_cheap(source: Source) -> None:
    """List the training and the validation split and read the first, middle and last sample of each.

    Raises:
        InputError: training would fail: a folder, a file or its partner is missing, or one of the samples is unusable.
    """
    for name in ("train", "val"):
        split = source.split(name)
        if len(split) == 0:
            raise InputError(f"the split {name} has no pairs")
        for index in sorted({0, len(split) // 2, len(split) - 1}):
            sample = split.read(index)
            if name == "train" and sample.photo is None:
                raise InputError(_no_photos(sample.name))


@dataclass
class SplitReport:
    """What was found in one split.

    Attributes:
        name: ``train`` or ``val``.
        pairs: number of samples listed.
        photos: how many of them have a photo.
        sizes: how often each (height, width) of label maps or condition images occurs.
        histogram: (num_classes,) int64, pixels per label; empty where the condition is an image.
        problems: one line for each thing that is wrong, with the file's name.
    """

    name: str
    pairs: int = 0
    photos: int = 0
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    histogram: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    problems: list[str] = field(default_factory=list)


@dataclass
class Report:
    """What a walk over the data found.

    Attributes:
        names: what each label is called; empty where there are none, or they could not be found out.
        splits: one report each.
        problems: what is wrong beyond single splits.
        twins: of every class whose colour an earlier one has, that one.
    """

    names: list[str]
    splits: list[SplitReport]
    problems: list[str]
    twins: dict[int, int] = field(default_factory=dict)

    @property
    def all_problems(self) -> list[str]:
        """Every problem, those of the splits first; what several splits tell is told once."""
        return list(dict.fromkeys([line for split in self.splits for line in split.problems] + self.problems))

    @property
    def ok(self) -> bool:
        """Whether training would run through."""
        return not self.all_problems

    def __str__(self) -> str:
        """Pairs, sizes and the share of each class per split, then the problems: all that the walk found, as text."""
        lines = []
        for split in self.splits:
            lines.append(f"{split.name}: {split.pairs} pairs, {split.photos} with a photo")
            sizes = [f"{width}x{height} ({count})" for (height, width), count in split.sizes.most_common(8)]
            more = f" and {len(split.sizes) - 8} more sizes" if len(split.sizes) > 8 else ""
            lines.append(f"  sizes: {', '.join(sizes) or 'none'}{more}")
            if split.histogram.sum():
                lines += ["  label   pixels    class", *self._class_lines(split.histogram)]
        lines += [f"problem: {problem}" for problem in self.all_problems]
        lines.append("no problems found" if self.ok else f"{len(self.all_problems)} problems; training would fail")
        return "\n".join(lines)

    def _class_lines(self, histogram: NDArray[np.int64]) -> list[str]:
        lines = [
            f"  {label:5d}  {histogram[label] / histogram.sum():8.3%}  {self.names[label]}"
            for label in np.argsort(-histogram, kind="stable").tolist()
            if histogram[label]
        ]
        absent = [i for i, name in enumerate(self.names) if not histogram[i] and name != UNUSED]
        more = f" and {len(absent) - 12} more" if len(absent) > 12 else ""
        lines += [f"  never seen: {', '.join(self.names[i] for i in absent[:12])}{more}"] if absent else []
        return lines + [
            f"  {self.names[i]} has the colour of {self.names[self.twins[i]]}: in RGB files all of it is the latter"
            for i in absent
            if i in self.twins
        ]


def check_all(
    datamodule: DataModule, splits: Sequence[str] = ("train", "val"), progress: bool = True, multiple: int = 1
) -> Report:
    """Read every sample of the splits and collect all problems; none is raised.

    Args:
        datamodule: its source is walked, its batch size and limits are regarded.
        splits: of ``train``, ``val`` and ``test``.
        progress: show a bar on the standard error output.
        multiple: height and width that the generator takes are multiples of it.
    """
    try:
        encoding = datamodule.encoding
    except InputError as error:
        return Report([], [], [str(error)])
    classes = 0 if encoding is None else encoding.num_classes
    reports = [_check_split(datamodule, classes, name, progress, multiple) for name in splits]
    problems = []
    try:
        if any(report.name == "train" and report.pairs and not report.problems for report in reports):
            with warnings.catch_warnings():  # torch counts the cores, but nothing is loaded here
                warnings.filterwarnings("ignore", message="This DataLoader will create")
                datamodule.train_dataloader()
    except InputError as error:
        problems.append(str(error))
    if encoding is None:
        return Report([], reports, problems)
    return Report(label_names(encoding), reports, problems, encoding.classes.twins)


def label_names(encoding: LabelEncoding) -> list[str]:
    """A name for each label, those beyond the class table included: what means "unknown", and unused channels."""
    beyond = range(len(encoding.classes), encoding.num_classes)
    own_unknown = encoding.unknown_label if encoding.unknown else None
    return encoding.classes.names + ["unknown" if label == own_unknown else UNUSED for label in beyond]


def _check_split(datamodule: DataModule, classes: int, name: str, progress: bool, multiple: int) -> SplitReport:
    report = SplitReport(name, histogram=np.zeros(classes, dtype=np.int64))
    try:
        split, report.problems = _listed(datamodule.source, name)
    except InputError as error:
        report.problems = [f"{name}: {error}"]
        return report
    count = min(len(split), datamodule.limits[name] or len(split))
    if count == 0:
        report.problems.append(f"the split {name} has no usable pairs")
    examine = partial(_examine, split, classes)
    shapes = set()
    for size, has_photo, histogram, problems in _each(examine, range(count), datamodule.workers, name, progress):
        report.pairs += 1
        report.photos += has_photo
        report.problems += problems
        if size is not None:
            report.sizes[size] += 1
            report.histogram += histogram
            shapes.add(datamodule.resize.size or datamodule.resize.stretched(*size, training=name == "train"))
    batch = datamodule.batch_size if name == "train" else datamodule.val_batch_size
    if len(shapes) > 1 and batch > 1:
        report.problems.append(
            f"{name}: {len(shapes)} sizes do not fit into batches of {batch}; resize to a fixed size"
        )
    for height, width in sorted(shapes):
        if height % multiple or width % multiple:
            report.problems.append(
                f"{name}: samples become {height} x {width} by {type(datamodule.resize).__name__}; the generator takes "
                f"heights and widths that are multiples of {multiple}"
            )
            break
    if name == "train" and report.pairs and not report.photos:
        report.problems.append(_no_photos(split.name(0)))
    return report


def _listed(source: Source, name: str) -> tuple[Split, list[str]]:
    """The split, and the files without partner: a source of files can name all of them."""
    if not isinstance(source, FileSource):
        return source.split(name), []
    listing = source.listing(name)
    return source.files(listing.pairs), list(listing.problems)


Finding = tuple[tuple[int, int] | None, bool, NDArray[np.int64], list[str]]
"""The size of the condition (None where it is unreadable), whether there is a photo, its histogram, its problems."""


def _examine(split: Split, classes: int, index: int) -> Finding:
    nothing = None, False, np.zeros(classes, dtype=np.int64)
    if isinstance(split, FileSplit):
        sample, problems = split.examine(index)
        has_photo = split.pairs[index].photo is not None
    else:
        try:
            sample, problems = split.read(index), []
        except InputError as error:
            return *nothing, [str(error)]
        has_photo = sample.photo is not None
    if sample.labels is not None:
        return sample.size, has_photo, _counted(sample.labels, classes), problems
    return None if sample.condition is None else sample.size, has_photo, nothing[2], problems


def _counted(labels: NDArray[np.integer[Any]], classes: int) -> NDArray[np.int64]:
    """Pixels per label; by rows, since counting takes eight bytes a pixel."""
    return np.asarray(sum(np.bincount(row, minlength=classes) for row in labels), dtype=np.int64)


def _each(examine: Callable[[int], Finding], indices: range, workers: int, name: str, progress: bool) -> list[Finding]:
    columns = (TextColumn("checking {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        ThreadPoolExecutor(max(1, workers)) as pool,  # decoding images leaves the interpreter lock
        Progress(*columns, console=Console(stderr=True), disable=not progress) as bar,
    ):
        return list(bar.track(pool.map(examine, indices), total=len(indices), description=name))


def _no_photos(name: str) -> str:
    return f"the training split has no photos (for example {name}); training needs pairs"
