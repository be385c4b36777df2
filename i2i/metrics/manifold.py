"""Precision, recall, density and coverage: two sets of features as manifolds of balls around their members."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from i2i.errors import InputError

_ROWS = 1024  # of a block of distances: bounds the memory


class Manifolds(NamedTuple):
    """All as shares; only the density may exceed 1."""

    precision: float
    recall: float
    density: float
    coverage: float


def compare_manifolds(real: Tensor, fake: Tensor, neighbours: int = 5) -> Manifolds:
    """How well two sets of features cover each other.

    A ball around each feature reaches to its k-th nearest neighbour in its own set. Precision is the share of fake
    features in any ball of a real one, recall the share of real features in any ball of a fake one (Kynkäänniemi et al.
    2019). Density counts in how many real balls a fake feature lies, over k; coverage is the share of real balls that
    hold any fake feature (Naeem et al. 2020). The border belongs to a ball.

    Args:
        real: (n, d) features.
        fake: (m, d) features.
        neighbours: k.

    Raises:
        InputError: a set has no more than k features, or the dimensions differ.
    """
    if real.shape[1] != fake.shape[1]:
        raise InputError(f"features of {real.shape[1]} and of {fake.shape[1]} numbers cannot be compared")
    if neighbours < 1:
        raise InputError(f"neighbours is {neighbours}; allowed are 1 and more")
    if min(len(real), len(fake)) <= neighbours:
        raise InputError(
            f"precision and recall need more than {neighbours} photos in each set; there are {len(real)} real and "
            f"{len(fake)} synthesised ones"
        )
    real, fake = real.detach().cpu().double(), fake.detach().cpu().double()
    real_radii, fake_radii = _radii(real, neighbours), _radii(fake, neighbours)
    fake_inside = torch.zeros(len(fake))  # in how many real balls
    recalled = covered = 0
    for start in range(0, len(real), _ROWS):
        rows = slice(start, start + _ROWS)
        distance = torch.cdist(real[rows], fake)
        inside = distance <= real_radii[rows, None]
        fake_inside += inside.sum(dim=0)
        covered += int(inside.any(dim=1).sum())
        recalled += int((distance <= fake_radii).any(dim=1).sum())
    return Manifolds(
        precision=float((fake_inside > 0).double().mean()),
        recall=recalled / len(real),
        density=float(fake_inside.double().mean() / neighbours),
        coverage=covered / len(real),
    )


def _radii(features: Tensor, neighbours: int) -> Tensor:
    radii = []
    for start in range(0, len(features), _ROWS):
        distance = torch.cdist(features[start : start + _ROWS], features)
        own = torch.arange(len(distance))
        distance[own, start + own] = float("inf")  # a feature is not its own neighbour; an equal one is
        radii.append(distance.kthvalue(neighbours, dim=1).values)
    return torch.cat(radii)
