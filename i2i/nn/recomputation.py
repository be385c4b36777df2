"""Activation checkpointing: a block keeps its input alone for backward, where it computes the rest again.

Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost". The second pass is the first one's repetition: batch
norms do not count its features again, and spectral norms do not move their singular vectors.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from i2i.errors import InputError
from i2i.nn.norm import SpectralNorm


class Block(nn.Module):
    """A part of a network that may be recomputed. Its forward draws no random numbers.

    Attributes:
        recompute: whether only the inputs are kept for backward: a matter of time and memory and not of the function.
    """

    recompute: bool = False

    def __call__(self, *inputs: Any) -> Any:
        """The forward pass."""
        call = super().__call__
        if not (self.recompute and torch.is_grad_enabled()):
            return call(*inputs)

        def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
            return nullcontext(), _repetition(self)

        return checkpoint(call, *inputs, use_reentrant=False, preserve_rng_state=False, context_fn=contexts)


def recompute_blocks(network: nn.Module) -> None:
    """Switch recomputation on in all blocks of a network.

    Raises:
        InputError: it has none.
    """
    blocks = [module for module in network.modules() if isinstance(module, Block)]
    if not blocks:
        raise InputError(f"activation_checkpointing: {type(network).__name__} has no blocks to compute again")
    for block in blocks:
        block.recompute = True


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
