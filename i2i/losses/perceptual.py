"""Perceptual distance in VGG19 (Johnson et al. 2016, with the layers and weights of Wang et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from i2i.losses.precision import at_least_float32
from i2i.nn.features import VGG19Features

_LAYER_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)


class PerceptualLoss(nn.Module):
    """Weighted L1 distance of the VGG19 features of two photos.

    The network follows ``.to(…)`` but is no submodule: it is frozen, so it belongs into no checkpoint and no optimizer.

    Args:
        weights, imagenet_norm: see :class:`i2i.nn.features.VGG19Features`.
    """

    def __init__(self, weights: str | None = None, imagenet_norm: bool = True) -> None:
        super().__init__()
        self._unregistered = (VGG19Features(weights, imagenet_norm),)

    @property
    def features(self) -> VGG19Features:
        """The frozen network."""
        return self._unregistered[0]

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """Two batches of photos (N, 3, H, W) in [-1, 1] -> scalar. ``real`` takes no gradient."""
        with torch.no_grad():
            targets = self.features(real)
        distances = [at_least_float32(x - y).abs().mean() for x, y in zip(self.features(fake), targets, strict=True)]
        weighted = [weight * distance for weight, distance in zip(_LAYER_WEIGHTS, distances, strict=True)]
        return torch.stack(weighted).sum()

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> PerceptualLoss:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.features._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self
