"""Loaders: samples that come out prepared, in the order of their epoch, and how many of them are a batch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from functools import partial
from typing import Any, Protocol, cast

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from i2i.data.sampler import EpochSampler
from i2i.errors import InputError
from i2i.pattern_plan import PreparedSemantics

Item = dict[str, Any]
Key = int | tuple[int, int]


class Readable(Sized, Protocol):
    """A split whose samples are of any kind, read one at a time."""

    def name(self, index: int) -> str:
        """The name of a sample, without reading it."""

    def read(self, index: int) -> Any:
        """Read one sample; raises :class:`InputError` where that is impossible."""


class Loaders(LightningDataModule):
    """What all data modules share: batches are a function of the arguments and the epoch.

    Neither workers nor processes matter.

    Args:
        batch_size: training samples per batch and process.
        val_batch_size: the same for everything else; ``batch_size`` by default.
        workers: processes that read and prepare samples; 0 does it in the main process.
        seed: of the order, of the augmentation, and of what the training draws for each sample.

    Raises:
        InputError: a number out of range.
    """

    prepare: PreparedSemantics | None = None

    def __init__(self, batch_size: int, val_batch_size: int | None, workers: int, seed: int) -> None:
        super().__init__()
        least = {"batch_size": 1, "val_batch_size": 1, "workers": 0, "seed": 0}
        for (name, low), value in zip(least.items(), (batch_size, val_batch_size, workers, seed), strict=True):
            at_least(name, value, low)
        self.batch_size = batch_size
        self.val_batch_size = batch_size if val_batch_size is None else val_batch_size
        self.workers = workers
        self.seed = seed

    @abstractmethod
    def dataset(self, name: str, training: bool = False, first: int | None = None) -> PreparedSplit:
        """The prepared samples of the split ``train``, ``val`` or ``test``, augmented where ``training``.

        Args:
            name: of the split.
            training: whether to augment.
            first: leave out all but so many.
        """

    def train_dataloader(self) -> Loader:
        """Augmented training batches in a new order each epoch; all are full.

        Raises:
            InputError: there are fewer samples than one batch takes.
        """
        data = self.dataset("train", training=True)
        _, world = self._place()
        if len(data) < self.batch_size * world:
            processes = f" on each of {world} processes" if world > 1 else ""
            raise InputError(
                f"the training set has {len(data)} samples, fewer than the batch_size {self.batch_size}{processes}; "
                f"allowed is a batch_size of 1 to {max(1, len(data) // world)}"
            )
        return self._loader(data, self.batch_size)

    def val_dataloader(self) -> Loader:
        """The validation split, in order, nothing random.

        Of more processes than samples each has one, as the trainer asks for: names tell which have the same.
        """
        return self._loader(self.dataset("val"), self.val_batch_size, never_empty=True)

    def test_dataloader(self) -> Loader:
        """The test split, alike."""
        return self._loader(self.dataset("test"), self.val_batch_size, never_empty=True)

    def predict_dataloader(self) -> Loader:
        """The same as the test split's."""
        return self.test_dataloader()

    def in_order(self, name: str, first: int | None = None, shared: bool = True) -> Loader:
        """A split in order, nothing random.

        Args:
            name: ``train``, ``val`` or ``test``.
            first: leave out all but so many samples.
            shared: whether each process gets a share of its own, and not everything.
        """
        return self._loader(self.dataset(name, first=first), self.val_batch_size, shared)

    def _loader(self, data: PreparedSplit, batch_size: int, shared: bool = True, never_empty: bool = False) -> Loader:
        rank, world = self._place() if shared else (0, 1)
        return Loader(
            data,
            batch_size=batch_size,
            sampler=EpochSampler(len(data), self.seed, data.training, rank, world, never_empty),
            num_workers=self.workers,
            collate_fn=partial(_collate_or_error, prepare=self.prepare),
            pin_memory=torch.cuda.is_available(),
            drop_last=data.training,
            persistent_workers=self.workers > 0,
        )

    def _place(self) -> tuple[int, int]:
        """(rank, number of processes); the trainer knows, and runs with ``use_distributed_sampler=False``."""
        return (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)


