"""The generator and the discriminator of progressive growing (Karras et al. 2018), without a condition.

Both begin at 4 × 4 and double with every stage; :class:`i2i.callbacks.growth.Grow` says when. As there, features are
normalised pixel by pixel (equation 2), and the discriminator is told how much the pictures of a batch vary (section 3).
Learning rates are not equalised: the weights start by Kaiming's rule and are trained as they are.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from i2i import draws
from i2i.condition import Condition
from i2i.errors import InputError
from i2i.nn.generator import Generator
from i2i.nn.growth import Growing, Growth, reduced
from i2i.nn.init import initialise
from i2i.recipe import recorded

_MOST_CHANNELS = 512


@recorded
class ProgressiveGenerator(Generator, Growing):
    """From a latent vector to a picture of ``4 · 2**stages`` pixels' height and width.

    While it is smaller the picture is repeated pixel by pixel, so that it always has this size.

    Args:
        style_dim: length of the latent vector.
        stages: doublings.
        width: channels of the last stage; each one before has twice as many, up to 512.
        image_channels: of the picture.

    Raises:
        InputError: a number below 1.
    """

    def __init__(self, style_dim: int = 128, stages: int = 4, width: int = 32, image_channels: int = 3) -> None:
        super().__init__()
        self.style_dim = style_dim
        self.growth = Growth(stages)
        channels = _channels(width, stages, style_dim, image_channels)
        self.first = nn.Linear(style_dim, channels[0] * 16)
        self.stages = nn.ModuleList([_convolutions(channels[0], channels[0])])
        for before, after in pairwise(channels):
            self.stages.append(nn.Sequential(nn.Upsample(scale_factor=2), _convolutions(before, after)))
        self.heads = nn.ModuleList(nn.Conv2d(count, image_channels, 1) for count in channels)
        initialise(self, "kaiming")
        self.release()

    def forward(self, condition: Condition, style: Tensor | None = None) -> Tensor:
        """Latent vectors (N, style_dim) -> (N, image_channels, H, W) in [-1, 1]; there is nothing in the condition."""
        if style is None or tuple(style.shape) != (condition.batch, self.style_dim):
            found = "none" if style is None else f"some of shape {tuple(style.shape)}"
            raise InputError(f"the generator takes styles of shape {(condition.batch, self.style_dim)}, got {found}")
        first = self.first(normalised(style)).view(len(style), -1, 4, 4)
        return self.growth.picture(
            first, lambda stage, x: self.stages[stage](x), lambda stage, x: torch.tanh(self.heads[stage](x))
        )

    def draw(self, condition: Condition, random: torch.Generator | None = None) -> Tensor:
        """(N, style_dim) of the standard normal distribution."""
        assert self.style_dim is not None
        if random is None:
            return draws.normal((condition.batch, self.style_dim), condition.device)
        return torch.randn(condition.batch, self.style_dim, generator=random).to(condition.device)

    def parts(self, stage: int) -> tuple[list[nn.Module], nn.Module]:
        """As :meth:`Growing.parts`."""
        return [self.stages[stage]], self.heads[stage]

    def compared(self, condition: Condition, fake: Tensor, real: Tensor) -> tuple[Condition, Tensor, Tensor]:
        """As :meth:`Generator.compared`."""
        return self.growth.compared(condition, fake, real)


@recorded
class ProgressiveDiscriminator(Growing):
    """Judges pictures whole: the generator's stages the other way round.

    Args:
        stages, width, image_channels: as the generator's.

    Raises:
        InputError: a number below 1.
    """

    independent = False  # what it says of a picture depends on the others, so real and fake are judged separately

    def __init__(self, stages: int = 4, width: int = 32, image_channels: int = 3) -> None:
        super().__init__()
        self.growth = Growth(stages)
        channels = _channels(width, stages, image_channels)
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Conv2d(image_channels, count, 1), nn.LeakyReLU(0.2)) for count in channels
        )
        last = [nn.Conv2d(channels[0] + 1, channels[0], 3, padding=1), nn.LeakyReLU(0.2), nn.Flatten()]
        self.stages = nn.ModuleList([nn.Sequential(Variation(), *last, nn.Linear(channels[0] * 16, 1))])
        for before, after in pairwise(channels):
            self.stages.append(nn.Sequential(_convolutions(after, before, norm=False), nn.AvgPool2d(2)))
        initialise(self, "kaiming")
        self.release()

    def forward(self, condition: Condition, photo: Tensor) -> list[list[Tensor]]:
        """Judge pictures.

        Args:
            condition: is not looked at.
            photo: (N, image_channels, h, w) of the present size.

        Returns:
            The logits (N, 1), positive for real, in a list of layers in a list of scales.

        Raises:
            InputError: pictures of another size.
        """
        newest = self.growth.newest
        if photo.shape[2:] != (4 << newest, 4 << newest):
            height, width = photo.shape[2:]
            raise InputError(f"the discriminator judges {4 << newest} x {4 << newest} now, got {height} x {width}")
        x = self.stages[newest](self.heads[newest](photo))
        x = self.growth.mixed(lambda: self.heads[newest - 1](reduced(photo, 2)), x)
        for stage in reversed(range(newest)):
            x = self.stages[stage](x)
        return [[x]]

    def parts(self, stage: int) -> tuple[list[nn.Module], nn.Module]:
        """As :meth:`Growing.parts`."""
        return [self.stages[stage]], self.heads[stage]


class PixelNorm(nn.Module):
    """Local response normalisation: (N, C, …), each vector of C features brought to a mean square of 1."""

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return normalised(x)


class Variation(nn.Module):
    """(N, C, H, W) -> (N, C + 1, H, W): one map more, of the mean standard deviation of the features over the batch."""

    def forward(self, x: Tensor) -> Tensor:
        """A generator of the same picture over and over is found out by it."""
        deviation = (x.var(0, correction=0) + 1e-8).sqrt().mean()
        return torch.cat([x, deviation.expand(len(x), 1, *x.shape[2:])], 1)


def normalised(x: Tensor) -> Tensor:
    """(N, C, …) divided by the root of the mean of its squares over C."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


def _channels(width: int, stages: int, *others: int) -> list[int]:
    if min(width, stages, *others) < 1:
        raise InputError(f"width {width}, stages {stages}, other sizes {others}; each must be at least 1")
    return [min(width << (stages - stage), _MOST_CHANNELS) for stage in range(stages + 1)]


def _convolutions(before: int, after: int, norm: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers += [nn.Conv2d(channels, after, 3, padding=1), nn.LeakyReLU(0.2), *([PixelNorm()] if norm else [])]
    return nn.Sequential(*layers)
