"""What conditions the networks: label maps (:mod:`i2i.semantics`) or images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from i2i.pixels import Pixels


class Condition(Protocol):
    """A batch of what networks are conditioned on, label maps or images, of one size."""

    @property
    def channels(self) -> int:
        """Channels of :meth:`dense`; what the networks take as ``label_channels``."""

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""

    @property
    def batch(self) -> int:
        """N, the number of maps or images."""

    @property
    def device(self) -> torch.device:
        """Where the condition lies, and everything made from it."""

    def dense(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """(N, channels, H, W), as convolutions take it."""

    def resized(self, height: int, width: int) -> Self:
        """Of another size."""

    def repeated(self, times: int) -> Self:
        """The batch ``times`` over."""

    def gathered(self, pixels: Pixels) -> Self:
        """Of other pixels: shifted, or crops."""

    def to(self, device: torch.device | str) -> Self:
        """On another device."""


class Semantics(ABC):
    """How a model reads its condition."""

    @property
    @abstractmethod
    def channels(self) -> int:
        """Channels of the condition; what the networks take as ``label_channels``."""

    @abstractmethod
    def read(self, batch: Mapping[str, Any]) -> Condition:
        """The condition of a batch of the loader."""
