"""The averaged generator: a peer of the trained one, and the one that is looked at, measured and shipped."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


def averaged_copy(network: M) -> M:
    """A copy to be kept by :func:`update_average`; it takes no gradient."""
    return copy.deepcopy(network).requires_grad_(False)


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float, updates: int) -> None:
    """One step of the exponential moving average of the parameters (Yazici et al. 2019), in place.

    The buffers (batch statistics, the vectors of the spectral norms) are copied, as they are averages or fixed points
    already.

    Args:
        average: what :func:`averaged_copy` made.
        network: the network as it is now.
        decay: share of the old average that is kept, in [0, 1); 0.999 looks back about 1000 updates.
        updates: how many there were before this one. At the start the decay is smaller, (1 + n) / (10 + n), so that a
            short training is not an average with its own random initialisation.
    """
    kept = min(decay, (1 + updates) / (10 + updates))
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - kept)
    for mine, theirs in zip(average.buffers(), network.buffers(), strict=True):
        mine.copy_(theirs)
