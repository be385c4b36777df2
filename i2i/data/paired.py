"""Paired data: what a sample, a split and a source are, and how files are matched into pairs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from i2i.classes import LabelEncoding
from i2i.condition import Semantics
from i2i.data.files import list_images, read_instances, read_labels, read_photo
from i2i.errors import InputError
from i2i.semantics import LabelSemantics

T = TypeVar("T")

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Sample:
    """One pair as it was read, before any preparation.

    Attributes:
        name: what outputs made from this sample are called.
        photo: (H, W, 3) uint8; None where a set has label maps alone.
        labels: (H, W) uint8 or int16 labels, already decoded; None where an image is the condition.
        instances: (H, W) int32 ids; None where a set has none.
        condition: (H, W, C) uint8, the image to be translated; None where labels are the condition.
    """

    name: str
    photo: NDArray[np.uint8] | None
    labels: NDArray[Any] | None
    instances: NDArray[np.int32] | None = None
    condition: NDArray[np.uint8] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the condition, labels or image."""
        given = self.labels if self.condition is None else self.condition
        assert given is not None, "a sample has labels or an image as its condition"
        return given.shape[0], given.shape[1]


class Split(Protocol):
    """The samples of one split, read one at a time."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """The name of a sample, without reading it."""
        ...

    def read(self, index: int) -> Sample:
        """Read one sample; raises :class:`InputError` where that is impossible."""
        ...


class Source(ABC):
    """A data set: how its label files are to be understood, and its splits.

    Attributes:
        encoding: from the ids or colours of the label files to labels; None where the condition is an image.
        has_instances: whether every sample carries an instance map.
        incidental: the constructor's arguments that do not change what the samples are.
    """

    encoding: LabelEncoding | None
    has_instances: bool
    incidental: frozenset[str] = frozenset({"root"})

    @property
    def semantics(self) -> Semantics:
        """How a model on this data reads its condition: labels, with edges where there are instances."""
        assert self.encoding is not None, "a source without labels says itself how its condition is read"
        return LabelSemantics(self.encoding.num_classes, edges=self.has_instances)

    def lighting(self, split: str, index: int) -> str | None:
        """Under which lighting a photo was taken, by a name that the set has for it; None where the set tells none."""
        return None

    @abstractmethod
    def split(self, name: str) -> Split:
        """The split ``train``, ``val`` or ``test``.

        Raises:
            InputError: there is no such split, or its files are not as they should be.
        """


@dataclass(frozen=True)
class Pair:
    """The files of one sample.

    Attributes:
        name: of the sample.
        photo: None where a set has label maps alone.
        condition: the label map, or the image that is translated; it may be the photo's own file.
        instances: the instance map.
    """

    name: str
    photo: Path | None
    condition: Path
    instances: Path | None = None


@dataclass(frozen=True)
class Listing:
    """The pairs that were found, and one line for each file without its partner."""

    pairs: list[Pair]
    problems: list[str] = field(default_factory=list)


class FileSplit:
    """A split whose samples are files.

    Args:
        pairs: the files, in the order of the indices.
        encoding: of the label maps; None where the condition is an image.
    """

    def __init__(self, pairs: Sequence[Pair], encoding: LabelEncoding | None) -> None:
        self.pairs = list(pairs)
        self.encoding = encoding

    def __len__(self) -> int:
        return len(self.pairs)

    def name(self, index: int) -> str:
        """The name of a sample, without reading it."""
        return self.pairs[index].name

    def read(self, index: int) -> Sample:
        """Read one sample.

        Raises:
            InputError: a file is unreadable, a label is out of range, or the files differ in size.
        """
        sample, problems = self.examine(index)
        if problems:
            raise InputError(problems[0])
        return sample

    def examine(self, index: int) -> tuple[Sample, list[str]]:
        """Read each file of a sample for itself, so that one bad file does not hide another.

        Returns:
            The sample, None in place of what cannot be read, and one line for each thing that is wrong.
        """
        pair, problems, encoding = self.pairs[index], list[str](), self.encoding
        assert encoding is not None, "label maps have an encoding"
        labels = attempt(lambda: read_labels(pair.condition, encoding), problems)
        photo = None if pair.photo is None else attempt(partial(read_photo, pair.photo), problems)
        instances = None if pair.instances is None else attempt(partial(read_instances, pair.instances), problems)
        for path, image in ((pair.photo, photo), (pair.instances, instances)):
            problems += size_problem(path, image, f"its label map {pair.condition}", labels)
        return Sample(pair.name, photo, labels, instances), problems


class FileSource(Source):
    """A source that lies in a folder of files.

    Args:
        root: the data set's folder.
    """

    def __init__(self, root: str) -> None:
        self.root = Path(root).expanduser()

    @abstractmethod
    def listing(self, name: str) -> Listing:
        """The pairs of a split, and the files without partner; raises :class:`InputError` where a folder is missing."""

    def split(self, name: str) -> FileSplit:
        """The split ``train``, ``val`` or ``test``.

        Raises:
            InputError: a folder is missing or empty, or a file has no partner (named).
        """
        if name not in SPLITS:
            raise InputError(f"no split {name!r}; allowed are {', '.join(SPLITS)}")
        listing = self.listing(name)
        if listing.problems:
            more = len(listing.problems) - 1
            raise InputError(listing.problems[0] + (f" (and {more} more such files)" if more else ""))
        return self.files(listing.pairs)

    def files(self, pairs: Sequence[Pair]) -> FileSplit:
        """The samples of these files."""
        return FileSplit(pairs, self.encoding)


class FirstOf:
    """The first samples of a split, for quick trials and small validation sets."""

    def __init__(self, split: Split, count: int) -> None:
        self.split = split
        self.count = min(count, len(split))

    def __len__(self) -> int:
        return self.count

    def name(self, index: int) -> str:
        """The name of a sample, without reading it."""
        return self.split.name(index)

    def read(self, index: int) -> Sample:
        """Read one sample."""
        return self.split.read(index)


def attempt(read: Callable[[], T], problems: list[str]) -> T | None:
    """What ``read`` returns; None where it raises an :class:`InputError`, whose line is added to ``problems``."""
    try:
        return read()
    except InputError as error:
        problems.append(str(error))
        return None


def size_problem(path: Path | None, image: NDArray[Any] | None, other: str, given: NDArray[Any] | None) -> list[str]:
    """One line where the image in ``path`` is not of the size of ``given``, which is called ``other``; else none."""
    if image is None or given is None or image.shape[:2] == given.shape[:2]:
        return []
    ours, theirs = (f"{a.shape[1]}x{a.shape[0]}" for a in (image, given))
    return [f"{path} is {ours} pixels, {other} is {theirs}; they must be of one size"]


def find_images(folder: Path, ending: str = "", deep: bool = False) -> dict[str, Path]:
    """The image files of a folder by name (the stem without ``ending``), sorted; empty where there is no folder.

    Args:
        folder: where to look.
        ending: only files whose stem ends so are taken.
        deep: look into sub-folders, too.

    Raises:
        InputError: two files share a name, as ``a.png`` and ``a.jpg``.
    """
    found: dict[str, Path] = {}
    for path in list_images(folder, deep):
        if not path.stem.endswith(ending):
            continue
        name = path.stem.removesuffix(ending)
        if name in found:
            raise InputError(f"{found[name]} and {path} share the name {name!r}; a name stands for one pair")
        found[name] = path
    return dict(sorted(found.items()))


def match(
    labels: dict[str, Path], photos: dict[str, Path], instances: dict[str, Path] | None, expected: str
) -> Listing:
    """Match files by name. Without a single photo the listing is of label maps alone; else each needs its photo.

    Args:
        labels: from :func:`find_images`.
        photos: the same.
        instances: the same; None for a set without instance maps.
        expected: how the folder should look, for the error.

    Raises:
        InputError: there are no label maps, or photos or instance maps are there of which none matches.
    """
    if not labels:
        raise InputError(f"no label maps found; {expected}")
    if photos and not labels.keys() & photos.keys():
        photo, mask = next(iter(photos.values())), next(iter(labels.values()))
        raise InputError(f"no photo has the name of a label map (for example {photo} and {mask}); {expected}")
    if instances is not None and not instances:
        raise InputError(f"no instance maps found; {expected}, or leave them out with instances: false")
    pairs, problems = [], []
    for name, path in labels.items():
        if photos and name not in photos:
            problems.append(f"label map {path} has no photo of the same name")
        elif instances is not None and name not in instances:
            problems.append(f"label map {path} has no instance map of the same name")
        else:
            pairs.append(Pair(name, photos.get(name), path, None if instances is None else instances[name]))
    problems += [f"photo {path} has no label map of the same name" for n, path in photos.items() if n not in labels]
    return Listing(pairs, problems)
