"""Convolutional networks without a condition but a class (Radford et al. 2016, "DCGAN"), and an encoder like them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from i2i.errors import InputError
from i2i.foundations.condition import ClassCondition
from i2i.foundations.latent import LatentGenerator
from i2i.nn.init import initialise
from i2i.nn.norm import GlobalBatchNorm2d, Norm, norm_layer
from i2i.nn.style import Encoder
from i2i.recipe import recorded


@recorded
class DCGANGenerator(LatentGenerator):
    """Latent vector and class -> image: 4×4, and doubled by transposed convolutions with batch norm and ReLU.

    Args:
        shape: (channels, size, size) of an image, the size 4 times a power of two.
        num_classes: classes that condition it; 0 for none.
        style_dim: length of the latent vector.
        width: channels before the last doubling; twice as many before each one more, up to eight times.

    Raises:
        InputError: another size.
    """

    def __init__(self, shape: Sequence[int], num_classes: int = 0, style_dim: int = 100, width: int = 64) -> None:
        super().__init__(shape, num_classes, style_dim)
        widths = [width * min(8, 1 << i) for i in range(doublings(shape))][::-1]
        layers: list[nn.Module] = []
        for before, after in zip([style_dim + num_classes, *widths], [*widths, shape[0]], strict=True):
            stride, padding = (2, 1) if layers else (1, 0)  # the first makes 4×4 of one pixel
            layers += [nn.ConvTranspose2d(before, after, 4, stride, padding, bias=False)]
            layers += [GlobalBatchNorm2d(after, affine=True), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-2], nn.Tanh())
        initialise(self, "normal", 0.02)

    def forward(self, condition: ClassCondition, style: Tensor | None = None) -> Tensor:
        """(N, style_dim) -> (N, *shape) in [-1, 1]."""
        assert style is not None, "a generator of samples takes a latent vector"
        given = torch.cat([style, condition.one_hot(style.dtype)], 1)
        return cast(Tensor, self.layers(given[:, :, None, None]))


@recorded
class DCGANDiscriminator(nn.Module):
    """Image and class -> one logit: halved to 4×4 by convolutions with LeakyReLU.

    Args:
        shape: (channels, size, size) of an image, the size 4 times a power of two.
        num_classes: classes that condition it, as further channels; 0 for none.
        width: channels after the first halving; twice as many after each one more, up to eight times.
        norm: of all layers but the first and the last. Published is "batch"; a gradient penalty, which is of each
            sample by itself, wants "instance" or "none".

    Raises:
        InputError: another size.
    """

    def __init__(self, shape: Sequence[int], num_classes: int = 0, width: int = 64, norm: Norm = "batch") -> None:
        super().__init__()
        self.independent = "batch" not in norm
        self.layers = halving(shape[0] + num_classes, doublings(shape), width, norm, 1)
        initialise(self, "normal", 0.02)

    def forward(self, condition: ClassCondition, samples: Tensor) -> list[list[Tensor]]:
        """(N, *shape) -> logits (N, 1, 1, 1), as one scale and one layer."""
        return [[self.layers(torch.cat([samples, condition.dense(samples.dtype)], 1))]]


@recorded
class ConvolutionalEncoder(Encoder):
    """Image -> mean and log variance of its latent vector, by the layers of :class:`DCGANDiscriminator`.

    Args:
        shape: (channels, size, size) of an image, the size 4 times a power of two.
        num_classes: classes that condition it, as further channels; 0 for none.
        style_dim: length of the latent vector.
        width, norm: as of the discriminator.
    """

    def __init__(
        self,
        shape: Sequence[int],
        num_classes: int = 0,
        style_dim: int = 64,
        width: int = 64,
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        self.style_dim = style_dim
        self.layers = halving(shape[0] + num_classes, doublings(shape), width, norm, 2 * style_dim)

    def forward(self, photo: Tensor, condition: ClassCondition) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """(N, *shape) -> mean and log variance, (N, style_dim) each."""
        found = self.layers(torch.cat([photo, condition.dense(photo.dtype)], 1)).flatten(1)
        mean, logvar = found.chunk(2, 1)
        return mean, logvar


def doublings(shape: Sequence[int]) -> int:
    """How often 4×4 doubles to the size of an image.

    Raises:
        InputError: it never does.
    """
    steps = (shape[-1] // 4).bit_length() - 1
    if len(shape) != 3 or shape[1] != shape[2] or shape[-1] != 4 << max(steps, 1):
        raise InputError(f"samples have the shape {list(shape)}; expected (channels, size, size), size 8, 16, 32, …")
    return steps


def halving(channels: int, steps: int, width: int, norm: Norm, out: int) -> nn.Sequential:
    """(N, channels, 4·2^steps, 4·2^steps) -> (N, out, 1, 1).

    Args:
        channels: of the images.
        steps: halvings.
        width: channels after the first; twice as many after each one more, up to eight times.
        norm: of all layers but the first and the last.
        out: channels of the only pixel.
    """
    widths = [width * min(8, 1 << i) for i in range(steps)]
    layers: list[nn.Module] = []
    for before, after in zip([channels, *widths], widths, strict=False):
        plain = not layers or norm == "none"
        layers.append(nn.Conv2d(before, after, 4, 2, 1, bias=plain))
        layers += [nn.LeakyReLU(0.2)] if plain else [norm_layer(norm, after, affine=True), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], out, 4))
