"""The style encoder: from a photograph to the distribution of its style (Park et al. 2019, appendix A)."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from i2i.condition import Condition
from i2i.errors import InputError
from i2i.nn.init import Init, initialise
from i2i.nn.norm import Norm, norm_layer
from i2i.nn.norm import spectral as under_spectral_norm
from i2i.nn.style import Encoder
from i2i.recipe import recorded


@recorded
class StyleEncoder(Encoder):
    """Photo -> mean and log variance of a normal distribution of styles.

    Args:
        style_dim: length of the style vector.
        width: channels of the first layer; they double up to 8 times as many.
        size: side of the square that every photo is resized to, a power of two of at least 16. Convolutions of stride 2
            follow until 4×4 are left: six at 256.
        norm: normalisation after every convolution.
        spectral: whether the convolutions are spectrally normalised.
        init: how the weights start.
        gain: see :func:`i2i.nn.init.initialise`.
    """

    def __init__(
        self,
        style_dim: int = 256,
        width: int = 64,
        size: int = 256,
        norm: Norm = "instance",
        spectral: bool = True,
        init: Init = "xavier",
        gain: float = 0.02,
    ) -> None:
        super().__init__()
        if size < 16 or size & (size - 1):
            raise InputError(f"the style encoder's size is {size}; it must be a power of two of at least 16")
        self.style_dim = style_dim
        self.size = size
        count = size.bit_length() - 3  # log2(size / 4)
        channels = [3, *(width * min(1 << i, 8) for i in range(count))]
        self.layers = nn.ModuleList()
        for before, after in pairwise(channels):
            conv = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=norm == "none")
            self.layers.append(
                nn.Sequential(
                    under_spectral_norm(conv) if spectral else conv,
                    norm_layer(norm, after, affine=True),
                    nn.LeakyReLU(0.2),
                )
            )
        self.mean = nn.Linear(channels[-1] * 16, style_dim)
        self.logvar = nn.Linear(channels[-1] * 16, style_dim)
        initialise(self, init, gain)

    def forward(self, photo: Tensor, condition: Condition | None = None) -> tuple[Tensor, Tensor]:
        """(N, 3, H, W) in [-1, 1], any size -> mean and log variance, (N, style_dim) each.

        The style of the whole photo is encoded, whatever the condition: it is taken so that all encoders are called
        alike.

        Raises:
            InputError: another shape.
        """
        if photo.dim() != 4 or photo.shape[1] != 3:
            raise InputError(f"the style photos have shape {tuple(photo.shape)}; expected (N, 3, H, W)")
        x = photo
        if tuple(x.shape[-2:]) != (self.size, self.size):
            x = F.interpolate(x, size=(self.size, self.size), mode="bilinear", align_corners=False)
        for layer in self.layers:
            x = layer(x)
        x = x.flatten(1)  # (N, channels · 4 · 4)
        return self.mean(x), self.logvar(x)
