"""Modulation on CUDA: Triton kernels for it and for its two gradients.

The gradient by the table is a sum over the pixels of each row. No atomics: the pixels come sorted by row, long rows are
cut into pieces of :data:`_PIECE` pixels, one program sums a piece, and a second kernel adds the pieces of a row in
order. So every run gives the same bits.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from i2i.patterns import PixelRows

_PIXELS = 32
"""Pixels that a program has in hand at once."""

_PIECE = 512
"""Pixels of one row that one program sums."""


def forward(x: Tensor, rows: PixelRows, table: Tensor, slope: float) -> Tensor:
    """The modulated features, see :func:`i2i.nn.modulate.modulate`.

    Args:
        x: (N, h, w, C), contiguous; float32, float64, float16 or bfloat16.
        rows: the rows of the table at the pixels.
        table: (P, 2C), contiguous, in the type that x is computed in.
        slope: of the leaky ReLU; 1 for none.

    Returns:
        (N, H, W, C), contiguous, in x's type.
    """
    out = x.new_empty((*rows.index.shape, x.shape[3]))
    grid, sizes = _launch(rows.index.numel(), x, rows, slope)
    with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
        _forward_kernel[grid](x, rows.index, table, out, rows.index.numel(), **sizes)
    return out


def backward_x(grad: Tensor, x: Tensor, rows: PixelRows, table: Tensor, slope: float) -> Tensor:
    """The gradient (N, h, w, C) by x, from that by the output: ``grad`` (N, H, W, C), contiguous."""
    out = torch.empty_like(x)
    count = x.numel() // x.shape[3]
    grid, sizes = _launch(count, x, rows, slope)
    with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
        _backward_x_kernel[grid](grad, x, rows.index, table, out, count, **sizes)
    return out


def backward_table(grad: Tensor, x: Tensor, rows: PixelRows, table: Tensor, slope: float) -> Tensor:
    """The gradient (P, 2C) by the table, from that by the output: ``grad`` (N, H, W, C), contiguous."""
    count, width = table.shape
    first, row_of_piece = _pieces(rows.offsets, rows.order.numel())
    out, partial = torch.empty_like(table), table.new_empty((len(row_of_piece), width))
    (_, blocks), sizes = _launch(0, x, rows, slope)
    with torch.cuda.device_of(x):  # type: ignore[no-untyped-call]
        _piece_kernel[(len(row_of_piece), blocks)](
            grad, x, rows.order, rows.offsets, first, row_of_piece, table, out, partial, count, LENGTH=_PIECE, **sizes
        )
        _sum_pieces_kernel[(count, triton.cdiv(width, sizes["CHANNELS"]))](
            first, partial, out, width, PIECES=_PIXELS, CHANNELS=sizes["CHANNELS"]
        )
    return out


def _launch(items: int, x: Tensor, rows: PixelRows, slope: float) -> tuple[tuple[int, int], dict[str, Any]]:
    """The grid over ``items`` pixels and all channels, and the arguments that all kernels share."""
    _, h, _, channels = x.shape
    _, H, W = rows.index.shape
    block = min(64, triton.next_power_of_2(channels))
    sizes = {"H": H, "W": W, "C": channels, "SLOPE": slope, "DOUBLED": int(h != H), "CHANNELS": block}
    return (triton.cdiv(items, _PIXELS), triton.cdiv(channels, block)), {**sizes, "PIXELS": _PIXELS}


def _pieces(offsets: Tensor, pixels: int) -> tuple[Tensor, Tensor]:
    """The number (P+1,) of each row's first piece, and the row of each piece; without waiting for the device.

    There are at most P + pixels // _PIECE pieces, so as many programs start; those that are left over get row P.
    """
    lengths = offsets.diff()
    pieces = (lengths + (_PIECE - 1)).div(_PIECE, rounding_mode="floor").clamp(min=1)  # a row without pixels has one
    first = torch.nn.functional.pad(pieces.cumsum(0), (1, 0)).to(torch.int32)
    numbers = torch.arange(len(lengths) + pixels // _PIECE, device=offsets.device, dtype=torch.int32)
    return first, torch.searchsorted(first[1:], numbers, right=True, out_int32=True)


@triton.jit
def _source(pixel, H, W, DOUBLED: tl.constexpr):  # type: ignore[no-untyped-def]
    """The pixel of x that serves a pixel of the output."""
    row = pixel // W
    column = pixel % W
    return ((row // H) * (H >> DOUBLED) + ((row % H) >> DOUBLED)) * (W >> DOUBLED) + (column >> DOUBLED)


@triton.jit
def _forward_kernel(  # type: ignore[no-untyped-def]
    x, index, table, out, count, H, W, C,
    SLOPE: tl.constexpr, DOUBLED: tl.constexpr, CHANNELS: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)[None, :]
    inside = pixel < count
    mask = inside[:, None] & (channel < C)
    row = tl.load(index + pixel, mask=inside, other=0).to(tl.int64)[:, None]
    factor = tl.load(table + row * 2 * C + channel, mask=mask, other=0)
    shift = tl.load(table + row * 2 * C + C + channel, mask=mask, other=0)
    source = _source(pixel, H, W, DOUBLED).to(tl.int64)[:, None]
    value = tl.load(x + source * C + channel, mask=mask, other=0).to(factor.dtype) * factor + shift
    value = tl.where(value > 0, value, value * SLOPE)
    tl.store(out + pixel.to(tl.int64)[:, None] * C + channel, value, mask=mask)


@triton.jit
def _backward_x_kernel(  # type: ignore[no-untyped-def]
    grad, x, index, table, out, count, H, W, C,
    SLOPE: tl.constexpr, DOUBLED: tl.constexpr, CHANNELS: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    source = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)[None, :]
    inside = source < count
    mask = inside[:, None] & (channel < C)
    at = source.to(tl.int64)[:, None] * C + channel
    value = tl.load(x + at, mask=mask, other=0).to(table.dtype.element_ty)
    total = tl.zeros((PIXELS, CHANNELS), dtype=table.dtype.element_ty)
    top = (source // (W >> DOUBLED)) << DOUBLED  # over all images, as their heights double, too
    left = (source % (W >> DOUBLED)) << DOUBLED
    for i in tl.static_range(1 << (2 * DOUBLED)):
        pixel = (top + i // 2) * W + left + i % 2
        row = tl.load(index + pixel, mask=inside, other=0).to(tl.int64)[:, None]
        factor = tl.load(table + row * 2 * C + channel, mask=mask, other=0)
        shift = tl.load(table + row * 2 * C + C + channel, mask=mask, other=0)
        above = tl.load(grad + pixel.to(tl.int64)[:, None] * C + channel, mask=mask, other=0).to(factor.dtype)
        total += tl.where(value * factor + shift > 0, above, above * SLOPE) * factor
    tl.store(out + at, total, mask=mask)


@triton.jit
def _piece_kernel(  # type: ignore[no-untyped-def]
    grad, x, order, offsets, first, row_of_piece, table, out, partial, rows, H, W, C, LENGTH: tl.constexpr,
    SLOPE: tl.constexpr, DOUBLED: tl.constexpr, CHANNELS: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    piece = tl.program_id(0)
    row = tl.load(row_of_piece + piece)
    if row < rows:
        channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
        mask = channel < C
        at = row.to(tl.int64) * 2 * C + channel
        factor = tl.load(table + at, mask=mask, other=0)
        shift = tl.load(table + at + C, mask=mask, other=0)
        by_factor = tl.zeros((CHANNELS,), dtype=factor.dtype)
        by_shift = tl.zeros((CHANNELS,), dtype=factor.dtype)
        number = piece - tl.load(first + row)  # of the piece within its row
        begin = tl.load(offsets + row) + number * LENGTH
        end = tl.minimum(begin + LENGTH, tl.load(offsets + row + 1))
        for k in range(begin, end, PIXELS):
            place = k + tl.arange(0, PIXELS)
            inside = place < end
            both = inside[:, None] & mask[None, :]
            pixel = tl.load(order + place, mask=inside, other=0)
            source = _source(pixel, H, W, DOUBLED).to(tl.int64)[:, None]
            value = tl.load(x + source * C + channel[None, :], mask=both, other=0).to(factor.dtype)
            above = tl.load(grad + pixel.to(tl.int64)[:, None] * C + channel[None, :], mask=both, other=0)
            above = above.to(factor.dtype)
            above = tl.where(value * factor[None, :] + shift[None, :] > 0, above, above * SLOPE)
            by_factor += tl.sum(above * value, axis=0)
            by_shift += tl.sum(above, axis=0)
        if number == 0:
            tl.store(out + at, by_factor, mask=mask)
            tl.store(out + at + C, by_shift, mask=mask)
        else:
            at = piece.to(tl.int64) * 2 * C + channel
            tl.store(partial + at, by_factor, mask=mask)
            tl.store(partial + at + C, by_shift, mask=mask)


@triton.jit
def _sum_pieces_kernel(  # type: ignore[no-untyped-def]
    first, partial, out, width, PIECES: tl.constexpr, CHANNELS: tl.constexpr
):
    row = tl.program_id(0)
    begin = tl.load(first + row) + 1  # the first piece lies in the result already
    end = tl.load(first + row + 1)
    if begin < end:
        channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
        mask = channel < width
        at = row.to(tl.int64) * width + channel
        total = tl.load(out + at, mask=mask, other=0)
        for k in range(begin, end, PIECES):
            piece = k + tl.arange(0, PIECES)
            values = tl.load(
                partial + piece.to(tl.int64)[:, None] * width + channel[None, :],
                mask=(piece < end)[:, None] & mask[None, :],
                other=0,
            )
            total += tl.sum(values, axis=0)
        tl.store(out + at, total, mask=mask)
