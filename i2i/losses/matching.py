"""Feature matching (Wang et al. 2018, equation 4): the discriminator's features of fake and real should agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from i2i.errors import InputError
from i2i.losses.precision import at_least_float32


class FeatureMatchingLoss(nn.Module):
    """L1 distance of the features of all layers but the logits.

    Args:
        layers: how the layers of one scale become one: their "sum" (SPADE) or their "mean". pix2pixHD takes four times
            the mean, which is the sum for its four feature layers.
        scales: how the scales become one; both originals take the "mean".
    """

    def __init__(self, layers: Literal["sum", "mean"] = "sum", scales: Literal["sum", "mean"] = "mean") -> None:
        super().__init__()
        self.layers = layers
        self.scales = scales

    def forward(self, fake: Sequence[Sequence[Tensor]], real: Sequence[Sequence[Tensor]]) -> Tensor:
        """Lists over scales of lists over layers (the logits last) -> scalar. ``real`` takes no gradient.

        Raises:
            InputError: there are but logits.
        """
        if any(len(layers) < 2 for layers in fake):
            raise InputError("the discriminator gives logits alone, no features that could match; feature_matching: 0")
        by_scale = []
        for fake_layers, real_layers in zip(fake, real, strict=True):
            pairs = zip(fake_layers[:-1], real_layers[:-1], strict=True)
            distances = torch.stack([at_least_float32(x - y.detach()).abs().mean() for x, y in pairs])
            by_scale.append(distances.sum() if self.layers == "sum" else distances.mean())
        scales = torch.stack(by_scale)
        return scales.mean() if self.scales == "mean" else scales.sum()
