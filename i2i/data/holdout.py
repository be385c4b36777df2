"""Splits for sets that come without one: a function of the names and a seed alone, the same on every machine."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from i2i.data.paired import Listing
from i2i.errors import InputError


def held_out(whole: Listing, share: float, seed: int, validation: bool, root: Path) -> Listing:
    """Where a set has no validation split: a share of its pairs, at least one, that come first by their names' digests.

    Args:
        whole: all pairs.
        share: of the pairs that validate.
        seed: see :func:`shuffled_by_name`.
        validation: the pairs held out; False for the others, which train.
        root: named in the error.

    Raises:
        InputError: too few pairs for both.
    """
    order = shuffled_by_name([pair.name for pair in whole.pairs], seed)
    chosen = set(order[: max(1, round(share * len(order)))])
    pairs = [pair for pair in whole.pairs if (pair.name in chosen) == validation]
    if not pairs and not whole.problems:
        raise InputError(f"{root}: {len(order)} pair is too few; one trains and one validates at least")
    return Listing(pairs, whole.problems)


def shuffled_by_name(names: Sequence[str], seed: int) -> list[str]:
    """The names in an order that looks random but is a function of the names and the seed alone (SHA-256)."""
    return sorted(names, key=lambda name: hashlib.sha256(os.fsencode(f"{seed}/{name}")).digest())
