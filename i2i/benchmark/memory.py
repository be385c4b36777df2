"""Memory: the most that was allocated during some work, and what a forward pass keeps for its backward pass."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.profiler import ProfilerActivity, profile


def peak_bytes(work: Callable[[], Any], device: torch.device) -> int:
    """The most bytes of tensors at a time that ``work`` allocated beyond what was there before.

    On a GPU its allocator tells; on the CPU every allocation and release is recorded by torch's profiler. Scratch
    memory that libraries take past torch's allocator is not seen.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler tells of GPUs it cannot find
    gc.collect()  # what earlier work left in cycles would count as released by this work
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as record:
        work()
    assert record.profiler is not None and record.profiler.kineto_results is not None
    changes = [event for event in record.profiler.kineto_results.events() if event.name() == "[memory]"]
    live = most = 0
    for event in sorted(changes, key=lambda e: e.start_ns()):
        live += event.nbytes()
        most = max(most, live)
    return most


class KeptForBackward(saved_tensors_hooks):
    """A context that counts what autograd keeps: the most bytes at a time, each memory once.

    Weights do not count: neither parameters and buffers nor tensors of a parameter's shape, as a normalised weight is.
    What backward passes within the context release is no longer counted.

    Args:
        networks: whose weights do not count.

    Attributes:
        most: bytes.
    """

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__(self._pack, lambda kept: kept.tensor)
        own = [t for network in networks for t in (*network.parameters(), *network.buffers())]
        self._weights = {_place(t) for t in own}
        self._shapes = {t.shape for t in own if t.dim() == 4}
        self._users: Counter[int] = Counter()
        self.live = 0
        self.most = 0

    def _pack(self, tensor: Tensor) -> _Kept:
        counts = _place(tensor) not in self._weights and tensor.shape not in self._shapes
        return _Kept(tensor, self if counts else None)

    def take(self, tensor: Tensor) -> None:
        """Autograd begins to keep a tensor."""
        place = _place(tensor)
        if not self._users[place]:
            self.live += tensor.untyped_storage().nbytes()
            self.most = max(self.most, self.live)
        self._users[place] += 1

    def give(self, tensor: Tensor) -> None:
        """Autograd keeps it no longer."""
        place = _place(tensor)
        self._users[place] -= 1
        if not self._users[place]:
            self.live -= tensor.untyped_storage().nbytes()


class _Kept:
    """A tensor in the hands of autograd, until this object is gone."""

    def __init__(self, tensor: Tensor, counter: KeptForBackward | None) -> None:
        self.tensor = tensor
        self.counter = counter
        if counter is not None:
            counter.take(tensor)

    def __del__(self) -> None:
        if self.counter is not None:
            self.counter.give(self.tensor)


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
