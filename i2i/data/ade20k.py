"""ADE20K in the layout of the scene-parsing challenge archive (Zhou et al. 2017)."""

from __future__ import annotations

from i2i.classes import ClassTable, LabelEncoding
from i2i.data.paired import FileSource, Listing, find_images, match
from i2i.errors import InputError
from i2i.recipe import recorded

ARCHIVE = "ADEChallengeData2016.zip"


@recorded
class ADE20K(FileSource):
    """``images/{training,validation}`` and ``annotations/{training,validation}``, matched by name.

    The ids stay as they are in the files: 0 = other, 1 to 150 the classes, so 151 labels. (The original SPADE meant to
    shift them by one but discards the result; its published checkpoints see these same raw ids.)

    Args:
        root: the folder ``ADEChallengeData2016``.
        train: sub-folder of the training split.
        val: sub-folder of the validation split.
        test: sub-folder of the test split; the archive's test images have no label maps, so validation serves.
    """

    has_instances = False

    def __init__(self, root: str, train: str = "training", val: str = "validation", test: str = "validation") -> None:
        super().__init__(root)
        self.folders = {"train": train, "val": val, "test": test}
        self.encoding: LabelEncoding = LabelEncoding(ClassTable.load("ade20k"))

    def listing(self, name: str) -> Listing:
        """The pairs of a split; a folder of the full ADE20K data set is recognised and named."""
        folder = self.folders[name]
        expected = f"expected {ARCHIVE} unpacked: images/{folder} and annotations/{folder} in {self.root}"
        if self._is_full_data_set():
            raise InputError(f"{self.root} is the full ADE20K data set, another archive with other files; {expected}")
        if (self.root / "ADEChallengeData2016").is_dir():
            raise InputError(f"{self.root} holds the folder ADEChallengeData2016; give that folder as root")
        there = sorted(path.name for path in (self.root / "annotations").glob("*") if path.is_dir())
        if there and folder not in there:
            expected += f", or the {name} split named otherwise: --data.source.{name} {there[0]}"
        photos = find_images(self.root / "images" / folder)
        return match(find_images(self.root / "annotations" / folder), photos, None, expected)

    def _is_full_data_set(self) -> bool:
        indices = (self.root / f"index_ade20k.{ending}" for ending in ("mat", "pkl"))
        if (self.root / "images" / "ADE").is_dir() or any(path.exists() for path in indices):
            return True
        return any(self.root.glob("images/*/*_seg.png")) or any(self.root.glob("images/*/*/*/*_seg.png"))
