"""Spectral norm against the singular value decomposition; batch norm against PyTorch's, in one process and in two."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import parametrize

from i2i.errors import InputError
from i2i.nn.norm import GlobalBatchNorm2d, SpectralNorm, norm_layer, param_free_norm, spectral
from tests.processes import in_two_processes


def power_method(conv: nn.Module) -> SpectralNorm:
    step = conv.parametrizations.weight[0]  # type: ignore[union-attr, index]
    assert isinstance(step, SpectralNorm)
    return step


@settings(max_examples=20)
@given(out=st.integers(2, 9), inside=st.integers(1, 6), kernel=st.integers(1, 4))
def test_the_largest_singular_value_becomes_one(out: int, inside: int, kernel: int) -> None:
    conv = spectral(nn.Conv2d(inside, out, kernel))
    weight = conv.parametrizations.weight.original.detach()  # type: ignore[union-attr]
    power_method(conv).refine(weight, 2000)
    expected = weight / torch.linalg.matrix_norm(weight.flatten(1), ord=2)
    torch.testing.assert_close(conv.eval().weight, expected, rtol=1e-3, atol=1e-4)


def test_one_power_iteration_a_use_as_in_the_legacy_spectral_norm() -> None:
    ours, theirs = spectral(nn.Conv2d(5, 7, 3)), nn.utils.spectral_norm(nn.Conv2d(5, 7, 3))
    step = power_method(ours)
    with torch.no_grad():
        theirs.weight_orig.copy_(ours.parametrizations.weight.original)  # type: ignore[union-attr]
        theirs.bias.copy_(ours.bias)
        theirs.weight_u.copy_(step.u)
        theirs.weight_v.copy_(step.v)
    x = torch.randn(2, 5, 8, 8)
    for training in (True, True, False, True):
        ours.train(training)
        theirs.train(training)
        found, expected = ours(x), theirs(x)
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(step.u, theirs.weight_u)
        (gradient,) = torch.autograd.grad(found.square().sum(), ours.parametrizations.weight.original)  # type: ignore
        (reference,) = torch.autograd.grad(expected.square().sum(), theirs.weight_orig)
        torch.testing.assert_close(gradient, reference, rtol=1e-4, atol=1e-4)


def test_cached_counts_several_passes_as_one_use() -> None:
    conv = spectral(nn.Conv2d(3, 4, 3))
    once, twice = copy.deepcopy(conv), copy.deepcopy(conv)
    x = torch.randn(1, 3, 5, 5)
    once(x)
    with parametrize.cached():
        first, second = twice(x), twice(x)
    assert torch.equal(first, second)
    assert torch.equal(power_method(once).u, power_method(twice).u)
    twice(x)
    assert not torch.equal(power_method(once).u, power_method(twice).u)


def test_two_uses_before_one_backward_pass() -> None:
    conv = spectral(nn.Conv2d(3, 4, 3))
    (conv(torch.ones(1, 3, 5, 5)).sum() + conv(torch.zeros(1, 3, 5, 5)).sum()).backward()
    assert conv.parametrizations.weight.original.grad is not None  # type: ignore[union-attr]


def test_derivatives_of_the_normalised_weight() -> None:
    conv = spectral(nn.Conv2d(2, 3, 2)).double().eval()
    weight = conv.parametrizations.weight.original.detach().clone().requires_grad_()  # type: ignore[union-attr]
    assert torch.autograd.gradcheck(power_method(conv), weight)
    assert torch.autograd.gradgradcheck(power_method(conv), weight)


def test_the_norm_is_not_computed_in_reduced_precision() -> None:
    conv = spectral(nn.Conv2d(8, 8, 3)).eval()
    expected = conv.weight
    with torch.autocast("cpu", torch.bfloat16):
        assert conv.weight.dtype == torch.float32
        assert torch.equal(conv.weight, expected)


@pytest.mark.parametrize("affine", [False, True])
def test_in_one_process_it_is_batch_norm(affine: bool) -> None:
    ours, theirs = GlobalBatchNorm2d(3, affine), nn.BatchNorm2d(3, affine=affine)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for _ in range(3):
        x = torch.randn(2, 3, 4, 5) * 3 + 2
        torch.testing.assert_close(ours(x), theirs(x))
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_second_derivatives_in_one_process() -> None:
    layer = GlobalBatchNorm2d(2).double()
    assert torch.autograd.gradgradcheck(layer, torch.randn(2, 2, 2, 3, dtype=torch.float64, requires_grad=True))


BATCH = torch.randn(5, 3, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) * 2 + 40
SHARES = (slice(0, 2), slice(2, 5))  # the processes need not have equal shares


def objective(layer: nn.Module, x: Tensor, share: slice) -> tuple[Tensor, Tensor, Tensor]:
    """Output, gradient and a second derivative of a loss that is a sum over the images."""
    target = torch.linspace(-1, 1, BATCH.numel(), dtype=torch.float64).view_as(BATCH)[share]
    x = x.clone().requires_grad_()
    out = layer(x)
    (gradient,) = torch.autograd.grad(((out - target) ** 3).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad((gradient**2).sum(), x)
    return out.detach(), gradient.detach(), second


def share(rank: int) -> Any:
    layer = GlobalBatchNorm2d(3, affine=True).double()
    results = objective(layer, BATCH[SHARES[rank]], SHARES[rank])
    half = layer(BATCH[SHARES[rank]].half())
    return results, layer.state_dict(), half


def test_two_processes_equal_one_with_the_whole_batch() -> None:
    parts = in_two_processes(share)
    layer = nn.BatchNorm2d(3).double()
    expected = objective(layer, BATCH, slice(None))
    for i, value in enumerate(expected):
        together = torch.cat([results[i] for results, _, _ in parts])
        torch.testing.assert_close(together, value, rtol=1e-9, atol=1e-9)
    halves = torch.cat([half for _, _, half in parts])
    assert halves.dtype == torch.float16
    torch.testing.assert_close(halves.double(), expected[0], rtol=0, atol=2e-2)
    layer(BATCH.half().double())
    for _, state, _ in parts:
        for name, value in layer.state_dict().items():
            torch.testing.assert_close(state[name], value, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", ["batch", "global_batch", "instance"])
def test_param_free_norms_centre_and_scale(kind: Any) -> None:
    layer = param_free_norm(kind, 3)
    assert list(layer.parameters()) == []
    x = torch.randn(2, 3, 8, 8) * 5 + 7
    axes = (2, 3) if kind == "instance" else (0, 2, 3)
    out = layer(x)
    torch.testing.assert_close(out.mean(axes), torch.zeros_like(out.mean(axes)), rtol=0, atol=1e-5)
    torch.testing.assert_close(out.var(axes, correction=0), torch.ones_like(out.mean(axes)), rtol=1e-3, atol=0)


@pytest.mark.parametrize("kind", ["batch", "global_batch", "instance"])
@pytest.mark.parametrize("batch", [1, 2])
def test_gradients_do_not_depend_on_the_memory_format(kind: Any, batch: int) -> None:
    axes = (2, 3) if kind == "instance" else (0, 2, 3)
    x = torch.randn(batch, 3, 4, 5, dtype=torch.float64)
    weights = torch.randn_like(x)
    leaf = x.clone().requires_grad_()
    centred = leaf - leaf.mean(axes, keepdim=True)
    formula = centred / (centred.square().mean(axes, keepdim=True) + 1e-5).sqrt()
    (expected,) = torch.autograd.grad(formula, leaf, weights)
    for of_input in (torch.contiguous_format, torch.channels_last):
        for of_gradient in (torch.contiguous_format, torch.channels_last):
            leaf = x.contiguous(memory_format=of_input).clone().requires_grad_()
            out = param_free_norm(kind, 3).double()(leaf)
            torch.testing.assert_close(out, formula)
            (found,) = torch.autograd.grad(out, leaf, weights.contiguous(memory_format=of_gradient))
            torch.testing.assert_close(found, expected)


def test_none_and_unknown_norms() -> None:
    x = torch.randn(1, 2, 3, 3)
    assert norm_layer("none", 2)(x) is x
    with pytest.raises(InputError, match="norm 'group' is not known; allowed are batch"):
        norm_layer("group", 2)  # type: ignore[arg-type]
