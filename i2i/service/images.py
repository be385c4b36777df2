"""Images from strangers: size and kind are checked before anything is decoded, and nothing is looked up as a file."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from i2i.data.files import image_ids, image_pixels, instance_ids, upright
from i2i.errors import InputError
from i2i.pictures import Pixels
from i2i.service.palette import Palette
from i2i.service.problem import Problem

_PNG_DEPTH_BYTE = 24  # of the IHDR chunk
_PHOTOS = ("PNG", "JPEG", "WEBP")
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, MemoryError)


def read_label_png(data: bytes, palette: Palette, most: int, name: str = "labels") -> NDArray[Any]:
    """A PNG of ids, or of class colours, as (H, W) labels.

    Args:
        data: the file.
        palette: what ids and colours stand for.
        most: pixels that are allowed.
        name: what a problem calls it.

    Raises:
        Problem: no PNG, a damaged one, too many pixels, or an id that is no class.
    """
    image = _opened(data, ("PNG",), most, name)
    try:
        return palette.encoding.decode(image_ids(image, data[_PNG_DEPTH_BYTE], name), name)
    except InputError as error:
        raise Problem(422, str(error)) from error


def read_instance_png(data: bytes, most: int) -> NDArray[np.int32]:
    """A PNG of instance ids as (H, W); in RGB files the id is red + 256 green + 65536 blue. Raises as labels do."""
    image = _opened(data, ("PNG",), most, "instances")
    try:
        return instance_ids(image_ids(image, data[_PNG_DEPTH_BYTE], "instances", "an instance map"))
    except InputError as error:
        raise Problem(422, str(error)) from error


def read_raw_ids(data: bytes, size: tuple[int, int], palette: Palette, most: int) -> NDArray[Any]:
    """Ids row by row, of a byte each or of two (the lower first), as (H, W) labels.

    Args:
        data: H * W or 2 * H * W bytes.
        size: (H, W).
        palette: what ids stand for.
        most: pixels that are allowed.

    Raises:
        Problem: another number of bytes, too many pixels, or an id that is no class.
    """
    height, width = size
    _check_pixels(width, height, most, "labels")
    if len(data) not in (height * width, 2 * height * width):
        allowed = f"{height * width} or {2 * height * width}"
        raise Problem(422, f"labels: {len(data)} bytes for {width} x {height} raw ids; allowed are {allowed}")
    ids = np.frombuffer(data, np.uint8 if len(data) == height * width else np.dtype("<u2")).reshape(height, width)
    try:
        return palette.encoding.decode(ids, "labels")
    except InputError as error:
        raise Problem(422, str(error)) from error


def read_style_photo(data: bytes, most: int) -> Pixels:
    """A PNG, JPEG or WebP as (H, W, 3), the right way up.

    Raises:
        Problem: a file of another kind, a damaged one, or too many pixels.
    """
    image = _opened(data, _PHOTOS, most, "photo")
    try:
        return image_pixels(upright(image), 3, "photo")
    except (InputError, *_DAMAGE) as error:
        raise Problem(422, f"photo: {error}") from error


def png(picture: Pixels) -> bytes:
    """(H, W, 3) as a PNG; little compressed, as it is wanted soon."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG", compress_level=1)
    return file.getvalue()


def _opened(data: bytes, formats: tuple[str, ...], most: int, name: str) -> Image.Image:
    """A decoded image of one of these formats."""
    kinds = " or ".join(formats)
    try:
        image = Image.open(io.BytesIO(data), formats=formats)
    except Image.DecompressionBombError as error:
        raise Problem(413, f"{name}: far more than the {most} pixels that are allowed") from error
    except (UnidentifiedImageError, *_DAMAGE) as error:
        raise Problem(422, f"{name}: not a {kinds} file that can be read") from error
    _check_pixels(*image.size, most, name)
    try:
        image.load()
    except _DAMAGE as error:
        raise Problem(422, f"{name}: a damaged {image.format} file ({error})") from error
    return image


def _check_pixels(width: int, height: int, most: int, name: str) -> None:
    if width < 1 or height < 1 or width * height > most:
        raise Problem(413, f"{name}: {width} x {height} pixels; allowed are 1 to {most} in all")
