"""Packed weights compute what PyTorch's ordinary operators do, and follow the weight."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from i2i.nn import prepacked
from i2i.nn.prepacked import PackedConvolution, PackedProduct


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_convolution(kernel: int, bias: bool, dtype: torch.dtype) -> None:
    weight = torch.randn(7, 5, kernel, kernel, dtype=dtype)
    conv = PackedConvolution(weight, torch.randn(7, dtype=dtype) if bias else None)
    for shape in ((1, 5, 4, 6), (2, 5, 8, 3), (1, 5, 4, 6)):  # the packed weight serves any size
        for memory_format in (torch.channels_last, torch.contiguous_format):
            x = torch.randn(shape, dtype=dtype).contiguous(memory_format=memory_format)
            expected = F.conv2d(x, weight, conv.bias, padding=kernel // 2)
            with torch.no_grad():
                torch.testing.assert_close(conv(x), expected)
                onto = torch.randn_like(expected)
                torch.testing.assert_close(conv(x, onto=onto.clone()), expected + onto)
            leaf = x.clone().requires_grad_()
            (found,) = torch.autograd.grad(conv(leaf).square().sum(), leaf)
            (gradient,) = torch.autograd.grad(
                F.conv2d(leaf, weight, conv.bias, padding=kernel // 2).square().sum(), leaf
            )
            close = {"rtol": 1e-4, "atol": 1e-4} if dtype == torch.float32 else {}
            torch.testing.assert_close(found, gradient, **close)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_product(dtype: torch.dtype) -> None:
    weight = torch.randn(3, 9, 4, dtype=dtype)
    product = PackedProduct(weight, torch.randn(4, dtype=dtype))
    for count in (1, 5, 20):
        for width in (3, 27):
            rows = torch.randn(count, width, dtype=dtype)
            torch.testing.assert_close(product.multiply(rows), rows @ weight.view(width, -1))


def test_the_packed_copy_follows_the_weight() -> None:
    conv = PackedConvolution(torch.randn(2, 3, 3, 3), torch.randn(2))
    x = torch.randn(1, 3, 5, 5)
    expected = conv(x)
    assert torch.equal(copy.deepcopy(conv)(x), expected)
    wide = conv.double()(x.double())
    torch.testing.assert_close(wide.float(), expected, rtol=1e-5, atol=1e-5)
    conv.float().weight.zero_()
    assert torch.equal(conv.cpu()(x), conv.bias[None, :, None, None].expand(1, 2, 5, 5))  # type: ignore[index]


def test_without_the_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another build of PyTorch may lack them, or call them differently."""

    class Strange:
        def __getattr__(self, name: str) -> Any:
            raise AttributeError(name)

    conv = PackedConvolution(torch.randn(2, 3, 3, 3), None)
    x = torch.randn(1, 3, 5, 5)
    expected = F.conv2d(x, conv.weight, padding=1)
    monkeypatch.setattr(torch.ops, "mkldnn", Strange())
    prepacked._available.cache_clear()
    assert not prepacked._available()
    assert torch.equal(conv(x), expected)
    monkeypatch.undo()
    prepacked._available.cache_clear()
