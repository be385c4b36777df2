"""Label patterns: the distinct neighbourhoods of a label map, numbered.

What two k×k convolutions make of a label map at a pixel depends on the (2k−1)×(2k−1) labels around it alone, and a map
of large regions holds few different neighbourhoods. They are found in two steps, one for each convolution: the distinct
k×k windows of *codes* (label and edge in one number), then the distinct k×k windows of *those windows' numbers*. What
lies outside the image is one more code, and one more number: so every case of zero padding is a pattern of its own.

Windows are told apart by a 64-bit hash, which is never trusted: every pixel's window is compared with the one that its
number stands for, and where two windows share a hash all are numbered anew by their contents.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor


class PixelRows:
    """For every pixel the row of a table that it looks up.

    Args:
        index: (N, H, W) int32 in [0, count).
        count: number of rows of the table, P.
    """

    def __init__(self, index: Tensor, count: int) -> None:
        self.index = index
        self.count = count

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.index.shape[1], self.index.shape[2]

    @classmethod
    def one_each(cls, batch: int, height: int, width: int, device: torch.device) -> PixelRows:
        """A row for every pixel, in the order of memory: for a table that is a map."""
        count = batch * height * width
        pixels = torch.arange(count, dtype=torch.int32, device=device)
        rows = cls(pixels.view(batch, height, width), count)
        rows.order = pixels
        return rows

    @cached_property
    def order(self) -> Tensor:
        """(N·H·W,) int32, the pixels sorted by row, and by position within a row."""
        return torch.argsort(self.index.flatten(), stable=True).int()

    @cached_property
    def offsets(self) -> Tensor:
        """(P + 1,) int32: the pixels of row ``i`` are ``order[offsets[i] : offsets[i + 1]]``."""
        ends = torch.bincount(self.index.flatten(), minlength=self.count).cumsum(0)
        return F.pad(ends, (1, 0)).int()

    def to(self, device: torch.device | str) -> PixelRows:
        """The same rows on another device, with what was computed from them."""
        moved = PixelRows(self.index.to(device), self.count)
        for name in ("order", "offsets"):
            if name in self.__dict__:
                setattr(moved, name, getattr(self, name).to(device))
        return moved


@dataclass(frozen=True)
class Windows:
    """The distinct k×k windows of a map of numbers, themselves numbered.

    Attributes:
        contents: (U, k²) int64, the numbers in every window, row by row.
        rows: for every pixel the window that is centred on it.
        collided: whether two windows had the same hash, and the slower numbering by contents was needed.
    """

    contents: Tensor
    rows: PixelRows
    collided: bool

    def __len__(self) -> int:
        return len(self.contents)

    def to(self, device: torch.device | str) -> Windows:
        """The same windows on another device."""
        return Windows(self.contents.to(device), self.rows.to(device), self.collided)


@dataclass(frozen=True)
class PatternCounts:
    """How much work a map is.

    Attributes:
        pixels: of the whole batch.
        inner: distinct windows of codes: rows of the first convolution.
        outer: distinct windows of these: rows of the second.
        collided: whether hashes collided, which costs time.
    """

    pixels: int
    inner: int
    outer: int
    collided: bool


@dataclass(frozen=True)
class Patterns:
    """The distinct neighbourhoods in a batch of maps, numbered over the whole batch.

    Attributes:
        kernel: size k of both windows.
        codes: number of codes; this number itself stands for "outside the image" in ``inner``.
        inner: the windows of codes.
        outer: the windows of ``inner``'s numbers, where ``len(inner)`` stands for "outside the image".
    """

    kernel: int
    codes: int
    inner: Windows
    outer: Windows

    @property
    def counts(self) -> PatternCounts:
        """How many pixels there are, and how many patterns."""
        collided = self.inner.collided or self.outer.collided
        return PatternCounts(self.inner.rows.index.numel(), len(self.inner), len(self.outer), collided)

    def to(self, device: torch.device | str) -> Patterns:
        """The same patterns on another device."""
        return Patterns(self.kernel, self.codes, self.inner.to(device), self.outer.to(device))


@torch.inference_mode(mode=False)  # patterns are kept and may serve training later, whoever asked for them first
@torch.no_grad()
def find_patterns(codes: Tensor, count: int, kernel: int) -> Patterns:
    """Number the neighbourhoods of every pixel.

    Args:
        codes: (N, H, W) integers in [0, count).
        count: number of codes.
        kernel: size k of the windows, odd.
    """
    inner = number_windows(codes, count, kernel)
    return Patterns(kernel, count, inner, number_windows(inner.rows.index, len(inner), kernel))


def number_windows(ids: Tensor, outside: int, kernel: int, stride: int = 1, padding: int | None = None) -> Windows:
    """Number the distinct k×k windows of a batch of maps; equal maps get equal numbers, on any device.

    Args:
        ids: (N, H, W) integers, not negative.
        outside: the number of what lies outside the image; another than any in ``ids``.
        kernel: size k of the windows.
        stride: from one window to the next.
        padding: rows and columns around the image that windows reach over; None for k // 2, a window a pixel for odd k.
    """
    around = kernel // 2 if padding is None else padding
    return number_padded_windows(F.pad(ids.long(), [around] * 4, value=outside), kernel, stride)


def number_padded_windows(padded: Tensor, kernel: int, stride: int = 1) -> Windows:
    """The same for maps with what lies around them: (N, H + k − 1, W + k − 1) int64, for (N, H, W) pixels."""
    hashes = _hash_windows(padded, kernel, stride)
    shape = hashes.shape
    # Neighbours mostly have the same window. Leaving out repetitions first makes the sort inside `unique` short.
    runs, run_of_pixel = torch.unique_consecutive(hashes.flatten(), return_inverse=True)
    distinct, number_of_run = torch.unique(runs, return_inverse=True)
    number = number_of_run.index_select(0, run_of_pixel)
    contents = _windows_at(padded, _first_pixels(number, len(distinct)), kernel, stride)
    collided = not _are_right(padded, kernel, stride, contents, number)
    if collided:
        every = _windows_at(padded, torch.arange(shape.numel(), device=padded.device), kernel, stride)
        contents, number = torch.unique(every, dim=0, return_inverse=True)
    return Windows(contents, PixelRows(number.view(shape).int(), len(contents)), collided)


def _hash_windows(padded: Tensor, kernel: int, stride: int) -> Tensor:
    """(N, H, W) padded -> a hash for every window: first along the rows, then these hashes along the columns."""
    along = torch.full_like(_places(padded, 2, 0, kernel, stride), _SEED)
    for x in range(kernel):
        along = _mix(along, _places(padded, 2, x, kernel, stride))
    hashes = torch.full_like(_places(along, 1, 0, kernel, stride), _SEED)
    for y in range(kernel):
        hashes = _mix(hashes, _places(along, 1, y, kernel, stride))
    return hashes


def _places(padded: Tensor, axis: int, offset: int, kernel: int, stride: int) -> Tensor:
    """What every window has at this offset along an axis."""
    starts = padded.narrow(axis, offset, padded.shape[axis] - kernel + 1)
    return starts[:, ::stride] if axis == 1 else starts[:, :, ::stride]


_SEED = 0x243F6A8885A308D3  # the first digits of π
_FACTOR = 0x5851F42D4C957F2D  # Knuth's multiplier for 64-bit congruential generators (MMIX)


def _mix(state: Tensor, value: Tensor) -> Tensor:
    """One step of a multiplicative hash modulo 2⁶⁴: order matters, and high bits come back to the low ones."""
    state = (state ^ value).mul_(_FACTOR)
    return state.bitwise_xor_(state >> 29)


def _first_pixels(number: Tensor, count: int) -> Tensor:
    """(count,) positions, for every number the first pixel that has it."""
    positions = torch.arange(len(number), device=number.device)
    return positions.new_full((count,), len(number)).scatter_reduce_(0, number, positions, "amin")


def _windows_at(padded: Tensor, windows: Tensor, kernel: int, stride: int) -> Tensor:
    """(U,) positions among the windows -> (U, k²), their contents."""
    height, width = ((side - kernel) // stride + 1 for side in padded.shape[1:])
    image, y, x = windows // (height * width), windows // width % height, windows % width
    corner = (image * padded.shape[1] + y * stride) * padded.shape[2] + x * stride
    steps = torch.arange(kernel, device=padded.device)
    places = corner[:, None] + (steps[:, None] * padded.shape[2] + steps).flatten()  # (U, k²)
    return padded.flatten().index_select(0, places.flatten()).view(places.shape)


def _are_right(padded: Tensor, kernel: int, stride: int, contents: Tensor, number: Tensor) -> bool:
    """Whether every window is the one that its number stands for."""
    wrong = torch.zeros((), dtype=torch.bool, device=padded.device)
    for place, column in enumerate(contents.t().contiguous()):
        y, x = divmod(place, kernel)
        found = _places(_places(padded, 1, y, kernel, stride), 2, x, kernel, stride)
        wrong = wrong | (column.index_select(0, number).view(found.shape) != found).any()
    return not bool(wrong)
