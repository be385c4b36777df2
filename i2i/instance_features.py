"""Instance features as people give them: vectors by instance id, and photos that lie on their label map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2i.condition import Condition
from i2i.data.transforms import Resize
from i2i.errors import InputError
from i2i.nn.generator import Generator
from i2i.nn.instances import InstanceIndex
from i2i.nn.style import Encoder
from i2i.photos import LabelledPhoto
from i2i.pictures import Pixels

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
    vectors = {int(number): torch.as_tensor(vector, dtype=torch.float32) for number, vector in features.items()}
    for number, vector in vectors.items():
        if instances is not None and number not in there:
            few = ", ".join(map(str, sorted(there)[:12])) + (", …" if len(there) > 12 else "")
            raise InputError(f"features are given for instance {number}, which is not in the map; there are {few}")
        if vector.shape != (channels,) or not torch.isfinite(vector).all():
            kind = "class" if instances is None else "instance"
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
        photo: (N, 3, H, W) in [-1, 1], whose features to take; None draws them.
        features: of some instances, in place of those found.
        random: where to draw from, a generator of the CPU.
        count: how many.

    Raises:
        InputError: a photo without an encoder, no clusters to draw from, or a condition without instances.
    """
    if photo is not None:
        if encoder is None:
            raise InputError("this model has no style encoder; a style photo cannot be used with it")
        found = [encoder(photo, condition)[0]] * count
    elif set(InstanceIndex.of(condition).ids.tolist()) <= features.keys():  # nothing is to be drawn
        found = [torch.zeros(condition.batch, generator.feature_channels, *condition.size, device=condition.device)]
        found *= count
    elif encoder is not None:
        found = [encoder.draw(condition, random) for _ in range(count)]
    else:
        found = [style for _ in range(count) if (style := generator.draw(condition, random)) is not None]
    return [with_features(style, condition, features) for style in found]


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


def fitted_photo(photo: Pixels, size: tuple[int, int], padded: tuple[int, int], resize: Resize | None) -> Pixels:
    """A photo whose features are to be taken, brought to the size of its label map and padded as that is.

    Args:
        photo: (h, w, 3), of the label map's size as it is, or else once it is prepared as in training.
        size: (H, W) of the label map.
        padded: of the label map the networks see: its last row and column repeated.
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
    return np.pad(fitted, ((0, padded[0] - size[0]), (0, padded[1] - size[1]), (0, 0)), mode="edge")