class PreparedSplit(Dataset[Item]):
    """A split whose samples come out prepared. Keys are indices or, in training, (epoch, index).

    Args:
        split: the samples.
        preparation: what is done to each, called with the sample, a seed and whether to augment.
        seed: with epoch and index the seed of everything random.
        training: whether to augment.
    """

    def __init__(
        self, split: Readable, preparation: Callable[[Any, int, bool], Item], seed: int = 0, training: bool = False
    ) -> None:
        self.split = split
        self.preparation = preparation
        self.seed = seed
        self.training = training

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, key: Key) -> Item:
        epoch, index = (0, key) if isinstance(key, int) else key
        augmentation, noise = np.random.SeedSequence([self.seed, epoch, index]).generate_state(2).tolist()
        item = self.preparation(self.split.read(index), augmentation, self.training)
        return {**item, "seed": noise} if self.training else item

    def __getitems__(self, keys: Sequence[Key]) -> list[Item] | InputError:
        """The items of a batch, or the first error: across processes a raised one would lose its one line."""
        try:
            return [self[key] for key in keys]
        except InputError as error:
            return error


class Loader(DataLoader[Any]):
    """A ``DataLoader`` that knows how far it is, and goes on from there.

    It raises a worker's :class:`InputError` as it was, without the worker's traceback in it.
    """

    _given = 0

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        sampler = cast(EpochSampler, self.sampler)
        self._given = sampler.left_out() // cast(int, self.batch_size)
        for batch in super().__iter__():
            if isinstance(batch, InputError):
                raise batch
            self._given += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """How many batches of which epoch were given, and what makes them these batches; the trainer keeps it."""
        return {"epoch": cast(EpochSampler, self.sampler).epoch, "batches": self._given, **self._division()}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Leave out what was given already, in that epoch.

        Raises:
            InputError: the epoch was divided into other batches.
        """
        for name, own in self._division().items():
            if state[name] != own:
                raise InputError(
                    f"the checkpoint was saved in the middle of an epoch with {name} {state[name]}, here it is {own}; "
                    "go on with the same, or from a checkpoint of an epoch's end"
                )
        cast(EpochSampler, self.sampler).start_at(state["epoch"], state["batches"] * cast(int, self.batch_size))

    def _division(self) -> dict[str, int]:
        sampler = cast(EpochSampler, self.sampler)
        return {"batch_size": cast(int, self.batch_size), "processes": sampler.world, "pairs": sampler.length}


def collate(items: Sequence[Item]) -> Item:
    """Stack the items of a batch; names and seeds become lists.

    Raises:
        InputError: the items differ in size.
    """
    first = items[0]
    condition = next(name for name in ("labels", "condition", "photo") if name in first)
    for item in items[1:]:
        if item[condition].shape[-2:] != first[condition].shape[-2:]:
            sizes = " and ".join("x".join(map(str, reversed(i[condition].shape[-2:]))) for i in (first, item))
            raise InputError(
                f"{first['name']} and {item['name']} are {sizes} pixels and cannot share a batch; use a resize with a "
                f"fixed size, or a batch size of 1"
            )
    columns = {key: [item[key] for item in items] for key in first}
    return {key: torch.stack(c) if isinstance(c[0], Tensor) else c for key, c in columns.items()}


def _collate_or_error(
    items: Sequence[Item] | InputError, prepare: PreparedSemantics | None = None
) -> Item | InputError:
    try:
        if isinstance(items, InputError):
            return items
        batch = collate(items)
        return batch if prepare is None else prepare(batch)
    except InputError as error:
        return error


def at_least(name: str, value: int | None, low: int) -> None:
    """Refuse a number that is given and too small."""
    if value is not None and value < low:
        raise InputError(f"{name} is {value}; allowed are {low} and more")
