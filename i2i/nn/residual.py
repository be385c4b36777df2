"""The trunk of pix2pixHD's networks (Johnson et al. 2016): strided, residual and transposed convolutions.

Wang et al. 2018, appendix: ``c7s1-64, d128, d256, d512, d1024, R1024 × 9, u512, u256, u128, u64``. Wherever the size is
kept, borders are padded by reflection.
"""

from __future__ import annotations

from torch import Tensor, nn

from i2i.errors import InputError
from i2i.nn.lean import Unit
from i2i.nn.norm import Norm, norm_layer
from i2i.nn.recomputation import Block


class ResidualTrunk(nn.Module):
    """Everything of a generator or encoder but its last convolution.

    Args:
        in_channels: channels of the input.
        width: channels of the first layer and of the output; each down-sampling doubles them.
        downsamplings: halvings, and as many doublings behind the blocks.
        blocks: residual blocks at the smallest size.
        norm: normalisation after every convolution; batch norms learn a scale and a shift here.
    """

    def __init__(self, in_channels: int, width: int, downsamplings: int, blocks: int, norm: Norm) -> None:
        super().__init__()
        widths = [width << i for i in range(downsamplings + 1)]
        self.down = nn.ModuleList([same_size(in_channels, width, 7, norm)])
        self.down.extend(halving(before, 2 * before, norm) for before in widths[:-1])
        self.blocks = nn.ModuleList(ResidualBlock(widths[-1], norm) for _ in range(blocks))
        self.up = nn.ModuleList(doubling(before, before // 2, norm) for before in widths[:0:-1])

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, width, H, W). H and W: multiples of ``2**downsamplings``, at least twice it."""
        return self.behind_first(self.down[0](x))

    def behind_first(self, x: Tensor) -> Tensor:
        """From the output of the first layer, whose input need not be kept as long as this takes."""
        for layer in (*self.down[1:], *self.blocks, *self.up):
            x = layer(x)
        return x


class ResidualBlock(Block):
    """x + f(x), f being two 3×3 convolutions with a ReLU between them (He et al. 2016).

    Args:
        channels: of input and output.
        norm: see :class:`ResidualTrunk`.
    """

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.first = same_size(channels, channels, 3, norm)
        self.second = same_size(channels, channels, 3, norm, activate=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> the same shape; H and W are at least 2."""
        out: Tensor = x + self.second(self.first(x))
        return out


def same_size(before: int, after: int, kernel: int, norm: Norm, activate: bool = True) -> Unit:
    """Convolution with reflection padding, normalisation and, where ``activate``, a ReLU; the size stays."""
    conv = nn.Conv2d(before, after, kernel, padding=kernel // 2, padding_mode="reflect")
    return _unit(conv, norm, activate)


def halving(before: int, after: int, norm: Norm) -> Unit:
    """3×3 convolution of stride 2 on zero padding, normalisation, ReLU."""
    return _unit(nn.Conv2d(before, after, 3, stride=2, padding=1), norm)


def doubling(before: int, after: int, norm: Norm) -> Unit:
    """3×3 transposed convolution of stride 2, normalisation, ReLU."""
    return _unit(nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1), norm)


def last_layer(width: int, channels: int) -> nn.Conv2d:
    """The 7×7 convolution to the picture (or the features); a tanh follows it."""
    return nn.Conv2d(width, channels, 7, padding=3, padding_mode="reflect")


def check_sizes(**sizes: tuple[int, int]) -> None:
    """Raise where a number, given with its least value, is too small."""
    for name, (value, least) in sizes.items():
        if value < least:
            raise InputError(f"{name} is {value}; allowed are {least} and more")


def _unit(conv: nn.Conv2d | nn.ConvTranspose2d, norm: Norm, activate: bool = True) -> Unit:
    layers: list[nn.Module] = [conv, norm_layer(norm, conv.out_channels, affine=True)]
    return Unit(*layers, nn.ReLU(inplace=True)) if activate else Unit(*layers)
