"""The multi-scale patch discriminator of pix2pixHD (Wang et al. 2018, section 3.2) and SPADE."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2i.errors import InputError
from i2i.nn.init import Init, initialise
from i2i.nn.norm import Norm, norm_layer
from i2i.nn.norm import spectral as under_spectral_norm
from i2i.recipe import recorded
from i2i.semantics import SemanticMap

_KERNEL = 4
_MOST_CHANNELS = 512


@recorded
class MultiscalePatchGAN(nn.Module):
    """Patch discriminators on the photo beside its label map, at full size and at halves of it.

    Args:
        label_channels: channels of the condition, ``SemanticMap.channels``.
        width: channels of the first layer; each further layer doubles them, up to 512.
        layers: layers with features, before the one that gives the logits. All but the last have stride 2.
        scales: number of discriminators; each sees its input at half the size of the one before.
        spectral: whether the normalised layers' weights are also spectrally normalised.
        norm: normalisation of all layers but the first and the last; batch norms learn a scale and a shift here.
        image_channels: channels of the photo.
        normed_bias: whether convolutions before a normalisation keep their bias, which it cancels (pix2pixHD's do).
        init: how the weights start.
        gain: see :func:`i2i.nn.init.initialise`.
    """

    def __init__(
        self,
        label_channels: int,
        width: int = 64,
        layers: int = 4,
        scales: int = 2,
        spectral: bool = True,
        norm: Norm = "instance",
        image_channels: int = 3,
        normed_bias: bool = False,
        init: Init = "xavier",
        gain: float = 0.02,
    ) -> None:
        super().__init__()
        if layers < 2 or scales < 1 or width < 1:
            raise InputError(f"layers {layers}, scales {scales}, width {width}; at least 2, 1 and 1 are needed")
        self.label_channels = label_channels
        self.image_channels = image_channels
        self.scales = nn.ModuleList(
            PatchGAN(label_channels + image_channels, width, layers, spectral, norm, normed_bias) for _ in range(scales)
        )
        initialise(self, init, gain)

    def forward(self, semantics: SemanticMap, photo: Tensor) -> list[list[Tensor]]:
        """Judge photos.

        Args:
            semantics: N label maps of size (H, W).
            photo: (N, image_channels, H, W) in [-1, 1].

        Returns:
            A list over scales of lists over layers; the last of each is the logits (N, 1, h, w), positive for real.

        Raises:
            InputError: channels or sizes that do not fit.
        """
        self._check(semantics, photo)
        x = torch.cat([semantics.dense(photo.dtype), photo], 1)  # (N, label_channels + image_channels, H, W)
        outputs = []
        for index, discriminator in enumerate(self.scales):
            if index:
                x = F.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
            outputs.append(discriminator(x))
        return outputs

    def _check(self, semantics: SemanticMap, photo: Tensor) -> None:
        if semantics.channels != self.label_channels:
            raise InputError(
                f"the label map has {semantics.channels} channels (classes and edges), "
                f"the discriminator takes {self.label_channels}"
            )
        wanted = (semantics.batch, self.image_channels, *semantics.size)
        if tuple(photo.shape) != wanted:
            raise InputError(f"the photos have shape {tuple(photo.shape)}; the label maps ask for {wanted}")


class PatchGAN(nn.Module):
    """One patch discriminator: strided 4×4 convolutions whose every output judges a patch of the input.

    Args:
        in_channels: channels of the label map and the photo together.
        width, layers, spectral, norm, normed_bias: see :class:`MultiscalePatchGAN`.
    """

    def __init__(
        self,
        in_channels: int,
        width: int = 64,
        layers: int = 4,
        spectral: bool = True,
        norm: Norm = "instance",
        normed_bias: bool = False,
    ) -> None:
        super().__init__()
        channels = [in_channels, *(min(width << i, _MOST_CHANNELS) for i in range(layers))]
        self.layers = nn.ModuleList([nn.Sequential(_conv(in_channels, width, 2), nn.LeakyReLU(0.2))])
        for index in range(1, layers):
            stride = 1 if index == layers - 1 else 2
            conv = _conv(channels[index], channels[index + 1], stride, bias=norm == "none" or normed_bias)
            self.layers.append(
                nn.Sequential(
                    under_spectral_norm(conv) if spectral else conv,
                    norm_layer(norm, channels[index + 1], affine=True),
                    nn.LeakyReLU(0.2),
                )
            )
        self.layers.append(nn.Sequential(_conv(channels[-1], 1, 1)))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(N, in_channels, H, W) -> the output of every layer, the logits last."""
        outputs = []
        for layer in self.layers:
            x = layer(x)
            outputs.append(x)
        return outputs


def _conv(before: int, after: int, stride: int, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(before, after, _KERNEL, stride, padding=_KERNEL // 2, bias=bias)
