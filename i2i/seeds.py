"""Which numbers are seeds: those that torch's generators take, given as any kind of whole number."""

from __future__ import annotations

import contextlib
import operator
from typing import Any, SupportsIndex

from i2i.errors import InputError

_END = 1 << 64


def seed_number(seed: SupportsIndex) -> int:
    """A seed as an ``int``; numpy's whole numbers are some, too.

    >>> seed_number(7)
    7

    Raises:
        InputError: no whole number, a negative one, or one beyond 64 bits.
    """
    given: Any = seed
    with contextlib.suppress(TypeError):
        given = operator.index(seed)
    if not isinstance(given, int) or not 0 <= given < _END:
        raise InputError(f"the seed is {given!r}; allowed are whole numbers from 0 to {_END - 1} (64 bits)")
    return given
