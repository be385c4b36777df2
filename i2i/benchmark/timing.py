"""Fair timing: every contestant runs on every input in turn, so that what else the machine does hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

Contestants = Mapping[str, Callable[[int], Any]]
"""What is compared: a name, and what does the work on the input of that number."""


def interleave(
    contestants: Contestants, inputs: int, repeats: int, device: torch.device, tick: Callable[[], None]
) -> dict[str, list[list[float]]]:
    """Time contestants in turn; the order of the contestants rotates.

    Args:
        contestants: what is timed, already warm.
        inputs: number of inputs.
        repeats: how often each input.
        device: waited for before and after.
        tick: called after each run, for a progress bar.

    Returns:
        For each contestant ``seconds[input][repeat]``.
    """
    names = list(contestants)
    seconds: dict[str, list[list[float]]] = {name: [[] for _ in range(inputs)] for name in names}
    turn = 0
    for _ in range(repeats):
        for index in range(inputs):
            for place in range(len(names)):
                name = names[(turn + place) % len(names)]
                seconds[name][index].append(elapsed(lambda n=name, i=index: contestants[n](i), device))  # type: ignore[misc]
                tick()
            turn += 1
    return seconds


def elapsed(work: Callable[[], Any], device: torch.device) -> float:
    """Seconds that ``work`` takes, until the device has done it."""
    synchronise(device)
    start = time.perf_counter()
    result = work()
    synchronise(device)
    end = time.perf_counter()
    del result  # freed after the clock has stopped, for all contestants alike
    return end - start


def synchronise(device: torch.device) -> None:
    """Wait for a GPU; nothing to wait for on the CPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def stopwatch(modules: Sequence[torch.nn.Module], device: torch.device) -> Iterator[list[float]]:
    """Within it the calls of these modules are timed; the list gets the seconds of each call.

    Waiting for the device at each call slows a GPU down, so this tells shares, not speeds.
    """
    seconds: list[float] = []
    starts: list[float] = []

    def before(*_: Any) -> None:
        synchronise(device)
        starts.append(time.perf_counter())

    def after(*_: Any) -> None:
        synchronise(device)
        seconds.append(time.perf_counter() - starts.pop())

    handles = [m.register_forward_pre_hook(before) for m in modules]
    handles += [m.register_forward_hook(after) for m in modules]
    try:
        yield seconds
    finally:
        for handle in handles:
            handle.remove()
