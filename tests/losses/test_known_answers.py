"""What theory says each adversarial loss ends at, on distributions for which it can be computed.

Discriminators are trained by :class:`i2i.losses.objective.Objective`, on tables, whose optimum is exact, and as small
networks on the line. Samples stand at the quantiles of their distribution, so that nothing is left to chance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import torch
from torch import Tensor, nn

from i2i.losses.adversarial import (
    AdversarialLoss,
    HingeLoss,
    LeastSquaresLoss,
    MinimaxLoss,
    VanillaLoss,
    WassersteinLoss,
)
from i2i.losses.clipped import ClippedRMSprop
from i2i.losses.objective import Objective, Regularizer
from i2i.losses.regularization import GradientPenalty

# Two distributions over eight outcomes, in fortieths; each has one that the other has not.
P, Q = (torch.tensor(x, dtype=torch.float64) / 40 for x in ([4, 10, 1, 6, 9, 8, 2, 0], [4, 5, 3, 12, 3, 4, 0, 9]))
SHARED = (P > 0) & (Q > 0)


class Unconditional:
    """The condition of samples that have none."""

    def repeated(self, times: int) -> Unconditional:
        return self


class Judge(nn.Module):
    """A discriminator of samples: the logits that some network gives them."""

    def __init__(self, network: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.network = network

    def forward(self, condition: Any, samples: Tensor) -> list[list[Tensor]]:
        return [[self.network(samples)]]


def table() -> nn.Module:
    return Judge(nn.Embedding.from_pretrained(torch.zeros(8, 1, dtype=torch.float64), freeze=False))


def line(width: int = 16) -> nn.Module:
    """A network of numbers."""
    torch.manual_seed(0)
    layers = [nn.Linear(1, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1)]
    return Judge(nn.Sequential(*layers).double())


def outcomes(shares: Tensor) -> Tensor:
    return torch.arange(8).repeat_interleave((40 * shares).round().long())


def quantiles(distribution: Any, count: int = 1000) -> Tensor:
    return torch.from_numpy(distribution.ppf((np.arange(count) + 0.5) / count))[:, None]


def objective(loss: AdversarialLoss, *terms: Regularizer) -> Objective:
    return Objective(loss, feature_matching=0, perceptual=0, regularizers=terms)


def train(judge: nn.Module, loss: AdversarialLoss, real: Tensor, fake: Tensor, evaluations: int = 300) -> float:
    """To the minimum of a smooth loss; what it is there."""
    goal = objective(loss)
    optimizer = torch.optim.LBFGS(
        judge.parameters(),
        max_iter=evaluations,
        tolerance_grad=1e-10,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )

    def evaluate() -> Tensor:
        optimizer.zero_grad()
        total = goal.total(goal.discriminator(judge, Unconditional(), fake, real)[0])  # type: ignore[arg-type]
        total.backward()
        return total

    optimizer.step(evaluate)
    return float(evaluate().detach())


def estimate(judge: nn.Module, real: Tensor, fake: Tensor) -> float:
    """What a critic says is the Wasserstein distance."""
    watched = objective(WassersteinLoss()).discriminator(judge, Unconditional(), fake, real)[1]  # type: ignore[arg-type]
    return float(watched["wasserstein"])


def step(judge: nn.Module, goal: Objective, optimizer: torch.optim.Optimizer, real: Tensor, fake: Tensor) -> None:
    optimizer.zero_grad()
    goal.total(goal.discriminator(judge, Unconditional(), fake, real)[0]).backward()  # type: ignore[arg-type]
    optimizer.step()


def penalised(real: Tensor, fake: Tensor, weight: float = 10.0, steps: int = 300) -> nn.Module:
    """A Wasserstein critic under the gradient penalty.

    It starts flat: on the line the slope cannot turn around, and −(1 − W / 2λ) is a local optimum, too.
    """
    judge, goal = line(), objective(WassersteinLoss(), GradientPenalty(weight))
    nn.init.zeros_(list(judge.parameters())[-2])
    optimizer = torch.optim.Adam(judge.parameters(), 1e-2, (0.5, 0.9))
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, steps)
    for _ in range(steps):
        step(judge, goal, optimizer, real, fake[torch.randperm(len(fake))])  # its pairs are to be independent
        schedule.step()
    return judge


def pull(loss: AdversarialLoss, judge: nn.Module, fake: Tensor) -> Tensor:
    """Where the generator's loss would have each of its samples go: the negative gradient, for one sample's share."""
    x = fake.clone().requires_grad_()
    terms = objective(loss).generator(judge, Unconditional(), x, fake)  # type: ignore[arg-type]
    (gradient,) = torch.autograd.grad(terms["adversarial"], x)
    return -gradient * len(x)


# --- cross entropy: p / (p + q) and the Jensen-Shannon divergence --------------------------------------------------


@pytest.mark.parametrize("loss", [VanillaLoss(), MinimaxLoss()])
def test_cross_entropy_ends_at_the_share_and_the_divergence_exactly(loss: AdversarialLoss) -> None:
    """Goodfellow et al. 2014, proposition 1 and theorem 1."""
    judge = table()
    found = train(judge, loss, outcomes(P), outcomes(Q))
    logits = judge.network.weight.detach()[:, 0]
    torch.testing.assert_close(logits[SHARED].sigmoid(), (P / (P + Q))[SHARED], rtol=1e-6, atol=1e-6)
    assert float(logits[6].sigmoid()) > 1 - 1e-6 and float(logits[7].sigmoid()) < 1e-6  # of one of them alone
    middle = (P + Q) / 2
    divergence = float(scipy.special.rel_entr(P, middle).sum() + scipy.special.rel_entr(Q, middle).sum()) / 2
    assert -found == pytest.approx(2 * divergence - 2 * math.log(2), abs=1e-6)


def test_cross_entropy_on_two_normal_distributions() -> None:
    """A network of 321 weights is within 0.02 of p / (p + q) wherever samples are, and within 0.002 of the loss."""
    p, q = scipy.stats.norm(-0.5, 1.0), scipy.stats.norm(1.0, 0.7)
    judge = line()
    found = train(judge, VanillaLoss(), quantiles(p), quantiles(q))
    x = np.linspace(-2.5, 2.5, 101)
    share = judge.network(torch.from_numpy(x)[:, None]).sigmoid().detach().numpy()[:, 0]
    assert np.abs(share - p.pdf(x) / (p.pdf(x) + q.pdf(x))).max() < 0.02

    def density(x: float) -> float:
        middle = (p.pdf(x) + q.pdf(x)) / 2
        return float(scipy.special.rel_entr(p.pdf(x), middle) + scipy.special.rel_entr(q.pdf(x), middle)) / 2

    divergence, _ = scipy.integrate.quad(density, -8, 8)
    assert -found == pytest.approx(2 * divergence - 2 * math.log(2), abs=2e-3)


# --- least squares: Pearson's χ² -----------------------------------------------------------------------------------


def test_least_squares_end_at_the_share_and_pearsons_divergence() -> None:
    """Mao et al. 2017, equations 3 to 8, in the coding 0 and 1.

    With their a = −1, b = 1 the best discriminator is (p − q) / (p + q), which in 0 and 1 is p / (p + q); the loss
    there is Σ pq / (p + q) = ½ − ¼ χ²(p + q ‖ 2q), where χ²(p + q ‖ 2q) = Σ (p − q)² / (p + q).
    """
    judge = table()
    found = train(judge, LeastSquaresLoss(), outcomes(P), outcomes(Q))
    torch.testing.assert_close(judge.network.weight.detach()[:, 0], P / (P + Q), rtol=1e-6, atol=1e-6)
    pearson = float(((P - Q) ** 2 / (P + Q)).sum())
    assert found == pytest.approx(0.5 - 0.25 * pearson, abs=1e-9)


# --- hinge: the total variation ------------------------------------------------------------------------------------


def test_the_hinge_ends_at_the_sign_and_the_total_variation() -> None:
    """At an outcome the loss is p · max(0, 1 − D) + q · max(0, 1 + D): between ±1 a straight line of slope q − p.

    So the best D is 1 where p > q and −1 where p < q, and costs twice the lesser: Σ 2 min(p, q) = 2 (1 − TV).
    """
    judge, goal = table(), objective(HingeLoss())
    optimizer = torch.optim.SGD(judge.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)
    for _ in range(1000):
        step(judge, goal, optimizer, outcomes(P), outcomes(Q))
        schedule.step()
    logits = judge.network.weight.detach()[:, 0]
    unequal = P != Q
    torch.testing.assert_close(logits[unequal].clamp(-1, 1), torch.sign(P - Q)[unequal], rtol=0, atol=1e-2)
    assert float(logits[SHARED].abs().max()) < 1.01  # beyond, only where nothing is to be paid for it
    terms, watched = goal.discriminator(judge, Unconditional(), outcomes(Q), outcomes(P))  # type: ignore[arg-type]
    variation = float((P - Q).abs().sum()) / 2
    assert float(goal.total(terms)) == pytest.approx(2 * (1 - variation), abs=1e-3)
    # The accuracy is that of the best guess, of which the total variation is the other name.
    undecided = float(P[~unequal].sum())
    accuracy = float(watched["accuracy_real"] + watched["accuracy_fake"])
    assert accuracy == pytest.approx(1 + variation, abs=undecided + 1e-6)


# --- Wasserstein ---------------------------------------------------------------------------------------------------


def test_a_linear_critic_with_clipped_weights_says_limit_times_the_distance_of_the_means() -> None:
    """Which is the Wasserstein distance where one distribution is the other one shifted."""
    real = quantiles(scipy.stats.gamma(2.0))
    judge, goal = Judge(nn.Linear(1, 1).double()), objective(WassersteinLoss())
    optimizer = ClippedRMSprop(judge.parameters(), lr=1e-3, limit=0.05)
    for _ in range(100):
        step(judge, goal, optimizer, real, real - 3)
    distance = scipy.stats.wasserstein_distance(real[:, 0], real[:, 0] - 3)
    assert distance == pytest.approx(3)
    assert estimate(judge, real, real - 3) == pytest.approx(0.05 * distance)


@pytest.mark.parametrize("shift", [0.5, 2.0])
def test_clipping_scales_the_distance_by_what_the_network_can_do(shift: float) -> None:
    """Of h ReLUs that are all at work the greatest slope is h · limit², whatever the distance is."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(1, 16), nn.ReLU(), nn.Linear(16, 1)).double()
    with torch.no_grad():
        for layer in (layers[0], layers[2]):
            layer.weight.abs_()
    fake = quantiles(scipy.stats.gamma(2.0)) + 2  # above 1: a bias can switch no ReLU off
    judge, goal = Judge(layers), objective(WassersteinLoss())
    optimizer = ClippedRMSprop(judge.parameters(), lr=1e-3, limit=0.1)
    for _ in range(200):
        step(judge, goal, optimizer, fake + shift, fake)
    distance = scipy.stats.wasserstein_distance(fake[:, 0] + shift, fake[:, 0])
    assert estimate(judge, fake + shift, fake) == pytest.approx(16 * 0.1**2 * distance, rel=1e-6)


