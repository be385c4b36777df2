"""Photos as people give them, by themselves or with the label map that they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from i2i.data.files import given_pixels, read_photo
from i2i.data.label_maps import OneMap
from i2i.errors import InputError
from i2i.pictures import Pixels

Photo = Pixels | Image.Image | str | Path
"""(H, W, 3) uint8, a PIL image, or a file."""


@dataclass(frozen=True)
class LabelledPhoto:
    """A photo with its own label map, so that the looks of its classes can be taken over to other maps.

    Attributes:
        photo: of the size of its label map, or of one that becomes this as the model prepares its photos.
        labels: its label map, in any form that a call of :class:`i2i.synthesizer.Synthesizer` takes.
        instances: ids, given alike, for models that take some.
    """

    photo: Photo
    labels: OneMap
    instances: OneMap | None = None


def photo_pixels(photo: Photo) -> Pixels:
    """(H, W, 3) uint8. A PIL image gives the same as its file: see :func:`i2i.data.files.read_photo`.

    Raises:
        InputError: an array of another shape or type, or without pixels; or a photo that cannot be read.
    """
    if isinstance(photo, str | Path):
        return read_photo(Path(photo))
    if isinstance(photo, Image.Image):
        return given_pixels(photo, 3, "the style photo")
    pixels = np.asarray(photo)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or 0 in pixels.shape:
        raise InputError(f"a style photo is (H, W, 3) uint8; got {pixels.dtype} of shape {pixels.shape}")
    return pixels
