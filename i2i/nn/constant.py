"""Passes between which no weight changes: what follows from the weights is computed once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from torch import Tensor
from torch.nn.utils import parametrize

_kept: ContextVar[dict[tuple[object, ...], Tensor] | None] = ContextVar("kept", default=None)


@contextmanager
def constant_weights() -> Iterator[None]:
    """Within it no weight may change. Normalised weights are kept, and what :func:`computed_once` is asked for."""
    token = _kept.set({})
    try:
        with parametrize.cached():
            yield
    finally:
        _kept.reset(token)


def computed_once(key: tuple[object, ...], compute: Callable[[], Tensor]) -> Tensor:
    """What ``compute`` returns; within :func:`constant_weights` what it returned first.

    Args:
        key: objects, told apart by identity, that the result is a function of. None of them may want a gradient.
        compute: computes it.
    """
    kept = _kept.get()
    if kept is None:
        return compute()
    if key not in kept:
        kept[key] = compute()
    return kept[key]
