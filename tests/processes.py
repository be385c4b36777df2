"""Runs a function in two processes that are one gloo group."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def in_two_processes(function: Callable[[int], Any]) -> list[Any]:
    """What ``function(rank)``, of the top level of its module, returns on ranks 0 and 1; tensors within containers."""
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    with TemporaryDirectory() as folder:
        mp.spawn(_member, args=(function, folder), nprocs=2)
        return [torch.load(Path(folder) / f"{rank}.pt", weights_only=True) for rank in range(2)]


def _member(rank: int, function: Callable[[int], Any], folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    torch.set_num_threads(1)
    torch.save(function(rank), Path(folder) / f"{rank}.pt")
    dist.barrier()
    leave()


def leave() -> None:
    """End this process, successfully, without finalising the interpreter.

    Gloo's threads may let go of a tensor late; where that needs the interpreter while it is being finalised, they abort
    the process (pytorch/pytorch#179291).
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
