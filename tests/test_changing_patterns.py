"""The patterns of a map that is painted on are those of the map as it is."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from i2i import patterns as patterns_module
from i2i.changing_patterns import ChangingPatterns, KnownWindows
from i2i.patterns import find_patterns
from i2i.region import Region

CODES = 5


class Book:
    """What every number stands for, from the contents that updates report as new."""

    def __init__(self, kernel: int) -> None:
        self.inner: list[tuple[int, ...]] = [(CODES,) * kernel**2]  # number 0, outside, is never looked up
        self.outer: list[tuple[int, ...]] = [()]

    def add(self, inner: Tensor, outer: Tensor) -> None:
        for known, new in ((self.inner, inner), (self.outer, outer)):
            rows = [tuple(row) for row in new.tolist()]
            assert not set(rows) & set(known[1:]) and len(set(rows)) == len(rows)
            known += rows


def padded(codes: Tensor, by: int) -> Tensor:
    n, h, w = codes.shape
    wide = torch.full((n, h + 2 * by, w + 2 * by), CODES)
    wide[:, by : by + h, by : by + w] = codes
    return wide


def check(book: Book, found: ChangingPatterns, codes: Tensor, kernel: int) -> None:
    """At every pixel the number's inner windows, where they lie in the image, are the codes around."""
    n, h, w = codes.shape
    side = kernel // 2
    wide = padded(codes, 2 * side)
    for image in range(n):
        for y in range(h):
            for x in range(w):
                outer = book.outer[int(found.index[image, y, x])]
                for place, number in enumerate(outer):
                    dy, dx = place // kernel - side, place % kernel - side
                    inside = 0 <= y + dy < h and 0 <= x + dx < w
                    assert (number == 0) == (not inside)
                    if inside:
                        top, left = y + dy + side, x + dx + side
                        window = wide[image, top : top + kernel, left : left + kernel]
                        assert book.inner[number] == tuple(window.flatten().tolist())


@settings(max_examples=25)
@given(
    shape=st.tuples(st.integers(1, 2), st.integers(1, 7), st.integers(1, 8)),
    kernel=st.sampled_from([3, 5]),
    strokes=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 7), st.integers(1, 4), st.integers(0, 4)), max_size=4),
    seed=st.integers(0, 99),
    collide=st.booleans(),
)
def test_any_sequence_of_strokes(
    shape: tuple[int, int, int], kernel: int, strokes: list[tuple[int, int, int, int]], seed: int, collide: bool
) -> None:
    codes = torch.randint(0, 2, shape, generator=torch.Generator().manual_seed(seed))
    changing, book = ChangingPatterns(shape, CODES, kernel), Book(kernel)
    history = [codes]
    for y, x, size, code in strokes:
        codes = codes.clone()
        codes[-1, y : y + size, x : x + size] = code
        history.append(codes)
    history += history[::-1]  # and all undone
    with pytest.MonkeyPatch.context() as patch:
        if collide:
            patch.setattr(patterns_module, "_mix", lambda state, value: (state ^ value) & 1)
        for i, codes in enumerate(history):
            before = changing.index.clone()
            change = changing.update(codes)
            if change is None:
                assert i > 0 and torch.equal(codes, history[i - 1]) and torch.equal(before, changing.index)
                continue
            assert i <= len(strokes) or len(change.inner) == len(change.outer) == 0
            book.add(change.inner, change.outer)
            check(book, changing, codes, kernel)
            if i > 0:
                assert change.region == Region.around(before != changing.index)
            fresh = find_patterns(codes, CODES, kernel)
            assert len(changing.index.unique()) == len(fresh.outer)


def test_what_is_new_is_counted_once() -> None:
    codes = torch.zeros(1, 16, 16, dtype=torch.long)
    changing = ChangingPatterns((1, 16, 16), CODES, 3)
    first = changing.update(codes)
    assert first is not None and len(first.inner) == 9 and len(first.outer) == 25 == changing.known
    assert first.region == Region(0, 16, 0, 16)
    assert changing.update(codes.clone()) is None
    codes = codes.clone()
    codes[0, 8, 8] = 1
    change = changing.update(codes)
    assert change is not None and len(change.inner) == 9 and len(change.outer) == 25
    assert change.region == Region(6, 11, 6, 11)
    moved = torch.zeros_like(codes)
    moved[0, 7, 9] = 1
    again = changing.update(moved)
    assert again is not None and len(again.inner) == len(again.outer) == 0 and changing.known == 50


def test_unused_windows_are_forgotten_by_the_rule() -> None:
    random = torch.Generator().manual_seed(0)
    shape, kernel = (1, 24, 24), 3
    changing, inner, outer = ChangingPatterns(shape, CODES, kernel), [()], [()]
    tidied = 0
    for _ in range(12):
        codes = torch.randint(0, CODES, shape, generator=random)
        codes[:, :, :12] = 0
        change = changing.update(codes)
        assert change is not None
        inner += [tuple(row) for row in change.inner.tolist()]
        outer += [tuple(row) for row in change.outer.tolist()]
        stay = changing.tidy()
        in_use = len(find_patterns(codes, CODES, kernel).outer)
        if stay is not None:
            tidied += 1
            kept_inner, kept_outer = (numbers.tolist() for numbers in stay)
            assert all(a < b for a, b in pairwise(kept_inner)) and all(a < b for a, b in pairwise(kept_outer))
            renumbered = {0: 0} | {old: new for new, old in enumerate(kept_inner, 1)}
            inner = [(), *(inner[n] for n in kept_inner)]
            outer = [(), *(tuple(renumbered[n] for n in outer[old]) for old in kept_outer)]
            assert changing.known == in_use == len(kept_outer)
        assert changing.known == len(outer) - 1 <= 2 * 24 * 24 + 256
        book = Book(kernel)
        book.inner, book.outer = inner, outer  # type: ignore[assignment]
        check(book, changing, codes, kernel)
    assert 0 < tidied < 12
    assert changing.update(codes) is None


def test_windows_are_told_apart_by_their_contents() -> None:
    known = KnownWindows(torch.tensor([[1, 2], [3, 4]]))
    numbers, new = known.number(torch.tensor([[3, 4], [4, 3], [1, 2], [0, 0]]))
    assert numbers.tolist() == [2, 3, 1, 4] and new.tolist() == [[4, 3], [0, 0]]
    assert known.contents.tolist() == [[1, 2], [3, 4], [4, 3], [0, 0]] and len(known) == 4
