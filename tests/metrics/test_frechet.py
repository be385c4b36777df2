from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from i2i.errors import InputError
from i2i.metrics.frechet import Gaussian, frechet_distance


def features(count: int, dim: int, seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dim, dim, generator=random, dtype=torch.double)
    return torch.randn(count, dim, generator=random, dtype=torch.double) @ mixing + seed % 3


def textbook(x: torch.Tensor, y: torch.Tensor) -> float:
    """Heusel et al. 2017, by the matrix square root."""
    a, b = x.numpy(), y.numpy()
    sigma_a, sigma_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(sigma_a @ sigma_b)
    means = np.sum((a.mean(0) - b.mean(0)) ** 2)
    return float(means + np.trace(sigma_a) + np.trace(sigma_b) - 2 * np.trace(np.real(root)))


@settings(max_examples=25)
@given(dim=st.integers(2, 12), extra=st.integers(2, 40), other=st.integers(2, 40), seed=st.integers(0, 10**6))
def test_it_is_the_formula_with_the_matrix_square_root(dim: int, extra: int, other: int, seed: int) -> None:
    x, y = features(dim + extra, dim, seed), features(dim + other, dim, seed + 1)
    expected = textbook(x, y)
    found = frechet_distance(Gaussian.from_features(x), Gaussian.from_features(y))
    assert found == pytest.approx(expected, rel=1e-7, abs=1e-7)


def test_fewer_photos_than_dimensions() -> None:
    # the covariances are singular: the square root goes by the eigenvalues of the small side, worked out by numpy
    x, y = features(7, 30, 0), features(9, 30, 1)
    sigma_x, sigma_y = np.cov(x.numpy(), rowvar=False), np.cov(y.numpy(), rowvar=False)
    root = np.sqrt(np.linalg.eigvals(sigma_x @ sigma_y).astype(complex)).real.sum()
    means = float((x.mean(0) - y.mean(0)).square().sum())
    expected = means + np.trace(sigma_x) + np.trace(sigma_y) - 2 * root
    found = frechet_distance(Gaussian.from_features(x), Gaussian.from_features(y))
    assert found == pytest.approx(expected, rel=1e-5)


def test_stored_statistics_give_the_same() -> None:
    x, y = features(200, 16, 3), features(150, 16, 4)
    direct = frechet_distance(Gaussian.from_features(x), Gaussian.from_features(y))
    stored = [Gaussian.from_covariance(z.mean(0), torch.cov(z.T), len(z)) for z in (x, y)]
    assert frechet_distance(*stored) == pytest.approx(direct, rel=1e-9)
    torch.testing.assert_close(Gaussian.from_features(x).covariance, torch.cov(x.T))


def test_it_is_torch_fidelitys() -> None:
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

    x, y = features(100, 20, 5), features(120, 20, 6)
    theirs = fid_statistics_to_metric(fid_features_to_statistics(x), fid_features_to_statistics(y), verbose=False)
    found = frechet_distance(Gaussian.from_features(x), Gaussian.from_features(y))
    assert found == pytest.approx(theirs[KEY_METRIC_FID], rel=1e-8)


def test_a_set_is_no_distance_from_itself_and_a_shift_counts_squared() -> None:
    x = features(500, 8, 7)
    own = Gaussian.from_features(x)
    assert frechet_distance(own, own) == pytest.approx(0, abs=1e-9)
    moved = Gaussian.from_features(x + 2.0)
    assert frechet_distance(own, moved) == pytest.approx(8 * 2.0**2, rel=1e-9)


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(InputError, match="at least 2 photos"):
        Gaussian.from_features(torch.zeros(1, 4))
    with pytest.raises(InputError, match="NaN"):
        Gaussian.from_features(torch.tensor([[0.0, 1.0], [float("nan"), 1.0]]))
    with pytest.raises(InputError, match="4 and of 5 numbers"):
        frechet_distance(Gaussian.from_features(torch.rand(9, 4)), Gaussian.from_features(torch.rand(9, 5)))
    with pytest.raises(InputError, match="none can be negative"):
        Gaussian.from_covariance(torch.zeros(2), torch.tensor([[1.0, 0.0], [0.0, -1.0]]), 10)
    with pytest.raises(InputError, match="does not fit a mean of 3"):
        Gaussian.from_covariance(torch.zeros(3), torch.eye(2), 10)
