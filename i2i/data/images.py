"""Sets whose condition is an image: paired folders, side-by-side files, and photos alone (Isola et al. 2017)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np

from i2i.data.derive import Derivation, Greyscale
from i2i.data.files import grey_of, read_image, read_photo
from i2i.data.holdout import held_out
from i2i.data.paired import (
    SPLITS,
    FileSource,
    FileSplit,
    Listing,
    Pair,
    Sample,
    attempt,
    find_images,
    size_problem,
)
from i2i.errors import InputError
from i2i.image_map import ImageSemantics
from i2i.recipe import recorded

T = TypeVar("T")

Direction = Literal["AtoB", "BtoA"]
"""Which of two pictures is the condition: A for AtoB."""


class ImageSource(FileSource):
    """What sets of images have in common: channels in place of classes, and how splits are found.

    A split is a sub-folder of its name. Without one for ``val`` a share of the training pairs validates, those that
    come first in the order of the SHA-256 digests of the seed and their names; without one for ``test`` the validation
    pairs serve.

    Args:
        root: the folder.
        channels: of the condition: 1 grey, 3 RGB, 4 RGBA. Files with others are converted, see
            :func:`i2i.data.files.image_pixels`.
        val_share: share of the pairs that validate where there is no folder for it; at least one pair.
        seed: another seed chooses other pairs.
    """

    encoding = None
    has_instances = False

    def __init__(self, root: str, channels: int, val_share: float, seed: int) -> None:
        super().__init__(root)
        if not 0 < val_share < 1:
            raise InputError(f"val_share is {val_share}; allowed are shares above 0 and below 1")
        if channels not in (1, 3, 4):
            raise InputError(f"channels is {channels}; image files give 1 (grey), 3 (RGB) or 4 (RGBA)")
        self.channels = channels
        self.val_share = val_share
        self.seed = seed

    @property
    def semantics(self) -> ImageSemantics:
        """How a model on this data reads its condition."""
        return ImageSemantics(self.channels)

    @abstractmethod
    def examine(self, pair: Pair) -> tuple[Sample, list[str]]:
        """As :meth:`i2i.data.paired.FileSplit.examine`."""

    @abstractmethod
    def has_folder(self, split: str) -> bool:
        """Whether the split has a folder of its own."""

    @abstractmethod
    def pairs(self, split: str | None) -> Listing:
        """The pairs in the folder of a split; None for those that lie in no such folder."""

    def listing(self, name: str) -> Listing:
        """The pairs of a split, by sub-folder or by share."""
        if name == "test" and not self.has_folder("test"):
            name = "val"
        if name != "train" and self.has_folder(name):
            return self.pairs(name)
        whole = self.pairs("train" if any(map(self.has_folder, SPLITS)) else None)
        if self.has_folder("val"):
            return whole
        return held_out(whole, self.val_share, self.seed, name == "val", self.root)

    def files(self, pairs: Sequence[Pair]) -> ImageSplit:
        """The samples of these files."""
        return ImageSplit(pairs, self)


class ImageSplit(FileSplit):
    """A split of an :class:`ImageSource`.

    Args:
        pairs: the files, in the order of the indices.
        source: says how a pair is read.
    """

    def __init__(self, pairs: Sequence[Pair], source: ImageSource) -> None:
        super().__init__(pairs, None)
        self.source = source

    def examine(self, index: int) -> tuple[Sample, list[str]]:
        """As of any split of files."""
        return self.source.examine(self.pairs[index])


@recorded
class PairedImages(ImageSource):
    """Two folders of pictures, A and B, of which two of the same name are a pair; the endings may differ.

    Args:
        root: the folder that holds ``A`` and ``B``. Splits are sub-folders of both, ``A/train`` and ``B/train`` (as
            pix2pix's tools have them), or hold both, ``train/A`` and ``train/B``.
        direction: which one is the condition: A for ``AtoB``.
        channels: of the condition: 1 grey, 3 RGB, 4 RGBA; files with others are converted.
        val_share: see :class:`ImageSource`.
        seed: likewise.
        a: name of the folder A.
        b: name of the folder B.
    """

    def __init__(
        self,
        root: str,
        direction: Direction = "AtoB",
        channels: Literal[1, 3, 4] = 3,
        val_share: float = 0.1,
        seed: int = 0,
        a: str = "A",
        b: str = "B",
    ) -> None:
        super().__init__(root, channels, val_share, seed)
        self.names = (a, b)
        self.sides = _directed(self.names, direction)

    def has_folder(self, split: str) -> bool:
        """Whether there is ``A/<split>``, ``B/<split>`` or ``<split>/A``."""
        return (self.root / split).is_dir() or any((self.root / side / split).is_dir() for side in self.sides)

    def pairs(self, split: str | None) -> Listing:
        """Match the names of the two folders."""
        folders = [self._folder(side, split) for side in self.sides]
        conditions, photos = (find_images(folder) for folder in folders)
        a, b = self.names
        expected = f"expected {a}/ and {b}/ with pictures of the same names in {self.root}, or {a}/train and {b}/train"
        for folder, found in zip(folders, (conditions, photos), strict=True):
            if not found:
                raise InputError(f"no pictures in {folder}; {expected}")
        if not conditions.keys() & photos.keys():
            one, other = next(iter(conditions.values())), next(iter(photos.values()))
            raise InputError(f"no picture has one of the same name (for example {one} and {other}); {expected}")
        alone = [(path, folders[1]) for name, path in conditions.items() if name not in photos]
        alone += [(path, folders[0]) for name, path in photos.items() if name not in conditions]
        problems = [f"{path} has no picture of the same name in {other}" for path, other in alone]
        return Listing([Pair(n, photos[n], path) for n, path in conditions.items() if n in photos], problems)

    def examine(self, pair: Pair) -> tuple[Sample, list[str]]:
        """Read each picture for itself."""
        problems: list[str] = []
        assert pair.photo is not None
        condition = attempt(partial(read_image, pair.condition, self.channels), problems)
        photo = attempt(partial(read_photo, pair.photo), problems)
        problems += size_problem(pair.photo, photo, f"its partner {pair.condition}", condition)
        return Sample(pair.name, photo, None, condition=condition), problems

    def _folder(self, side: str, split: str | None) -> Path:
        if split is None:
            return self.root / side
        within = self.root / split / side
        return within if within.is_dir() else self.root / side / split


@recorded
class SideBySide(ImageSource):
    """Files of two pictures each, A on the left and B on the right, as the data sets of pix2pix come.

    Args:
        root: the folder of the files, or of ``train``, ``val`` and ``test``.
        direction: which one is the condition: A for ``AtoB``.
        channels: of the condition: 1 grey, 3 RGB; files with others are converted.
        val_share: see :class:`ImageSource`.
        seed: likewise.
    """

    def __init__(
        self,
        root: str,
        direction: Direction = "AtoB",
        channels: Literal[1, 3] = 3,
        val_share: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__(root, channels, val_share, seed)
        if channels not in (1, 3):
            raise InputError(f"channels is {channels}; a side-by-side picture gives 1 (grey) or 3 (RGB)")
        self.direction: Direction = direction
        _directed(("A", "B"), direction)

    def has_folder(self, split: str) -> bool:
        """Whether there is a folder of that name."""
        return (self.root / split).is_dir()

    def pairs(self, split: str | None) -> Listing:
        """Every file is a pair."""
        return _of_single_files(self.root if split is None else self.root / split, "side-by-side pictures A|B", False)

    def examine(self, pair: Pair) -> tuple[Sample, list[str]]:
        """Read the file and cut it in two."""
        problems: list[str] = []
        both = attempt(partial(read_photo, pair.condition), problems)
        if both is not None and both.shape[1] % 2:
            problems.append(
                f"{pair.condition} is {both.shape[1]}x{both.shape[0]} pixels; a side-by-side picture A|B has an even "
                f"width, A and B half of it each"
            )
            both = None
        if both is None:
            return Sample(pair.name, None, None), problems
        half = both.shape[1] // 2
        halves = (np.ascontiguousarray(both[:, :half]), np.ascontiguousarray(both[:, half:]))
        condition, photo = _directed(halves, self.direction)
        return Sample(pair.name, photo, None, condition=grey_of(condition) if self.channels == 1 else condition), []


@recorded
class DerivedImages(ImageSource):
    """Photos alone; the condition is made from each: grey values by default, so that a model learns to colour.

    Args:
        root: the folder of the photos, or of ``train``, ``val`` and ``test``; sub-folders are looked into.
        condition: how it is made; :class:`i2i.data.derive.Greyscale` by default.
        val_share: see :class:`ImageSource`.
        seed: likewise.
    """

    def __init__(self, root: str, condition: Derivation | None = None, val_share: float = 0.1, seed: int = 0) -> None:
        self.condition = Greyscale() if condition is None else condition
        super().__init__(root, self.condition.channels, val_share, seed)

    def has_folder(self, split: str) -> bool:
        """Whether there is a folder of that name."""
        return (self.root / split).is_dir()

    def pairs(self, split: str | None) -> Listing:
        """Every photo is a pair."""
        return _of_single_files(self.root if split is None else self.root / split, "photos", True)

    def examine(self, pair: Pair) -> tuple[Sample, list[str]]:
        """Read the photo and make its condition."""
        problems: list[str] = []
        photo = attempt(partial(read_photo, pair.condition), problems)
        return Sample(pair.name, photo, None, condition=None if photo is None else self.condition(photo)), problems


def _of_single_files(folder: Path, what: str, deep: bool) -> Listing:
    found = find_images(folder, deep=deep)
    if not found:
        raise InputError(f"no {what} in {folder}; expected image files there, or in its folders train, val and test")
    return Listing([Pair(name, path, path) for name, path in found.items()])


def _directed(sides: tuple[T, T], direction: Direction) -> tuple[T, T]:
    """(condition, photo) of (A, B)."""
    if direction not in ("AtoB", "BtoA"):
        raise InputError(f"direction is {direction!r}; allowed are AtoB and BtoA")
    return sides if direction == "AtoB" else sides[::-1]
