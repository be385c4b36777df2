from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

from i2i.nn import compiled
from i2i.nn.modulated_conv import modulated_conv
from i2i.patterns import PixelRows

BACKENDS = ["torch", pytest.param("cpp", marks=pytest.mark.skipif(not compiled.available(), reason="no compiler"))]


def inputs(
    channels: int, outputs: int, size: int, doubled: bool, kernel: int, dtype: torch.dtype = torch.float64
) -> tuple[PixelRows, tuple[Tensor, Tensor, Tensor, Tensor]]:
    rows = PixelRows(torch.randint(5, (2, size << doubled, size << doubled), dtype=torch.int32), 5)
    shapes = [(2, channels, size, size), (5, 2 * channels), (outputs, channels, kernel, kernel), (outputs,)]
    x, table, weight, bias = (torch.randn(shape, dtype=dtype).requires_grad_() for shape in shapes)
    return rows, (x, table, weight, bias)


def plain(
    x: Tensor, rows: PixelRows, table: Tensor, weight: Tensor, bias: Tensor | None, slope: float | None
) -> Tensor:
    """The composition, with one row of the table for every pixel and everything kept."""
    factor, shift = table[rows.index.long()].permute(0, 3, 1, 2).chunk(2, 1)
    if x.shape[2:] != factor.shape[2:]:
        x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    value = x * factor + shift
    if slope is not None:
        value = torch.where(value > 0, value, slope * value)
    return F.conv2d(value, weight, bias, padding=weight.shape[-1] // 2)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("doubled", [False, True])
@pytest.mark.parametrize(("kernel", "slope", "with_bias"), [(3, 0.2, True), (1, None, False)])
def test_value_and_gradients_of_the_composition(
    backend: Any, doubled: bool, kernel: int, slope: float | None, with_bias: bool
) -> None:
    rows, (x, table, weight, bias) = inputs(6, 4, 5, doubled, kernel)
    offset = bias if with_bias else None
    found = modulated_conv(x, rows, table, weight, offset, slope, backend)
    expected = plain(x, rows, table, weight, offset, slope)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    above = torch.randn_like(expected)
    wanted = (x, table, weight, bias)[: 4 if with_bias else 3]
    for ours, theirs in zip(
        torch.autograd.grad(found, wanted, above), torch.autograd.grad(expected, wanted, above), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-11)


@pytest.mark.parametrize("backend", BACKENDS)
def test_second_derivatives(backend: Any) -> None:
    rows, tensors = inputs(2, 2, 2, True, 3)

    def function(x: Tensor, table: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return modulated_conv(x, rows, table, weight, bias, 0.2, backend)

    assert torch.autograd.gradgradcheck(function, tensors)


def kept(function: Callable[[], Tensor]) -> int:
    """Bytes that are still held after the forward pass, the output's among them."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        out = function()
    held = sum(event.self_cpu_memory_usage for event in record.events())
    assert out.requires_grad
    return held


@pytest.mark.parametrize("backend", BACKENDS)
def test_it_keeps_nothing_of_the_size_of_the_modulated_features(backend: Any) -> None:
    rows, (x, table, weight, bias) = inputs(64, 8, 32, True, 3, torch.float32)
    features = 2 * 64 * 64 * 64 * 4
    output = features // 8
    assert kept(lambda: plain(x, rows, table, weight, bias, 0.2)) > output + 3 * features
    assert output <= kept(lambda: modulated_conv(x, rows, table, weight, bias, 0.2, backend)) < output + features // 20


class Operations(TorchDispatchMode):
    """Writes down the names of all operations."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(function.overloadpacket))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_convolution_is_not_repeated(backend: Any) -> None:
    rows, (x, table, weight, bias) = inputs(4, 4, 4, True, 3)
    with Operations() as operations:
        modulated_conv(x, rows, table, weight, bias, 0.2, backend).sum().backward()
    assert operations.names.count("aten.convolution") == 1
    assert operations.names.count("aten.convolution_backward") == 1


def test_without_gradient_it_is_the_same() -> None:
    rows, (x, table, weight, bias) = inputs(4, 4, 4, True, 3)
    with torch.no_grad():
        found = modulated_conv(x, rows, table, weight, bias)
    torch.testing.assert_close(found, plain(x, rows, table, weight, bias, 0.2).detach())
