"""Reading photos, label maps and instance maps: whatever the file, one array type comes out, or one clear error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from i2i.classes import LabelEncoding
from i2i.errors import InputError

Array = NDArray[Any]

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".gif"})
"""File name endings that count as images, in lower case."""

_ORIENTATION = 0x0112  # of EXIF
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_HOLD_ORIENTATION = ("exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp")
_LOSSY = frozenset({"JPEG", "MPO", "JPEG2000"})
_PNG_DEPTH_BYTE = 24  # of the IHDR chunk


def read_photo(path: str | Path) -> NDArray[np.uint8]:
    """Read a photograph as (H, W, 3) uint8 RGB, the right way up.

    EXIF rotation is applied; grey, palette, CMYK and 16-bit files become 8-bit RGB; transparency is laid on white.

    Raises:
        InputError: the file is missing, damaged or no photograph.
    """
    return image_pixels(_open(path), 3, path)


def read_image(path: str | Path, channels: int) -> NDArray[np.uint8]:
    """Read a condition image as (H, W, channels) uint8, by the rule of :func:`image_pixels`.

    Raises:
        InputError: as :func:`read_photo`, or a number of channels that image files do not hold.
    """
    return image_pixels(_open(path), channels, path)


def given_pixels(image: Image.Image, channels: int, name: str) -> NDArray[np.uint8]:
    """An opened image as (H, W, channels) uint8: the same as :func:`read_image` makes of its file.

    Raises:
        InputError: as :func:`image_pixels`, or its file, of which the pixels may still have to be read, is damaged.
    """
    try:
        turned = upright(image)
    except Exception as error:  # decoders raise whatever damaged bytes lead them to
        raise InputError(f"{name}: cannot be read as an image ({_reason(error)})") from error
    return image_pixels(turned, channels, name)


def image_pixels(image: Image.Image, channels: int, name: str | Path) -> NDArray[np.uint8]:
    """An image as (H, W, channels) uint8, whatever channels and depth it has itself.

    Args:
        image: of any mode but floating point.
        channels: 1 gives grey by :func:`grey_of`; 3 RGB, of which grey images make three equal channels; both lay
            transparency on white; 4 gives RGBA, opaque where the image says nothing of transparency.
        name: what the errors call it.

    Raises:
        InputError: floating-point values, more than 16 bits, or another number of channels.
    """
    if channels not in (1, 3, 4):
        raise InputError(f"{name}: images give 1 (grey), 3 (RGB) or 4 (RGBA) channels; {channels} are asked for")
    if image.mode == "F":
        raise InputError(f"{name}: a floating-point image (mode F) is no photo; allowed are 8- and 16-bit images")
    if image.mode.startswith("I"):
        wide = np.asarray(image).astype(np.int64)
        if wide.min() < 0 or wide.max() > 65535:
            raise InputError(f"{name}: values {wide.min()} to {wide.max()}; a photo has 8 or 16 bits, 0 to 65535")
        image = Image.fromarray((wide >> 8 if wide.max() > 255 else wide).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        if channels < 4:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    pixels = np.array(image.convert("RGBA" if channels == 4 else "RGB"), dtype=np.uint8)
    return grey_of(pixels) if channels == 1 else pixels


def upright(image: Image.Image) -> Image.Image:
    """An image turned and mirrored as its EXIF orientation says; the image itself where that says nothing.

    PIL's ``exif_transpose`` writes all of the EXIF anew, which fails at any value of a wrong type. This only reads the
    orientation; an image whose EXIF cannot be read stays as it lies.

    Args:
        image: whose file is still open, or that is loaded.

    Returns:
        Of the same format, with the same ``info`` but for what holds the orientation.

    Raises:
        Exception: whatever the decoder raises at a damaged file, where the image is not loaded yet.
    """
    image.load()  # turns TIFFs by itself, and finds EXIF that comes after the pixels
    try:
        orientation: Any = image.getexif().get(_ORIENTATION)
        turn = _TURNS.get(orientation)
    except Exception:  # the parser raises whatever damaged bytes lead it to
        turn = None
    if turn is None:
        return image
    turned = image.transpose(turn)
    turned.format = image.format
    for key in _HOLD_ORIENTATION:
        turned.info.pop(key, None)  # or the next reader would turn it again
    return turned


def grey_of(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3) RGB -> (H, W, 1): the luma of ITU-R BT.601, rounded as PIL does; grey stays as it is."""
    return np.array(Image.fromarray(photo).convert("L"))[:, :, None]


