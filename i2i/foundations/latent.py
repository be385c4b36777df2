"""What all generators of samples are: functions of a latent vector, and of a class where they have classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from i2i import draws
from i2i.condition import Condition
from i2i.errors import InputError
from i2i.nn.generator import Generator


class LatentGenerator(Generator):
    """Draws its latent vectors from the standard normal distribution.

    Args:
        shape: of a sample: (2,) for points of the plane, (C, H, W) for images.
        num_classes: classes that condition it; 0 for none.
        style_dim: length of the latent vector.

    Raises:
        InputError: a number below 1.
    """

    style_dim: int

    def __init__(self, shape: Sequence[int], num_classes: int, style_dim: int) -> None:
        super().__init__()
        if style_dim < 1 or min(shape) < 1:
            raise InputError(f"style_dim {style_dim}, shape {list(shape)}; allowed are numbers from 1")
        self.shape = tuple(shape)
        self.num_classes = num_classes
        self.style_dim = style_dim

    def draw(self, condition: Condition, random: torch.Generator | None = None) -> Tensor:
        """(N, style_dim); see :meth:`i2i.nn.generator.Generator.draw`."""
        shape = (condition.batch, self.style_dim)
        if random is None:
            return draws.normal(shape, condition.device)
        return torch.randn(shape, generator=random).to(condition.device)
