from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from i2i.errors import InputError
from i2i.nn import compiled
from i2i.nn import modulate as modulation
from i2i.nn.modulate import modulate, modulate_plainly
from i2i.patterns import PixelRows

BACKENDS = ["torch", pytest.param("cpp", marks=pytest.mark.skipif(not compiled.available(), reason="no compiler"))]
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


def case(
    shape: tuple[int, int, int, int], count: int, doubled: bool, dtype: torch.dtype = torch.float64, seed: int = 0
) -> tuple[Tensor, PixelRows, Tensor]:
    """Features, rows and a table, of which some rows are used often and others perhaps never."""
    random = torch.Generator().manual_seed(seed)
    n, c, h, w = shape
    index = torch.randint(count, (n, h << doubled, w << doubled), generator=random)
    index = torch.where(torch.rand(index.shape, generator=random) < 0.4, count // 2, index)
    x = torch.randn(shape, generator=random, dtype=torch.float64).to(dtype)
    table = torch.randn(count, 2 * c, generator=random, dtype=torch.float64)
    table = table.to(torch.promote_types(dtype, torch.float32))
    return x.requires_grad_(), PixelRows(index.int(), count), table.requires_grad_()


def by_hand(x: Tensor, index: Tensor, table: Tensor, slope: float | None) -> np.ndarray:
    """Value for value, in float64."""
    values, lookup, where = x.detach().double().numpy(), table.detach().double().numpy(), index.numpy()
    (n, c, h, _), (_, height, width) = x.shape, where.shape
    scale = height // h
    out = np.empty((n, c, height, width))
    for b, k, i, j in np.ndindex(out.shape):
        row = lookup[where[b, i, j]]
        value = values[b, k, i // scale, j // scale] * row[k] + row[c + k]
        out[b, k, i, j] = value if slope is None or value >= 0 else value * slope
    return out


def gradients(x: Tensor, rows: PixelRows, table: Tensor, backend: Any, slope: float | None = 0.2) -> tuple[Tensor, ...]:
    out = modulate(x, rows, table, slope, backend)
    above = torch.linspace(-1, 1, out.numel(), dtype=torch.float64).view(out.shape).to(out)
    return out.detach(), *torch.autograd.grad(out, (x, table), above)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=40)
@given(
    n=st.integers(1, 3),
    c=st.sampled_from([1, 3, 16, 33]),
    h=st.integers(1, 5),
    w=st.integers(1, 5),
    count=st.integers(1, 7),
    doubled=st.booleans(),
    channels_last=st.booleans(),
    slope=st.sampled_from([0.2, 0.0, None]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_it_is_the_formula_at_every_pixel(
    backend: Any, n: int, c: int, h: int, w: int, count: int, doubled: bool, channels_last: bool, slope: Any, dtype: Any
) -> None:
    x, rows, table = case((n, c, h, w), count, doubled, dtype)
    if channels_last:
        x = x.to(memory_format=torch.channels_last)
    out = modulate(x, rows, table, slope, backend)
    assert out.dtype == dtype and out.is_contiguous(memory_format=torch.channels_last)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-12
    np.testing.assert_allclose(out.detach().numpy(), by_hand(x, rows.index, table, slope), atol=tolerance)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("doubled", [False, True])
@pytest.mark.parametrize("slope", [0.2, None])
def test_gradients_of_first_and_second_order(backend: Any, doubled: bool, slope: float | None) -> None:
    x, rows, table = case((2, 3, 2, 3), 4, doubled)

    def function(x: Tensor, table: Tensor) -> Tensor:
        return modulate(x, rows, table, slope, backend)

    assert torch.autograd.gradcheck(function, (x, table), fast_mode=False)
    assert torch.autograd.gradgradcheck(function, (x, table))


@pytest.mark.parametrize("backend", BACKENDS)
def test_only_what_is_wanted_has_a_gradient(backend: Any) -> None:
    x, rows, table = case((1, 4, 3, 3), 3, True)
    both = torch.autograd.grad(modulate(x, rows, table, 0.2, backend).sum(), (x, table))
    (by_x,) = torch.autograd.grad(modulate(x, rows, table.detach(), 0.2, backend).sum(), x)
    (by_table,) = torch.autograd.grad(modulate(x.detach(), rows, table, 0.2, backend).sum(), table)
    torch.testing.assert_close((by_x, by_table), both)


@pytest.mark.parametrize(
    ("backend", "dtype"),
    [("torch", torch.float16), ("auto", torch.float16), ("torch", torch.bfloat16), ("auto", torch.bfloat16)],
)
def test_half_precision_is_computed_in_float32(backend: Any, dtype: torch.dtype) -> None:
    x, rows, table = case((2, 32, 8, 8), 9, True, dtype)
    wide = x.detach().float().requires_grad_()
    expected = gradients(wide, rows, table, "torch")
    found = gradients(x, rows, table, backend)
    assert [t.dtype for t in found] == [dtype, dtype, torch.float32]
    one_rounding = torch.finfo(dtype).eps
    for value, reference in zip(found[:2], expected, strict=False):
        torch.testing.assert_close(value.float(), reference, rtol=one_rounding, atol=0.02)
    torch.testing.assert_close(found[2], expected[2], rtol=one_rounding, atol=0.05)  # the gradient above is rounded
    halved = modulate(x, rows, table.to(dtype), 0.2, backend)
    torch.testing.assert_close(halved.float(), expected[0], rtol=0.02, atol=0.02)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("shape", "count"),
    [((2, 64, 32, 32), 700), ((1, 64, 32, 32), 2), ((1, 512, 8, 8), 250), ((3, 24, 16, 16), 1), ((1, 3, 9, 7), 5000)],
)
def test_large_maps_and_any_number_of_threads(backend: Any, shape: Any, count: int) -> None:
    x, rows, table = case(shape, count, True)
    expected = gradients(x, rows, table, "torch")
    threads = torch.get_num_threads()
    results = []
    try:
        for number in (1, 2, 3, 1):
            torch.set_num_threads(number)
            results.append(gradients(x, rows, table, backend))
    finally:
        torch.set_num_threads(threads)
    for value, reference in zip(results[0], expected, strict=True):
        torch.testing.assert_close(value, reference, rtol=1e-12, atol=1e-10)
    for other in results[1:]:
        assert all(map(torch.equal, other, results[0]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_backward_keeps_the_small_input_and_the_table_alone(backend: Any) -> None:
    x, rows, table = case((1, 8, 8, 8), 5, True, torch.float32)
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):  # type: ignore
        modulate(x, rows, table, 0.2, backend)
    assert sorted(kept) == sorted([x.numel(), table.numel()])


def test_a_compiler_that_traces_sees_plain_operations() -> None:
    x, rows, table = case((1, 4, 3, 3), 3, True)
    compiled = torch.compile(lambda x, table: modulate(x, rows, table), backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x, table), modulate(x, rows, table))


def test_shapes_that_do_not_fit_are_named() -> None:
    x, rows, table = case((1, 4, 3, 3), 3, True)
    with pytest.raises(InputError, match=r"rows for \(1, 6, 6\) pixels and features \(1, 4, 2, 3\)"):
        modulate(x[:, :, :2], rows, table)
    with pytest.raises(InputError, match=r"the table is \(2, 8\); 4 channels and the rows need \(3, 8\)"):
        modulate(x, rows, table[:2])
    with pytest.raises(InputError, match=r"backend 'triton' cannot serve torch\.float64 on cpu"):
        modulate(x, rows, table, backend="triton")


def test_a_row_beyond_the_table_is_no_memory_fault() -> None:
    if not compiled.available():
        pytest.skip("no compiler")
    x, rows, table = case((1, 4, 3, 3), 3, False)
    broken = PixelRows(rows.index + 1, rows.count)
    with pytest.raises(IndexError, match="row 3 of a table of 3 rows"):
        modulate(x, broken, table, backend="cpp")


@pytest.mark.parametrize("wrong", ["no compiler", "a compiler that fails"])
def test_without_a_compiler_torch_serves_and_says_so_once(
    wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "empty"))
    monkeypatch.setenv("CXX", "no-such-compiler" if wrong == "no compiler" else "false")
    compiled.available.cache_clear()
    x, rows, table = case((1, 4, 3, 3), 3, True)
    try:
        with caplog.at_level(logging.WARNING, "i2i"):
            found = [modulate(x, rows, table) for _ in range(2)]
            with pytest.raises(InputError, match="backend 'cpp' cannot serve"):
                modulate(x, rows, table, backend="cpp")
    finally:
        compiled.available.cache_clear()
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("i2i")]
    assert "\n" not in line and "compiled CPU kernels" in line
    for out in found:
        np.testing.assert_allclose(out.detach().numpy(), by_hand(x, rows.index, table, 0.2), atol=1e-12)


