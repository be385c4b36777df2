"""The numbering of neighbourhoods, against comparison of the neighbourhoods themselves."""

from __future__ import annotations

import gc
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from i2i import patterns
from i2i.patterns import PixelRows, Windows, find_patterns, number_windows
from i2i.semantics import SemanticMap

CODES = 5


def neighbourhoods(codes: Tensor, size: int) -> Tensor:
    """(N · H · W, size²), the window around each pixel; CODES outside the image."""
    padded = np.pad(codes.numpy(), [(0, 0), (size // 2, size // 2), (size // 2, size // 2)], constant_values=CODES)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
    return torch.from_numpy(windows.reshape(codes.numel(), size * size).copy())


def assert_numbers(windows: Windows, expected: Tensor) -> None:
    """Equal numbers for equal rows of ``expected``, others for others, and no number without a pixel."""
    _, reference = torch.unique(expected, dim=0, return_inverse=True)
    number = windows.rows.index.flatten().long()
    pairs = torch.unique(torch.stack([reference, number]), dim=1)
    assert pairs.shape[1] == len(torch.unique(reference)) == len(windows) == windows.rows.count
    assert torch.equal(torch.unique(number), torch.arange(len(windows)))


maps = arrays(
    np.int64,
    st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12)),
    elements=st.integers(0, CODES - 1),
    fill=st.integers(0, CODES - 1),
).map(torch.from_numpy)


@settings(max_examples=60)
@given(codes=maps, kernel=st.sampled_from([3, 5]))
def test_numbers_tell_neighbourhoods_apart(codes: Tensor, kernel: int) -> None:
    found = find_patterns(codes, CODES, kernel)
    assert_numbers(found.inner, neighbourhoods(codes, kernel))
    assert_numbers(found.outer, neighbourhoods(codes, 2 * kernel - 1))
    number = found.inner.rows.index.flatten().long()
    assert torch.equal(found.inner.contents[number], neighbourhoods(codes, kernel))
    counts = found.counts
    assert (counts.pixels, counts.inner, counts.outer) == (codes.numel(), len(found.inner), len(found.outer))
    assert counts.inner <= counts.outer <= counts.pixels
    assert not counts.collided


@settings(max_examples=30)
@given(codes=maps)
def test_a_window_of_windows_is_a_neighbourhood(codes: Tensor) -> None:
    """The middles of the nine inner windows of an outer one are the codes around the pixel."""
    found = find_patterns(codes, CODES, 3)
    middle = torch.cat([found.inner.contents[:, 4], torch.tensor([CODES])])
    outer = found.outer.contents[found.outer.rows.index.flatten().long()]
    assert torch.equal(middle[outer], neighbourhoods(codes, 3))


def _constant(state: Tensor, value: Tensor) -> Tensor:
    return torch.zeros_like(state)


def _weak(state: Tensor, value: Tensor) -> Tensor:
    return (state + value) % 16


@pytest.mark.parametrize("mix", [_constant, _weak])
@pytest.mark.parametrize("kernel", [3, 5])
def test_collisions_are_survived(monkeypatch: pytest.MonkeyPatch, mix: Any, kernel: int) -> None:
    codes = torch.randint(0, CODES, (2, 9, 11))
    monkeypatch.setattr(patterns, "_mix", mix)
    found = find_patterns(codes, CODES, kernel)
    assert found.counts.collided
    assert_numbers(found.inner, neighbourhoods(codes, kernel))
    assert_numbers(found.outer, neighbourhoods(codes, 2 * kernel - 1))
    number = found.inner.rows.index.flatten().long()
    assert torch.equal(found.inner.contents[number], neighbourhoods(codes, kernel))


def test_the_numbering_is_one_for_the_batch_and_always_the_same() -> None:
    codes = torch.randint(0, CODES, (1, 20, 30))
    once, twice = number_windows(codes, CODES, 3), number_windows(codes.repeat(2, 1, 1).int(), CODES, 3)
    assert torch.equal(once.contents, twice.contents)
    assert torch.equal(once.rows.index.repeat(2, 1, 1), twice.rows.index)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_numbering_is_the_same_on_a_gpu() -> None:
    codes = torch.randint(0, CODES, (2, 33, 47))
    here, there = find_patterns(codes, CODES, 3), find_patterns(codes.cuda(), CODES, 3).to("cpu")
    for a, b in ((here.inner, there.inner), (here.outer, there.outer)):
        assert torch.equal(a.contents, b.contents) and torch.equal(a.rows.index, b.rows.index)


@settings(max_examples=30)
@given(codes=maps)
def test_pixels_are_sorted_by_row(codes: Tensor) -> None:
    rows = PixelRows(codes.int(), CODES)
    for row in range(CODES):
        found = rows.order[rows.offsets[row] : rows.offsets[row + 1]]
        assert torch.equal(found.long(), (codes.flatten() == row).nonzero()[:, 0])
    assert rows.order.dtype == rows.offsets.dtype == torch.int32
    assert rows.order is rows.order


def test_a_row_for_every_pixel() -> None:
    rows = PixelRows.one_each(2, 3, 4, torch.device("cpu"))
    expected = PixelRows(torch.arange(24, dtype=torch.int32).view(2, 3, 4), 24)
    for name in ("index", "order", "offsets"):
        assert torch.equal(getattr(rows, name), getattr(expected, name))


def test_a_map_finds_its_patterns_once_for_each_size() -> None:
    labels = torch.randint(0, 3, (2, 16, 24))
    semantics = SemanticMap.from_labels(labels, 3, torch.randint(0, 2, (2, 16, 24)))
    assert semantics.edges is not None
    assert torch.equal(semantics.codes, labels * 2 + semantics.edges)
    found = semantics.patterns(8, 12)
    assert found is semantics.patterns(8, 12) is semantics.resized(8, 12).patterns(8, 12)
    assert found.codes == 6
    expected = find_patterns(semantics.resized(8, 12).codes, 6, 3)
    assert torch.equal(found.outer.rows.index, expected.outer.rows.index)
    assert semantics.patterns(8, 12, kernel=5).kernel == 5


def test_what_was_found_moves_with_the_map(monkeypatch: pytest.MonkeyPatch) -> None:
    semantics = SemanticMap.from_labels(torch.randint(0, 3, (1, 16, 16)), 3)
    found = semantics.patterns(8, 8)
    order = found.outer.rows.order
    monkeypatch.setattr(patterns, "number_windows", lambda *_: pytest.fail("found a second time"))
    for moved in (semantics.to("cpu"), pickle.loads(pickle.dumps(semantics))):
        again = moved.patterns(8, 8)
        assert torch.equal(again.outer.rows.index, found.outer.rows.index)
        assert torch.equal(again.outer.rows.__dict__["order"], order)
        assert torch.equal(again.inner.contents, found.inner.contents)


def test_what_a_maker_left_goes_with_the_maker() -> None:
    class Maker:
        pass

    semantics = SemanticMap.from_labels(torch.zeros(1, 4, 4, dtype=torch.long), 1)
    first, second = Maker(), Maker()
    made = semantics.kept_for(first, lambda: [1])
    assert semantics.kept_for(first, lambda: [2]) is made
    assert semantics.kept_for(second, lambda: [3]) == [3]
    assert len(semantics._made_by) == 2
    del first
    gc.collect()
    assert len(semantics._made_by) == 1
    assert pickle.loads(pickle.dumps(semantics)).kept_for(second, lambda: [4]) == [4]


def test_patterns_found_in_inference_serve_training() -> None:
    with torch.inference_mode():
        semantics = SemanticMap.from_labels(torch.randint(0, 3, (1, 8, 8)), 3)
        index = semantics.patterns(8, 8).outer.rows.index
    assert not index.is_inference()
