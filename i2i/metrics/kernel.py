"""The kernel distance between two sets of features (Bińkowski et al. 2018): KID, where they are Inception's."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from i2i.errors import InputError


class KernelDistance(NamedTuple):
    """The kernel distance of two sets.

    Attributes:
        mean: over the subsets.
        deviation: the standard deviation over them; None where there is but one.
        subsets: how many there were; 1 where they would all be the whole sets.
        size: features that were drawn for each.
    """

    mean: float
    deviation: float | None
    subsets: int
    size: int


def polynomial_mmd(x: Tensor, y: Tensor) -> float:
    """The unbiased squared maximum mean discrepancy under k(x, y) = (x·y / d + 1)³; can be a little below 0.

    Bińkowski et al. 2018, section 3, equation 4 (each set without the pairs of a feature with itself).

    Args:
        x: (n, d) features.
        y: (m, d) features; n and m may differ.

    Raises:
        InputError: fewer than two features, or different dimensions.
    """
    if x.shape[1] != y.shape[1]:
        raise InputError(f"features of {x.shape[1]} and of {y.shape[1]} numbers cannot be compared")
    if min(len(x), len(y)) < 2:
        raise InputError(f"the kernel distance needs at least 2 photos in each set; there are {len(x)} and {len(y)}")
    x, y = x.detach().cpu().double(), y.detach().cpu().double()
    within = sum(_without_diagonal(_kernel(z, z)) / (len(z) * (len(z) - 1)) for z in (x, y))
    return float(within - 2 * _kernel(x, y).mean())


def kernel_distance(x: Tensor, y: Tensor, subsets: int = 100, size: int = 1000, seed: int = 0) -> KernelDistance:
    """The mean and standard deviation of :func:`polynomial_mmd` over random subsets.

    Args:
        x: (n, d) features.
        y: (m, d) features.
        subsets: how many are drawn.
        size: features in each, from both sets without repetition; at most as many as the smaller set has.
        seed: of the subsets. They are drawn by position, so sets in another order give other subsets.

    Raises:
        InputError: as :func:`polynomial_mmd`, or a value out of range.
    """
    if subsets < 1 or size < 2:
        raise InputError(f"{subsets} subsets of {size}; allowed are at least 1 of at least 2")
    size = min(size, len(x), len(y))
    if size == len(x) == len(y):
        subsets = 1  # all would be the whole sets
    random = torch.Generator().manual_seed(seed)
    values = []
    for _ in range(subsets):
        drawn = [z[torch.randperm(len(z), generator=random)[:size]] for z in (x, y)]
        values.append(polynomial_mmd(*drawn))
    all_values = torch.tensor(values, dtype=torch.double)
    deviation = float(all_values.std(correction=0)) if subsets > 1 else None
    return KernelDistance(float(all_values.mean()), deviation, subsets, size)


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _without_diagonal(kernel: Tensor) -> Tensor:
    return kernel.sum() - kernel.diagonal().sum()