def test_what_was_compiled_is_found_again_without_a_compiler(tmp_path: Path) -> None:
    if not compiled.available():
        pytest.skip("no compiler")
    program = "from i2i.nn import compiled; assert compiled.available()"
    fresh = {**os.environ, "TORCH_EXTENSIONS_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], env=fresh, check=True, timeout=300)
    assert [path.suffix for path in (tmp_path / "i2i").iterdir()] == [".so"]  # and nothing of the build is left
    subprocess.run([sys.executable, "-c", program], env={**fresh, "CXX": "no-such-compiler"}, check=True, timeout=300)


@pytest.mark.parametrize("doubled", [False, True])
def test_plain_forward_in_bands_is_the_definition(monkeypatch: pytest.MonkeyPatch, doubled: bool) -> None:
    """Bands of an odd number of rows, the last one shorter; the same bits."""
    x, rows, table = case((2, 6, 11, 5), 7, doubled)
    for size in (1, 3 * rows.index.shape[2] * 6, 1 << 18):
        monkeypatch.setattr(modulation, "_BAND", size)
        found = modulate(x, rows, table, backend="torch")
        assert torch.equal(found, modulate_plainly(x, rows, table, 0.2)) and found.is_contiguous(
            memory_format=torch.channels_last
        )


TRITON_CASES = [((2, 3, 4, 5), 6, True), ((1, 70, 3, 3), 4, False), ((1, 2, 40, 30), 3, True)]


def interpret_triton(_: int) -> None:
    from i2i.nn import modulate_triton

    for shape, count, doubled in TRITON_CASES:
        x, rows, table = case(shape, count, doubled)
        out, by_x, by_table = gradients(x, rows, table, "torch")
        above = torch.linspace(-1, 1, out.numel(), dtype=torch.float64).view(out.shape)
        nhwc, above = x.detach().permute(0, 2, 3, 1).contiguous(), above.permute(0, 2, 3, 1).contiguous()
        arguments = nhwc, rows, table.detach(), 0.2
        close = {"rtol": 1e-12, "atol": 1e-11}
        torch.testing.assert_close(modulate_triton.forward(*arguments).permute(0, 3, 1, 2), out, **close)
        torch.testing.assert_close(
            modulate_triton.backward_x(above, *arguments).permute(0, 3, 1, 2), by_x, check_stride=False, **close
        )
        torch.testing.assert_close(modulate_triton.backward_table(above, *arguments), by_table, **close)


def test_the_triton_kernels_in_its_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("triton")
    monkeypatch.setenv("TRITON_INTERPRET", "1")  # counts where the kernels are defined: hence a process of its own
    mp.spawn(interpret_triton, nprocs=1)


@on_gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("shape", "count", "doubled"), [*TRITON_CASES, ((4, 64, 64, 64), 900, True)])
def test_on_a_gpu_as_on_the_cpu_and_the_same_bits_again(
    shape: Any, count: int, doubled: bool, dtype: torch.dtype
) -> None:
    x, rows, table = case(shape, count, doubled, dtype)
    expected = gradients(x, rows, table, "torch")
    inputs = x.detach().cuda().requires_grad_(), rows.to("cuda"), table.detach().cuda().requires_grad_()
    found = gradients(*inputs, "triton")
    assert all(map(torch.equal, found, gradients(*inputs, "auto")))
    tolerance = {torch.float64: 1e-11, torch.float32: 1e-4}.get(dtype, 5e-2)
    for value, reference in zip(found, expected, strict=True):
        torch.testing.assert_close(value.cpu(), reference, rtol=tolerance, atol=tolerance)
