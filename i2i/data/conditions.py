"""Condition images as a user has them (arrays, PIL images, files), made into what the networks take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from i2i.data.files import given_pixels, read_image
from i2i.data.preparation import photo_tensor
from i2i.data.transforms import Resize
from i2i.errors import InputError

OneImage = NDArray[Any] | Image.Image | str | Path
"""(H, W, C) uint8, a PIL image, or a file."""

Images = OneImage | Sequence[OneImage]


def image_batch(given: Tensor | Images, channels: int, resize: Resize | None = None) -> Tensor:
    """(N, channels, H, W) float32 in [-1, 1].

    PIL images and files are turned as their EXIF data say and converted to ``channels``, see
    :func:`i2i.data.files.image_pixels`. Arrays and tensors say nothing of what their channels mean, so they must have
    as many as the model takes.

    Args:
        given: (N, H, W, C) or (H, W, C) uint8, for one channel also (H, W); PIL images; files; several of them of one
            size; or a tensor (N, C, H, W) in [-1, 1], which is what this function returns.
        channels: that the model takes.
        resize: brings files to the size the model was trained for; arrays and PIL images keep theirs.

    Raises:
        InputError: another shape, type or number of channels, sizes that differ, or a file that cannot be read.
    """
    if isinstance(given, Tensor):
        return given
    if isinstance(given, np.ndarray) and given.ndim == 4:
        given = list(given)
    images = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    if not images:
        raise InputError("no images are given")
    tensors = [photo_tensor(_pixels(image, channels, resize)) for image in images]
    sizes = {tuple(tensor.shape[1:]) for tensor in tensors}
    if len(sizes) > 1:
        (h0, w0), (h1, w1) = sorted(sizes)[:2]
        raise InputError(
            f"the images are {w0}x{h0} and {w1}x{h1} pixels; translate images of different sizes one by one"
        )
    return torch.stack(tensors)


def _pixels(image: OneImage, channels: int, resize: Resize | None) -> NDArray[np.uint8]:
    if isinstance(image, str | Path):
        pixels = read_image(image, channels)
        return pixels if resize is None else resize.apply_photo(pixels)
    if isinstance(image, Image.Image):
        return given_pixels(image, channels, "the image")
    if not isinstance(image, np.ndarray):
        raise InputError(f"an image is given as a {type(image).__name__}; allowed are arrays, PIL images and files")
    array = image[:, :, None] if image.ndim == 2 and channels == 1 else image
    if array.ndim != 3 or array.dtype != np.uint8 or array.shape[2] != channels or 0 in array.shape:
        raise InputError(
            f"an image is {image.dtype} of shape {image.shape}; the model takes (H, W, {channels}) uint8, PIL images "
            f"and files"
        )
    return array
