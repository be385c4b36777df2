"""Draws with a generator: a picture at once where memory is plenty, in bands of rows where it is short."""

from __future__ import annotations

import math

from torch import Tensor

from i2i.condition import Condition
from i2i.device import free_memory
from i2i.errors import InputError
from i2i.nn.bands import BandedSPADE, has_bands
from i2i.nn.generator import Generator
from i2i.semantics import SemanticMap

_GIB = 2**30


class Drawing:
    """Calls a generator so that its pictures fit the memory.

    Args:
        generator: folded.
        memory: GiB that features and tables of a picture may take; None takes half of what is free at the call, and
            what is needed where even the smallest bands need more.

    Raises:
        InputError: a memory for a network whose pictures can only be made whole, or one that is no number of GiB.
    """

    def __init__(self, generator: Generator, memory: float | None = None) -> None:
        if memory is not None and not 0 < memory < float("inf"):
            raise InputError(f"memory is {memory}; it is a number of GiB greater than 0")
        self._generator = generator
        self._memory = memory
        self._banded = BandedSPADE(generator) if memory is not None or has_bands(generator) else None

    def __call__(self, condition: Condition, style: Tensor | None) -> Tensor:
        """(N, 3, H, W) in [-1, 1].

        Raises:
            InputError: as the generator, or a memory that is given and does not suffice.
        """
        if self._banded is None or not isinstance(condition, SemanticMap):
            photo: Tensor = self._generator(condition, style)
            return photo
        limit = free_memory(condition.device) // 2 if self._memory is None else int(self._memory * _GIB)
        plan = self._banded.plan(condition, style, limit)
        if self._memory is not None and plan.bytes > limit:
            height, width = condition.size
            raise InputError(
                f"memory is {self._memory:g} GiB; a picture of {width}x{height} needs at least "
                f"{math.ceil(100 * plan.bytes / _GIB) / 100:.2f} GiB"
            )
        return self._banded(condition, style, plan)
