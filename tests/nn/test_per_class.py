"""A matrix for every class, against one product after the other."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from i2i.nn.init import initialise
from i2i.nn.per_class import PerClassLinear
from i2i.styled_map import ByClass


@settings(max_examples=25)
@given(labels=st.lists(st.integers(0, 4), min_size=1, max_size=9), seed=st.integers(0, 99))
def test_outputs_and_gradients_are_those_of_a_loop(labels: list[int], seed: int) -> None:
    torch.manual_seed(seed)
    layer = PerClassLinear(5, 3, 2).double()
    x = torch.randn(len(labels), 3, dtype=torch.float64, requires_grad=True)
    found = layer(x, ByClass.of(torch.tensor(labels)))
    expected = torch.stack([layer.weight[c] @ row + layer.bias[c] for c, row in zip(labels, x, strict=True)])
    torch.testing.assert_close(found, expected)
    inputs = [x, layer.weight, layer.bias]
    gradients = (torch.autograd.grad(out.pow(3).sum(), inputs) for out in (found, expected))
    torch.testing.assert_close(*gradients)


def test_each_class_starts_as_a_layer_of_its_own() -> None:
    layer = PerClassLinear(400, 30, 20)
    initialise(layer, "xavier", gain=0.5)
    assert not layer.bias.any()
    assert abs(float(layer.weight.detach().std()) / (0.5 * (2 / 50) ** 0.5) - 1) < 0.01
