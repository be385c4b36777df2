"""Where networks compute: the device, the type of numbers it can compute with, and how much of its memory is free."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import nn

from i2i.errors import InputError

N = TypeVar("N", bound=nn.Module)

_TYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def choose_device(name: str) -> torch.device:
    """The device of this name; "auto" is a GPU where there is one. Raises :class:`InputError` where there is none."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise InputError(f"device {name!r} cannot be used here; try cpu or auto") from error
    return device


def for_inference(network: N, device: torch.device) -> N:
    """A copy on a device, in evaluation mode, whose weights take no gradient; the network stays as it is."""
    return copy.deepcopy(network).to(device).eval().requires_grad_(False)


def check_dtype(dtype: torch.dtype | None, device: torch.device) -> None:
    """Raise :class:`InputError` where the device cannot convolve in this type; None is the networks' own type."""
    if dtype is None:
        return
    if dtype not in _TYPES:
        raise InputError(f"dtype is {dtype}; allowed are {', '.join(map(str, _TYPES))}")
    try:
        x = torch.zeros(1, 1, 3, 3, dtype=dtype, device=device)
        F.conv2d(x, x)
    except (RuntimeError, TypeError) as error:
        raise InputError(f"dtype {dtype} cannot be computed with on {device} here; try torch.float32") from error


def free_memory(device: torch.device) -> int:
    """Bytes that can be had at this moment; on the CPU without swapping, and within the limit of a container."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + unused
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory()) - int(torch.mps.driver_allocated_memory())
    return min(_free_of_machine(), _free_of_container())


def _free_of_machine() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return 4 << 30
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2  # other systems do not tell what is in use


def _free_of_container() -> int:
    """By control groups, version 2; a large number where there is no limit."""
    unlimited = 1 << 62
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if limit == "max":
            return unlimited
        return int(limit) - int(Path("/sys/fs/cgroup/memory.current").read_text())
    except (OSError, ValueError):
        return unlimited
