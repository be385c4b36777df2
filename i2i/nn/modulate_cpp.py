"""Modulation on the CPU: the kernels of ``csrc/modulate.cpp``."""

from __future__ import annotations

import torch
from torch import Tensor

from i2i.patterns import PixelRows

TYPES = (torch.float32, torch.float64, torch.bfloat16)
"""The types of features that the kernels take. Compilers make no vector instructions of torch's float16."""


def forward(x: Tensor, rows: PixelRows, table: Tensor, slope: float) -> Tensor:
    """The modulated features, see :func:`i2i.nn.modulate.modulate`.

    Args:
        x: (N, h, w, C), contiguous; one of :data:`TYPES`.
        rows: the rows of the table at the pixels.
        table: (P, 2C), contiguous, in the type that x is computed in.
        slope: of the leaky ReLU; 1 for none.

    Returns:
        (N, H, W, C), contiguous, in x's type.
    """
    out: Tensor = torch.ops.i2i.modulate(x, rows.index, table, slope)
    return out


def backward_x(grad: Tensor, x: Tensor, rows: PixelRows, table: Tensor, slope: float) -> Tensor:
    """The gradient (N, h, w, C) by x, from that by the output: ``grad`` (N, H, W, C), contiguous."""
    out: Tensor = torch.ops.i2i.modulate_backward_x(grad, x, rows.index, table, slope)
    return out


def backward_table(grad: Tensor, x: Tensor, rows: PixelRows, table: Tensor, slope: float) -> Tensor:
    """The gradient (P, 2C) by the table, from that by the output: ``grad`` (N, H, W, C), contiguous."""
    out: Tensor = torch.ops.i2i.modulate_backward_table(grad, x, rows.index, rows.order, rows.offsets, table, slope)
    return out
