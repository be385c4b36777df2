"""How well samples of any kind stand for a distribution: their distance from it, and which of its modes they miss."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from i2i.errors import InputError
from i2i.metrics.manifold import compare_manifolds

_ROWS = 1024  # of a block of distances: bounds the memory


def energy_distance(x: Tensor, y: Tensor) -> float:
    """2 E‖X − Y‖ − E‖X − X'‖ − E‖Y − Y'‖ (Székely and Rizzo 2013), 0 for equal distributions alone.

    It is that of the two sets as they are (the V-statistic), with the pairs of a sample with itself: never below 0, and
    in one dimension the square of ``scipy.stats.energy_distance``. Between two sets of n drawn from one distribution it
    is therefore not 0 but 2 E‖X − X'‖ / n in the mean.

    Args:
        x: samples (n, …), flattened.
        y: samples (m, …) of the same shape; n and m may differ.

    Raises:
        InputError: an empty set, or samples of different shapes.
    """
    x, y = _points(x, y)
    return 2 * _mean_distance(x, y) - _mean_distance(x, x) - _mean_distance(y, y)


class Modes(NamedTuple):
    """Which of the known modes of a distribution samples have.

    Attributes:
        covered: number of modes that have enough samples.
        quality: share of the samples that lie at a mode, in [0, 1].
        divergence: KL(share of the samples nearest to each mode ‖ even shares) in nats: 0 where all modes have as many,
            log K where one of K has all.
    """

    covered: int
    quality: float
    divergence: float


def modes_covered(samples: Tensor, centres: Tensor, radius: float, least: float = 0.1) -> Modes:
    """Count the modes that samples reach, as is usual for mixtures (Srivastava et al. 2017; Lin et al. 2018).

    Args:
        samples: (n, d).
        centres: (K, d), of modes of equal weight.
        radius: up to which a sample lies at a mode; usually three standard deviations.
        least: samples at a mode that cover it, as a share of its even part n / K; always at least one. 0 is the usual
            count, in which one stray sample is enough.

    Raises:
        InputError: no samples or no centres, different dimensions, or a value out of range.
    """
    samples, centres = _points(samples, centres)
    if not radius > 0 or not 0 <= least <= 1:
        raise InputError(f"modes: radius {radius}, least {least}; allowed are above 0, and 0 to 1")
    count, modes = len(samples), len(centres)
    distance, nearest = _distances(samples, centres).min(dim=1)
    near = distance <= radius
    at_mode = torch.bincount(nearest[near], minlength=modes)
    shares = torch.bincount(nearest, minlength=modes) / count
    divergence = torch.special.xlogy(shares, shares * modes).sum()
    return Modes(int((at_mode >= max(1, least * count / modes)).sum()), float(near.double().mean()), float(divergence))


class Collapse(NamedTuple):
    """What a generator leaves out of a distribution whose modes nobody knows.

    Attributes:
        missed: share in [0, 1] of the real samples that no synthesised one comes near, beyond what two sets of one
            distribution miss by chance. 0: none; with seven of eight modes lost, 7/8.
        closeness: the median distance of a synthesised sample to the nearest other one, over that of the real samples,
            from as many of each: 1 where they are as different from one another, 0 where half of them are repetitions.
    """

    missed: float
    closeness: float


def mode_collapse(real: Tensor, fake: Tensor, neighbours: int = 5) -> Collapse:
    """Detect the collapse of modes from samples alone.

    What is missed is ``1 − coverage / E coverage``, at least 0: the coverage is that of Naeem et al. 2020, the share of
    the real samples in whose ball, up to their k-th nearest real neighbour, a synthesised one lies; and its expectation
    for n real and m synthesised samples of one distribution is ``1 − Π (n − i) / (n + m − i)``, i from 1 to k (derived
    there; whatever the distribution is). A generator that repeats itself within its modes is close without
    missing much: so Arora and Zhang 2017 look for duplicates, for which here the closeness stands.

    Args:
        real: samples (n, …), flattened; for photos take features of them.
        fake: samples (m, …) of the same shape.
        neighbours: k.

    Raises:
        InputError: a set has no more than k samples, or samples of different shapes.
    """
    real, fake = _points(real, fake)
    coverage = compare_manifolds(real, fake, neighbours).coverage
    chance = math.prod((len(real) - i) / (len(real) + len(fake) - i) for i in range(1, neighbours + 1))
    same = min(len(real), len(fake))
    apart = [float(_to_nearest(points[:same]).median()) for points in (real, fake)]
    closeness = apart[1] / apart[0] if apart[0] > 0 else math.nan
    return Collapse(max(0.0, 1 - coverage / (1 - chance)), closeness)


def _points(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both as (n, d) in float64 on the CPU."""
    if x.shape[1:] != y.shape[1:] or x.dim() < 2:
        raise InputError(f"samples of the shapes {tuple(x.shape)} and {tuple(y.shape)} cannot be compared")
    if min(len(x), len(y)) == 0:
        raise InputError(f"there are {len(x)} and {len(y)} samples; each set needs one at least")
    return x.detach().cpu().double().flatten(1), y.detach().cpu().double().flatten(1)


def _distances(x: Tensor, y: Tensor) -> Tensor:
    """(n, d) and (m, d) -> (n, m); without the faster way over products, in which the distance of equals is not 0."""
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def _mean_distance(x: Tensor, y: Tensor) -> float:
    rows = [_distances(x[start : start + _ROWS], y).sum() for start in range(0, len(x), _ROWS)]
    return float(torch.stack(rows).sum()) / (len(x) * len(y))


def _to_nearest(points: Tensor) -> Tensor:
    """The distance of each to the nearest other one, (n,)."""
    found = []
    for start in range(0, len(points), _ROWS):
        distance = _distances(points[start : start + _ROWS], points)
        own = torch.arange(len(distance))
        distance[own, start + own] = float("inf")
        found.append(distance.min(dim=1).values)
    return torch.cat(found)
