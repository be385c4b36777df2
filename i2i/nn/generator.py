"""What trainer, synthesizer and exports may ask of any generator."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from i2i.condition import Condition
from i2i.errors import InputError
from i2i.label_regions import RegionKind
from i2i.nn.style import Encoder
from i2i.pattern_plan import PatternPlan
from i2i.pixels import padded


class Generator(nn.Module):
    """From a condition, and a style where the network has one, to a photograph.

    Attributes:
        style_dim: length of the style vector; None for a network without one.
        feature_channels: channels of the map of instance features that is its style instead; 0 for a network without.
        region_channels: length of the code that each region has, where its style is a table of them; 0 for a network
            without.
        regions: what a region is there; None for a network without.
        num_classes: classes of the label maps, where the network has parts for each of them; else 0.
        multiple: height and width of a condition must be multiples of this.
        least: and not less than this.
    """

    style_dim: int | None = None
    feature_channels: int = 0
    region_channels: int = 0
    regions: RegionKind | None = None
    num_classes: int = 0
    multiple: int = 1
    least: int = 1

    @property
    def regional(self) -> bool:
        """Whether its style is of the regions of a label map: features of instances, or a code for each region."""
        return self.feature_channels > 0 or self.region_channels > 0

    @abstractmethod
    def forward(self, condition: Any, style: Tensor | None = None) -> Tensor:
        """Conditions of size (H, W) and their styles, where the network takes some -> (N, 3, H, W) in [-1, 1]."""

    def padded(self, maps: Tensor) -> Tensor:
        """(…, H, W) with the last row and column repeated until the network takes the size."""
        return padded(maps, self.multiple, self.least)

    def draw(self, condition: Condition, random: torch.Generator | None = None) -> Tensor | None:
        """A random style for each map of the batch; None for a network that takes none.

        Args:
            condition: the batch.
            random: where to draw from, a generator of the CPU: a seed gives the same styles on every device. None
                draws as :mod:`i2i.draws` says: in training from a stream of each sample, else from torch's own.
        """
        return None

    def pattern_plan(self) -> PatternPlan:
        """The patterns of a label map that the network will ask for; none where it reads the dense condition."""
        return PatternPlan()

    def previous_stage(self) -> list[str]:
        """The parts that an earlier stage of coarse-to-fine training has trained; none where there is one stage."""
        return []

    def compared(self, condition: Condition, fake: Tensor, real: Tensor) -> tuple[Condition, Tensor, Tensor]:
        """What the losses see of a batch, which is the batch: of a network that grows, at its present size.

        Args:
            condition: of size (H, W).
            fake: (N, 3, H, W), this network's pictures of it; a gradient flows back.
            real: the photos, alike.
        """
        return condition, fake, real

    def resampled(self, condition: Condition, style: Tensor, fresh: Tensor, classes: Sequence[int]) -> Tensor:
        """The style of a batch with another one, ``fresh``, where some classes are.

        Args:
            condition: the batch.
            style: as :meth:`draw` draws it.
            fresh: alike.
            classes: labels.

        Raises:
            InputError: the network's style is of the whole picture.
        """
        raise InputError("this model has no noise by region; only that of a few classes cannot be drawn anew")

    def fold(self, dtype: torch.dtype | None = None) -> Generator:
        """The same function as in evaluation mode, prepared for many pictures; itself if nothing is to be prepared.

        Args:
            dtype: of features and convolutions, such as bfloat16; None for that of the weights.
        """
        return self if dtype is None else copy.deepcopy(self).to(dtype)


def drawer(generator: Generator, encoder: Encoder | None) -> Generator | Encoder:
    """What draws the styles of a model: the encoder where it has seen what styles there are, else the generator."""
    return encoder if encoder is not None and encoder.draws else generator


def check_style(generator: Generator, encoder: Encoder) -> None:
    """Raise :class:`InputError` where the encoder's style is not what the generator takes."""
    if encoder.style_dim != generator.style_dim:
        taken = "no style" if generator.style_dim is None else f"{generator.style_dim} numbers"
        raise InputError(f"the encoder gives a style of {encoder.style_dim} numbers, the generator takes {taken}")
    if encoder.feature_channels != generator.feature_channels:
        raise InputError(
            f"the encoder gives {encoder.feature_channels} instance features, the generator takes "
            f"{generator.feature_channels} (feature_channels)"
        )
    found, wanted = ((part.region_channels, part.regions) for part in (encoder, generator))
    if found != wanted:
        given, taken = (f"codes of {n} numbers by {kind}" if n else "no codes" for n, kind in (found, wanted))
        raise InputError(f"the encoder gives {given}, the generator takes {taken} (region_channels, regions)")
