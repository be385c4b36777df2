"""Paired folders of the user's own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from i2i.classes import ClassTable, LabelEncoding
from i2i.data.files import read_ids
from i2i.data.holdout import held_out
from i2i.data.paired import FileSource, Listing, find_images, match
from i2i.errors import InputError
from i2i.recipe import recorded

log = logging.getLogger(__name__)

USUAL_UNKNOWN = 255
"""The id that means "no class" in many 8-bit data sets."""


@recorded
class Folder(FileSource):
    """``photos/``, ``labels/``, optionally ``instances/``, matched by name; the file endings may differ.

    With sub-folders ``train``, ``val`` and ``test`` each holds its own ``photos/`` and ``labels/``. Without ``val``
    a share of the training pairs validates: those that come first in the order of the SHA-256 digests of the seed and
    their names, so the choice is the same on every machine. Without ``test`` the validation pairs serve.

    The classes come from ``classes.csv`` in the root (columns id,name,red,green,blue); RGB masks need it. Without it
    they are 0 to ``num_classes - 1``, and without that number every label map is read once to find the largest id; 255
    then counts as unknown unless 254 occurs, too.

    Args:
        root: the folder.
        num_classes: number of classes where there is no ``classes.csv``.
        unknown: ids that mean "no class"; together they become one further label, after the classes.
        instances: read instance maps; by default, where there is a folder of them.
        val_share: share of the pairs that validate, where there is no sub-folder for it; at least one pair.
        seed: another seed chooses other pairs for validation.
        train: sub-folder of the training split.
        val: sub-folder of the validation split.
        test: sub-folder of the test split.
    """

    def __init__(
        self,
        root: str,
        num_classes: int | None = None,
        unknown: Sequence[int] = (),
        instances: bool | None = None,
        val_share: float = 0.1,
        seed: int = 0,
        train: str = "train",
        val: str = "val",
        test: str = "test",
    ) -> None:
        super().__init__(root)
        if not 0 < val_share < 1:
            raise InputError(f"val_share is {val_share}; allowed are shares above 0 and below 1")
        self.num_classes = num_classes
        self.unknown = list(unknown)
        self.val_share = val_share
        self.seed = seed
        self.folders = {"train": train, "val": val, "test": test}
        self.has_instances = (self._base("train") / "instances").is_dir() if instances is None else instances

    @cached_property
    def encoding(self) -> LabelEncoding:  # type: ignore[override]  # found at first use, since it may read every file
        """How the label maps are to be understood; see the class for where it comes from."""
        table = self.root / "classes.csv"
        if table.exists():
            return LabelEncoding(ClassTable.from_csv(table), self.unknown)
        if self.num_classes is not None:
            return LabelEncoding(ClassTable.numbered(self.num_classes), self.unknown)
        found = self._found_ids()
        unknown = self.unknown
        if USUAL_UNKNOWN in found and USUAL_UNKNOWN - 1 not in found and len(found) > 1:
            unknown = sorted({*unknown, USUAL_UNKNOWN})
        count = max((value for value in found if value not in unknown), default=0) + 1
        log.warning(
            "%s has no classes.csv: its label maps were read and hold ids up to %d, so there are %d classes%s",
            self.root, count - 1, count, f" and {unknown} for unknown" if unknown else "",
        )  # fmt: skip
        return LabelEncoding(ClassTable.numbered(count), unknown)

    def listing(self, name: str) -> Listing:
        """The pairs of a split, by sub-folder or by share."""
        if name == "test" and not (self.root / self.folders["test"]).is_dir():
            name = "val"
        own = self.root / self.folders[name]
        if name != "train" and own.is_dir():
            return self._pairs(own)
        whole = self._pairs(self._base("train"))
        if (self.root / self.folders["val"]).is_dir():
            return whole
        return held_out(whole, self.val_share, self.seed, name == "val", self.root)

    def _base(self, name: str) -> Path:
        own = self.root / self.folders[name]
        return own if own.is_dir() else self.root

    def _pairs(self, folder: Path) -> Listing:
        third = ", instances/" if self.has_instances else ""
        expected = f"expected photos/ and labels/{third} with files of the same names in {folder}"
        if not folder.is_dir():
            raise InputError(f"no folder {folder}; {expected}")
        instances = find_images(folder / "instances") if self.has_instances else None
        return match(find_images(folder / "labels"), find_images(folder / "photos"), instances, expected)

    def _found_ids(self) -> set[int]:
        found: set[int] = set()
        for folder in sorted({self._base(name) for name in self.folders}):
            for path in find_images(folder / "labels").values():
                ids = read_ids(path)
                if ids.ndim == 3:
                    raise InputError(
                        f"{path} is an RGB mask; {self.root / 'classes.csv'} must say which colour is what"
                    )
                found |= set(np.unique(ids).tolist())
        if not found:
            raise InputError(f"no label maps found; expected photos/ and labels/ in {self.root}")
        if min(found) < 0 or max(found) > 4095:
            raise InputError(
                f"{self.root}: ids {min(found)} to {max(found)} in the label maps; without a classes.csv they lie in "
                f"0 to 4095"
            )
        return found
