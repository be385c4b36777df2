"""COCO-Stuff (Caesar et al. 2018), the pixel maps of COCO 2017."""

from __future__ import annotations

from i2i.classes import ClassTable, LabelEncoding
from i2i.data.paired import FileSource, Listing, find_images, match
from i2i.recipe import recorded


@recorded
class COCOStuff(FileSource):
    """``images/``, ``stuffthingmaps/`` and ``instances/``, each with ``train2017`` and ``val2017``.

    Labels are the ids 0 to 181; 255 = unknown becomes one further label, 182. With instance maps the networks get
    183 + 1 = 184 channels, as published.

    Args:
        root: the folder that holds the three.
        instances: read the instance maps (``datasets/coco_stuff/write_instances.py`` makes them).
        train: sub-folder of the training split.
        val: sub-folder of the validation split.
        test: sub-folder of the test split; the official one has no label maps, so validation serves.
    """

    def __init__(
        self,
        root: str,
        instances: bool = True,
        train: str = "train2017",
        val: str = "val2017",
        test: str = "val2017",
    ) -> None:
        super().__init__(root)
        self.has_instances = instances
        self.folders = {"train": train, "val": val, "test": test}
        self.encoding: LabelEncoding = LabelEncoding(ClassTable.load("coco_stuff"), unknown=[255])

    def listing(self, name: str) -> Listing:
        """The pairs of a split."""
        folder = self.folders[name]
        third = (
            f" and instances/{folder} (made by datasets/coco_stuff/write_instances.py)" if self.has_instances else ""
        )
        expected = (
            f"expected {folder}.zip as images/{folder}, stuffthingmaps_trainval2017.zip as stuffthingmaps/{folder}"
            f"{third} in {self.root}"
        )
        return match(
            find_images(self.root / "stuffthingmaps" / folder),
            find_images(self.root / "images" / folder),
            find_images(self.root / "instances" / folder) if self.has_instances else None,
            expected,
        )
