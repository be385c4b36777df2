"""The order of samples: a function of (seed, epoch) alone, the same on every machine."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from i2i.errors import InputError


class EpochSampler(Sampler[tuple[int, int]]):
    """Yields (epoch, index) keys: the data set seeds its augmentation with both, so that workers do not matter.

    Args:
        length: number of samples.
        seed: of the order.
        shuffle: a new order each epoch, and the same number of samples on every process (up to ``world - 1`` samples
            rest per epoch). Without it each sample comes exactly once, on one of the processes.
        rank: of this process.
        world: number of processes.
        never_empty: without ``shuffle``, a process that would get no sample gets one that another has, too.
    """

    def __init__(
        self,
        length: int,
        seed: int = 0,
        shuffle: bool = True,
        rank: int = 0,
        world: int = 1,
        never_empty: bool = False,
    ) -> None:
        if not 0 <= rank < world:
            raise InputError(f"rank is {rank} of {world} processes; allowed is 0 to {world - 1}")
        self.length = length
        self.seed = seed
        self.shuffle = shuffle
        self.rank = rank
        self.world = world
        self.never_empty = never_empty
        self.epoch = 0
        self._start = (0, 0)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that is iterated next; the trainer calls it."""
        self.epoch = epoch

    def start_at(self, epoch: int, samples: int) -> None:
        """Leave out the first samples of this process in one epoch, to go on where an interrupted run stopped."""
        self._start = (epoch, samples)

    def left_out(self) -> int:
        """How many samples :meth:`start_at` leaves out of the epoch that is iterated next."""
        return self._start[1] if self._start[0] == self.epoch else 0

    def __len__(self) -> int:
        """Samples of this process in a whole epoch, those that :meth:`start_at` leaves out included."""
        if self.shuffle:
            return self.length // self.world
        return len(range(self._first, self.length, self.world))

    @property
    def _first(self) -> int:
        """Place in the order of the first sample of this process."""
        return self.rank % max(self.length, 1) if self.never_empty and not self.shuffle else self.rank

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch = self.epoch
        order = np.arange(self.length)
        if self.shuffle:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.length)
        own = order[self._first :: self.world][: len(self)]
        for index in own[self.left_out() :]:
            yield epoch, int(index)
