"""Distances and modes of samples against loops, scipy and distributions whose answers are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from i2i.errors import InputError
from i2i.metrics import samples
from i2i.metrics.manifold import compare_manifolds
from i2i.metrics.samples import energy_distance, mode_collapse, modes_covered

ANGLES = torch.arange(8) * math.pi / 4
CENTRES = 2 * torch.stack([ANGLES.cos(), ANGLES.sin()], 1)
DEVIATION = 0.1


def ring(counts: list[int], seed: int = 0, deviation: float = DEVIATION) -> Tensor:
    """So many points at each of the eight modes."""
    random = torch.Generator().manual_seed(seed)
    modes = torch.arange(8).repeat_interleave(torch.tensor(counts))
    points = CENTRES[modes] + deviation * torch.randn(len(modes), 2, generator=random)
    return points[torch.randperm(len(modes), generator=random)]


# --- energy distance -----------------------------------------------------------------------------------------------


def naive(x: Tensor, y: Tensor) -> float:
    def mean(a: Tensor, b: Tensor) -> float:
        return sum(float((p - q).square().sum().sqrt()) for p in a for q in b) / (len(a) * len(b))

    return 2 * mean(x, y) - mean(x, x) - mean(y, y)


@settings(max_examples=15)
@given(n=st.integers(1, 12), m=st.integers(1, 12), d=st.integers(1, 4), seed=st.integers(0, 10**6))
def test_the_energy_distance_is_the_loop_over_all_pairs(n: int, m: int, d: int, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(n, d, generator=random, dtype=torch.double)
    y = torch.randn(m, d, generator=random, dtype=torch.double) + 0.5
    assert energy_distance(x, y) == pytest.approx(naive(x, y), rel=1e-9, abs=1e-12)


def test_on_the_line_it_is_the_square_of_scipys() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=300), random.exponential(size=200)
    found = energy_distance(torch.tensor(x)[:, None], torch.tensor(y)[:, None])
    assert found == pytest.approx(scipy.stats.energy_distance(x, y) ** 2, rel=1e-9)


def test_blocks_do_not_change_it(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = torch.randn(50, 3), torch.randn(40, 3) + 1
    whole = energy_distance(x, y), mode_collapse(x, y)
    monkeypatch.setattr(samples, "_ROWS", 7)
    assert energy_distance(x, y) == pytest.approx(whole[0])
    assert mode_collapse(x, y) == pytest.approx(whole[1])


def test_its_mean_between_sets_of_one_distribution_is_what_is_said() -> None:
    """2 E|X − X'| / n, where E|X − X'| of the standard normal distribution is 2 / √π."""
    found = torch.tensor([energy_distance(torch.randn(20, 1), torch.randn(20, 1)) for _ in range(400)])
    assert abs(float(found.mean()) - 4 / math.sqrt(math.pi) / 20) < 4 * float(found.std()) / 20
    assert float(found.min()) >= 0


def test_pictures_are_flattened_and_equal_sets_do_not_differ() -> None:
    x, y = torch.rand(6, 1, 4, 4), torch.rand(5, 1, 4, 4)
    assert energy_distance(x, y) == energy_distance(x.flatten(1), y.flatten(1)) > 0
    assert energy_distance(x, x.flip(0)) == pytest.approx(0, abs=1e-12)


# --- known modes ---------------------------------------------------------------------------------------------------


def test_all_modes_and_some() -> None:
    radius = 3 * DEVIATION
    whole = modes_covered(ring([50] * 8), CENTRES, radius)
    assert whole.covered == 8 and whole.divergence == pytest.approx(0, abs=1e-6)
    assert whole.quality == pytest.approx(1 - math.exp(-4.5), abs=0.02)  # Rayleigh's: P(r ≤ 3σ)
    one = modes_covered(ring([0, 0, 400, 0, 0, 0, 0, 0]), CENTRES, radius)
    assert one.covered == 1 and one.divergence == pytest.approx(math.log(8))
    half = modes_covered(ring([100, 0] * 4), CENTRES, radius)
    assert half.covered == 4 and half.divergence == pytest.approx(math.log(2))


def test_a_few_stray_samples_do_not_cover_a_mode_unless_one_is_to_be_enough() -> None:
    points = ring([400, 1, 1, 1, 1, 1, 1, 1], deviation=0.01)
    assert [modes_covered(points, CENTRES, 0.3, least).covered for least in (0.1, 0.0)] == [1, 8]


def test_samples_between_the_modes_cover_none() -> None:
    found = modes_covered(torch.zeros(100, 2), CENTRES, 0.3, least=0.0)
    assert (found.covered, found.quality) == (0, 0)


# --- unknown modes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lost", "share"), [(0, 0), (1, 1 / 8), (4, 1 / 2), (7, 7 / 8)])
def test_what_is_missed_is_the_share_of_the_lost_modes(lost: int, share: float) -> None:
    real = ring([60] * 8)
    fake = ring([0] * lost + [480 // (8 - lost)] * (8 - lost), seed=1)
    assert mode_collapse(real, fake).missed == pytest.approx(share, abs=0.04)


@pytest.mark.parametrize(("n", "m"), [(40, 40), (60, 20), (20, 60)])
def test_two_sets_of_one_distribution_miss_nothing_beyond_chance(n: int, m: int) -> None:
    """The expected coverage, by the formula, is that of many draws, whatever the distribution is."""
    covered = torch.tensor(
        [compare_manifolds(torch.rand(n, 3) ** 2, torch.rand(m, 3) ** 2, neighbours=3).coverage for _ in range(200)]
    )
    chance = math.prod((n - i) / (n + m - i) for i in (1, 2, 3))
    assert abs(float(covered.mean()) - (1 - chance)) < 4 * float(covered.std()) / math.sqrt(200)
    real, fake = torch.rand(n, 3), torch.rand(m, 3)
    coverage = compare_manifolds(real, fake, neighbours=3).coverage
    assert mode_collapse(real, fake, neighbours=3).missed == pytest.approx(max(0, 1 - coverage / (1 - chance)))


def test_closeness_tells_repetition_within_modes() -> None:
    """Which scales as the samples do; and does not depend on which set has more of them."""
    real = ring([50] * 8)
    assert mode_collapse(real, ring([50] * 8, seed=1)).closeness == pytest.approx(1, abs=0.2)
    assert mode_collapse(real, ring([100] * 8, seed=1)).closeness == pytest.approx(1, abs=0.2)
    assert mode_collapse(real, ring([50] * 8, seed=1, deviation=0.02)).closeness == pytest.approx(0.2, abs=0.05)
    assert mode_collapse(real, CENTRES.repeat(50, 1)).closeness == 0


# --- what cannot be ------------------------------------------------------------------------------------------------


def test_what_cannot_be_compared_is_named() -> None:
    with pytest.raises(InputError, match=r"\(3, 2\) and \(3, 1\) cannot be compared"):
        energy_distance(torch.zeros(3, 2), torch.zeros(3, 1))
    with pytest.raises(InputError, match="there are 0 and 3 samples"):
        energy_distance(torch.zeros(0, 2), torch.zeros(3, 2))
    with pytest.raises(InputError, match="radius 0"):
        modes_covered(torch.zeros(3, 2), CENTRES, 0)
    with pytest.raises(InputError, match="least 2"):
        modes_covered(torch.zeros(3, 2), CENTRES, 1, least=2)
    with pytest.raises(InputError, match="more than 5"):
        mode_collapse(torch.zeros(5, 2), torch.zeros(9, 2))
