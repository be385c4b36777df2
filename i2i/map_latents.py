"""The latent space of a model that draws pictures of label maps or of images, over one of them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from i2i.data.label_maps import OneMap
from i2i.errors import InputError
from i2i.nn.generator import Generator, drawer
from i2i.nn.oasis import OASISGenerator
from i2i.photos import Photo
from i2i.pictures import Pixels, to_pixels, visible
from i2i.semantics import LabelSemantics
from i2i.styles import random_of
from i2i.synthesizer import Synthesizer


class MapLatents:
    """A :class:`i2i.latent_space.LatentSpace`: the pictures of one map as functions of the style alone.

    >>> space = MapLatents(synthesizer, "map.png")
    >>> space.decode(space.latents(2, seed=1)).shape
    (2, 64, 64, 3)

    Args:
        synthesizer: with a model whose style is one vector for the picture: SPADE with style, OASIS with the noise of
            its publication.
        labels: a label map, or an image to translate, as a synthesizer takes it.
        instances: instance ids, given alike, for models with instance edges.
        title: what the map is called; by default the name of its file.

    Raises:
        InputError: the model has no latent vector, or the map is none of this model's.
    """

    def __init__(
        self, synthesizer: Synthesizer, labels: OneMap, instances: OneMap | None = None, title: str | None = None
    ) -> None:
        self.style_dim = latent_length(synthesizer.generator)
        self._synthesizer = synthesizer
        self._labels, self._instances = synthesizer.read(labels, instances)
        of_labels = isinstance(synthesizer.semantics, LabelSemantics)
        self.given: Pixels | None = (
            synthesizer.to_rgb(self._labels)[0] if of_labels else to_pixels(visible(self._labels))[0]
        )
        self.title = (Path(labels).name if isinstance(labels, str | Path) else "") if title is None else title

    def latents(self, count: int, seed: int) -> Tensor:
        """(count, style_dim); the styles of the pictures that the synthesizer makes of the map by this seed."""
        condition, random = self._synthesizer.condition(self._labels, self._instances), random_of(seed)
        source = drawer(self._synthesizer.generator, self._synthesizer.encoder)
        drawn = [source.draw(condition, random) for _ in range(count)]
        return torch.cat([z for z in drawn if z is not None])

    def latent(self, photo: Photo) -> Tensor:
        """(style_dim,), the encoder's mean.

        Raises:
            InputError: the model has no encoder, or the photo cannot be read.
        """
        return self._synthesizer.latent(photo)

    def decode(self, latents: Tensor) -> Pixels:
        """(n, style_dim) -> (n, H, W, 3) uint8."""
        return self._synthesizer(self._labels, self._instances, style=latents)


def latent_length(generator: Generator) -> int:
    """The length of a generator's latent vector.

    Raises:
        InputError: it has none: no style at all, or one that is of the regions of a map.
    """
    if generator.style_dim is not None:
        return generator.style_dim
    if generator.feature_channels:
        raise InputError("this model has no latent vector: its style is features of each instance of a photo")
    if generator.region_channels:
        raise InputError("this model has no latent vector: its style is a code for each region (SEAN)")
    if isinstance(generator, OASISGenerator):
        reason = f"its noise is drawn for each {generator.noise}; one for each image (noise: image) is such a vector"
        raise InputError(f"this model has no latent vector: {reason}")
    raise InputError("this model has no latent vector: a label map has one picture; train with a style encoder")
