"""The CMP facade database (Tyleček and Šára 2013)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from i2i.classes import ClassTable, LabelEncoding
from i2i.data.files import list_images
from i2i.data.holdout import shuffled_by_name
from i2i.data.paired import FileSource, Listing, match
from i2i.errors import InputError
from i2i.recipe import recorded

COUNTS = {"train": 400, "val": 100, "test": 106}
"""Pairs per split of the 606 that both archives hold, as many as pix2pix has."""


@recorded
class Facades(FileSource):
    """``base/`` and ``extended/``, photos (.jpg) and label maps (.png) of the same name side by side.

    The archives come without a split, so one is made: the names in the order of their SHA-256 digests with the seed,
    of which the first 400/606 train, the next 100/606 validate and the rest test. Ids 1 to 12 become labels 0 to 11.

    Args:
        root: the folder that holds ``base`` and ``extended``.
        parts: the sub-folders to use.
        seed: another seed gives another split.
    """

    has_instances = False

    def __init__(self, root: str, parts: Sequence[str] = ("base", "extended"), seed: int = 0) -> None:
        super().__init__(root)
        self.parts = list(parts)
        self.seed = seed
        self.encoding: LabelEncoding = LabelEncoding(ClassTable.load("facades"))

    def listing(self, name: str) -> Listing:
        """The pairs of a split; files without partner are reported with every split, since they belong to none."""
        whole = self._whole()
        pairs = {pair.name: pair for pair in whole.pairs}
        order = shuffled_by_name(list(pairs), self.seed)
        first = round(len(order) * COUNTS["train"] / sum(COUNTS.values()))
        second = round(len(order) * (COUNTS["train"] + COUNTS["val"]) / sum(COUNTS.values()))
        part = {"train": order[:first], "val": order[first:second], "test": order[second:]}[name]
        if not part and not whole.problems:
            raise InputError(f"{self.root}: {len(order)} pairs are too few to give the split {name} any")
        return Listing([pairs[name] for name in sorted(part)], whole.problems)

    def _whole(self) -> Listing:
        labels: dict[str, Path] = {}
        photos: dict[str, Path] = {}
        for part in self.parts:
            folder = self.root / part
            if not folder.is_dir():
                raise InputError(f"no folder {folder}; unpack CMP_facade_DB_{part}.zip there, or leave it out of parts")
            files = list_images(folder)
            photos |= {path.stem: path for path in files if path.suffix.lower() in (".jpg", ".jpeg")}
            labels |= {path.stem: path for path in files if path.suffix.lower() == ".png"}
        expected = f"expected photos (.jpg) and label maps (.png) in {' and '.join(self.parts)} of {self.root}"
        listing = match(labels, photos, None, expected)
        if not photos:
            raise InputError(f"no photos found; {expected}")
        return listing
