"""Images without label maps: digits, the photos of a folder or of a paired data set, and sets of torchvision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from i2i.data.files import list_images, read_photo
from i2i.data.loading import Readable
from i2i.data.paired import Source, Split
from i2i.data.preparation import photo_tensor
from i2i.data.transforms import Fixed, Resize
from i2i.errors import InputError
from i2i.foundations.sources import Samples, SampleSource, split_number
from i2i.pictures import Pixels


class Digits(SampleSource):
    """The 1797 handwritten digits that come with scikit-learn, 8×8 pixels with 17 values of grey (Alpaydin 1998).

    Every fifth digit is for validation, the one after it for testing.

    Args:
        size: height and width that they are enlarged to, smoothly.
        classes: whether their classes condition the model.
        repeats: how often an epoch goes through the training digits, of which there are but 1078: each epoch ends with
            a validation and a checkpoint.
    """

    def __init__(self, size: int = 28, classes: bool = False, repeats: int = 1) -> None:
        if size < 8 or repeats < 1:
            raise InputError(
                f"digits: size {size}, repeats {repeats}; allowed are sizes from 8, their own, and 1 or more"
            )
        self.repeats = repeats
        self.shape = (1, size, size)
        self.num_classes = 10 if classes else 0

    def split(self, name: str) -> Samples:
        """See :meth:`SampleSource.split`."""
        from sklearn.datasets import load_digits

        found = load_digits()
        place = np.arange(len(found.images)) % 5
        number = split_number(name)
        chosen = np.flatnonzero([place > 1, place == 0, place == 1][number])
        chosen = np.tile(chosen, self.repeats if number == 0 else 1)
        images = torch.from_numpy(found.images[chosen]).float()[:, None] / 8 - 1
        enlarged = F.interpolate(images, self.shape[1:], mode="bicubic", align_corners=False).clamp(-1, 1)
        classes = torch.from_numpy(found.target[chosen]).long() if self.num_classes else None
        return Samples(enlarged, name, classes)


class Pictures(SampleSource):
    """The photos of a folder and of the folders in it: a square from the middle of each.

    Every tenth, in the order of their names, is for validation; the same ones are for testing. Of fewer than 51 photos
    these are too few for the measures of :class:`i2i.foundations.measures.SampleMeasures` among neighbours.

    Args:
        root: the folder.
        size: height and width they come to.

    Raises:
        InputError: no folder, or fewer than ten photos in it.
    """

    def __init__(self, root: str, size: int = 64) -> None:
        self.shape = (3, size, size)
        self.root = Path(root).expanduser()
        if not self.root.is_dir():
            raise InputError(f"{root}: there is no such folder; name yours with --data.source.root FOLDER")
        self.paths = list_images(self.root, deep=True)
        if len(self.paths) < 10:
            raise InputError(f"{root}: {len(self.paths)} images; at least 10 are needed: every tenth is for validation")

    def split(self, name: str) -> Readable:
        """See :meth:`SampleSource.split`."""
        validation = split_number(name) > 0
        chosen = [path for i, path in enumerate(self.paths) if (i % 10 == 0) == validation]
        return _Files(self.root, chosen, self.shape[-1])


class _Files:
    def __init__(self, root: Path, paths: Sequence[Path], size: int) -> None:
        self.root = root
        self.paths = paths
        self.size = size

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        return self.paths[index].relative_to(self.root).as_posix()

    def read(self, index: int) -> dict[str, Any]:
        square = middle_square(read_photo(self.paths[index]), (self.size, self.size))
        return {"photo": photo_tensor(square), "name": self.name(index)}


def middle_square(photo: Pixels, size: tuple[int, int]) -> Pixels:
    """The largest square from the middle of a photo (H, W, 3), brought to a size."""
    edge = min(photo.shape[:2])
    top, left = ((length - edge) // 2 for length in photo.shape[:2])
    return Fixed(size).apply_photo(photo[top : top + edge, left : left + edge])


class PhotosOf(SampleSource):
    """The photos of a data set of pairs, without their label maps.

    Args:
        source: the data set.
        size: height and width they come to.
    """

    def __init__(self, source: Source, size: int = 64) -> None:
        self.source = source
        self.shape = (3, size, size)

    def split(self, name: str) -> Readable:
        """See :meth:`SampleSource.split`."""
        return _Photos(self.source.split(name), Fixed((self.shape[1], self.shape[2])))


class _Photos:
    def __init__(self, split: Split, resize: Resize) -> None:
        self.split = split
        self.resize = resize

    def __len__(self) -> int:
        return len(self.split)

    def name(self, index: int) -> str:
        return self.split.name(index)

    def read(self, index: int) -> dict[str, Any]:
        sample = self.split.read(index)
        if sample.photo is None:
            raise InputError(f"{sample.name} has no photo")
        return {"photo": photo_tensor(self.resize.apply_photo(sample.photo)), "name": sample.name}


class TorchvisionImages(SampleSource):
    """MNIST, FashionMNIST or CelebA, as torchvision reads them from the files that the user has.

    The test images are for validation as well; CelebA has a split of its own for it.

    Args:
        dataset: which.
        root: the folder that torchvision has put the files into, or would.
        size: height and width they come to; of CelebA a square from the middle.
        classes: whether the ten classes of the first two condition the model.
        download: whether torchvision may fetch the files.

    Raises:
        InputError: the files are not there, or classes are asked for where there are none.
    """

    def __init__(
        self,
        dataset: Literal["MNIST", "FashionMNIST", "CelebA"],
        root: str,
        size: int = 32,
        classes: bool = False,
        download: bool = False,
    ) -> None:
        if classes and dataset == "CelebA":
            raise InputError("CelebA has no classes; leave classes false")
        self.dataset, self.root, self.download = dataset, root, download
        self.shape = (3 if dataset == "CelebA" else 1, size, size)
        self.num_classes = 10 if classes else 0

    def split(self, name: str) -> Readable:
        """See :meth:`SampleSource.split`."""
        from torchvision import datasets

        number = split_number(name)
        try:
            if self.dataset == "CelebA":
                given = ("train", "valid", "test")[number]
                return _Torchvision(datasets.CelebA(self.root, given, download=self.download), name, self)
            kind = getattr(datasets, self.dataset)
            return _Torchvision(kind(self.root, train=number == 0, download=self.download), name, self)
        except RuntimeError as error:
            raise InputError(f"{self.root}: {self.dataset} is not there: {' '.join(str(error).split())}") from error


class _Torchvision:
    def __init__(self, data: Any, name: str, source: TorchvisionImages) -> None:
        self.data, self.source = data, source
        self._name = name

    def __len__(self) -> int:
        return len(self.data)

    def name(self, index: int) -> str:
        return f"{self._name}_{index:06d}"

    def read(self, index: int) -> dict[str, Any]:
        image, target = self.data[index]
        channels, size, _ = self.source.shape
        edge = min(image.size)
        left, top = ((length - edge) // 2 for length in image.size)
        square = image.crop((left, top, left + edge, top + edge))
        pixels = np.atleast_3d(np.asarray(square))
        sample: dict[str, Any] = {"photo": _scaled(photo_tensor(pixels), size), "name": self.name(index)}
        assert sample["photo"].shape[0] == channels
        return {**sample, "class": torch.tensor(int(target))} if self.source.num_classes else sample


def _scaled(image: Tensor, size: int) -> Tensor:
    return F.interpolate(image[None], (size, size), mode="bilinear", antialias=True, align_corners=False)[0].clamp(
        -1, 1
    )