def test_under_the_penalty_the_estimate_is_near_the_distance() -> None:
    """Of two distributions of different shapes, within 3 % where the penalty is heavy; see below where it is not."""
    real, fake = quantiles(scipy.stats.norm(0, 1), 200), quantiles(scipy.stats.gamma(2.0), 200)
    distance = scipy.stats.wasserstein_distance(real[:, 0], fake[:, 0])
    assert estimate(penalised(real, fake, 100.0), real, fake) == pytest.approx(distance, rel=0.03)


@pytest.mark.parametrize("weight", [1.0, 10.0])
def test_the_penalty_leaves_the_estimate_too_large_by_what_it_should(weight: float) -> None:
    """At a distance W between two points the slope s earns sW and costs λ(s − 1)²: s = 1 + W / 2λ, and sW is said."""
    real, fake = torch.full((64, 1), 1.0, dtype=torch.float64), torch.full((64, 1), -1.0, dtype=torch.float64)
    assert estimate(penalised(real, fake, weight), real, fake) == pytest.approx(2 * (1 + 1 / weight), rel=0.03)


# --- what the generator hears --------------------------------------------------------------------------------------


def test_on_disjoint_supports_the_minimax_gradient_vanishes_and_the_critics_does_not() -> None:
    """Arjovsky and Bottou 2017, theorem 2.4; Arjovsky et al. 2017, example 1 and figure 2."""
    real, fake = (quantiles(scipy.stats.uniform(at, 1), 200) for at in (2, -3))
    judge = line()
    assert train(judge, VanillaLoss(), real, fake) < 1e-6  # the best there is: it is never wrong
    assert float(pull(MinimaxLoss(), judge, fake).abs().max()) < 1e-4
    assert float(pull(VanillaLoss(), judge, fake).mean()) > 0.1  # why Goodfellow et al. train with this one
    critic = penalised(real, fake)
    assert float(pull(WassersteinLoss(), critic, fake).mean()) == pytest.approx(1 + 5 / 20, abs=0.15)
    assert float(pull(WassersteinLoss(), critic, fake).min()) > 0.5


