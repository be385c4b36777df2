"""Modulation by table look-up: every pixel scales and shifts its features by the row of a table that it names.

In SPADE γ and β at a pixel depend on the labels around it alone, and few different neighbourhoods occur in a map: so
they are computed once per neighbourhood, as a row of a table, and looked up per pixel. This is the part that runs at
full resolution, once per normalisation; it is bound by memory traffic, so it is one pass::

    out = leaky_relu(up(x) · factor + shift),    factor, shift = the halves of the row of the pixel

with x normalised and ``factor`` = 1 + γ, ``shift`` = β. The other uses are alike: one row per class, one per instance.

Backward keeps x, the table and the rows alone and computes the rest again. The kernels' gradients by the table are sums
over pixels sorted by row, in an order that depends on nothing but the shapes: equal bits in every run.
"""

from __future__ import annotations

from importlib.util import find_spec
from types import ModuleType
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from i2i.errors import InputError
from i2i.nn import compiled, modulate_cpp
from i2i.patterns import PixelRows

Backend = Literal["auto", "torch", "cpp", "triton"]
"""What computes: torch's own operations (any device and type), compiled C++ (CPU), Triton (CUDA), or the fastest."""


def modulate(x: Tensor, rows: PixelRows, table: Tensor, slope: float | None = 0.2, backend: Backend = "auto") -> Tensor:
    """Scale and shift the features at every pixel by the row of ``table`` that is the pixel's; then leaky ReLU.

    Differentiable in x and table, any number of times: what the kernels compute once, torch's operations do again
    where a gradient is to be differentiated itself.

    Args:
        x: (N, C, h, w), normalised features; channels_last is the fast memory format.
        rows: for every pixel of the (N, H, W) output its row. H × W is h × w, or twice that: then x is up-sampled to
            the nearest pixel on the way.
        table: (P, 2C), first the factors (1 + γ), then the shifts (β). Computed in float32, in float64 for such an x.
        slope: of the leaky ReLU for negative values; None for no activation.
        backend: what computes; see :data:`Backend`.

    Returns:
        (N, C, H, W) in channels_last, in x's type.

    Raises:
        InputError: shapes that do not fit, or a backend that is forced and cannot serve x.
    """
    _check(x, rows, table)
    table = table.to(torch.promote_types(x.dtype, torch.float32))
    slope = 1.0 if slope is None else slope
    if torch.compiler.is_compiling():  # plain operations, which a compiler can fuse with their neighbours
        return modulate_plainly(x, rows, table, slope)
    out: Tensor = _Modulate.apply(x, table, rows, slope, _kernels(x, backend))
    return out


def modulate_plainly(x: Tensor, rows: PixelRows, table: Tensor, slope: float) -> Tensor:
    """The definition, in torch's operations; x and table as in :func:`modulate`, slope 1 for no activation."""
    wide = x.to(table.dtype)
    if rows.index.shape[1] != x.shape[2]:
        wide = F.interpolate(wide, scale_factor=2.0, mode="nearest")
    factor, shift = F.embedding(rows.index, table).permute(0, 3, 1, 2).chunk(2, 1)  # (N, C, H, W) each
    out = F.leaky_relu(torch.addcmul(shift, wide, factor), slope)
    return out.to(x.dtype, memory_format=torch.channels_last)


_BAND = 1 << 18  # values of a band of the image: its γ and β, read at once, stay in the processor's cache


