"""How near two sets of samples are, and which modes of a distribution are missing."""

from __future__ import annotations

import torch
from torch import Tensor

from i2i.metrics.manifold import compare_manifolds


def energy_distance(x: Tensor, y: Tensor) -> Tensor:
    """2 E‖X − Y‖ − E‖X − X′‖ − E‖Y − Y′‖ over all pairs (Székely and Rizzo 2013), at least 0; 0 for equal sets.

    Args:
        x: (n, d).
        y: (m, d).
    """
    return 2 * torch.cdist(x, y).mean() - torch.cdist(x, x).mean() - torch.cdist(y, y).mean()


def modes_covered(samples: Tensor, centres: Tensor, radius: float) -> int:
    """How many of the centres (K, d) have a sample of (n, d) within the radius."""
    return int((torch.cdist(centres, samples) < radius).any(1).sum())


def share_reached(real: Tensor, fake: Tensor) -> float:
    """The share of real samples (n, d) that have a fake one among their neighbours; near 0 where modes are left out."""
    return compare_manifolds(real, fake).coverage
