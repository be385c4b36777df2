"""Fully connected networks, as the first GANs had them: samples of any shape are vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from i2i import draws
from i2i.errors import InputError
from i2i.foundations.condition import ClassCondition
from i2i.foundations.latent import LatentGenerator
from i2i.nn.style import Encoder
from i2i.recipe import recorded


@recorded
class ConnectedGenerator(LatentGenerator):
    """Latent vector and class -> sample, by linear layers with ReLU between them (Goodfellow et al. 2014).

    Args:
        shape: of a sample: (2,) for points of the plane, (C, H, W) for images.
        num_classes: classes that condition it; 0 for none.
        style_dim: length of the latent vector.
        hidden: units of the hidden layers.
        bounded: whether samples lie in [-1, 1], by tanh, as images do.
    """

    def __init__(
        self,
        shape: Sequence[int],
        num_classes: int = 0,
        style_dim: int = 2,
        hidden: Sequence[int] = (16, 32),
        bounded: bool = False,
    ) -> None:
        super().__init__(shape, num_classes, style_dim)
        last = nn.Tanh() if bounded else nn.Identity()
        self.layers = nn.Sequential(_layers([style_dim + num_classes, *hidden, math.prod(shape)], nn.ReLU()), last)

    def forward(self, condition: ClassCondition, style: Tensor | None = None) -> Tensor:
        """(N, style_dim) -> samples (N, *shape)."""
        assert style is not None, "a generator of samples takes a latent vector"
        flat: Tensor = self.layers(torch.cat([style, condition.one_hot(style.dtype)], 1))
        return flat.reshape(len(flat), *self.shape)


@recorded
class ConnectedDiscriminator(nn.Module):
    """Sample and class -> one logit, by linear layers with LeakyReLU and dropout between them.

    Args:
        shape: of a sample.
        num_classes: classes that condition it; 0 for none.
        hidden: units of the hidden layers.
        dropout: share of the hidden units that a sample does not see in training.
    """

    def __init__(
        self, shape: Sequence[int], num_classes: int = 0, hidden: Sequence[int] = (256, 128, 64), dropout: float = 0.3
    ) -> None:
        super().__init__()
        self.independent = not dropout  # what dropout draws is a sample's own: real and fake ones go in separately
        between = nn.Sequential(nn.LeakyReLU(0.2), Dropout(dropout)) if dropout else nn.LeakyReLU(0.2)
        self.layers = _layers([math.prod(shape) + num_classes, *hidden, 1], between)

    def forward(self, condition: ClassCondition, samples: Tensor) -> list[list[Tensor]]:
        """(N, *shape) -> logits (N, 1), as the one scale and the one layer of :data:`i2i.losses.objective.Features`."""
        flat = samples.flatten(1)
        return [[self.layers(torch.cat([flat, condition.one_hot(flat.dtype)], 1))]]


@recorded
class ConnectedEncoder(Encoder):
    """Sample -> mean and log variance of its latent vector (Kingma and Welling 2014), by linear layers with ReLU.

    Args:
        shape: of a sample.
        num_classes: classes that condition it; 0 for none.
        style_dim: length of the latent vector.
        hidden: units of the hidden layers.
    """

    def __init__(
        self, shape: Sequence[int], num_classes: int = 0, style_dim: int = 2, hidden: Sequence[int] = (512, 256)
    ) -> None:
        super().__init__()
        self.style_dim = style_dim
        self.layers = _layers([math.prod(shape) + num_classes, *hidden, 2 * style_dim], nn.ReLU())

    def forward(self, photo: Tensor, condition: ClassCondition) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """(N, *shape) -> mean and log variance, (N, style_dim) each."""
        flat = photo.flatten(1)
        mean, logvar = self.layers(torch.cat([flat, condition.one_hot(flat.dtype)], 1)).chunk(2, 1)
        return mean, logvar


class Dropout(nn.Module):
    """Dropout (Srivastava et al. 2014) whose draws are each sample's own, see :mod:`i2i.draws`.

    Args:
        share: of the features that are left out in training, from 0 to below 1.

    Raises:
        InputError: a share out of range.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        if not 0 <= share < 1:
            raise InputError(f"dropout is {share}; allowed is 0 (none) up to, but without, 1")
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """(N, features), a share of them zero and the others larger for it; unchanged in evaluation."""
        if not self.training:
            return x
        return x * (draws.uniform(x.shape, x.device) >= self.share) / (1 - self.share)


def _layers(units: Sequence[int], between: nn.Module) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(units):
        layers += [nn.Linear(before, after), between]
    return nn.Sequential(*layers[:-1])
