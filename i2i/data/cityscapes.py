"""Cityscapes in its official layout (Cordts et al. 2016)."""

from __future__ import annotations

from i2i.classes import ClassTable, LabelEncoding
from i2i.data.paired import FileSource, Listing, find_images, match
from i2i.recipe import recorded


@recorded
class Cityscapes(FileSource):
    """``leftImg8bit/<split>/<city>`` and ``gtFine/<split>/<city>``: raw ``labelIds``, not ``trainIds``.

    Labels are the ids 0 to 33; licence plates (-1) and 255 count as 0, unlabelled. The published networks have a 35th
    class channel that no id uses, so it exists here, too.

    Args:
        root: the folder that holds ``leftImg8bit`` and ``gtFine``.
        instances: read the ``instanceIds``, which give the networks their edge channel.
        train: sub-folder of the training split.
        val: sub-folder of the validation split.
        test: sub-folder of the test split; the official one has no public label maps, so validation serves.
    """

    def __init__(
        self, root: str, instances: bool = True, train: str = "train", val: str = "val", test: str = "val"
    ) -> None:
        super().__init__(root)
        self.has_instances = instances
        self.folders = {"train": train, "val": val, "test": test}
        self.encoding: LabelEncoding = LabelEncoding(
            ClassTable.load("cityscapes"), unknown=[-1, 255], unknown_label=0, extra_channels=1
        )

    def listing(self, name: str) -> Listing:
        """The pairs of a split, over all its cities."""
        folder = self.folders[name]
        truth = self.root / "gtFine" / folder
        expected = (
            f"expected gtFine_trainvaltest.zip and leftImg8bit_trainvaltest.zip unpacked: gtFine/{folder}/<city>/"
            f"*_gtFine_labelIds.png and leftImg8bit/{folder}/<city>/*_leftImg8bit.png in {self.root}"
        )
        return match(
            find_images(truth, "_gtFine_labelIds", deep=True),
            find_images(self.root / "leftImg8bit" / folder, "_leftImg8bit", deep=True),
            find_images(truth, "_gtFine_instanceIds", deep=True) if self.has_instances else None,
            expected,
        )
