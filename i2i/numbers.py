"""Numbers as people give them: of every type that is one, and nothing else."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor

from i2i.errors import InputError


def whole_number(given: Any, what: str) -> int:
    """An integer of Python, NumPy or a tensor as an ``int``.

    >>> whole_number(np.int64(3), "count")
    3

    Raises:
        InputError: anything else, a float with nothing behind the point included.
    """
    try:
        return operator.index(given)
    except TypeError as error:
        raise InputError(f"{what} is {given!r}; it is a whole number") from error


def seed_number(given: Any, what: str = "the seed", least: int = 0) -> int:
    """A seed that torch's generators take.

    >>> seed_number(7)
    7

    Args:
        given: an integer of any kind.
        what: what it is called in the error.
        least: allowed; the generators take negative ones down to -2^63, too.

    Raises:
        InputError: no integer, or one that 64 bits do not hold.
    """
    number = whole_number(given, what)
    if not least <= number < 2**64:
        raise InputError(f"{what} is {number}; allowed are integers of 64 bits, {least} to {2**64 - 1}")
    return number


def real_numbers(given: Any, what: str, dtype: torch.dtype = torch.float32) -> Tensor:
    """A number, or an array of them, as a tensor.

    Raises:
        InputError: text and all else that is no number.
    """
    try:
        return torch.as_tensor(given, dtype=dtype)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{what} is {given!r}; numbers are needed") from error


def check_finite(numbers: Tensor, what: str) -> None:
    """Raise :class:`InputError` where one of the numbers is NaN or infinite."""
    wrong = numbers[~torch.isfinite(numbers)]
    if len(wrong):
        raise InputError(f"{what} has the value {float(wrong[0])}; allowed are finite numbers")
