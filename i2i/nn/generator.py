"""What trainer, synthesizer and exports may ask of any generator."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from i2i.condition import Condition


class Generator(nn.Module):
    """From a condition, and a style where the network has one, to a photograph.

    Attributes:
        style_dim: length of the style vector; None for a network without one.
        multiple: height and width of a condition must be multiples of this.
    """

    style_dim: int | None = None
    multiple: int = 1

    @abstractmethod
    def forward(self, condition: Any, style: Tensor | None = None) -> Tensor:
        """Conditions of size (H, W) and their styles, where the network takes some -> (N, 3, H, W) in [-1, 1]."""

    def draw(self, condition: Condition, random: torch.Generator | None = None) -> Tensor | None:
        """A random style for each map of the batch; None for a network that takes none.

        Args:
            condition: the batch.
            random: where to draw from, a generator of the CPU: a seed gives the same styles on every device. None
                draws from torch's own.
        """
        return None

    def fold(self) -> Generator:
        """The same function as in evaluation mode, prepared for many pictures; itself if nothing is to be prepared."""
        return self
