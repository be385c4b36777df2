"""Activation checkpointing: a block keeps its input alone for backward, where it computes the rest again.

Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost". The second pass is the first one's repetition: batch
norms do not count its features again, and spectral norms do not move their singular vectors.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from i2i.nn.norm import SpectralNorm


def recomputed(block: nn.Module, *inputs: Any) -> Tensor:
    """``block(*inputs)``, of which only the inputs are kept for backward. The block must draw no random numbers."""
    if not torch.is_grad_enabled():
        out: Tensor = block(*inputs)
        return out

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _repetition(block)

    kept: Tensor = checkpoint(block, *inputs, use_reentrant=False, preserve_rng_state=False, context_fn=contexts)
    return kept


@contextmanager
def _repetition(block: nn.Module) -> Iterator[None]:
    """Within it a forward pass in training mode computes what the last one did, and leaves no trace."""
    norms = [m for m in block.modules() if isinstance(m, nn.BatchNorm2d) and m.training]
    weights = [m for m in block.modules() if isinstance(m, SpectralNorm) and m.training]
    momenta = [m.momentum for m in norms]
    counts = [m.num_batches_tracked.clone() for m in norms if m.num_batches_tracked is not None]
    for norm in norms:
        norm.momentum = 0.0
    for weight in weights:
        weight.training = False
    try:
        yield
    finally:
        for norm, momentum, count in zip(norms, momenta, counts, strict=True):
            norm.momentum = momentum
            norm.num_batches_tracked = count
        for weight in weights:
            weight.training = True
