"""Memory of the CPU that is kept for the next picture or step instead of being given back to the system.

Features are tens of megabytes, freed soon after they are made, and wanted again, of the same sizes, a moment later.
The C library gives such blocks back to the system, and gets them anew as pages that the system has to clear one by one:
a third of the time of a training step, and more of a picture's. On a GPU torch keeps them; here an allocator of ours
does (``csrc/memory.cpp``), for the threads that are within :func:`kept_memory` and for large blocks alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from i2i.nn import compiled

_SHARE = 4  # of the machine's memory one such part is kept at most


@contextmanager
def kept_memory(device: torch.device) -> Iterator[None]:
    """Within it this thread's tensors on the CPU come from memory that was used before, and leave theirs for the next.

    At most a quarter of the machine's memory is kept; :func:`release_memory` gives it back. Without a compiler, and for
    another device, nothing changes.

    Args:
        device: where the work is done.
    """
    plain = torch.compiler.is_compiling() or compiled.only_plain_operations() or compiled.has_only_shapes()
    if device.type != "cpu" or plain or not compiled.available():
        yield
        return
    before = torch.ops.i2i.keep_memory(True)
    if not before:
        torch.ops.i2i.limit_memory(_limit())
    try:
        yield
    finally:
        torch.ops.i2i.keep_memory(before)


def release_memory() -> None:
    """Give back to the system all that is kept and not in use."""
    if compiled.available():
        torch.ops.i2i.limit_memory(0)


def trim_memory() -> None:
    """Give back what the C library holds free, which is not kept here: gaps between blocks that are in use."""
    if compiled.available():
        torch.ops.i2i.trim_memory()


def _limit() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _SHARE
