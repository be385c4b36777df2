"""Numbers of every type that people have, and what is none."""

from __future__ import annotations

from typing import Any

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from i2i.errors import InputError
from i2i.numbers import check_finite, real_numbers, seed_number, whole_number


@pytest.mark.parametrize("given", [3, np.int64(3), np.uint8(3), torch.tensor(3), np.array(3), True + 2])
def test_every_integer_is_a_whole_number(given: Any) -> None:
    found = whole_number(given, "count")
    assert type(found) is int and found == 3


@pytest.mark.parametrize("given", [3.0, "3", None, np.float32(3), torch.tensor(3.0), [3]])
def test_nothing_else_is(given: Any) -> None:
    with pytest.raises(InputError, match=r"^count is .*3.*; it is a whole number$|^count is None; "):
        whole_number(given, "count")


@hypothesis.given(st.integers(0, 2**64 - 1))
def test_every_seed_is_one_that_torch_takes(seed: int) -> None:
    drawn = [torch.randn(2, generator=torch.Generator().manual_seed(s)) for s in (seed, seed_number(np.uint64(seed)))]
    assert torch.equal(*drawn)


@pytest.mark.parametrize(("wrong", "least"), [(-1, 0), (2**64, 0), (10**23, 0), (-(2**63) - 1, -(2**63))])
def test_a_seed_that_is_none_is_named(wrong: int, least: int) -> None:
    with pytest.raises(
        InputError, match=f"^the seed is {wrong}; allowed are integers of 64 bits, {least} to {2**64 - 1}$"
    ):
        seed_number(wrong, least=least)
    with pytest.raises(InputError, match=r"^the seed is 1\.0; it is a whole number"):
        seed_number(1.0)


def test_real_numbers() -> None:
    for given in (0.5, np.float64(0.5), torch.tensor(0.5, dtype=torch.float64), np.array(0.5)):
        assert torch.equal(real_numbers(given, "by"), torch.tensor(0.5))
    for wrong in ("0.5", None, {"a": 1}, ["red"]):
        with pytest.raises(InputError, match=r"^by is .*; numbers are needed$"):
            real_numbers(wrong, "by")


def test_what_is_not_finite_is_named() -> None:
    check_finite(torch.tensor([1.0, -3e38]), "the style")
    for wrong in (torch.tensor([1.0, torch.nan]), torch.tensor(torch.nan)):
        with pytest.raises(InputError, match="the style has the value nan; allowed are finite numbers"):
            check_finite(wrong, "the style")
    with pytest.raises(InputError, match="has the value -inf"):
        check_finite(torch.tensor([[1.0], [-torch.inf]]), "the style")
