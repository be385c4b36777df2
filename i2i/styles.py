"""Which styles the pictures of a map get: given, taken from a photo, mixed, drawn, or drawn anew in some classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from i2i.condition import Condition, Semantics
from i2i.data.transforms import Resize
from i2i.errors import InputError
from i2i.instance_features import Features, checked_features, feature_maps, fitted_photo
from i2i.latents import Way, mixed
from i2i.nn.generator import Generator, drawer
from i2i.nn.instance_encoder import InstanceEncoder
from i2i.nn.region_encoder import RegionEncoder
from i2i.nn.style import Encoder
from i2i.numbers import check_finite, seed_number
from i2i.photos import LabelledPhoto, Photo, photo_pixels
from i2i.pictures import from_pixels
from i2i.reader import Reader
from i2i.region_styles import RegionStyles
from i2i.semantics import SemanticMap

Latent = Tensor | NDArray[np.floating[Any]]
"""(style_dim,), a style vector."""


@dataclass(frozen=True)
class Mix:
    """A style between two others.

    >>> photos = synthesizer(labels, style=Mix("noon.jpg", "evening.jpg", 0.25))  # a little of the evening

    Attributes:
        a: a style vector, a photo, or a mix again.
        b: alike.
        weight: share of ``b``, 0 to 1.
        way: see :data:`i2i.latents.Way`.
    """

    a: Latent | Photo | Mix
    b: Latent | Photo | Mix
    weight: float = 0.5
    way: Way = "spherical"


OneStyle = Latent | Photo | LabelledPhoto | Mix
Style = OneStyle | Sequence[OneStyle]
"""A style vector, a photo or a mix, or several of them; a tensor (n, style_dim) is several, too. For models with a code
for each region also a photo with its label map, or codes of the classes."""


class Styles:
    """Chooses styles for one generator.

    Args:
        generator: whose styles.
        encoder: photo and condition -> style; None for a model without.
        resize: how photos come to the size the model was trained for.
        device: where the networks are.
        semantics: how the label maps of photos are read, for models with a style for each region.

    Attributes:
        regions: chooses the styles of a model with a code for each region; None for other models.
    """

    def __init__(
        self,
        generator: Generator,
        encoder: Encoder | None,
        resize: Resize | None,
        device: torch.device,
        semantics: Semantics | None = None,
    ) -> None:
        self.generator = generator
        self.encoder = encoder
        self.resize = resize
        self.device = device
        self.regions: RegionStyles | None = None
        if generator.region_channels:
            of_regions = encoder if isinstance(encoder, RegionEncoder) else None
            self.regions = RegionStyles(generator, of_regions, semantics, resize, device)

    def of_photo(self, photo: Photo, condition: Condition | None = None) -> tuple[Tensor, Tensor | None]:
        """What the encoder makes of a photo: mean (1, style_dim) and log variance, which not all encoders have."""
        if self.encoder is None:
            raise InputError("this model has no style encoder; a style photo cannot be used with it")
        pixels = photo_pixels(photo)
        if self.resize is not None:
            pixels = self.resize.apply_photo(pixels)
        mean, logvar = self.encoder(from_pixels(pixels[None]).to(self.device), condition)
        return mean, logvar

    def latent(self, style: OneStyle) -> Tensor:
        """(style_dim,), the vector of a style: a photo's is the encoder's mean.

        Raises:
            InputError: the model's style is no vector, or what is given is none of this model's.
        """
        length = self.generator.style_dim
        if self.generator.regional:
            raise InputError(
                "this model's style is no vector but of regions: give a photo, or features by instance id or class; "
                "ask for its instance_features"
            )
        if isinstance(style, LabelledPhoto):
            raise InputError("this model has no style for each region: give the photo without its label map")
        if length is None:
            raise InputError("this model has no style; train one with an encoder, or leave the style out")
        if isinstance(style, Mix):
            return mixed(self.latent(style.a), self.latent(style.b), style.weight, style.way)
        vector = _vector_or_photo(style)
        if not isinstance(vector, Tensor):
            return self.of_photo(vector)[0][0]
        if vector.shape != (length,):
            raise InputError(f"the style has shape {tuple(vector.shape)}; allowed are ({length},), (n, {length})")
        vector = vector.to(self.device, torch.float32)
        check_finite(vector, "the style")
        return vector

    def given(
        self, style: OneStyle | None, size: tuple[int, int], reader: Reader | None = None
    ) -> Tensor | Photo | None:
        """What is given as style of one map: a checked vector (1, style_dim), a photo, or None.

        Args:
            style: a vector, a photo, a mix, or None; see :class:`RegionStyles` for a model with a code for each region.
            size: (H, W) of the map, before it is padded.
            reader: of the same model; reads the label maps that come with photos.
        """
        if style is None:
            return None
        photo = style if isinstance(style, Mix | LabelledPhoto) else _vector_or_photo(style)
        if self.regions is not None and not isinstance(photo, Mix):
            return self.regions.given(photo, size, reader)
        if isinstance(photo, Mix | LabelledPhoto | Tensor):
            return self.latent(photo)[None]
        if isinstance(self.encoder, InstanceEncoder):
            return fitted_photo(photo_pixels(photo), size, self.resize)
        return photo

    def choose(
        self,
        condition: Condition,
        style: Tensor | Photo | None,
        random: torch.Generator,
        count: int,
        features: Mapping[int, Tensor] | None = None,
        resample: Sequence[int] = (),
    ) -> list[Tensor | None]:
        """``count`` styles for one map; None where the model has no style.

        Args:
            condition: the map.
            style: as :meth:`given` returns it.
            random: where styles are drawn from.
            count: how many.
            features: of some instances or classes, as :meth:`vectors` gives them.
            resample: classes in which the second and further styles differ from the first.
        """
        if resample and count == 1:
            raise InputError("resample tells the pictures of a map in one style apart; it needs a count of at least 2")
        if self.regions is not None:
            assert not isinstance(style, str | Path | Image.Image), "given() has read it"
            return list(self.regions.choose(condition, style, random, count, features, resample))
        if resample:
            return self._resampled(condition, style, random, count, resample)
        if isinstance(style, Tensor):
            return [style] * count
        if self.generator.feature_channels:
            photo = None if style is None else from_pixels(photo_pixels(style)[None]).to(self.device)
            assert isinstance(condition, SemanticMap)
            return list(feature_maps(self.generator, self.encoder, condition, photo, features or {}, random, count))
        noise = style is not None  # that which a photo's style is varied by
        source = self.generator if noise else drawer(self.generator, self.encoder)
        drawn = [source.draw(condition, random) for _ in range(count)]
        if drawn[0] is None and style is not None:
            raise InputError("this model has no style; train one with an encoder, or leave the style out")
        if drawn[0] is None and count > 1:
            raise InputError(f"count is {count}, but this model has no style: all pictures of a map would be the same")
        if style is None:
            return drawn
        mean, logvar = self.of_photo(style, condition)
        if logvar is None:
            return [mean] * count
        # The first picture is the photo's style itself, the others are drawn around it.
        return [mean, *(mean + z * torch.exp(0.5 * logvar) for z in drawn[1:] if z is not None)]

    def vectors(self, features: Features | None, ids: Tensor, reader: Reader) -> dict[int, Tensor]:
        """The features of some instances, or the style codes of some regions, checked; none where none are given.

        Args:
            features: see :data:`i2i.instance_features.Features`.
            ids: the instance ids that there are.
            reader: of the same model.
        """
        if features is None:
            return {}
        if self.regions is not None:
            return self.regions.vectors(features, ids, reader)
        return checked_features(features, self.generator, ids)

    def _resampled(
        self,
        condition: Condition,
        style: Tensor | Photo | None,
        random: torch.Generator,
        count: int,
        classes: Sequence[int],
    ) -> list[Tensor | None]:
        """The first style as it would be without, and the others with other noise in these classes."""
        first, *others = [self.generator.draw(condition, random) for _ in range(count)]
        base = first if style is None else style
        if not isinstance(base, Tensor):
            raise InputError("resample draws noise by region anew; this model has none, or a style photo was given")
        return [base, *(self.generator.resampled(condition, base, z, classes) for z in others if z is not None)]


def spread(style: Style | None, maps: int, count: int, codes: int = 0) -> list[list[tuple[OneStyle | None, int]]]:
    """For each map its styles, and how many pictures each of them is for.

    Args:
        style: one, which serves for all; one for each map; one for each picture, those of one map together; or, where
            there is one map and a count of 1, any number, which all get a picture.
        maps: how many maps there are.
        count: pictures of each map.
        codes: where one style is a table of codes, and not a vector: how long a code is; else 0.

    Raises:
        InputError: as many styles as there are neither maps nor pictures.
    """
    several = isinstance(style, Sequence) and not isinstance(style, str)
    if isinstance(style, Tensor | np.ndarray):
        several = style.ndim == 2 + bool(codes) and isinstance(_vector_or_photo(style.ravel()), Tensor)
        if several and codes and isinstance(style, np.ndarray):  # or is it a photo in floating-point numbers?
            several = style.shape[2] == codes or style.shape[2] != 3
    if not several:
        return [[(style, count)] for _ in range(maps)]  # type: ignore[list-item]
    styles: list[OneStyle] = list(style)  # type: ignore[arg-type]
    if len(styles) == maps:
        return [[(one, count)] for one in styles]
    if styles and maps == 1 and count == 1:
        return [[(one, 1) for one in styles]]
    if len(styles) != maps * count:
        pictures = f" or {maps * count} (one for each picture)" if count > 1 else ""
        raise InputError(f"{len(styles)} styles are given; allowed are one, {maps} (one for each map){pictures}")
    return [[(one, 1) for one in styles[i : i + count]] for i in range(0, len(styles), count)]


def _vector_or_photo(style: Latent | Photo) -> Tensor | Photo:
    """A tensor, or a row or table of floating-point numbers as one, which is to be a style; else it is a photo."""
    if isinstance(style, np.ndarray) and style.ndim in (1, 2) and np.issubdtype(style.dtype, np.floating):
        return torch.from_numpy(style.astype(np.float64, order="C"))
    return cast(Tensor | Photo, style)


def random_of(seed: int | None) -> torch.Generator:
    """Where styles are drawn from; of the CPU, so that a seed gives the same on every device. None: of no seed.

    Raises:
        InputError: a seed that is no integer of 64 bits, signed or not.
    """
    random = torch.Generator()
    if seed is None:
        random.seed()
    else:
        random.manual_seed(seed_number(seed, least=-(2**63)))
    return random
