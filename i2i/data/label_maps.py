"""Label and instance maps as a user has them (arrays, tensors, PIL images, files), made into a batch of one size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from i2i.classes import LabelEncoding
from i2i.data.files import image_ids, instance_ids, png_grey_depth, read_instances, read_labels
from i2i.data.preparation import map_tensor
from i2i.data.transforms import Resize
from i2i.errors import InputError

OneMap = Tensor | NDArray[Any] | Image.Image | str | Path
"""(H, W) ids, a PIL image, or a file."""

LabelMaps = OneMap | Sequence[OneMap]
"""One map or several; an array or a tensor may also be several, (N, H, W)."""


def label_batch(
    labels: LabelMaps, instances: LabelMaps | None, encoding: LabelEncoding, resize: Resize | None = None
) -> list[tuple[str, Tensor]]:
    """The maps by the loader's names: "labels" and, where there are any, "instances", (N, H, W) each.

    Arrays and tensors hold labels, 0 to the number of classes. Files and PIL images hold what the files of the data set
    do, ids or class colours, and are decoded by its table.

    Args:
        labels: of which all have one size.
        instances: as many, each of the size of its label map.
        encoding: how ids and colours become labels.
        resize: brings label files, and the instances given with them, to the size the model was trained for; None
            leaves them as they are. What is no file keeps its size.

    Raises:
        InputError: nothing is given, another shape or type, an id or colour that is no class, a file that cannot be
            read, or sizes or numbers that differ.
    """
    maps = _listed(labels, "labels")
    ids = [None] * len(maps) if instances is None else _listed(instances, "instances")
    if len(ids) != len(maps):
        raise InputError(f"there are {len(ids)} instance maps for {len(maps)} label maps; each has one of its own")
    pairs = [_pair(one, its, encoding, resize) for one, its in zip(maps, ids, strict=True)]
    batch = [("labels", _stacked([one for one, _ in pairs]))]
    return (
        batch if instances is None else [*batch, ("instances", _stacked([its for _, its in pairs if its is not None]))]
    )


def _listed(given: LabelMaps, what: str) -> list[OneMap]:
    """One or several maps, of any form, as a list of single ones."""
    if isinstance(given, Tensor | np.ndarray):
        shape = tuple(given.shape)
        several = given[:, 0] if len(shape) == 4 and shape[1] == 1 else given
        if several.ndim not in (2, 3):
            colours = "; colours become labels by from_rgb" if shape[-1:] == (3,) else ""
            raise InputError(f"{what} have shape {shape}; expected (H, W) or (N, H, W){colours}")
        listed: list[OneMap] = list(several) if several.ndim == 3 else [several]
    elif isinstance(given, str | Path | Image.Image):
        listed = [given]
    elif isinstance(given, Sequence):
        listed = list(given)
    else:
        raise InputError(f"{what} are a {type(given).__name__}; allowed are arrays, tensors, PIL images, files, lists")
    if not listed:
        raise InputError(f"no {what} are given")
    return listed


def _pair(
    labels: OneMap, instances: OneMap | None, encoding: LabelEncoding, resize: Resize | None
) -> tuple[Tensor, Tensor | None]:
    """(H, W) labels and instances."""
    maps = _labels(labels, encoding)
    ids = None if instances is None else _instances(instances)
    if ids is not None and ids.shape != maps.shape:
        file = f"{instances}: " if isinstance(instances, str | Path) else ""
        raise InputError(f"{file}instances have shape {tuple(ids.shape)}, the labels {tuple(maps.shape)}")
    if resize is not None and isinstance(labels, str | Path):
        maps = map_tensor(resize.apply_labels(maps.numpy()))
        ids = None if ids is None else map_tensor(resize.apply_labels(ids.cpu().numpy().astype(np.int32)))
    return maps, ids


def _labels(given: OneMap, encoding: LabelEncoding) -> Tensor:
    if isinstance(given, str | Path):
        return map_tensor(read_labels(given, encoding))
    if isinstance(given, Image.Image):
        return map_tensor(encoding.decode(_ids(given, "a label map"), "the label map"))
    return _tensor(given, "labels")


def _instances(given: OneMap) -> Tensor:
    if isinstance(given, str | Path):
        return map_tensor(read_instances(given))
    if isinstance(given, Image.Image):
        return map_tensor(instance_ids(_ids(given, "an instance map")))
    return _tensor(given, "instances")


def _ids(image: Image.Image, kind: str) -> NDArray[Any]:
    """The plain content of an image, as it lies, whatever its EXIF data say."""
    depth = 8
    if image.mode == "L" and image.format == "PNG":  # of few bits a pixel, perhaps, which PIL spreads over 0 to 255
        tiles = getattr(image, "tile", [])  # what is still to be decoded, with the depth in the file
        path = Path(getattr(image, "filename", ""))
        if tiles:
            depth = int(str(tiles[0][3]).partition(";")[2] or 8)
        elif path.is_file():
            depth = png_grey_depth(path)
    try:
        return image_ids(image, depth, "the image", kind)
    except InputError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise InputError(f"the image cannot be read as {kind} ({' '.join(str(error).split())})") from error


def _tensor(given: OneMap, what: str) -> Tensor:
    if not isinstance(given, Tensor | np.ndarray):
        raise InputError(
            f"a {type(given).__name__} is among the {what}; arrays, tensors, PIL images, files are allowed"
        )
    if isinstance(given, Tensor) and given.dtype in (torch.uint16, torch.uint32, torch.uint64):
        given = given.cpu().numpy()
    if isinstance(given, np.ndarray):
        if given.dtype.kind == "u" and given.dtype.itemsize > 2:  # types for which PyTorch has hardly any operation
            if given.size and given.max() > np.iinfo(np.int64).max:
                raise InputError(f"{what} hold {given.max()}; ids of up to {np.iinfo(np.int64).max} can be read")
            given = given.astype(np.int64)
        given = map_tensor(given.astype(given.dtype.newbyteorder("=")))
    one = given[0] if given.dim() == 3 and len(given) == 1 else given
    if one.dim() != 2:
        raise InputError(f"one of several {what} has shape {tuple(given.shape)}; expected (H, W)")
    return one


def _stacked(maps: list[Tensor]) -> Tensor:
    sizes = sorted({_pixels(one) for one in maps})
    if len(sizes) > 1:
        raise InputError(
            f"the label maps are {sizes[0]} and {sizes[1]} pixels; maps of different sizes are synthesised one by one"
        )
    kinds = {one.dtype for one in maps}
    return torch.stack(maps if len(kinds) == 1 else [one.long() for one in maps])


def _pixels(maps: Tensor) -> str:
    return f"{maps.shape[1]}x{maps.shape[0]}"
