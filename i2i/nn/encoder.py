"""The style encoder: from a photograph to the distribution of its style (Park et al. 2019, appendix A)."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2i import draws
from i2i.condition import Condition
from i2i.errors import InputError
from i2i.nn.init import Init, initialise
from i2i.nn.norm import Norm, norm_layer
from i2i.nn.norm import spectral as under_spectral_norm
from i2i.nn.recent import Recent
from i2i.nn.residual import check_sizes
from i2i.nn.style import Encoder
from i2i.recipe import recorded


@recorded
class StyleEncoder(Encoder):
    """Photo -> mean and log variance of a normal distribution of styles.

    Styles are drawn from the standard normal distribution, as published, or from those of the training's photos: from
    the mixture of the distributions of the photos that came last, the aggregated posterior (Makhzani et al. 2016). The
    first is only near the second where the divergence weighs enough, and then it costs likeness to the photo; in a
    short training whose photos lie in a few lights, most of it is between them.

    Args:
        style_dim: length of the style vector.
        width: channels of the first layer; they double up to 8 times as many.
        size: side of the square that every photo is resized to, a power of two of at least 16. Convolutions of stride 2
            follow until 4×4 are left: six at 256.
        norm: normalisation after every convolution.
        spectral: whether the convolutions are spectrally normalised.
        init: how the weights start.
        gain: see :func:`i2i.nn.init.initialise`.
        remembered: photos of the training whose styles are kept to draw from; 0 for the published way.
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
        remembered: int = 0,
    ) -> None:
        super().__init__()
        check_sizes(remembered=(remembered, 0))
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
        self.seen = (
            Recent(mean=torch.zeros(remembered, style_dim), logvar=torch.zeros(remembered, style_dim))
            if remembered
            else None
        )

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
        mean, logvar = self.mean(x), self.logvar(x)
        if self.training and self.seen is not None:
            self.seen.keep(mean=mean, logvar=logvar)
        return mean, logvar

    @property
    def draws(self) -> bool:
        """Whether it remembers photos, and has seen any."""
        return self.seen is not None and self.seen.count > 0

    def draw(self, condition: Condition, random: torch.Generator | None = None) -> Tensor:
        """For each condition a style from the distribution of one of the photos that are remembered.

        Args:
            condition: N of them.
            random: where to draw from, a generator of the CPU; None draws as :mod:`i2i.draws` says.

        Returns:
            (N, style_dim).
        """
        assert self.seen is not None, "there is nothing to draw from"
        chosen = self.seen.chosen(condition.batch, random)
        mean, logvar = (self.seen.get_buffer(name)[chosen].to(condition.device) for name in ("mean", "logvar"))
        if random is None:
            noise = draws.normal(mean.shape, mean.device, mean.dtype)
        else:
            noise = torch.randn(mean.shape, generator=random).to(mean)
        return mean + noise * torch.exp(0.5 * logvar)
