"""Descent within a box: the optimizer of a critic whose slope is bounded by its weights' size."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from i2i.errors import InputError


class ClippedRMSprop(torch.optim.RMSprop):
    """RMSprop whose every step ends with all weights clipped to [−limit, limit] (Arjovsky et al. 2017, algorithm 1).

    It makes a Wasserstein critic of any network: with weights in a box the slope is at most some K. Biases and the
    weights of norms are clipped, too, and what got no gradient.

    Args:
        params: what is stepped: the critic's parameters, or groups of them.
        lr: the learning rate; 5e-5 in the paper. A configuration has to name it, too: one that only exchanges the class
            keeps the rate of the optimizer that was there.
        alpha: how much of the mean of squared gradients is kept.
        eps: is added to its root.
        limit: c of the paper.

    Raises:
        InputError: a limit that is not above 0.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float = 5e-5,
        alpha: float = 0.99,
        eps: float = 1e-8,
        limit: float = 0.01,
    ) -> None:
        if not 0 < limit < float("inf"):
            raise InputError(f"ClippedRMSprop: limit is {limit}; it is the largest size of a weight, above 0")
        super().__init__(params, lr=lr, alpha=alpha, eps=eps)
        self.limit = limit

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """One step of descent, and back into the box; what the closure returns."""
        loss = super().step(closure)
        weights = [parameter for group in self.param_groups for parameter in group["params"]]
        torch._foreach_clamp_min_(weights, -self.limit)
        torch._foreach_clamp_max_(weights, self.limit)
        return loss
