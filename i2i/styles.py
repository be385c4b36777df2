"""Which styles the pictures of a map get: given, taken from a photo, drawn, or drawn anew in some classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from i2i.condition import Condition, Semantics
from i2i.data.transforms import Resize
from i2i.errors import InputError
from i2i.instance_features import Features, checked_features, feature_maps, fitted_photo
from i2i.nn.generator import Generator
from i2i.nn.instance_encoder import InstanceEncoder
from i2i.nn.region_encoder import RegionEncoder
from i2i.nn.style import Encoder
from i2i.photos import LabelledPhoto, Photo, photo_pixels
from i2i.pictures import from_pixels
from i2i.region_styles import RegionStyles
from i2i.semantics import SemanticMap


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

    def given(
        self, style: Tensor | Photo | LabelledPhoto | None, maps: int, size: tuple[int, int], padded: tuple[int, int]
    ) -> list[Tensor | Photo | None]:
        """What is given as style for each of several maps: checked vectors (1, style_dim), or photos.

        Args:
            style: a vector (style_dim,), one for each map (N, style_dim), a photo, or None; see :class:`RegionStyles`
                for a model with a code for each region.
            maps: N.
            size: (H, W) of the maps.
            padded: of the maps as the generator sees them.
        """
        if self.regions is not None:
            return [self.regions.given(style, size, padded)] * maps
        if isinstance(style, LabelledPhoto):
            raise InputError("this model has no style for each region: give the photo without its label map")
        if not isinstance(style, Tensor):
            if style is not None and isinstance(self.encoder, InstanceEncoder):
                style = fitted_photo(photo_pixels(style), size, padded, self.resize)
            return [style] * maps
        if self.generator.feature_channels:
            raise InputError("this model's style is no vector: give a photo of the map, or features by instance id")
        length = self.generator.style_dim
        if length is None:
            raise InputError("this model has no style; train one with an encoder, or leave the style out")
        if style.shape not in [(length,), (maps, length)]:
            raise InputError(f"the style has shape {tuple(style.shape)}; allowed are ({length},), ({maps}, {length})")
        return list(style.to(self.device, torch.float32).expand(maps, -1)[:, None])

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
        drawn = [self.generator.draw(condition, random) for _ in range(count)]
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

    def vectors(self, features: Features | None, ids: Tensor, label: Callable[[int | str], int]) -> dict[int, Tensor]:
        """The features of some instances, or the style codes of some regions, checked; none where none are given.

        Args:
            features: see :data:`i2i.instance_features.Features`.
            ids: the instance ids that there are.
            label: the label of a class by its name.
        """
        if features is None:
            return {}
        if self.regions is not None:
            return self.regions.vectors(features, ids, label)
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
