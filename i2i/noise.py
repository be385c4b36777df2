"""Label maps with noise channels beside the labels: the "3-D noise" of OASIS (Sushko et al. 2021, section 3.3).

Every pixel has a noise vector that all layers see beside its label. Where the vector is the same over a whole region, a
pixel is told by two integers, label and region, and the map keeps its few patterns: see
:mod:`i2i.nn.pattern_modulation`. Noise of every pixel for itself is a dense tensor.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from i2i.label_regions import Regions
from i2i.patterns import Patterns
from i2i.pixels import Pixels
from i2i.semantics import SemanticMap


class NoisyMap(ABC):
    """A batch of label maps with noise channels after those of the labels: a condition like any other.

    Args:
        semantics: the label maps.
        noise_channels: length of each noise vector.
    """

    def __init__(self, semantics: SemanticMap, noise_channels: int) -> None:
        self.semantics = semantics
        self.noise_channels = noise_channels

    @property
    def channels(self) -> int:
        """Channels of the labels and of the noise."""
        return self.semantics.channels + self.noise_channels

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.semantics.size

    @property
    def batch(self) -> int:
        """N, the number of maps."""
        return self.semantics.batch

    @property
    def device(self) -> torch.device:
        """Where the maps lie."""
        return self.semantics.device

    def dense(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """(N, channels, H, W): the one-hot labels, the edges where there are any, the noise."""
        return torch.cat([self.semantics.dense(dtype), self.noise_map().to(dtype)], 1)

    @abstractmethod
    def noise_map(self) -> Tensor:
        """(N, noise_channels, H, W)."""

    @abstractmethod
    def resized(self, height: int, width: int) -> Self:
        """Of another size, labels and noise by their nearest neighbours."""

    @abstractmethod
    def repeated(self, times: int) -> Self:
        """The batch ``times`` over, with the same noise each time."""

    @abstractmethod
    def gathered(self, pixels: Pixels) -> Self:
        """Of other pixels, labels and noise alike."""

    @abstractmethod
    def to(self, device: torch.device | str) -> Self:
        """On another device."""


class RegionNoiseMap(NoisyMap):
    """Noise that is the same all over each region.

    Args:
        semantics: the label maps.
        regions: of their pixels.
        noise: (regions.count, noise_channels), a vector for each region.
    """

    def __init__(self, semantics: SemanticMap, regions: Regions, noise: Tensor) -> None:
        super().__init__(semantics, noise.shape[1])
        self.regions = regions
        self.noise = noise

    def noise_map(self) -> Tensor:
        """(N, noise_channels, H, W)."""
        return F.embedding(self.regions.index, self.noise).permute(0, 3, 1, 2)

    def patterns(self, height: int, width: int, kernel: int = 3) -> Patterns:
        """As :meth:`SemanticMap.patterns`, where a code is ``region · (codes of the labels) + (code of the label)``."""
        return self.regions.resized(height, width).patterns(self.semantics.resized(height, width), kernel)

    def resized(self, height: int, width: int) -> RegionNoiseMap:
        """Of another size, labels and regions by their nearest neighbours."""
        return RegionNoiseMap(self.semantics.resized(height, width), self.regions.resized(height, width), self.noise)

    def repeated(self, times: int) -> RegionNoiseMap:
        """The batch ``times`` over, with the same noise each time."""
        regions = Regions(self.regions.index.repeat(times, 1, 1), self.regions.count)
        return RegionNoiseMap(self.semantics.repeated(times), regions, self.noise)

    def gathered(self, pixels: Pixels) -> RegionNoiseMap:
        """Of other pixels, labels and noise alike."""
        regions = Regions(pixels.of_maps(self.regions.index), self.regions.count)
        return RegionNoiseMap(self.semantics.gathered(pixels), regions, self.noise)

    def to(self, device: torch.device | str) -> RegionNoiseMap:
        """On another device."""
        regions = Regions(self.regions.index.to(device), self.regions.count)
        return RegionNoiseMap(self.semantics.to(device), regions, self.noise.to(device))


class PixelNoiseMap(NoisyMap):
    """Noise of every pixel for itself.

    Args:
        semantics: the label maps.
        noise: (N, noise_channels, H, W).
    """

    def __init__(self, semantics: SemanticMap, noise: Tensor) -> None:
        super().__init__(semantics, noise.shape[1])
        self.noise = noise

    def noise_map(self) -> Tensor:
        """(N, noise_channels, H, W)."""
        return self.noise

    def resized(self, height: int, width: int) -> PixelNoiseMap:
        """Of another size, labels and noise by their nearest neighbours."""
        noise = F.interpolate(self.noise, size=(height, width), mode="nearest")
        return PixelNoiseMap(self.semantics.resized(height, width), noise)

    def repeated(self, times: int) -> PixelNoiseMap:
        """The batch ``times`` over, with the same noise each time."""
        return PixelNoiseMap(self.semantics.repeated(times), self.noise.repeat(times, 1, 1, 1))

    def gathered(self, pixels: Pixels) -> PixelNoiseMap:
        """Of other pixels, labels and noise alike."""
        return PixelNoiseMap(self.semantics.gathered(pixels), pixels.of_photos(self.noise))

    def to(self, device: torch.device | str) -> PixelNoiseMap:
        """On another device."""
        return PixelNoiseMap(self.semantics.to(device), self.noise.to(device))


Patterned = SemanticMap | RegionNoiseMap
"""The conditions that have label patterns; others are dense."""
