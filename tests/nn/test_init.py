"""Initialisations draw what their names say, also under spectral norm."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from i2i.errors import InputError
from i2i.nn.init import initialise
from i2i.nn.norm import spectral

FAN_IN, FAN_OUT = 64 * 9, 96 * 9


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(64, 96, 3), spectral(nn.Conv2d(64, 96, 3)))


@pytest.mark.parametrize(
    ("kind", "gain", "deviation"),
    [
        ("xavier", 0.02, 0.02 * math.sqrt(2 / (FAN_IN + FAN_OUT))),
        ("normal", 0.02, 0.02),
        ("kaiming", 1.0, math.sqrt(2 / FAN_IN)),
        ("orthogonal", 0.5, 0.5 / math.sqrt(FAN_IN)),
    ],
)
def test_deviation(kind: Any, gain: float, deviation: float) -> None:
    plain, normed = layers = network()
    initialise(layers, kind, gain)
    for weight in (plain.weight, normed.parametrizations.weight.original):  # type: ignore[union-attr]
        assert float(weight.detach().std()) == pytest.approx(deviation, rel=0.03)  # type: ignore[union-attr, operator]
    assert not plain.bias.any() and not normed.bias.any()  # type: ignore[union-attr, operator]


def test_orthogonal_rows() -> None:
    conv = nn.Conv2d(8, 6, 3)
    initialise(conv, "orthogonal", 0.5)
    rows = conv.weight.detach().flatten(1)
    torch.testing.assert_close(rows @ rows.t(), 0.25 * torch.eye(6), rtol=0, atol=1e-6)


def test_the_spectral_norm_knows_the_new_weight() -> None:
    layers = network()
    initialise(layers)
    largest = torch.linalg.matrix_norm(layers.eval()[1].weight.flatten(1), ord=2)  # type: ignore[union-attr, operator]
    assert float(largest.detach()) == pytest.approx(1, rel=0.1)


def test_none_keeps_the_weights() -> None:
    layers = network()
    before = [p.clone() for p in layers.parameters()]
    initialise(layers, "none")
    assert all(torch.equal(a, b) for a, b in zip(before, layers.parameters(), strict=True))


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(InputError, match="init 'zeros' is not known"):
        initialise(network(), "zeros")  # type: ignore[arg-type]