def _in_bands(x: Tensor, rows: PixelRows, table: Tensor, slope: float) -> Tensor:
    """:func:`modulate_plainly` a few rows of the image at a time, so that no other tensor of its size is made."""
    count, height, width = rows.index.shape
    channels, times = x.shape[1], height // x.shape[2]
    features = x.permute(0, 2, 3, 1)
    out = x.new_empty(count, height, width, channels)
    step = times * max(1, _BAND // (times * width * channels))
    for image in range(count):
        for top in range(0, height, step):
            index = rows.index[image, top : top + step]
            # (h, times, w, times, C): the pixels that one pixel of x serves have axes of their own
            shape = (len(index) // times, times, width // times, times, 2 * channels)
            factor, shift = F.embedding(index, table).view(shape).chunk(2, -1)
            wide = features[image, top // times : (top + len(index)) // times, None, :, None].to(table.dtype)
            band = F.leaky_relu_(torch.addcmul(shift, wide, factor), slope)
            out[image, top : top + step] = band.view(len(index), width, channels)
    return out.permute(0, 3, 1, 2)


class _Modulate(torch.autograd.Function):
    """Saves x and the table alone. ``kernels`` are a module with forward, backward_x and backward_table, or None."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, table: Tensor, rows: PixelRows, slope: float, kernels: ModuleType | None
    ) -> Tensor:
        ctx.save_for_backward(x, table)
        ctx.rows, ctx.slope, ctx.kernels = rows, slope, kernels
        if kernels is None:
            return _in_bands(x, rows, table, slope)
        out: Tensor = kernels.forward(_channels_last(x), rows, table.contiguous(), slope)
        return out.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (grad,) = gradients
        x, table = ctx.saved_tensors
        wanted = ctx.needs_input_grad[:2]
        if ctx.kernels is None or torch.is_grad_enabled():
            found = _differentiate(x, table, grad, ctx.rows, ctx.slope, wanted)
        else:
            found = _by_kernels(ctx.kernels, x, table, grad, ctx.rows, ctx.slope, wanted)
        return *found, None, None, None


def _by_kernels(
    kernels: ModuleType, x: Tensor, table: Tensor, grad: Tensor, rows: PixelRows, slope: float, wanted: list[bool]
) -> list[Tensor | None]:
    """The gradients by x and by the table, as far as wanted."""
    inputs = _channels_last(grad), _channels_last(x), rows, table.contiguous(), slope
    return [
        kernels.backward_x(*inputs).permute(0, 3, 1, 2) if wanted[0] else None,
        kernels.backward_table(*inputs) if wanted[1] else None,
    ]


def _differentiate(
    x: Tensor, table: Tensor, grad: Tensor, rows: PixelRows, slope: float, wanted: list[bool]
) -> list[Tensor | None]:
    """The same by computing forwards again and differentiating that; differentiable where gradients are recorded."""
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        inputs = [t if again else t.detach().requires_grad_(w) for t, w in zip((x, table), wanted, strict=True)]
        out = modulate_plainly(inputs[0], rows, inputs[1], slope)
        asked = [t for t, w in zip(inputs, wanted, strict=True) if w]
        found = iter(torch.autograd.grad(out, asked, grad, create_graph=again))
    return [next(found) if w else None for w in wanted]


def _kernels(x: Tensor, backend: Backend) -> ModuleType | None:
    """The module of kernels that is to serve; None for torch's own operations."""
    if compiled.has_only_shapes():
        from i2i.nn import modulate_shapes  # only here: it serves predictions of memory

        return modulate_shapes
    if backend == "auto" and compiled.only_plain_operations():
        return None
    if backend in ("auto", "triton") and x.is_cuda and find_spec("triton"):
        from i2i.nn import modulate_triton  # only here: Triton is there where CUDA is

        return modulate_triton
    if backend in ("auto", "cpp") and x.is_cpu and x.dtype in modulate_cpp.TYPES and compiled.available():
        return modulate_cpp
    if backend in ("auto", "torch"):
        return None
    raise InputError(f"backend {backend!r} cannot serve {x.dtype} on {x.device} here; allowed are auto, torch")


def _channels_last(x: Tensor) -> Tensor:
    """(N, C, h, w) in any memory format -> (N, h, w, C), contiguous."""
    return x.permute(0, 2, 3, 1).contiguous()


def _check(x: Tensor, rows: PixelRows, table: Tensor) -> None:
    count, channels, *size = x.shape
    if list(rows.index.shape) not in ([count, *size], [count, *(2 * side for side in size)]):
        raise InputError(
            f"rows for {tuple(rows.index.shape)} pixels and features {tuple(x.shape)}: allowed are as many pixels, or "
            "twice as many in height and width"
        )
    wanted = (rows.count, 2 * channels)
    if tuple(table.shape) != wanted:
        raise InputError(f"the table is {tuple(table.shape)}; {channels} channels and the rows need {wanted}")
