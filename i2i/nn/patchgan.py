"""The multi-scale patch discriminator of pix2pixHD (Wang et al. 2018, section 3.2) and SPADE."""

from __future__ import annotations

from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2i.condition import Condition
from i2i.errors import InputError
from i2i.nn.constant import computed_once
from i2i.nn.init import Init, initialise
from i2i.nn.label_lookup import POOLING, look_up_labels
from i2i.nn.norm import Norm, norm_layer
from i2i.nn.norm import spectral as under_spectral_norm
from i2i.pattern_plan import PatternPlan
from i2i.recipe import recorded
from i2i.semantics import SemanticMap

_KERNEL = 4
_MOST_CHANNELS = 512


@recorded
class MultiscalePatchGAN(nn.Module):
    """Patch discriminators on the photo beside its condition, at full size and at halves of it.

    pix2pix's (Isola et al. 2017) are those of one scale with a padding of 1, without spectral norm: an output judges
    70×70 pixels with 4 layers, 16×16 with 2, and with 6 ("ImageGAN") 286×286, all of its pictures.

    Args:
        label_channels: channels of the condition, ``Condition.channels``.
        width: channels of the first layer; each further layer doubles them, up to 512.
        layers: layers with features, before the one that gives the logits. All but the last have stride 2.
        scales: number of discriminators; each sees its input at half the size of the one before.
        spectral: whether the normalised layers' weights are also spectrally normalised.
        norm: normalisation of all layers but the first and the last; batch norms learn a scale and a shift here.
        image_channels: channels of the photo.
        padding: around the 4×4 kernels: 2 as in pix2pixHD and SPADE, 1 as in pix2pix.
        normed_bias: whether convolutions before a normalisation keep their bias, which it cancels (pix2pixHD's do).
        init: how the weights start.
        gain: see :func:`i2i.nn.init.initialise`.

    Attributes:
        look_up: whether the labels' part of the first convolutions is looked up (:mod:`i2i.nn.label_lookup`) or
            convolved from the one-hot tensor, the reference: a matter of time and not of the function.
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
        padding: Literal[1, 2] = 2,
        normed_bias: bool = False,
        init: Init = "xavier",
        gain: float = 0.02,
    ) -> None:
        super().__init__()
        if layers < 2 or scales < 1 or width < 1:
            raise InputError(f"layers {layers}, scales {scales}, width {width}; at least 2, 1 and 1 are needed")
        self.look_up = True
        self.label_channels = label_channels
        self.image_channels = image_channels
        self.independent = "batch" not in norm
        self.scales = nn.ModuleList(
            PatchGAN(label_channels + image_channels, width, layers, spectral, norm, normed_bias, padding)
            for _ in range(scales)
        )
        initialise(self, init, gain)

    def forward(self, semantics: Condition, photo: Tensor) -> list[list[Tensor]]:
        """Judge photos.

        Args:
            semantics: N label maps or images of size (H, W).
            photo: (N, image_channels, H, W) in [-1, 1].

        Returns:
            A list over scales of lists over layers; the last of each is the logits (N, 1, h, w), positive for real.

        Raises:
            InputError: channels or sizes that do not fit.
        """
        check_judged(semantics, photo, self.label_channels, self.image_channels)
        maps = semantics if self.look_up and isinstance(semantics, SemanticMap) else None
        x = torch.cat([semantics.dense(photo.dtype), photo], 1) if maps is None else photo  # the condition's come first
        outputs = []
        for index, discriminator in enumerate(self.scales):
            if index:
                x = _halved(x)
            labels = None if maps is None else label_part(maps, cast(PatchGAN, discriminator).first, index)
            outputs.append(discriminator(x, labels))
        return outputs

    def check_size(self, batch: int, height: int, width: int) -> None:
        """Refuse so many pictures of this size, by an :class:`InputError`, where they are too small for it."""
        for scale in self.scales:
            cast(PatchGAN, scale).check_size(batch, height, width)
            height, width = (height + 1) // 2, (width + 1) // 2  # as _halved

    def pattern_plan(self) -> PatternPlan:
        """The windows of a label map that the network looks up."""
        if not self.look_up:
            return PatternPlan()
        steps = [
            (*[POOLING] * index, (conv.kernel_size[0], conv.stride[0], int(conv.padding[0])))
            for index, conv in enumerate(cast(PatchGAN, scale).first for scale in self.scales)
        ]
        return PatternPlan(windows=frozenset(steps))


class PatchGAN(nn.Module):
    """One patch discriminator: strided 4×4 convolutions whose every output judges a patch of the input.

    Args:
        in_channels: channels of the label map and the photo together.
        width, layers, spectral, norm, normed_bias, padding: see :class:`MultiscalePatchGAN`.
    """

    def __init__(
        self,
        in_channels: int,
        width: int = 64,
        layers: int = 4,
        spectral: bool = True,
        norm: Norm = "instance",
        normed_bias: bool = False,
        padding: Literal[1, 2] = 2,
    ) -> None:
        super().__init__()
        if padding not in (1, 2):
            raise InputError(f"padding is {padding}; allowed are 1 and 2")
        self.norm = norm
        self.padding = padding
        channels = [in_channels, *(min(width << i, _MOST_CHANNELS) for i in range(layers))]
        self.layers = nn.ModuleList([nn.Sequential(_conv(in_channels, width, 2, padding), _activation())])
        for index in range(1, layers):
            stride = 1 if index == layers - 1 else 2
            conv = _conv(channels[index], channels[index + 1], stride, padding, norm == "none" or normed_bias)
            self.layers.append(
                nn.Sequential(
                    under_spectral_norm(conv) if spectral else conv,
                    norm_layer(norm, channels[index + 1], affine=True),
                    _activation(),
                )
            )
        self.layers.append(nn.Sequential(_conv(channels[-1], 1, 1, padding)))

    @property
    def first(self) -> nn.Conv2d:
        """The convolution that sees labels and photo."""
        layer = self.layers[0]
        assert isinstance(layer, nn.Sequential) and isinstance(layer[0], nn.Conv2d)
        return layer[0]

    def forward(self, x: Tensor, labels: Tensor | None = None) -> list[Tensor]:
        """The output of every layer, the logits last.

        Args:
            x: (N, in_channels, H, W), labels and photo; or the photo alone.
            labels: then what the first convolution makes of the labels; see :func:`label_part`.

        Raises:
            InputError: pictures too small for that many layers.
        """
        self.check_size(len(x), *x.shape[2:])
        if labels is not None:
            conv = self.first
            x = F.conv2d(x, conv.weight[:, -x.shape[1] :], conv.bias, conv.stride, conv.padding)  # type: ignore[arg-type]
            x = x.view(-1, *labels.shape) + labels.to(x.dtype)  # (times, N, O, h, w)
            x = F.leaky_relu_(x.flatten(0, 1), 0.2)
        else:
            x = self.layers[0](x)
        outputs = [x]
        for layer in self.layers[1:]:
            x = layer(x)
            outputs.append(x)
        return outputs

    def check_size(self, batch: int, height: int, width: int) -> None:
        """See :meth:`MultiscalePatchGAN.check_size`: every output has a pixel, a normalised one more than one value."""
        last = len(self.layers) - 1
        alone = self.norm != "none" and (batch == 1 or "batch" not in self.norm)
        sides = [height, width]
        for index in range(len(self.layers)):
            stride = 1 if index >= last - 1 else 2
            sides = [(side + 2 * self.padding - _KERNEL) // stride + 1 for side in sides]
            if min(sides) < 1 or (alone and 0 < index < last and sides == [1, 1]):
                raise InputError(
                    f"a picture of {height} x {width} is too small for a patch discriminator of {last} layers and "
                    f"padding {self.padding}; use larger pictures, or fewer layers"
                )


def check_judged(condition: Condition, photo: Tensor, label_channels: int, image_channels: int) -> None:
    """Refuse a condition and a photo that do not fit a discriminator or each other, by an :class:`InputError`."""
    if condition.channels != label_channels:
        raise InputError(
            f"the condition has {condition.channels} channels (classes and edges, or an image's), "
            f"the discriminator takes {label_channels}"
        )
    wanted = (condition.batch, image_channels, *condition.size)
    if tuple(photo.shape) != wanted:
        raise InputError(f"the photos have shape {tuple(photo.shape)}; the condition asks for {wanted}")


def label_part(semantics: SemanticMap, conv: nn.Conv2d, halvings: int) -> Tensor:
    """What a first convolution makes of the labels, (N, O, h, w), for a batch that repeats N maps.

    Where the weight takes no gradient, fake and real photos share it (:mod:`i2i.nn.constant`).

    Args:
        semantics: the maps, perhaps several times over.
        conv: the convolution; the labels are its first channels.
        halvings: how many scales come before this one.
    """
    maps, _ = semantics.distinct

    def compute() -> Tensor:
        weight = conv.weight[:, : maps.channels]
        return look_up_labels(maps, weight, conv.stride[0], int(conv.padding[0]), halvings).contiguous()

    if conv.weight.requires_grad:
        return compute()
    return computed_once((conv, maps, halvings), compute)


def _halved(x: Tensor) -> Tensor:
    kernel, stride, padding = POOLING
    return F.avg_pool2d(x, kernel, stride, padding, count_include_pad=False)


def _activation() -> nn.LeakyReLU:
    """In place: what it needs for backward is its output, which the next convolution keeps anyway."""
    return nn.LeakyReLU(0.2, inplace=True)


def _conv(before: int, after: int, stride: int, padding: int, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(before, after, _KERNEL, stride, padding, bias=bias)
