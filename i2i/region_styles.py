"""Styles that are a code for each region, as people give them: codes, photos with their label maps, and mixtures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from i2i.condition import Condition, Semantics
from i2i.data.transforms import Resize
from i2i.errors import InputError
from i2i.instance_features import Features, checked_features, fitted_photo, style_on
from i2i.label_regions import regions_of
from i2i.nn.generator import Generator
from i2i.nn.region_encoder import RegionEncoder
from i2i.numbers import check_finite
from i2i.photos import LabelledPhoto, Photo, photo_pixels
from i2i.pictures import Pixels, from_pixels
from i2i.reader import Reader
from i2i.semantics import SemanticMap


class RegionStyles:
    """Chooses styles for a generator that takes a code for each region.

    Args:
        generator: whose styles.
        encoder: of the same model; None for one without, whose styles are drawn or given.
        semantics: how the label maps of photos are read; needed for these alone.
        resize: how photos come to the size of their label maps.
        device: where the networks are.
    """

    def __init__(
        self,
        generator: Generator,
        encoder: RegionEncoder | None,
        semantics: Semantics | None,
        resize: Resize | None,
        device: torch.device,
    ) -> None:
        self.generator = generator
        self.encoder = encoder
        self.semantics = semantics
        self.resize = resize
        self.device = device

    def given(
        self, style: Tensor | Photo | LabelledPhoto | None, size: tuple[int, int], reader: Reader | None
    ) -> Tensor | Pixels | None:
        """What is given as the style of a map: codes of classes (1, classes, region_channels), or its own photo.

        Args:
            style: codes (classes, region_channels); a photo with its own label map, of whose classes the map's have the
                codes; a photo of the very map; or None.
            size: (H, W) of the map, before it is padded.
            reader: of the same model; None where no photo has a label map of its own.

        Raises:
            InputError: codes of another shape, a photo of another size than its label map, or no encoder for it.
        """
        if style is None:
            return None
        if isinstance(style, LabelledPhoto):
            encoder = self._encoder()
            return encoder.seen.filled(*self._of_classes(encoder, style, reader))
        if not isinstance(style, Tensor):
            self._encoder()
            return fitted_photo(photo_pixels(style), size, self.resize)
        wanted = (self.generator.num_classes, self.generator.region_channels)
        if tuple(style.shape) != wanted:
            raise InputError(f"the style has shape {tuple(style.shape)}; {wanted} is allowed, a code for each class")
        style = style.to(self.device, torch.float32)
        check_finite(style, "the style")
        return style[None]

    def choose(
        self,
        condition: Condition,
        style: Tensor | Pixels | None,
        random: torch.Generator,
        count: int,
        features: Mapping[int, Tensor] | None = None,
        resample: Sequence[int] = (),
    ) -> list[Tensor]:
        """``count`` styles for one map, (1, K, region_channels) each.

        Args:
            condition: the map.
            style: as :meth:`given` returns it; None draws styles.
            random: where to draw from.
            count: how many.
            features: the codes of some regions, in place of those of the style.
            resample: classes in which the second and further styles are drawn anew.
        """
        if resample:
            (first,) = self.choose(condition, style, random, 1, features)
            others = self.choose(condition, None, random, count - 1)
            return [first, *(self.generator.resampled(condition, first, z, resample) for z in others)]
        if isinstance(style, Tensor):
            found = [self._spread(style, condition)] * count
        elif style is not None:
            photo = from_pixels(style[None]).to(self.device)
            found = [style_on(self._encoder(), photo, condition)] * count
        else:
            found = [self._drawn(condition, random) for _ in range(count)]
        return [self._with_features(one, condition, features or {}) for one in found]

    def vectors(self, features: Features, ids: Tensor, reader: Reader) -> dict[int, Tensor]:
        """The codes of some regions, by label or, where regions are instances, by instance id.

        Args:
            features: codes (region_channels,) by label, name of a class or instance id; for a class also a photo with
                its own label map, whose code of that class is taken. Classes that a map has not are no error.
            ids: the instance ids that there are.
            reader: of the same model.

        Raises:
            InputError: an unknown class or instance, a class that the photo has not, or a vector of another length.
        """
        by_class = self.generator.regions == "class"
        vectors: dict[int | str, Any] = {}
        for name, vector in features.items():
            place = reader.label_of(name) if by_class else name
            if isinstance(vector, LabelledPhoto):
                if not by_class:
                    raise InputError(
                        "this model's regions are instances; a code is needed for each, or a photo as style"
                    )
                codes, known = self._of_classes(self._encoder(), vector, reader)
                if not known[0, int(place)]:
                    raise InputError(f"the photo whose {name!r} is to be taken has no such class in its label map")
                vector = codes[0, int(place)]
            vectors[place] = vector
        return checked_features(vectors, self.generator, None if by_class else ids)

    def _of_classes(self, encoder: RegionEncoder, photo: LabelledPhoto, reader: Reader | None) -> tuple[Tensor, Tensor]:
        """Codes (1, classes, region_channels) of a photo, and which classes it has (1, classes)."""
        if self.semantics is None or reader is None:
            raise InputError("a photo with a label map cannot be read here")
        try:
            batch = reader.batch(photo.labels, photo.instances)
            condition = self.semantics.read({name: maps.to(self.device) for name, maps in batch})
        except InputError as error:
            raise InputError(f"the label map of a style photo: {error}") from error
        if condition.batch != 1:
            raise InputError(f"{condition.batch} label maps are given for a style photo; it has one")
        pixels = fitted_photo(photo_pixels(photo.photo), condition.size, self.resize)
        return encoder.by_class(from_pixels(pixels[None]).to(self.device), condition)

    def _drawn(self, condition: Condition, random: torch.Generator) -> Tensor:
        source = self.generator if self.encoder is None else self.encoder
        drawn = source.draw(condition, random)
        assert drawn is not None
        return drawn

    def _spread(self, codes: Tensor, condition: Condition) -> Tensor:
        """Codes of classes as the generator takes them."""
        if self.generator.regions == "class":
            return codes
        return regions_of(_label_map(condition), "instance").of_classes(codes)

    def _with_features(self, style: Tensor, condition: Condition, features: Mapping[int, Tensor]) -> Tensor:
        if not features:
            return style
        assert self.generator.regions is not None
        found = regions_of(_label_map(condition), self.generator.regions)
        style = style.clone()
        for number, vector in features.items():
            here = found.id == number
            style[found.image[here], found.place[here]] = vector.to(style)
        return style

    def _encoder(self) -> RegionEncoder:
        if self.encoder is None:
            raise InputError("this model has no style encoder; a style photo cannot be used with it")
        return self.encoder


def _label_map(condition: Condition) -> SemanticMap:
    assert isinstance(condition, SemanticMap), "only label maps have regions"
    return condition
