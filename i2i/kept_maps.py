"""The last label maps, kept with their patterns and tables: another picture of one of them costs only the trunk."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from i2i.condition import Condition

_MOST = 32


class KeptMaps:
    """Conditions by what they were made of, the last used last. Any number of threads may share it.

    A map whose patterns and tables alone take more than the limit is not kept; nor are more than 32 maps.

    Args:
        limit: bytes.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._kept: OrderedDict[object, Condition] = OrderedDict()
        self._sizes: dict[object, int] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def bytes(self) -> int:
        """Memory of what is kept, as it was after each map was last used."""
        with self._lock:
            return sum(self._sizes.values())

    @contextmanager
    def lent(self, maps: dict[str, Tensor], make: Callable[[dict[str, Tensor]], Condition]) -> Iterator[Condition]:
        """For use within a ``with`` block: the condition that was made of equal maps, or else what ``make`` returns.

        Args:
            maps: labels and instances; they are compared byte for byte.
            make: of the maps; called outside the lock. Of what two threads make of one map, one thing serves both.
        """
        if self.limit <= 0:
            yield make(maps)
            return
        key = tuple((name, m.dtype, m.shape, m.contiguous().cpu().numpy().tobytes()) for name, m in maps.items())
        condition = self._kept.get(key) or make(maps)
        with self._lock:
            condition = self._kept.setdefault(key, condition)
            self._kept.move_to_end(key)
        try:
            yield condition
        finally:
            self._weigh(key, condition)

    def _weigh(self, key: object, condition: Condition) -> None:
        """Measure a map after use, as tables come with that, and drop those used longest ago that are too many."""
        size = memory_of(condition)
        with self._lock:
            if self._kept.get(key) is condition:
                self._sizes[key] = size
            if size > self.limit:
                self._drop(key)
            while len(self._kept) > _MOST or sum(self._sizes.values()) > self.limit:
                self._drop(next(iter(self._kept)))

    def _drop(self, key: object) -> None:
        self._kept.pop(key, None)
        self._sizes.pop(key, None)


def memory_of(thing: object) -> int:
    """Bytes of all tensors that an object of this package holds, each counted once; networks are not looked into."""
    storages = (tensor.untyped_storage() for tensor in _tensors(thing, set()))
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def _tensors(thing: object, seen: set[int]) -> Iterator[Tensor]:
    if isinstance(thing, Tensor):
        yield thing
        return
    if id(thing) in seen or isinstance(thing, nn.Module):
        return
    seen.add(id(thing))
    parts: list[object] = []  # copies, as other threads may be adding to what is walked through
    if isinstance(thing, WeakKeyDictionary):
        makers = [reference() for reference in thing.keyrefs()]
        parts = [thing.get(maker) for maker in makers if maker is not None]
    elif isinstance(thing, dict):
        parts = list(thing.values())
    elif isinstance(thing, list | tuple):
        parts = list(thing)
    elif type(thing).__module__.startswith("i2i."):
        parts = list(vars(thing).values())
    for part in parts:
        yield from _tensors(part, seen)
