"""The evidence lower bound against a model whose evidence is known: the linear one with normal noise."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from i2i.errors import InputError
from i2i.losses.variational import VariationalObjective

STYLE, NUMBERS, DEVIATION = 2, 5, 0.7


class Unconditional:
    batch = 0


def bound(
    objective: VariationalObjective, decode: Any, x: Tensor, mean: Tensor, logvar: Tensor, network: Any = None
) -> Tensor:
    """The objective's total over 2 · STYLE styles for each x, whose mean over any quadratic is the expectation's."""
    steps = math.sqrt(STYLE) * torch.cat([torch.eye(STYLE), -torch.eye(STYLE)]).to(x)
    styles = mean[:, None] + steps * (0.5 * logvar).exp()[:, None]  # (N, 2 STYLE, STYLE)
    every = [t.repeat_interleave(len(steps), 0) for t in (x, mean, logvar)]
    fake = decode(styles.flatten(0, 1))
    return objective.total(objective.generator(network, Unconditional(), fake, *every))  # type: ignore[arg-type]


@pytest.fixture
def model() -> tuple[Any, Tensor, MultivariateNormal, Tensor, Tensor]:
    """z ~ N(0, 1), x | z ~ N(Wz + b, σ²): the decoder, data, the evidence, and the mean and variance of z | x.

    The columns of W are orthogonal, so that the posterior's covariance is diagonal, as an encoder's is.
    """
    torch.manual_seed(0)
    basis = torch.linalg.qr(torch.randn(NUMBERS, STYLE, dtype=torch.float64)).Q
    weight = basis * torch.tensor([0.5, 2.0], dtype=torch.float64)
    bias = torch.randn(NUMBERS, dtype=torch.float64)
    x = torch.randn(7, NUMBERS, dtype=torch.float64)
    evidence = MultivariateNormal(bias, weight @ weight.T + DEVIATION**2 * torch.eye(NUMBERS, dtype=torch.float64))
    precision = weight.T @ weight + DEVIATION**2 * torch.eye(STYLE, dtype=torch.float64)
    mean = (x - bias) @ weight @ torch.linalg.inv(precision)
    variance = (DEVIATION**2 * torch.linalg.inv(precision)).diagonal().expand(7, -1)
    return (lambda z: z @ weight.T + bias), x, evidence, mean, variance


def test_at_the_exact_posterior_the_bound_is_the_evidence(model: Any) -> None:
    decode, x, evidence, mean, variance = model
    found = bound(VariationalObjective(DEVIATION), decode, x, mean, variance.log())
    torch.testing.assert_close(-found, evidence.log_prob(x).mean())


def test_elsewhere_it_is_short_of_it_by_the_divergence_from_the_posterior(model: Any) -> None:
    decode, x, evidence, mean, variance = model
    other = Normal(mean + 0.3 * torch.randn_like(mean), 0.5)
    found = bound(VariationalObjective(DEVIATION), decode, x, other.loc, other.scale.square().log())
    gap = kl_divergence(other, Normal(mean, variance.sqrt())).sum(1).mean()
    assert gap > 0.1
    torch.testing.assert_close(-found, evidence.log_prob(x).mean() - gap)


def test_it_is_the_mean_over_the_batch_and_the_sum_over_a_samples_numbers() -> None:
    """For images, too; of which there may be any number."""
    objective = VariationalObjective(0.5, divergence=0.0)
    fake, real = torch.rand(2, 6, 3, 4, 4, dtype=torch.float64)
    mean, logvar = torch.randn(2, 6, 2)
    terms = objective.generator(nn.Identity(), Unconditional(), fake, real, mean, logvar)  # type: ignore[arg-type]
    expected = -Normal(fake, 0.5).log_prob(real).sum((1, 2, 3)).mean()
    assert set(terms) == {"reconstruction"}
    torch.testing.assert_close(terms["reconstruction"], expected)


def test_a_discriminator_may_push_too(model: Any) -> None:
    decode, x, _, mean, variance = model

    def network(condition: Any, samples: Tensor) -> list[list[Tensor]]:
        return [[samples.sum(1)]]

    plain, pushed = VariationalObjective(DEVIATION, 2.0), VariationalObjective(DEVIATION, 2.0, 0.25)
    totals = [float(bound(o, decode, x, mean, variance.log(), network)) for o in (plain, pushed)]
    assert totals[1] - totals[0] == pytest.approx(-0.25 * float(decode(mean).sum(1).mean()))  # the hinge loss's −D


def test_what_cannot_be_is_named() -> None:
    with pytest.raises(InputError, match="deviation of the decoded samples is 0"):
        VariationalObjective(0)
    with pytest.raises(InputError, match="needs an encoder that gives a mean and a log variance"):
        VariationalObjective().generator(nn.Identity(), Unconditional(), torch.zeros(1, 2), torch.zeros(1, 2))  # type: ignore[arg-type]
