"""What goes wrong in synthesised pictures again and again: burnt-out values, bright blobs, texture that repeats."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from i2i.metrics.collected import Collected, check_photos, mean_of
from i2i.metrics.result import Result

_ENDS = 1.5 / 127.5  # a level and a half of 8 bits
_LUMA = (0.299, 0.587, 0.114)
_OUTSTANDING = 2.0  # times the median energy
_LEAST_CONTRAST = 0.3  # of a blob, in a range of 2
_TILE, _STEP = 64, 32
_NEAREST, _FARTHEST = 6, 24  # lags, in pixels, among which repetition is looked for
_LEAST_VARIANCE = 0.01**2  # of a tile whose texture is looked at


def saturated_share(photo: Tensor) -> Tensor:
    """The share of values, of all channels, at an end of the range: (N, 3, H, W) in [-1, 1] -> (N,) in [0, 1]."""
    return (photo.abs() >= 1 - _ENDS).float().mean(dim=(1, 2, 3))


def count_blobs(photo: Tensor) -> Tensor:
    """Bright spots whose local energy stands far above the picture's median: (N, 3, H, W) in [-1, 1] -> (N,) counts.

    Smoothed over a window of a 24th of the shorter side, a spot exceeds all eight places around it, one and a half
    windows away, by at least 15 % of the range in some channel; so neither edges nor lines are spots. Its energy, the
    square of that, is also at least twice the median, over the picture, of the squared difference of the smoothed
    picture to one smoothed five times as widely.
    """
    side = max(3, min(photo.shape[-2:]) // 24) | 1
    near, around = (_box(photo.float(), window) for window in (side, 5 * side))
    energy = (near - around).square().amax(dim=1).flatten(1)
    reach = 3 * side // 2
    padded = F.pad(near, (reach,) * 4, mode="replicate")
    height, width = photo.shape[-2:]
    ring = torch.stack(
        [
            padded[:, :, reach + dy : reach + dy + height, reach + dx : reach + dx + width]
            for dy in (-reach, 0, reach)
            for dx in (-reach, 0, reach)
            if dy or dx
        ]
    ).amax(dim=0)
    stands_out = (near - ring).amax(dim=1, keepdim=True)
    y, x = (torch.arange(length, device=photo.device) for length in (height, width))
    stands_out = stands_out + 1e-6 * x + 1.7e-6 * y[:, None]  # of a flat spot one pixel is the peak
    peak = stands_out == _largest(stands_out, 2 * reach + 1)
    threshold = (_OUTSTANDING * energy.median(dim=1).values).sqrt().clamp(min=_LEAST_CONTRAST)
    return (peak & (stands_out > threshold[:, None, None, None])).flatten(1).sum(dim=1).float()


def repetition(photo: Tensor) -> Tensor:
    """How far the texture of a picture repeats itself: (N, 3, H, W) in [-1, 1] -> (N,), 1 for a tiling.

    In windows of 64 pixels of the brightness without its slow parts: the autocorrelation at a lag of 6 to 24 pixels,
    less that at half the lag, as a straight edge is like itself at every lag and a repeated pattern is not. The largest
    over the lags, the mean over the windows that show something. Smaller pictures are filled up with zeros.
    """
    grey = (photo.float() * photo.new_tensor(_LUMA, dtype=torch.float32)[:, None, None]).sum(dim=1, keepdim=True)
    fine = grey - _box(grey, 17)
    below, right = (max(0, _TILE - side) for side in fine.shape[-2:])
    fine = F.pad(fine, (0, right, 0, below))
    tiles = fine[:, 0].unfold(1, _TILE, _STEP).unfold(2, _TILE, _STEP).flatten(1, 2)  # (N, tiles, 64, 64)
    tiles = tiles - tiles.mean(dim=(2, 3), keepdim=True)
    contrast = tiles.square().mean(dim=(2, 3))
    window = torch.hann_window(_TILE, periodic=False, device=photo.device)
    window = window[:, None] * window
    correlation = _autocorrelation(tiles * window) / _autocorrelation(window).clamp(min=1e-6)
    correlation = correlation / correlation[..., :1, :1].clamp(min=1e-12)
    lags = torch.arange(-_FARTHEST, _FARTHEST + 1, device=photo.device)
    dy, dx = torch.meshgrid(lags, lags, indexing="ij")
    half_y, half_x = (torch.div(lag, 2, rounding_mode="trunc") for lag in (dy, dx))
    rise = correlation[..., dy, dx] - correlation[..., half_y, half_x].clamp(min=0)
    far = torch.maximum(dy.abs(), dx.abs()) >= _NEAREST
    found = rise.masked_fill(~far, 0).flatten(2).amax(dim=2)
    shows = contrast >= _LEAST_VARIANCE
    return ((found * shows).sum(dim=1) / shows.sum(dim=1).clamp(min=1)).clamp(0, 1)


def _box(photo: Tensor, window: int) -> Tensor:
    """The mean over a square window of odd width; at the border over what there is of it."""
    for size in ((window, 1), (1, window)):
        margin = (size[0] // 2, size[1] // 2)
        photo = F.avg_pool2d(photo, size, stride=1, padding=margin, count_include_pad=False)
    return photo


def _largest(values: Tensor, window: int) -> Tensor:
    """The largest value in a square window of odd width."""
    for size in ((window, 1), (1, window)):
        values = F.max_pool2d(values, size, stride=1, padding=(size[0] // 2, size[1] // 2))
    return values


def _autocorrelation(tiles: Tensor) -> Tensor:
    size = [2 * _TILE, 2 * _TILE]
    correlation: Tensor = torch.fft.irfft2(torch.fft.rfft2(tiles, s=size).abs().square(), s=size)
    return correlation


class Artefacts(Collected):
    """Saturated values, blobs and repetition, each a mean over photos."""

    def __init__(self) -> None:
        super().__init__(width=3)

    def update(self, photo: Tensor, names: Sequence[str]) -> None:
        """Add photos (N, 3, H, W) in [-1, 1]."""
        check_photos(photo, names)
        self.collect(names, torch.stack([100 * saturated_share(photo), count_blobs(photo), repetition(photo)], dim=1))

    def compute(self) -> dict[str, Tensor]:
        """Scalars ``saturated`` (in percent), ``blobs``, ``repetition`` and ``count``."""
        _, rows = self.collected()
        saturated, blobs, repeated = mean_of(rows, "artefacts")
        count = torch.tensor(len(rows))
        return {"saturated": saturated, "blobs": blobs, "repetition": repeated, "count": count}

    def results(self) -> list[Result]:
        """The three, without a good direction: real photos have some of each."""
        values = self.compute()
        protocol = {"average": "over photos", "photos": int(values["count"])}
        return [
            Result("saturated values", float(values["saturated"]), protocol, unit="%"),
            Result("blobs", float(values["blobs"]), protocol | {"counted": "in each photo"}),
            Result("repeated texture", float(values["repetition"]), protocol | {"tiles": f"{_TILE} pixels"}),
        ]
