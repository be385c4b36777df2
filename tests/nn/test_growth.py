"""Growing: how sizes and pictures follow from the growth, against pixels moved by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from i2i.errors import InputError
from i2i.nn.growth import Growth, enlarged, reduced
from i2i.semantics import SemanticMap


def growth(stages: int, now: float) -> Growth:
    made = Growth(stages)
    made.now = now
    return made


def repeated(pictures: Tensor, factor: int) -> Tensor:
    """By numpy."""
    return torch.from_numpy(pictures.numpy().repeat(factor, -2).repeat(factor, -1))


def averaged(pictures: Tensor, factor: int) -> Tensor:
    """The mean of each square, by numpy."""
    n, c, h, w = pictures.shape
    squares = pictures.numpy().reshape(n, c, h // factor, factor, w // factor, factor)
    return torch.from_numpy(squares.mean((3, 5)))


@given(stages=st.integers(1, 5), share=st.floats(0, 1))
def test_size_and_share_follow_from_the_growth(stages: int, share: float) -> None:
    made = growth(stages, share * stages)
    done, fraction = math.floor(made.now), made.now - math.floor(made.now)
    assert made.newest == done + (fraction > 0) and made.factor * 2**made.newest == 2**stages
    assert made.alpha == (fraction if fraction > 0 else 1.0)
    assert made.done == (share == 1)


@pytest.mark.parametrize("now", [0.0, 0.25, 1.0, 1.75, 2.0])
def test_a_picture_is_the_mixture_of_two_sizes_enlarged(now: float) -> None:
    """Stages that only double, so that every head's picture is known; each adds a constant to be told by."""
    first = torch.rand(2, 3, 2, 3, dtype=torch.float64)
    picture = growth(2, now).picture(
        first, lambda number, x: x if number == 0 else repeated(x, 2), lambda number, x: x + 10**number
    )
    new, alpha = math.ceil(now), now % 1 or 1.0
    constant = alpha * 10**new + ((1 - alpha) * 10 ** (new - 1) if alpha < 1 else 0)
    torch.testing.assert_close(picture, repeated(first, 4) + constant, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("now", [0.0, 0.25, 1.0, 1.75, 2.0])
def test_the_losses_see_the_size_of_the_moment(now: float) -> None:
    made, random = growth(2, now), np.random.default_rng(0)
    factor, alpha = 2 ** (2 - math.ceil(now)), now % 1 or 1.0
    small = torch.from_numpy(random.random((2, 3, 16 // factor, 24 // factor)))
    real = torch.from_numpy(random.random((2, 3, 16, 24)))
    labels = random.integers(0, 5, (2, 16, 24))
    condition, fake, photo = made.compared(SemanticMap.from_labels(labels, 5), repeated(small, factor), real)
    assert torch.equal(fake, small)
    assert np.array_equal(condition.labels.numpy(), labels[:, ::factor, ::factor])
    sharp = averaged(real, factor)
    expected = alpha * sharp + (1 - alpha) * repeated(averaged(sharp, 2), 2)
    torch.testing.assert_close(photo, expected, rtol=1e-12, atol=1e-12)


def test_the_gradient_of_the_picture_that_is_compared_is_that_of_the_picture_as_made() -> None:
    small = torch.rand(1, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    semantics = SemanticMap.from_labels(torch.zeros(1, 8, 8, dtype=torch.long), 1)
    _, fake, _ = growth(1, 0.0).compared(semantics, enlarged(small, 2), torch.zeros(1, 3, 8, 8))
    weights = torch.rand_like(fake)
    (gradient,) = torch.autograd.grad((fake * weights).sum(), small)
    assert torch.equal(gradient, weights)


def test_reduced_and_enlarged_are_means_and_repetitions() -> None:
    pictures = torch.rand(2, 3, 8, 12, dtype=torch.float64)
    torch.testing.assert_close(reduced(pictures, 4), averaged(pictures, 4))
    assert torch.equal(enlarged(pictures, 2), repeated(pictures, 2))


def test_the_state_travels_and_a_damaged_one_is_refused() -> None:
    one, other = growth(2, 4 / 3), Growth(2)
    other.load_state_dict(one.state_dict())
    assert other.now == 4 / 3  # to the last bit, whatever type the weights have
    assert growth(2, 4 / 3).to(torch.bfloat16).now == 4 / 3
    for wrong in (-0.5, 2.5, float("nan")):
        with pytest.raises(InputError, match=r"growth in the file is .*; allowed are 0 to 2"):
            other.load_state_dict({"_extra_state": torch.tensor(wrong)})
    with pytest.raises(InputError, match="stages is 0"):
        Growth(0)
