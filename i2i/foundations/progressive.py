"""The generator and the discriminator of progressive growing (Karras et al. 2018), without a condition but a class.

Both begin at 4×4 and double with every stage; :class:`i2i.callbacks.growth.Grow` says when. As there, features are
normalised pixel by pixel (section 4.2), and the discriminator is told how much the images of a batch vary (section 3).
Learning rates are not equalised: the weights start by Kaiming's rule and are trained as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from i2i.condition import Condition
from i2i.foundations.condition import ClassCondition
from i2i.foundations.convolutional import doublings
from i2i.foundations.latent import LatentGenerator
from i2i.nn.growth import Growing, Growth, reduced
from i2i.nn.init import initialise
from i2i.recipe import recorded

_MOST_CHANNELS = 512


@recorded
class ProgressiveGenerator(LatentGenerator, Growing):
    """Latent vector and class -> image. While it is smaller, each pixel is repeated to fill the full size.

    Args:
        shape: (channels, size, size) of an image, the size 4 times a power of two; a stage for each doubling.
        num_classes: classes that condition it; 0 for none.
        style_dim: length of the latent vector.
        width: channels of the last stage; twice as many in each one before, up to 512.

    Raises:
        InputError: another size.
    """

    def __init__(self, shape: Sequence[int], num_classes: int = 0, style_dim: int = 128, width: int = 16) -> None:
        super().__init__(shape, num_classes, style_dim)
        self.growth = Growth(doublings(shape))
        channels = _channels(width, self.growth.stages)
        self.first = nn.Linear(style_dim + num_classes, channels[0] * 16)
        self.stages = nn.ModuleList([_convolutions(channels[0], channels[0])])
        for before, after in pairwise(channels):
            self.stages.append(nn.Sequential(nn.Upsample(scale_factor=2), _convolutions(before, after)))
        self.heads = nn.ModuleList(nn.Conv2d(count, shape[0], 1) for count in channels)
        initialise(self, "kaiming")
        self.release()

    def forward(self, condition: ClassCondition, style: Tensor | None = None) -> Tensor:
        """(N, style_dim) -> (N, *shape) in [-1, 1]."""
        assert style is not None, "a generator of samples takes a latent vector"
        given = normalised(torch.cat([style, condition.one_hot(style.dtype)], 1))
        return self.growth.picture(
            self.first(given).view(len(style), -1, 4, 4),
            lambda stage, x: self.stages[stage](x),
            lambda stage, x: torch.tanh(self.heads[stage](x)),
        )

    def parts(self, stage: int) -> tuple[list[nn.Module], nn.Module]:
        """As :meth:`Growing.parts`."""
        return [self.stages[stage]], self.heads[stage]

    def compared(self, condition: Condition, fake: Tensor, real: Tensor) -> tuple[Condition, Tensor, Tensor]:
        """As :meth:`i2i.nn.generator.Generator.compared`."""
        return self.growth.compared(condition, fake, real)


@recorded
class ProgressiveDiscriminator(Growing):
    """Image and class -> one logit: the generator's stages the other way round.

    Args:
        shape, num_classes, width: as the generator's.

    Raises:
        InputError: another size.
    """

    independent = False  # what it says of an image depends on the others: real and fake ones are judged separately

    def __init__(self, shape: Sequence[int], num_classes: int = 0, width: int = 16) -> None:
        super().__init__()
        self.growth = Growth(doublings(shape))
        channels = _channels(width, self.growth.stages)
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Conv2d(shape[0] + num_classes, count, 1), nn.LeakyReLU(0.2)) for count in channels
        )
        last = [nn.Conv2d(channels[0] + 1, channels[0], 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(channels[0], 1, 4)]
        self.stages = nn.ModuleList([nn.Sequential(Variation(), *last)])
        for before, after in pairwise(channels):
            self.stages.append(nn.Sequential(_convolutions(after, before, norm=False), nn.AvgPool2d(2)))
        initialise(self, "kaiming")
        self.release()

    def forward(self, condition: ClassCondition, samples: Tensor) -> list[list[Tensor]]:
        """Images (N, channels, h, w) of the present size -> logits (N, 1, 1, 1), as one scale and one layer."""
        given = torch.cat([samples, condition.dense(samples.dtype)], 1)
        newest = self.growth.newest
        x = self.stages[newest](self.heads[newest](given))
        x = self.growth.mixed(lambda: self.heads[newest - 1](reduced(given, 2)), x)
        for stage in reversed(range(newest)):
            x = self.stages[stage](x)
        return [[x]]

    def parts(self, stage: int) -> tuple[list[nn.Module], nn.Module]:
        """As :meth:`Growing.parts`."""
        return [self.stages[stage]], self.heads[stage]


class PixelNorm(nn.Module):
    """Local response normalisation: each pixel's vector of C features is brought to a mean square of 1."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        return normalised(x)


class Variation(nn.Module):
    """One map more, of the mean standard deviation of the features over the batch ("minibatch standard deviation").

    By it a generator that makes the same image over and over is found out.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C + 1, H, W)."""
        deviation = (x.var(0, correction=0) + 1e-8).sqrt().mean()
        return torch.cat([x, deviation.expand(len(x), 1, *x.shape[2:])], 1)


def normalised(x: Tensor) -> Tensor:
    """(N, C, …) divided by the root of the mean of its squares over C."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


def _channels(width: int, stages: int) -> list[int]:
    return [min(width << (stages - stage), _MOST_CHANNELS) for stage in range(stages + 1)]


def _convolutions(before: int, after: int, norm: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers += [nn.Conv2d(channels, after, 3, padding=1), nn.LeakyReLU(0.2), *([PixelNorm()] if norm else [])]
    return nn.Sequential(*layers)
