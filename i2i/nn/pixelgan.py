"""The discriminator of single pixels of pix2pix (Isola et al. 2017, section 4.4, "PixelGAN")."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from i2i.condition import Condition
from i2i.errors import InputError
from i2i.nn.init import Init, initialise
from i2i.nn.norm import Norm, norm_layer
from i2i.nn.patchgan import check_judged
from i2i.recipe import recorded


@recorded
class PixelGAN(nn.Module):
    """1×1 convolutions, of which every output judges one pixel's colour beside its condition.

    Args:
        label_channels: channels of the condition, ``Condition.channels``.
        width: channels of the first layer; the second has twice as many.
        norm: normalisation of the second layer; batch norms learn a scale and a shift here.
        image_channels: channels of the photo.
        init: how the weights start.
        gain: see :func:`i2i.nn.init.initialise`.
    """

    def __init__(
        self,
        label_channels: int,
        width: int = 64,
        norm: Norm = "batch",
        image_channels: int = 3,
        init: Init = "normal",
        gain: float = 0.02,
    ) -> None:
        super().__init__()
        if width < 1:
            raise InputError(f"width {width}; at least 1 is needed")
        self.label_channels = label_channels
        self.image_channels = image_channels
        self.independent = "batch" not in norm
        second = nn.Conv2d(width, 2 * width, 1, bias=norm == "none")
        self.layers = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(label_channels + image_channels, width, 1), nn.LeakyReLU(0.2)),
                nn.Sequential(second, norm_layer(norm, 2 * width, affine=True), nn.LeakyReLU(0.2)),
                nn.Conv2d(2 * width, 1, 1),
            ]
        )
        initialise(self, init, gain)

    def forward(self, condition: Condition, photo: Tensor) -> list[list[Tensor]]:
        """As :meth:`MultiscalePatchGAN.forward`, with one scale and logits (N, 1, H, W)."""
        check_judged(condition, photo, self.label_channels, self.image_channels)
        x = torch.cat([condition.dense(photo.dtype), photo], 1)
        outputs = []
        for layer in self.layers:
            x = layer(x)
            outputs.append(x)
        return [outputs]
