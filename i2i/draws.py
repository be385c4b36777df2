"""Random numbers of a batch: in training and validation a stream for each sample, else torch's global generator.

What is drawn for a sample (its style, its noise, how the discriminator's view of it is changed) is then a function of
the sample's own seed: the same whatever else is in the batch, on whichever process the sample lies, and whether or not
the run was interrupted before. No state of a generator has to be kept in a checkpoint.

    with draws.of_samples(batch["seed"]):
        style = draws.normal((len(photo), 256), photo.device)  # row i comes from the stream of sample i
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from i2i.errors import InputError


class _Streams:
    """A generator for each sample on each device that something is drawn on."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self.seeds = seeds
        self._of_device: dict[torch.device, list[torch.Generator]] = {}

    def on(self, device: torch.device) -> list[torch.Generator]:
        """The generators of a device; made when they are first asked for."""
        if device not in self._of_device:
            self._of_device[device] = [torch.Generator(device).manual_seed(seed) for seed in self.seeds]
        return self._of_device[device]


_streams: ContextVar[_Streams | None] = ContextVar("streams of samples", default=None)


@contextmanager
def of_samples(seeds: Sequence[int] | None) -> Iterator[None]:
    """Within it the functions below draw each sample's numbers from a stream of its own.

    Args:
        seeds: of the samples of the batch, in their order; None, for batches without, draws from torch's generator.
    """
    token = _streams.set(None if seeds is None else _Streams(seeds))
    try:
        yield
    finally:
        _streams.reset(token)


def normal(shape: Sequence[int], device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> Tensor:
    """Of the standard normal distribution.

    Args:
        shape: (N, …); where N is a multiple of the number of samples, the rows of one sample lie side by side.
        device: to draw on; CPU and GPU have streams of their own.
        dtype: torch's default one if None.
    """
    return _drawn(shape, device, lambda part, random: torch.randn(part, generator=random, device=device, dtype=dtype))


def uniform(shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
    """Evenly from [0, 1); shape and device as in :func:`normal`."""
    return _drawn(shape, device, lambda part, random: torch.rand(part, generator=random, device=device))


def integers(low: int, high: int, shape: Sequence[int]) -> Tensor:
    """Evenly from ``low`` up to, but without, ``high``, on the CPU; shape as in :func:`normal`."""
    return _drawn(shape, "cpu", lambda part, random: torch.randint(low, high, part, generator=random))


def normal_rows(counts: Sequence[int], width: int, device: torch.device | str = "cpu") -> Tensor:
    """(sum of counts, width) of the standard normal distribution: so many rows for each sample, side by side."""
    return _drawn_rows(counts, device, lambda n, random: torch.randn(n, width, generator=random, device=device))


def uniform_rows(counts: Sequence[int], width: int, device: torch.device | str = "cpu") -> Tensor:
    """(sum of counts, width) evenly from [0, 1), alike."""
    return _drawn_rows(counts, device, lambda n, random: torch.rand(n, width, generator=random, device=device))


def _drawn_rows(
    counts: Sequence[int], device: torch.device | str, draw: Callable[[int, torch.Generator | None], Tensor]
) -> Tensor:
    streams = _streams.get()
    if streams is None:
        return draw(sum(counts), None)
    generators = streams.on(torch.device(device))
    return torch.cat([draw(count, random) for count, random in zip(counts, generators, strict=True)])


def _drawn(
    shape: Sequence[int],
    device: torch.device | str,
    draw: Callable[[tuple[int, ...], torch.Generator | None], Tensor],
) -> Tensor:
    streams = _streams.get()
    if streams is None:
        return draw(tuple(shape), None)
    generators = streams.on(torch.device(device))
    rows, rest = divmod(shape[0], len(generators))
    if rest:
        raise InputError(f"{shape[0]} rows are drawn for {len(generators)} samples; it must be as many for each")
    return torch.cat([draw((rows, *shape[1:]), random) for random in generators])
