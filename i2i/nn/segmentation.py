"""A small segmentation network: what `i2i train-judge` trains where no published network knows the classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from i2i.recipe import recorded


@recorded
class SegmentationNetwork(nn.Module):
    """A residual network (He et al. 2016) whose four scales are added up again on the way back (Lin et al. 2017).

    Args:
        num_classes: K, the channels of the logits.
        width: channels of the first scale, at a quarter of the size; each further scale has twice as many.
        blocks: residual blocks at each of the four scales.
        pyramid: channels on the way back.
    """

    def __init__(
        self, num_classes: int, width: int = 32, blocks: Sequence[int] = (1, 2, 2, 2), pyramid: int = 64
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _convolution(3, width // 2, stride=2), nn.ReLU(), _convolution(width // 2, width, stride=2), nn.ReLU()
        )
        widths = [width * 2**scale for scale in range(len(blocks))]
        self.scales = nn.ModuleList()
        before = width
        for scale, (channels, count) in enumerate(zip(widths, blocks, strict=True)):
            first = _Residual(before, channels, stride=1 if scale == 0 else 2)
            self.scales.append(nn.Sequential(first, *(_Residual(channels, channels) for _ in range(count - 1))))
            before = channels
        self.lateral = nn.ModuleList(nn.Conv2d(channels, pyramid, 1) for channels in widths)
        self.head = nn.Sequential(_convolution(pyramid, pyramid), nn.ReLU(), nn.Conv2d(pyramid, num_classes, 1))

    def forward(self, photo: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> logits (N, K, H/4, W/4), of any size of at least 32 pixels a side."""
        x = self.stem(photo)
        features = []
        for scale in self.scales:
            x = scale(x)
            features.append(x)
        x = self.lateral[-1](features[-1])
        for feature, lateral in zip(reversed(features[:-1]), list(self.lateral)[-2::-1], strict=True):
            x = lateral(feature) + F.interpolate(x, feature.shape[-2:], mode="bilinear", align_corners=False)
        return cast(Tensor, self.head(x))


class _Residual(nn.Module):
    """Two convolutions and what went in."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.branch = nn.Sequential(_convolution(before, after, stride), nn.ReLU(), _convolution(after, after))
        same = before == after and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) -> (N, after, H/stride, W/stride)."""
        return F.relu(self.branch(x) + self.shortcut(x))


def _convolution(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after))
