"""The segmentation discriminator of OASIS (Sushko et al. 2021, section 3.1): a U-Net that names every pixel's class.

It judges a photo without seeing its label map: every pixel is one of the N classes, or fake. Whether the photo fits the
map is then a matter of the loss (:mod:`i2i.losses.segmentation`), and the generator is told so at every pixel.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2i.errors import InputError
from i2i.nn.init import Init, initialise
from i2i.nn.norm import spectral as under_spectral_norm
from i2i.recipe import recorded
from i2i.semantics import SemanticMap

_MULTIPLES = (2, 2, 4, 4, 8, 8)
_SLOPE = 0.2


@recorded
class SegmentationDiscriminator(nn.Module):
    """A U-Net of residual blocks (Schönfeld et al. 2020) from a photo to N + 1 logits a pixel.

    Six blocks halve the photo, six double it again, each of the latter beside the output of the former of its size.

    Args:
        num_classes: N, the classes of the label map; one more logit, the last, is "fake".
        width: channels of the last block; the down-sampling ones have 2, 2, 4, 4, 8 and 8 times as many.
        spectral: whether the blocks' convolutions are spectrally normalised.
        image_channels: channels of the photo.
        init: how the weights start.
        gain: see :func:`i2i.nn.init.initialise`.

    Raises:
        InputError: no classes, or no channels.
    """

    def __init__(
        self,
        num_classes: int,
        width: int = 64,
        spectral: bool = True,
        image_channels: int = 3,
        init: Init = "xavier",
        gain: float = 0.02,
    ) -> None:
        super().__init__()
        if num_classes < 1 or width < 1 or image_channels < 1:
            raise InputError(
                f"num_classes {num_classes}, width {width}, image_channels {image_channels}; each must be at least 1"
            )
        self.num_classes = num_classes
        self.image_channels = image_channels
        channels = [image_channels, *(width * m for m in _MULTIPLES)]
        self.down = nn.ModuleList(
            _DownBlock(before, after, spectral, first=index == 0)
            for index, (before, after) in enumerate(pairwise(channels))
        )
        outputs = [*reversed(channels[1:-1]), width]
        inputs = [channels[-1], *(2 * c for c in outputs[:-1])]  # beside each is what was skipped
        self.up = nn.ModuleList(
            _UpBlock(before, after, spectral) for before, after in zip(inputs, outputs, strict=True)
        )
        self.last = nn.Conv2d(width, num_classes + 1, 1)
        initialise(self, init, gain)

    @property
    def multiple(self) -> int:
        """Height and width of a photo must be multiples of this."""
        return 1 << len(self.down)

    def forward(self, condition: SemanticMap, photo: Tensor) -> Tensor:
        """Name the pixels of photos.

        Args:
            condition: of N maps of the photos' size; not looked at, but all discriminators are called alike.
            photo: (N, image_channels, H, W) in [-1, 1].

        Returns:
            (N, num_classes + 1, H, W) logits, those of "fake" last.

        Raises:
            InputError: channels or sizes that do not fit.
        """
        self._check(condition, photo)
        x, skipped = photo, []
        for down in self.down:
            x = down(x)
            skipped.append(x)  # (N, 2w, H / 2, W / 2) to (N, 8w, H / 64, W / 64)
        x = self.up[0](skipped.pop())
        for up in list(self.up)[1:]:
            x = up(torch.cat([skipped.pop(), x], 1))
        logits: Tensor = self.last(x)  # (N, num_classes + 1, H, W)
        return logits

    def _check(self, condition: SemanticMap, photo: Tensor) -> None:
        wanted = (condition.batch, self.image_channels, *condition.size)
        if tuple(photo.shape) != wanted:
            raise InputError(f"the photos have shape {tuple(photo.shape)}; the label maps ask for {wanted}")
        height, width = condition.size
        if height % self.multiple or width % self.multiple:
            raise InputError(
                f"the photos are {height} x {width}; the segmentation discriminator halves them {len(self.down)} "
                f"times, so height and width must be multiples of {self.multiple}"
            )


class _DownBlock(nn.Module):
    """Two convolutions, each after its activation, and a mean over 2×2, beside a shortcut.

    The mean comes before the shortcut's convolution, which is the same function with a quarter of the work.

    Args:
        before, after: channels.
        spectral: see :class:`SegmentationDiscriminator`.
        first: whether the input is the photo, which is not activated.
    """

    def __init__(self, before: int, after: int, spectral: bool, first: bool) -> None:
        super().__init__()
        self.first = first
        self.conv_0 = _conv(before, after, 3, spectral)
        self.conv_1 = _conv(after, after, 3, spectral)
        self.conv_s = _conv(before, after, 1, spectral) if before != after else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) -> (N, after, H / 2, W / 2)."""
        dx = self.conv_0(x if self.first else F.leaky_relu(x, _SLOPE))
        dx = F.avg_pool2d(self.conv_1(F.leaky_relu(dx, _SLOPE)), 2)
        shortcut: Tensor = self.conv_s(F.avg_pool2d(x, 2))
        return shortcut + dx


class _UpBlock(nn.Module):
    """The same with nearest up-sampling before the first convolution; the shortcut's needs no more than before it."""

    def __init__(self, before: int, after: int, spectral: bool) -> None:
        super().__init__()
        self.conv_0 = _conv(before, after, 3, spectral)
        self.conv_1 = _conv(after, after, 3, spectral)
        self.conv_s = _conv(before, after, 1, spectral) if before != after else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, h, w) -> (N, after, 2h, 2w)."""
        dx = self.conv_0(F.interpolate(F.leaky_relu(x, _SLOPE), scale_factor=2.0, mode="nearest"))
        dx = self.conv_1(F.leaky_relu(dx, _SLOPE))
        out: Tensor = dx + F.interpolate(self.conv_s(x), scale_factor=2.0, mode="nearest")
        return out


def _conv(before: int, after: int, size: int, spectral: bool) -> nn.Conv2d:
    layer = nn.Conv2d(before, after, size, padding=size // 2)
    return under_spectral_norm(layer) if spectral else layer
