"""Instance features as people give them: vectors by instance id, and photos that lie on their label map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from i2i.condition import Condition
from i2i.data.transforms import Resize
from i2i.errors import InputError
from i2i.nn.generator import Generator
from i2i.nn.instances import InstanceIndex
from i2i.nn.style import Encoder
from i2i.numbers import real_numbers, whole_number
from i2i.photos import LabelledPhoto
from i2i.pixels import Pixels

Features = Mapping[int | str, Sequence[float] | NDArray[Any] | Tensor | LabelledPhoto]
"""A vector for some instances, by instance id; or for some classes, by label or name, where a region is all of a class.
Then a photo with its label map may stand for the vector of that class in it."""


def checked_features(features: Mapping[Any, Any], generator: Generator, instances: Tensor | None) -> dict[int, Tensor]:
    """The features as tensors (feature_channels,), or the style codes as tensors (region_channels,).

    Args:
        features: as given.
        generator: that is to take them.
        instances: the ids that there are; None where any may be given.

    Raises:
        InputError: the model takes none, an id that is not there, or a vector of another length.
    """
    channels = generator.feature_channels or generator.region_channels
    if not channels:
        raise InputError("this model takes no instance features, and no codes of classes; leave them out")
    wrong = next((n for n, v in features.items() if isinstance(n, str) or isinstance(v, LabelledPhoto)), None)
    if wrong is not None:
        raise InputError(f"features of {wrong!r}: this model takes vectors by instance id; see instance_features")
    there = set() if instances is None else set(torch.unique(instances).tolist())
    kind = "class" if instances is None else "instance"
    given = {whole_number(name, "what features are given for"): vector for name, vector in features.items()}
    vectors = {number: real_numbers(vector, f"the vector of {kind} {number}") for number, vector in given.items()}
    for number, vector in vectors.items():
        if instances is not None and number not in there:
            few = ", ".join(map(str, sorted(there)[:12])) + (", …" if len(there) > 12 else "")
            raise InputError(f"features are given for instance {number}, which is not in the map; there are {few}")
        if vector.shape != (channels,) or not torch.isfinite(vector).all():
            raise InputError(f"the features of {kind} {number} are {vector.tolist()}; {channels} numbers are needed")
    return vectors


def feature_maps(
    generator: Generator,
    encoder: Encoder | None,
    condition: Condition,
    photo: Tensor | None,
    features: Mapping[int, Tensor],
    random: torch.Generator,
    count: int,
) -> list[Tensor]:
    """``count`` maps of instance features, (N, feature_channels, H, W) each.

    Args:
        generator: takes the features.
        encoder: of the same model; without one the generator draws noise for each instance.
        condition: N label maps with instances.
        photo: (N, 3, h, w) in [-1, 1], whose features to take, see :func:`style_on`; None draws them.
        features: of some instances, in place of those found.
        random: where to draw from, a generator of the CPU.
        count: how many.

    Raises:
        InputError: a photo without an encoder, no clusters to draw from, or a condition without instances.
    """
    if photo is not None:
        if encoder is None:
            raise InputError("this model has no style encoder; a style photo cannot be used with it")
        found = [style_on(encoder, photo, condition)] * count
    elif set(InstanceIndex.of(condition).ids.tolist()) <= features.keys():  # nothing is to be drawn
        found = [torch.zeros(condition.batch, generator.feature_channels, *condition.size, device=condition.device)]
        found *= count
    elif encoder is not None:
        found = [encoder.draw(condition, random) for _ in range(count)]
    else:
        found = [style for _ in range(count) if (style := generator.draw(condition, random)) is not None]
    return [with_features(style, condition, features) for style in found]


def style_on(encoder: Encoder, photo: Tensor, condition: Condition) -> Tensor:
    """The styles that an encoder finds in photos which lie on their label maps: maps of features, or codes of regions.

    What a map has beyond its photo is its last row and column repeated, as networks want it of some sizes. It belongs
    to no region, so that no pixel counts for more than another.

    Args:
        encoder: of the model.
        photo: (N, 3, h, w) in [-1, 1].
        condition: N label maps of size (H, W), of which the photos cover the first h rows and w columns.

    Returns:
        As the generator takes them for these maps: (N, feature_channels, H, W) or (N, K, region_channels).
    """
    size = photo.shape[-2], photo.shape[-1]
    below, right = (side - covered for side, covered in zip(condition.size, size, strict=True))
    if below or right:
        first = torch.zeros(condition.batch, dtype=torch.long, device=photo.device)
        covered = Pixels.cropped(torch.arange(condition.batch, device=photo.device), first, first, size)
        condition = condition.gathered(covered)
    style: Tensor = encoder(photo, condition)[0]
    return F.pad(style, (0, right, 0, below), mode="replicate") if encoder.feature_channels else style


def with_features(style: Tensor, condition: Condition, features: Mapping[int, Tensor]) -> Tensor:
    """A map of features (N, C, H, W) in which some instances have the given ones instead."""
    if not features:
        return style
    index = InstanceIndex.of(condition)
    ids = torch.tensor(sorted(features), device=style.device)
    vectors = torch.stack([features[int(number)] for number in ids]).to(style)
    place = torch.searchsorted(ids, index.ids).clamp(max=len(ids) - 1)
    given = ids[place] == index.ids
    return torch.where(index.spread(given[:, None]), index.spread(vectors[place]), style)


def fitted_photo(photo: NDArray[np.uint8], size: tuple[int, int], resize: Resize | None) -> NDArray[np.uint8]:
    """A photo whose features are to be taken, brought to the size of its label map.

    Args:
        photo: (h, w, 3), of the label map's size as it is, or else once it is prepared as in training.
        size: (H, W) of the label map.
        resize: the model's preparation.

    Raises:
        InputError: the photo is of another size, so that it is unknown which instance a pixel belongs to.
    """
    fitted = photo
    if fitted.shape[:2] != size and resize is not None:
        fitted = resize.apply_photo(photo)
    if fitted.shape[:2] != size:
        ours, theirs = (f"{width} x {height}" for height, width in (photo.shape[:2], size))
        raise InputError(
            f"the style photo is {ours} pixels, its label map {theirs}; the features of instances are taken from a "
            "photo of that very map"
        )
    return fitted
