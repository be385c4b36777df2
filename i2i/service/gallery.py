"""What a painter starts from: label maps, and photos whose mood a picture can take."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from i2i.classes import ClassTable
from i2i.data.files import list_images, read_labels, read_photo
from i2i.data.scenes import LIGHTINGS, render
from i2i.errors import InputError
from i2i.pictures import Pixels
from i2i.service.model import Model

_MOST = 48
_THUMBNAIL = (160, 160)
_LANDSCAPES = (8, 71, 52, 2, 14, 49, 28, 4)  # scenes that differ: rivers, boats, trees, a house, a desert
_PHOTOS = (49, 94, 3, 52, 28, 17)  # for each lighting a scene
_ABOVE = ("sky", "sky-other", "ceiling")
_BELOW = ("grass", "ground", "earth", "field", "terrain", "road", "facade", "floor", "wall")


@dataclass(frozen=True)
class Mood:
    """A photo in the gallery.

    Attributes:
        name: for people.
        thumbnail: the photo, small, as JPEG.
        latent: its style.
    """

    name: str
    thumbnail: bytes
    latent: list[float]


def moods(model: Model, folder: Path | None) -> list[Mood]:
    """The style gallery: photos of a folder, or for the embedded scenes one in each light.

    Args:
        model: that encodes their styles.
        folder: with at most 48 photos that are used, or None.

    Raises:
        InputError: the model takes no photos, or there are none in the folder.
    """
    if not model.takes_photos:
        if folder is not None:
            raise InputError(f"{folder}: this model has no style encoder, so it can take no style from photos")
        return []
    photos: list[tuple[str, Pixels]] = []
    if folder is not None:
        photos = [(path.stem, read_photo(path)) for path in _files(folder)]
    elif _is_scenes(model):
        samples = zip(LIGHTINGS, _PHOTOS, strict=True)
        photos = [(light, _photo(render(seed, (160, 160), light).photo)) for light, seed in samples]
    latents = model.latents([photo for _, photo in photos])
    return [Mood(n, _thumbnail(p), z.tolist()) for (n, p), z in zip(photos, latents, strict=True)]


def maps(model: Model, folder: Path | None) -> list[NDArray[Any]]:
    """Label maps to start from, at the model's size: of a folder, of the embedded scenes, or a plain horizon.

    Raises:
        InputError: the folder has no maps, or one that is not of the model's classes.
    """
    if folder is not None:
        return [model.fitted(read_labels(path, model.palette.encoding)) for path in _files(folder)]
    if _is_scenes(model) and min(model.size) >= 16:
        found = [render(seed, model.size, LIGHTINGS[0]).labels for seed in _LANDSCAPES]
        return [labels for labels in found if labels is not None]
    return [_horizon(model)]


def _horizon(model: Model) -> NDArray[np.uint8]:
    """Something above and something below, by the names of the classes."""
    names = [c.name.lower() for c in model.palette.classes]
    above, below = (next((names.index(n) for n in some if n in names), 0) for some in (_ABOVE, _BELOW))
    labels = np.full(model.size, above, np.uint8)
    labels[model.size[0] // 2 :] = below
    return labels


def _is_scenes(model: Model) -> bool:
    return model.palette.encoding.classes.names == ClassTable.load("scenes").names


def _files(folder: Path) -> Sequence[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    found = list_images(folder)[:_MOST]
    if not found:
        raise InputError(f"{folder}: no images (PNG, JPEG, …) in this folder")
    return found


def _photo(photo: Pixels | None) -> Pixels:
    assert photo is not None
    return photo


def _thumbnail(photo: Pixels) -> bytes:
    file = io.BytesIO()
    ImageOps.fit(Image.fromarray(photo), _THUMBNAIL).save(file, format="JPEG", quality=88)
    return file.getvalue()
