from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from i2i.errors import InputError
from i2i.metrics import manifold
from i2i.metrics.manifold import compare_manifolds


def naive(real: torch.Tensor, fake: torch.Tensor, k: int) -> tuple[float, float, float, float]:
    def distance(a: torch.Tensor, b: torch.Tensor) -> float:
        return float((a - b).square().sum().sqrt())

    def radius(points: torch.Tensor, i: int) -> float:
        return sorted(distance(points[i], points[j]) for j in range(len(points)) if j != i)[k - 1]

    real_radii = [radius(real, i) for i in range(len(real))]
    fake_radii = [radius(fake, i) for i in range(len(fake))]
    within_real = [[distance(f, r) <= real_radii[i] for i, r in enumerate(real)] for f in fake]
    within_fake = [[distance(f, r) <= fake_radii[j] for j, f in enumerate(fake)] for r in real]
    precision = sum(any(row) for row in within_real) / len(fake)
    recall = sum(any(row) for row in within_fake) / len(real)
    density = sum(sum(row) for row in within_real) / (k * len(fake))
    coverage = sum(any(row[i] for row in within_real) for i in range(len(real))) / len(real)
    return precision, recall, density, coverage


@settings(max_examples=15)
@given(n=st.integers(6, 20), m=st.integers(6, 20), k=st.integers(1, 5), seed=st.integers(0, 10**6))
def test_it_is_the_loops_over_all_pairs(n: int, m: int, k: int, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    real = torch.randn(n, 3, generator=random, dtype=torch.double)
    fake = torch.randn(m, 3, generator=random, dtype=torch.double) * 0.7 + 0.4
    assert tuple(compare_manifolds(real, fake, k)) == pytest.approx(naive(real, fake, k))


def test_blocks_do_not_change_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = torch.randn(50, 4), torch.randn(40, 4)
    whole = compare_manifolds(real, fake)
    monkeypatch.setattr(manifold, "_ROWS", 7)
    assert compare_manifolds(real, fake) == pytest.approx(whole)


def test_precision_and_recall_are_torch_fidelitys() -> None:
    from torch_fidelity.metric_prc import prc_features_to_metric

    real, fake = torch.randn(60, 5, dtype=torch.double), torch.randn(70, 5, dtype=torch.double) * 1.5
    theirs = prc_features_to_metric(fake, real, prc_neighborhood=3, prc_batch_size=100, verbose=False)
    found = compare_manifolds(real, fake, neighbours=3)
    assert (found.precision, found.recall) == pytest.approx((theirs["precision"], theirs["recall"]))


def test_a_set_far_away_and_the_set_itself() -> None:
    real = torch.randn(40, 4)
    assert tuple(compare_manifolds(real, real + 1000)) == (0, 0, 0, 0)
    same = compare_manifolds(real, real.clone())
    assert (same.precision, same.recall, same.coverage) == (1, 1, 1)


def test_one_mode_only_is_precise_and_recalls_little() -> None:
    modes = torch.tensor([[0.0, 0.0], [50.0, 0.0]]).repeat(50, 1)
    real = modes + torch.randn(100, 2)
    fake = torch.randn(100, 2) * 0.5
    found = compare_manifolds(real, fake)
    assert found.precision > 0.95
    assert found.recall <= 0.5
    assert found.coverage <= 0.5


def test_too_few_photos_are_refused() -> None:
    with pytest.raises(InputError, match="more than 5 photos in each set; there are 5 real and 9"):
        compare_manifolds(torch.zeros(5, 3), torch.zeros(9, 3))
    with pytest.raises(InputError, match="neighbours is 0"):
        compare_manifolds(torch.zeros(5, 3), torch.zeros(9, 3), neighbours=0)
