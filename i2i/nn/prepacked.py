"""Weights kept in the layout that the CPU computes in.

oneDNN, which computes PyTorch's convolutions on a CPU, reorders the weight into blocks at every call. Where the map is
small, that takes longer than the convolution. Here it is done once, by the operators that ``torch.compile`` uses for
it; where they are absent or a gradient is wanted, PyTorch's ordinary ones serve.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _Packing(nn.Module):
    """A constant weight with its packed copies, made when they are first needed. Threads may share it."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self._packed: dict[int, Tensor] = {}

    def packed(self, kind: int, pack: Callable[[], Tensor]) -> Tensor:
        """The packed copy of this kind."""
        found = self._packed.get(kind)
        if found is None:
            found = self._packed.setdefault(kind, pack())
        return found

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> _Packing:
        self._packed = {}  # of a weight on another device, or of another type
        return cast(_Packing, super()._apply(fn, recurse))  # type: ignore[no-untyped-call]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_packed": {}}


class PackedConvolution(_Packing):
    """A convolution of stride 1 that keeps the size.

    Args:
        weight: (O, C, k, k), k odd.
        bias: (O,) or None.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__(weight.contiguous(memory_format=torch.channels_last), bias)

    def forward(self, x: Tensor, onto: Tensor | None = None) -> Tensor:
        """(N, C, H, W) -> (N, O, H, W), in the channels_last format for such an x.

        Args:
            x: the features.
            onto: (N, O, H, W) that the result is added to; may be overwritten.
        """
        side = self.weight.shape[-1] // 2
        if not _serves(x, self.weight):
            out = F.conv2d(x, self.weight, self.bias, padding=side)
            return out if onto is None else out.add_(onto)
        ops, geometry = torch.ops.mkldnn, ([side, side], [1, 1], [1, 1], 1)
        weight = self.packed(0, lambda: ops._reorder_convolution_weight(self.weight, *geometry, list(x.shape)))
        if onto is None:
            return cast(Tensor, ops._convolution_pointwise(x, weight, self.bias, *geometry, "none", [], ""))
        onto = onto.contiguous(memory_format=torch.channels_last)
        added = ops._convolution_pointwise_.binary(onto, x, weight, self.bias, *geometry, "add", 1.0, None, [], None)
        return cast(Tensor, added)


class PackedProduct(_Packing):
    """Products with a weight of three dimensions (A, B, C), seen as the matrix (A, B · C) or (A · B, C).

    Args:
        weight: (A, B, C).
        bias: kept beside it.
    """

    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__(weight.contiguous(), bias)

    @property
    def kernel(self) -> int:
        """Size k of the convolution whose weight this is, where B is k²."""
        return math.isqrt(self.weight.shape[1])

    def multiply(self, rows: Tensor) -> Tensor:
        """(U, A) -> (U, B · C), or (U, A · B) -> (U, C)."""
        matrix = self.weight.view(rows.shape[1], -1)
        if not _serves(rows, matrix):
            return rows @ matrix
        ops = torch.ops.mkldnn
        weight = self.packed(len(matrix), lambda: ops._reorder_linear_weight(matrix.t().contiguous(), len(rows)))
        out: Tensor = ops._linear_pointwise(rows, weight, None, "none", [], "")
        return out


def _serves(x: Tensor, weight: Tensor) -> bool:
    """Whether the packed operators can take this input: they know no gradient, and only float32 is sure everywhere."""
    if x.device.type != "cpu" or x.dtype != torch.float32 or weight.dtype != torch.float32:
        return False
    return not (torch.is_grad_enabled() and x.requires_grad) and not torch.compiler.is_compiling() and _available()


@cache
@torch.no_grad()
def _available() -> bool:
    """Whether this build of PyTorch has the operators, as they are called here, and they compute what is expected."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    x, kernel, rows, matrix = (torch.linspace(-1, 1, n) for n in (32, 144, 12, 20))
    x, kernel, rows, matrix = x.view(1, 4, 2, 4), kernel.view(4, 4, 3, 3), rows.view(3, 4), matrix.view(4, 5)
    ops, geometry = torch.ops.mkldnn, ([1, 1], [1, 1], [1, 1], 1)
    try:
        packed = ops._reorder_convolution_weight(kernel, *geometry, list(x.shape))
        maps = ops._convolution_pointwise(x, packed, None, *geometry, "none", [], "")
        twice = ops._convolution_pointwise_.binary(maps.clone(), x, packed, None, *geometry, "add", 1.0, None, [], None)
        packed = ops._reorder_linear_weight(matrix.t().contiguous(), len(rows))
        product = ops._linear_pointwise(rows, packed, None, "none", [], "")
    except (AttributeError, RuntimeError, TypeError):
        return False
    right = torch.allclose(maps, F.conv2d(x, kernel, padding=1), atol=1e-5) and torch.allclose(twice, 2 * maps)
    return right and torch.allclose(product, rows @ matrix, atol=1e-5)
