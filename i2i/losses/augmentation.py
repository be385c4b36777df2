"""Differentiable augmentation of what the discriminator sees, for small data (Zhao et al. 2020, "DiffAugment")."""

from __future__ import annotations

import torch
from torch import Tensor

from i2i import draws
from i2i.condition import Condition
from i2i.errors import InputError
from i2i.losses.objective import View
from i2i.pixels import Pixels


class DiffAugment(View):
    """Random changes of colour and place that the discriminator must see through, and the generator never shows.

    A discriminator that has few photos learns them by heart, which is harder where each comes in ever other versions.
    Real and synthesised photos are changed alike and gradients flow back through the change, so the generator learns to
    make photos and not changed ones.

    Each pair draws its own change, but photo and synthesised picture of one pair share it. Zhao et al. draw twice,
    which for the adversarial loss is the same in expectation; but here the two also have their map in common, which
    must be shifted with both, and feature matching compares them pixel by pixel.

    * Colour, on the photos: ``x + b`` (brightness), then the distance to the pixel's mean over channels times ``s``
      (saturation), then the distance to the picture's mean times ``c`` (contrast).
    * Translation, on photos *and* condition: by up to a share of the sides, by whole pixels. Where the paper fills up
      with zeros, what comes in here is the mirror image: a label map has no value for "nothing", and mirrored, every
      pixel is still one of a photo with the label that belongs to it.
    * Cutout, on the photos: a rectangle around a random pixel becomes 0, mid-grey. The condition keeps its labels
      there: they say nothing about which of two grey rectangles is the real one. A discriminator that has to name the
      classes itself (OASIS) cannot see them there: leave cutout out.

    Args:
        brightness: b is drawn from ± this, in units of images in [-1, 1]; 0 switches it off, as it does the others.
        saturation: s is drawn from 1 ± this, at most 1.
        contrast: c is drawn from 1 ± this, at most 1.
        translation: the largest shift as a share of height and width, at most 1.
        cutout: sides of the rectangle as a share of height and width, at most 1.
        probability: with which each of the five changes is made in each pair. The defaults are the paper's.

    Raises:
        InputError: a value out of range.
    """

    def __init__(
        self,
        brightness: float = 0.5,
        saturation: float = 1.0,
        contrast: float = 0.5,
        translation: float = 0.125,
        cutout: float = 0.5,
        probability: float = 1.0,
    ) -> None:
        super().__init__()
        given = {"saturation": saturation, "contrast": contrast, "translation": translation, "cutout": cutout}
        for name, value in ({"brightness": brightness, "probability": probability} | given).items():
            most = 2 if name == "brightness" else 1
            if not 0 <= value <= most:
                raise InputError(f"DiffAugment: {name} is {value}; allowed are 0 to {most}")
        self.brightness = brightness
        self.saturation = saturation
        self.contrast = contrast
        self.translation = translation
        self.cutout = cutout
        self.probability = probability

    def forward(self, condition: Condition, fake: Tensor, real: Tensor) -> tuple[Condition, Tensor, Tensor]:
        """A change for each pair, drawn on the CPU (:mod:`i2i.draws`). All shapes stay as they are."""
        pictures = [fake, real]
        if self.brightness or self.saturation or self.contrast:
            colours = [x.to(real.device) for x in self._colours(len(real))]
            pictures = [recoloured(x, *colours) for x in pictures]
        if self.translation:
            pixels = self._shift(len(real), condition.size).to(real.device)
            condition = condition.gathered(pixels)
            pictures = [pixels.of_photos(x) for x in pictures]
        if self.cutout:
            visible = self._visible(len(real), condition.size).to(real)
            pictures = [x * visible for x in pictures]
        return condition, pictures[0], pictures[1]

    def _colours(self, count: int) -> tuple[Tensor, Tensor, Tensor]:
        brightness = self._drawn(count, self.brightness)
        return brightness, 1 + self._drawn(count, self.saturation), 1 + self._drawn(count, self.contrast)

    def _shift(self, count: int, size: tuple[int, int]) -> Pixels:
        drawn = self._happens(count)
        down, right = (
            draws.integers(-most, most + 1, (count,)) * drawn
            for most in (round(self.translation * side) for side in size)
        )
        return Pixels.shifted(size, down, right)

    def _visible(self, count: int, size: tuple[int, int]) -> Tensor:
        """(N, 1, H, W) bool, false in the rectangle."""
        drawn, inside = self._happens(count), []
        for side in size:
            length = round(self.cutout * side)
            first = draws.integers(0, side, (count, 1)) - length // 2  # may lie half outside, as in the paper
            position = torch.arange(side)
            inside.append((position >= first) & (position < first + length))
        hidden = inside[0][:, :, None] & inside[1][:, None, :] & drawn[:, None, None]
        return ~hidden[:, None]

    def _drawn(self, count: int, most: float) -> Tensor:
        """(N,) uniform in ± ``most``; 0 where the change is not made."""
        return (2 * draws.uniform((count,)) - 1) * most * self._happens(count)

    def _happens(self, count: int) -> Tensor:
        return draws.uniform((count,)) < self.probability


def recoloured(photos: Tensor, brightness: Tensor, saturation: Tensor, contrast: Tensor) -> Tensor:
    """Change the colours of photos.

    Args:
        photos: (N, C, H, W).
        brightness: (N,), is added.
        saturation: (N,), factor of the distance to a pixel's mean over its channels.
        contrast: (N,), factor of the distance to the mean of the photo.
    """
    brightness, saturation, contrast = (x[:, None, None, None] for x in (brightness, saturation, contrast))
    photos = photos + brightness
    grey = photos.mean(1, keepdim=True)
    photos = (photos - grey) * saturation + grey
    mean = photos.mean((1, 2, 3), keepdim=True)
    return (photos - mean) * contrast + mean
