"""Modulation of tensors that have shapes and no values: what the kernels of a device return, and what they allocate."""

from __future__ import annotations

from torch import Tensor

from i2i.patterns import PixelRows


def forward(x: Tensor, rows: PixelRows, table: Tensor, slope: float) -> Tensor:
    """(N, h, w, C) -> (N, H, W, C); see :func:`i2i.nn.modulate_cpp.forward`."""
    return x.new_empty(*rows.index.shape, x.shape[-1])


def backward_x(grad: Tensor, x: Tensor, rows: PixelRows, table: Tensor, slope: float) -> Tensor:
    """The gradient (N, h, w, C) by x."""
    return x.new_empty(x.shape)


def backward_table(grad: Tensor, x: Tensor, rows: PixelRows, table: Tensor, slope: float) -> Tensor:
    """The gradient (P, 2C) by the table, for which the pixels are sorted by row."""
    _ = rows.order, rows.offsets
    return table.new_empty(table.shape)
