"""The latent space of a model of samples: its images, or where in the plane its points lie."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from torch import Tensor

from i2i.data.files import grey_of
from i2i.data.preparation import photo_tensor
from i2i.errors import InputError
from i2i.foundations.images import middle_square
from i2i.foundations.plots import FAKE, REAL, plane, scatter
from i2i.foundations.sampler import Sampler
from i2i.photos import Photo, photo_pixels
from i2i.pictures import Pixels, to_pixels, visible

_CLOUD = 1000


class SampleLatents:
    """A :class:`i2i.latent_space.LatentSpace`: samples as functions of the latent alone.

    The picture of a point is the plane, with the point in red among other points of the model in grey.

    Args:
        sampler: the model.
        label: the class of all samples, for a model that classes condition.

    Raises:
        InputError: a class where there are none, or none, or one out of range, where there are some.
    """

    def __init__(self, sampler: Sampler, label: int | None = None) -> None:
        classes = sampler.num_classes
        if classes and (label is None or not 0 <= label < classes):
            given = "none is given" if label is None else f"{label} is given"
            raise InputError(f"the model makes samples of a class, 0 to {classes - 1}; {given}")
        if not classes and label is not None:
            raise InputError(f"the model has no classes; {label} is given")
        self.style_dim = sampler.style_dim
        self.title = "" if label is None else f"class {label}"
        self.given: Pixels | None = None
        self._sampler = sampler
        self._label = label

    def latents(self, count: int, seed: int) -> Tensor:
        """(count, style_dim) of the standard normal distribution."""
        return self._sampler.latents(count, seed)

    def latent(self, photo: Photo) -> Tensor:
        """(style_dim,), the encoder's mean for a square from the middle of a photo, grey where the model's images are.

        Raises:
            InputError: the model has no encoder, or is one of points; or the photo cannot be read.
        """
        shape = self._sampler.shape
        if len(shape) != 3:
            raise InputError("this model makes points: a photo has no latent there; name the seed of one")
        pixels = middle_square(photo_pixels(photo), (shape[1], shape[2]))
        image = photo_tensor(grey_of(pixels) if shape[0] == 1 else pixels)
        return self._sampler.latent(image[None], self._classes(1))[0]

    def decode(self, latents: Tensor) -> Pixels:
        """(n, style_dim) -> (n, H, W, 3) uint8."""
        samples = self._sampler.decode(latents, self._classes(len(latents)))
        if samples.dim() == 4:
            return to_pixels(visible(samples))
        cloud = self._cloud
        drawn = [scatter([(cloud, REAL), (point[None], FAKE)], plane(cloud), last=6.0) for point in samples]
        return np.stack(drawn)

    @cached_property
    def _cloud(self) -> Tensor:
        return self._sampler.sample(_CLOUD, seed=0, classes=self._classes(_CLOUD))

    def _classes(self, count: int) -> list[int] | None:
        return None if self._label is None else [self._label] * count
