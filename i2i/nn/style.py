"""What trainer, synthesizer and evaluation may ask of any encoder of styles."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from i2i.condition import Condition
from i2i.label_regions import RegionKind


class Encoder(nn.Module):
    """From photos, and the conditions that belong to them, to styles.

    Attributes:
        style_dim: length of the style vector; None where the style is none.
        feature_channels: channels of the map of instance features that is the style instead; 0 where it is none.
        region_channels: length of the code of each region, where the style is a table of them; 0 where it is none.
        regions: what a region is there; else None.
    """

    style_dim: int | None = None
    feature_channels: int = 0
    region_channels: int = 0
    regions: RegionKind | None = None

    @abstractmethod
    def forward(self, photo: Tensor, condition: Condition) -> tuple[Tensor, Tensor | None]:
        """(N, 3, H, W) in [-1, 1] -> the styles as the generator takes them, or their means and log variances."""

    @property
    def regional(self) -> bool:
        """Whether the style is of the regions of a label map, and not of the whole photo."""
        return self.feature_channels > 0 or self.region_channels > 0

    def by_region(self, photo: Tensor, condition: Condition) -> dict[int, Tensor]:
        """What each region of one photo looks like, by its instance id (by its label where regions are classes).

        Args:
            photo: (1, 3, H, W) in [-1, 1].
            condition: the label map of the photo.
        """
        raise NotImplementedError(f"{type(self).__name__} has no styles by region")

    @property
    def draws(self) -> bool:
        """Whether the encoder has seen what styles there are and draws from that; else the generator draws noise."""
        return False

    def draw(self, condition: Condition, random: torch.Generator | None = None) -> Tensor:
        """A style for each condition, as the training set has them.

        Args:
            condition: the batch.
            random: where to draw from, a generator of the CPU; None draws as :mod:`i2i.draws` says.
        """
        raise NotImplementedError(f"{type(self).__name__} does not draw styles")
