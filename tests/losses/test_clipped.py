"""Clipped descent against the lines of its algorithm."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from i2i.errors import InputError
from i2i.losses.clipped import ClippedRMSprop


def test_it_is_the_algorithms_loop() -> None:
    weight = nn.Parameter(torch.randn(5, 3, dtype=torch.float64) * 0.05)
    untouched = nn.Parameter(torch.tensor([0.5, -0.5, 0.01], dtype=torch.float64))
    optimizer = ClippedRMSprop([{"params": [weight]}, {"params": [untouched]}], lr=0.01, alpha=0.9, limit=0.04)
    expected, mean = weight.detach().clone(), torch.zeros(5, 3, dtype=torch.float64)
    for _ in range(6):
        target = torch.randn(5, 3, dtype=torch.float64)
        optimizer.zero_grad()
        (weight - target).square().sum().backward()
        gradient = 2 * (expected - target)
        mean = 0.9 * mean + 0.1 * gradient**2
        expected = (expected - 0.01 * gradient / (mean.sqrt() + 1e-8)).clamp(-0.04, 0.04)
        optimizer.step()
        torch.testing.assert_close(weight.detach(), expected)
    assert float(weight.detach().abs().max()) == 0.04  # the box was reached
    assert untouched.tolist() == [0.04, -0.04, 0.01]


def test_its_defaults_are_the_papers() -> None:
    optimizer = ClippedRMSprop([nn.Parameter(torch.ones(1))])
    assert (optimizer.defaults["lr"], optimizer.limit) == (5e-5, 0.01)


def test_it_goes_on_from_its_state() -> None:
    def step(optimizer: ClippedRMSprop, weight: nn.Parameter) -> None:
        optimizer.zero_grad()
        weight.square().sum().backward()
        optimizer.step()

    whole, again = (nn.Parameter(torch.full((3,), 0.008)) for _ in range(2))
    first = ClippedRMSprop([whole], lr=1e-3)
    step(first, whole)
    again.data = whole.detach().clone()
    second = ClippedRMSprop([again], lr=1e-3)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for _ in range(3):
        step(first, whole)
        step(second, again)
    assert torch.equal(whole, again)


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan")])
def test_a_box_without_room_is_refused(limit: float) -> None:
    with pytest.raises(InputError, match="ClippedRMSprop: limit is"):
        ClippedRMSprop([nn.Parameter(torch.ones(1))], limit=limit)