def read_labels(path: str | Path, encoding: LabelEncoding) -> Array:
    """Read a label map as (H, W) labels: uint8, or int16 where there are more than 256.

    Files of 8-, 16- or 32-bit ids, palette images (their indices count, not their colours) and RGB(A) masks in the
    class colours are understood.

    Raises:
        InputError: the file is missing, damaged, not a label map, or holds an id or colour that is no class.
    """
    return encoding.decode(read_ids(path), str(path))


def read_instances(path: str | Path) -> NDArray[np.int32]:
    """Read an instance map as (H, W) int32 ids; in RGB files the id is red + 256 green + 65536 blue.

    Raises:
        InputError: the file is missing, damaged or not an instance map.
    """
    return instance_ids(read_ids(path, "an instance map"))


def instance_ids(ids: Array) -> NDArray[np.int32]:
    """The content of an instance map as :func:`read_ids` gives it -> (H, W) int32 ids."""
    if ids.ndim == 3:
        ids = ids[:, :, :3].astype(np.int32) @ np.array([1, 256, 65536], dtype=np.int32)
    return ids.astype(np.int32)


def read_ids(path: str | Path, kind: str = "a label map") -> Array:
    """The plain content of a map of ids: (H, W) integers, or (H, W, 3 or 4) uint8 of an RGB(A) mask.

    Args:
        path: the file.
        kind: what the file should be, for the error.

    Raises:
        InputError: the file is missing, damaged, or of a kind that holds no ids (JPEG, floating point, CMYK).
    """
    image = _open(path)
    depth = png_grey_depth(path) if image.mode == "L" and image.format == "PNG" else 8
    return image_ids(image, depth, path, kind)


def image_ids(image: Image.Image, depth: int, name: str | Path, kind: str = "a label map") -> Array:
    """The plain content of an image that is a map of ids: (H, W) integers, or (H, W, 3 or 4) uint8 of an RGB(A) mask.

    Args:
        image: of any mode that holds ids.
        depth: bits of each value in its file, where that is a grey PNG of 1, 2 or 4 bits; 8 for all others.
        name: what the errors call it.
        kind: what it should be, for the error.

    Raises:
        InputError: an image of a kind that holds no ids (JPEG, floating point, CMYK).
    """
    if image.format in _LOSSY:
        raise InputError(f"{name}: {image.format} compression changes ids, so it cannot be {kind}; save it as PNG")
    if image.mode in ("LA", "PA"):
        ids = np.array(image)[:, :, 0]
    elif image.mode in ("1", "L", "P", "RGB", "RGBA") or image.mode.startswith("I"):
        ids = np.array(image)
    else:
        raise InputError(f"{name}: mode {image.mode} is not {kind}; allowed are 8- to 32-bit ids, palette and RGB(A)")
    if ids.dtype == np.bool_:
        return ids.astype(np.uint8)
    # PIL spreads the values of 1-, 2- and 4-bit grey PNGs over 0..255; tools that shrink PNGs like to make these
    return ids // (255 // (2**depth - 1)) if depth < 8 else ids


def state_of(path: Path) -> str:
    """The size of a file and the time of its last change, as text: another one where the content has changed.

    Raises:
        InputError: it cannot be found.
    """
    try:
        state = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return f"{state.st_size} {state.st_mtime_ns}"


def list_images(folder: str | Path, deep: bool = False) -> list[Path]:
    """The image files of a folder, sorted, hidden ones left out; empty where there is no folder.

    Args:
        folder: where to look.
        deep: look into sub-folders, too.
    """
    paths = Path(folder).rglob("*") if deep else Path(folder).glob("*")
    return sorted(path for path in paths if path.suffix.lower() in ENDINGS and not path.name.startswith("."))


def _open(path: str | Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            return upright(image)
    except Exception as error:  # decoders raise whatever damaged bytes lead them to
        raise _unreadable(path, error) from error


def _unreadable(path: str | Path, error: Exception) -> InputError:
    if not Path(path).exists():
        return InputError(f"{path}: no such file")
    if Path(path).is_dir():
        return InputError(f"{path} is a folder; an image file is expected")
    if isinstance(error, UnidentifiedImageError):
        return InputError(f"{path}: not an image file that can be read")
    return InputError(f"{path}: cannot be read as an image ({_reason(error)})")


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def png_grey_depth(path: str | Path) -> int:
    """Bits a pixel of a grey PNG file."""
    with Path(path).open("rb") as file:
        file.seek(_PNG_DEPTH_BYTE)
        return file.read(1)[0]
