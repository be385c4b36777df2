"""Convolution, normalisation and activation of large features in little memory, where no gradient is wanted.

At 2048×1024 the features next to a picture take half a gigabyte, and a padded copy, one in the convolution's own order
and a normalised one take as much again each. Here the convolution is computed in bands of rows, of which such copies
are small; the rest happens in place. It is the same function; the last bits may differ.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2i.nn.norm import InstanceNorm2d

# Both of one image: pictures that are made together are the same as those made alone.
_LARGE = 1 << 26  # bytes of features that are worth it
_BAND = 1 << 24  # bytes of the features of a band, unless that is less than a few rows


class Unit(nn.Sequential):
    """Convolution, normalisation and, where there is one, activation."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> what the layers make of it."""
        conv, norm, *rest = self
        if is_large(x, conv):
            assert isinstance(conv, nn.Conv2d | nn.ConvTranspose2d)
            x = _normalised(norm, in_bands(conv, x))
        else:
            x = norm(conv(x))
        for layer in rest:
            x = layer(x)
        return x


def is_large(x: Tensor, conv: nn.Module) -> bool:
    """Whether a convolution of such features is computed in bands: they are large, and nobody asks for a gradient."""
    if torch.is_grad_enabled() or torch.compiler.is_compiling() or x.is_meta:  # where work is counted, not done
        return False
    if not isinstance(conv, nn.Conv2d | nn.ConvTranspose2d) or torch.is_autocast_enabled(x.device.type):
        return False
    widest = max(conv.in_channels, conv.out_channels) * x.element_size()
    return x.shape[2] * x.shape[3] * widest > _LARGE


def in_bands(conv: nn.Conv2d | nn.ConvTranspose2d, x: Tensor, band: int = _BAND) -> Tensor:
    """A convolution of any stride, padded by zeros or by reflection, or a transposed one that doubles the size.

    Args:
        conv: dilation 1 and one group; a transposed one has stride 2, kernel 3 and padding 1 on both sides.
        x: (N, C, H, W).
        band: bytes of a band's input or output of one image, whichever is more.
    """
    height, width = x.shape[2:]
    if isinstance(conv, nn.ConvTranspose2d):
        out = x.new_empty(len(x), conv.out_channels, 2 * height, 2 * width)
        for top, bottom in _bands(x, out, band, 2):
            first, last = top // 2, bottom // 2
            part = conv(x[:, :, first : last + 1])  # a row more, which the band's last row reaches
            out[:, :, top:bottom] = part[:, :, : bottom - top]
        return out
    (kernel, _), (stride, _), padding = conv.kernel_size, conv.stride, conv.padding
    assert not isinstance(padding, str)
    around, mode = padding[0], "reflect" if conv.padding_mode == "reflect" else "constant"
    rows, columns = ((side + 2 * around - kernel) // stride + 1 for side in (height, width))
    out = x.new_empty(len(x), conv.out_channels, rows, columns)
    for top, bottom in _bands(x, out, band, 1):
        first, last = top * stride - around, (bottom - 1) * stride - around + kernel
        above, below = max(-first, 0), max(last - height, 0)
        # Where the border is mirrored, the rows that it mirrors have to be in the band.
        begin = max(min(first, height - 1 - below), 0)
        end = min(max(last, above + 1), height)
        part = F.pad(x[:, :, begin:end], (around, around, above, below), mode)
        skipped = first + above - begin  # rows that are there for the mirror alone
        part = F.conv2d(part[:, :, skipped : skipped + last - first], conv.weight, conv.bias, stride)
        out[:, :, top:bottom] = part
    return out


def _bands(x: Tensor, out: Tensor, band: int, step: int) -> list[tuple[int, int]]:
    """From which row of the output to which, in multiples of ``step``."""
    height = out.shape[2]
    rows = max(band * height // max(x[0].nbytes, out[0].nbytes) // step, 4) * step
    return [(top, min(top + rows, height)) for top in range(0, height, rows)]


def _normalised(norm: nn.Module, x: Tensor) -> Tensor:
    """In place where that is exact enough: half precision is widened by the layer itself."""
    if not isinstance(norm, InstanceNorm2d) or x.dtype not in (torch.float32, torch.float64):
        out: Tensor = norm(x)
        return out
    variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
    return x.sub_(mean).mul_(torch.rsqrt(variance + norm.eps))
