from __future__ import annotations

import numpy as np
import pytest
import torch

from i2i.errors import InputError
from i2i.metrics.style import StyleFidelity, correlation, explained_variance


def test_correlation_is_numpys() -> None:
    a, b = torch.randn(30, 4), torch.randn(30, 4)
    b[:, 1] += 2 * a[:, 1]
    expected = [np.corrcoef(a[:, d].double(), b[:, d].double())[0, 1] for d in range(4)]
    assert correlation(a, b).tolist() == pytest.approx(expected)


def test_a_dimension_that_the_picture_does_not_carry_has_no_correlation() -> None:
    a, b = torch.randn(30, 2), torch.zeros(30, 2)
    assert correlation(a, b).tolist() == [0, 0]


def test_explained_variance_is_one_minus_the_share_of_the_error() -> None:
    given = torch.randn(1000, 3)
    assert float(explained_variance(given, given)) == pytest.approx(1)
    assert float(explained_variance(given, given.mean(0).expand_as(given))) == pytest.approx(0, abs=1e-6)
    noisy = given + 0.5 * torch.randn(1000, 3)
    assert float(explained_variance(given, noisy)) == pytest.approx(0.75, abs=0.04)


def test_the_figures_of_a_half_collapsed_style() -> None:
    metric = StyleFidelity(2, {"styles": "drawn"})
    given = torch.randn(200, 2)
    found = torch.stack([0.5 * given[:, 0], torch.full((200,), 0.1)], dim=1)
    for i in range(0, 200, 50):
        metric.update(given[i : i + 50], found[i : i + 50], [f"map {j}" for j in range(i, i + 50)])
    mean, explained = metric.results()
    assert list(mean.parts.values()) == pytest.approx([1, 0])
    assert mean.value == pytest.approx(0.5)
    assert mean.protocol["styles"] == "drawn" and mean.protocol["photos"] == 200
    spread = given.var(dim=0, correction=0)
    error = 0.25 * given[:, 0].square().mean() + (given[:, 1] - 0.1).square().mean()
    assert explained.value == pytest.approx(float(1 - error / spread.sum()), rel=1e-5)


def test_what_does_not_fit_is_refused() -> None:
    metric = StyleFidelity(2, {})
    with pytest.raises(InputError, match=r"expected \(N, 2\) twice"):
        metric.update(torch.zeros(1, 3), torch.zeros(1, 3), ["a"])
    metric.update(torch.zeros(1, 2), torch.zeros(1, 2), ["a"])
    with pytest.raises(InputError, match="needs 3; there are 1"):
        metric.compute()
    with pytest.raises(InputError, match="b: StyleFidelity is not a finite number there"):
        metric.update(torch.zeros(1, 2), torch.full((1, 2), float("nan")), ["b"])
