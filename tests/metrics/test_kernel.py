from __future__ import annotations

import pytest
import torch

from i2i.errors import InputError
from i2i.metrics.kernel import kernel_distance, polynomial_mmd


def naive(x: torch.Tensor, y: torch.Tensor) -> float:
    def k(a: torch.Tensor, b: torch.Tensor) -> float:
        return (float((a * b).sum()) / len(a) + 1) ** 3

    n, m = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    yy = sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    xy = sum(k(a, b) for a in x for b in y) / (n * m)
    return xx + yy - 2 * xy


def test_it_is_the_double_loop() -> None:
    x, y = torch.randn(9, 5, dtype=torch.double), torch.randn(6, 5, dtype=torch.double) + 1
    assert polynomial_mmd(x, y) == pytest.approx(naive(x, y), rel=1e-10)


def test_it_is_torch_fidelitys_on_whole_sets() -> None:
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, kid_features_to_metric

    x, y = torch.randn(40, 16, dtype=torch.double), torch.randn(40, 16, dtype=torch.double) * 1.3
    theirs = kid_features_to_metric(x, y, kid_subsets=1, kid_subset_size=40, verbose=False)
    assert kernel_distance(x, y, size=40)[0] == pytest.approx(theirs[KEY_METRIC_KID_MEAN], rel=1e-9)


def test_its_mean_over_samples_of_one_distribution_is_zero() -> None:
    values = torch.tensor([polynomial_mmd(torch.randn(20, 4), torch.randn(30, 4)) for _ in range(400)])
    error = float(values.std()) / 20
    assert abs(float(values.mean())) < 4 * error  # unbiased, where the biased estimate is 0.7 here
    assert float(values.min()) < 0


def test_subsets_are_seeded_and_no_larger_than_the_sets() -> None:
    x, y = torch.randn(50, 4), torch.randn(30, 4)
    assert kernel_distance(x, y, subsets=5, size=10, seed=3) == kernel_distance(x, y, subsets=5, size=10, seed=3)
    assert kernel_distance(x, y, subsets=5, size=10, seed=3) != kernel_distance(x, y, subsets=5, size=10, seed=4)
    found = kernel_distance(x, y)
    assert (found.subsets, found.size) == (100, 30)
    assert found.deviation is not None and found.deviation > 0


def test_whole_sets_are_one_subset_without_deviation() -> None:
    x, y = torch.randn(50, 4), torch.randn(50, 4) + 1
    whole = kernel_distance(x, y, size=1000)
    assert (whole.subsets, whole.size, whole.deviation) == (1, 50, None)
    assert whole.mean == pytest.approx(polynomial_mmd(x, y))
    assert kernel_distance(x, y, subsets=1, size=10).deviation is None


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(InputError, match="at least 2 photos"):
        polynomial_mmd(torch.zeros(1, 3), torch.zeros(5, 3))
    with pytest.raises(InputError, match="3 and of 4"):
        polynomial_mmd(torch.zeros(5, 3), torch.zeros(5, 4))
    with pytest.raises(InputError, match="0 subsets"):
        kernel_distance(torch.zeros(5, 3), torch.zeros(5, 3), subsets=0)
