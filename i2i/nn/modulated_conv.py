"""Modulation and the convolution after it, with the modulated features computed again in backward instead of kept.

They are the largest tensors of the generator, at full resolution, and cheap to compute: two thirds of what training
would keep otherwise, for a few per cent of its time.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from i2i.nn.modulate import Backend, modulate
from i2i.patterns import PixelRows


def modulated_conv(
    x: Tensor,
    rows: PixelRows,
    table: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    slope: float | None = 0.2,
    backend: Backend = "auto",
) -> Tensor:
    """``conv2d(modulate(x, rows, table, slope), weight, bias)``, padded to keep the size; keeps x and table alone.

    Args:
        x, rows, table, slope, backend: see :func:`i2i.nn.modulate.modulate`.
        weight: (O, C, k, k), k odd.
        bias: (O,) or None.

    Returns:
        (N, O, H, W).
    """

    def compose(x: Tensor, table: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        features = modulate(x, rows, table, slope, backend)
        return F.conv2d(features, weight, bias, padding=weight.shape[-1] // 2)

    if not torch.is_grad_enabled():
        return compose(x, table, weight, bias)
    # The convolution itself is not repeated: computing again stops at what backward needs, its input.
    out: Tensor = checkpoint(compose, x, table, weight, bias, use_reentrant=False, preserve_rng_state=False)
    return out