def test_minimax_and_non_saturating_gradients_differ_by_the_odds() -> None:
    """−σ(x) and σ(x) − 1 at the logit: of one sign, equal where it is undecided, and e^−x apart."""
    judge = Judge(lambda x: x)
    x = torch.linspace(-12, 6, 19, dtype=torch.float64)[:, None]
    minimax, other = pull(MinimaxLoss(), judge, x), pull(VanillaLoss(), judge, x)
    assert bool((minimax > 0).all()) and bool((other > 0).all())
    torch.testing.assert_close(other / minimax, (-x).exp())
    assert float(minimax[12]) == float(other[12]) == 0.5 and float(x[12]) == 0


@pytest.mark.parametrize("loss", [MinimaxLoss(), VanillaLoss()])
@pytest.mark.parametrize("start", [-1.5, 2.0])
def test_both_end_where_the_distributions_are_equal(loss: AdversarialLoss, start: float) -> None:
    """A generator z + θ against N(0, 1), each step through the best discriminator, log p/q = θ²/2 − θx."""
    z = quantiles(scipy.stats.norm(), 200)
    theta = start
    for _ in range(150):
        best = Judge(lambda x, theta=theta: theta**2 / 2 - theta * x)  # type: ignore[misc]
        theta += 0.2 * float(pull(loss, best, z + theta).mean())
    assert theta == pytest.approx(0, abs=1e-3)
