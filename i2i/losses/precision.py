"""Losses are summed in float32 at least, whatever the networks compute in."""

from __future__ import annotations

import torch
from torch import Tensor


def at_least_float32(x: Tensor) -> Tensor:
    """Half-precision values widened to float32; others as they are."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
