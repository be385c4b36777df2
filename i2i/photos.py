"""Photos as people give them, by themselves or with the label map that they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from i2i.data.files import read_photo
from i2i.errors import InputError
from i2i.pictures import Pixels

Photo = Pixels | Image.Image | str | Path
"""(H, W, 3) uint8, a PIL image, or a file."""


@dataclass(frozen=True)
class LabelledPhoto:
    """A photo with its own label map, so that the looks of its classes can be taken over to other maps.

    Attributes:
        photo: of the size of its label map, or of one that becomes this as the model prepares its photos.
        labels: (H, W) integers, as :meth:`i2i.synthesizer.Synthesizer.read` gives them for a file.
        instances: (H, W) ids, for models that take some.
    """

    photo: Photo
    labels: Tensor | NDArray[Any]
    instances: Tensor | NDArray[Any] | None = None


def photo_pixels(photo: Photo) -> Pixels:
    """(H, W, 3) uint8."""
    if isinstance(photo, str | Path):
        return read_photo(Path(photo))
    pixels = np.array(photo.convert("RGB")) if isinstance(photo, Image.Image) else np.asarray(photo)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise InputError(f"a style photo is (H, W, 3) uint8; got {pixels.dtype} of shape {pixels.shape}")
    return pixels
