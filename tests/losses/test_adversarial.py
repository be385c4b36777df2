"""Adversarial losses against their textbook formulas, summed patch by patch in plain Python."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from i2i.losses.adversarial import (
    AdversarialLoss,
    HingeLoss,
    LeastSquaresLoss,
    MinimaxLoss,
    VanillaLoss,
    WassersteinLoss,
)

Formula = Callable[[float], float]
TEXTBOOK: dict[type[AdversarialLoss], tuple[Formula, Formula, Formula]] = {  # on real, on fake, for the generator
    HingeLoss: (lambda x: max(0, 1 - x), lambda x: max(0, 1 + x), lambda x: -x),
    LeastSquaresLoss: (lambda x: (x - 1) ** 2, lambda x: x**2, lambda x: (x - 1) ** 2),
    VanillaLoss: (
        lambda x: -math.log(1 / (1 + math.exp(-x))),
        lambda x: -math.log(1 - 1 / (1 + math.exp(-x))),
        lambda x: -math.log(1 / (1 + math.exp(-x))),
    ),
    MinimaxLoss: (
        lambda x: -math.log(1 / (1 + math.exp(-x))),
        lambda x: -math.log(1 - 1 / (1 + math.exp(-x))),
        lambda x: math.log(1 - 1 / (1 + math.exp(-x))),
    ),
    WassersteinLoss: (lambda x: -x, lambda x: x, lambda x: -x),
}
logits = st.lists(st.floats(-8, 8), min_size=1, max_size=6)
scales = st.lists(logits, min_size=1, max_size=3)


@pytest.mark.parametrize("kind", TEXTBOOK)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@given(real=scales, fake=scales)
def test_textbook(
    kind: type[AdversarialLoss], reduction: str, real: list[list[float]], fake: list[list[float]]
) -> None:
    def expected(formula: Formula, values: list[list[float]]) -> float:
        means = [sum(map(formula, scale)) / len(scale) for scale in values]
        return sum(means) / (len(means) if reduction == "mean" else 1)

    loss = kind(reduction)  # type: ignore[arg-type]
    real_tensors, fake_tensors = ([torch.tensor(s, dtype=torch.float64) for s in x] for x in (real, fake))
    on_real, on_fake = loss.discriminator(real_tensors, fake_tensors)
    formulas = TEXTBOOK[kind]
    assert float(on_real) == pytest.approx(expected(formulas[0], real), rel=1e-6, abs=1e-9)
    assert float(on_fake) == pytest.approx(expected(formulas[1], fake), rel=1e-6, abs=1e-9)
    assert float(loss.generator(fake_tensors)) == pytest.approx(expected(formulas[2], fake), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("kind", TEXTBOOK)
def test_the_generator_pushes_where_the_discriminator_sees_real(kind: type[AdversarialLoss]) -> None:
    x = torch.zeros(1, 1, 3, 3, requires_grad=True)
    (up,) = torch.autograd.grad(kind().generator([x]), x)
    (real,) = torch.autograd.grad(kind().on_real(x), x)
    assert (up < 0).all() and (real < 0).all()


def test_the_vanilla_loss_is_finite_where_the_formula_is_not() -> None:
    x = torch.tensor([-200.0, 200.0])
    assert torch.isfinite(VanillaLoss().on_real(x)) and torch.isfinite(VanillaLoss().on_fake(x))
    assert torch.isfinite(MinimaxLoss().to_fool(x))


@pytest.mark.parametrize(("kind", "certain"), [(HingeLoss, (0.2, -0.2)), (LeastSquaresLoss, (0.7, 0.3))])
def test_accuracy(kind: type[AdversarialLoss], certain: tuple[float, float]) -> None:
    real, fake = (torch.full((4,), x) for x in certain)
    half = torch.tensor([certain[0], certain[1]])
    assert kind().watched([real, real], [fake, fake]) == {"accuracy_real": 1, "accuracy_fake": 1}
    assert kind().watched([fake, half], [real, half]) == {"accuracy_real": 0.25, "accuracy_fake": 0.25}


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_critic_is_watched_by_its_estimate(reduction: Any) -> None:
    """The negative of its loss, but always the mean over the scales."""
    real, fake = ([torch.randn(2, 1, 4, 4), torch.randn(2, 1, 2, 2)] for _ in range(2))
    watched = WassersteinLoss(reduction).watched(real, fake)
    expected = sum(float(r.mean() - f.mean()) for r, f in zip(real, fake, strict=True)) / 2
    assert {name: float(value) for name, value in watched.items()} == {"wasserstein": pytest.approx(expected)}


def test_half_precision_is_widened() -> None:
    x = torch.full((3000,), 0.1, dtype=torch.float16)
    assert HingeLoss().generator([x]).dtype == torch.float32
