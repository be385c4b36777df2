"""The loaders of samples, for pytorch-lightning."""

from __future__ import annotations

from typing import Any

from i2i.data.loading import Loaders, PreparedSplit, at_least
from i2i.data.paired import FirstOf
from i2i.foundations.condition import ClassSemantics
from i2i.foundations.sources import SampleSource


class SampleData(Loaders):
    """Batches of samples: ``photo`` (N, *shape), ``class`` (N,) where there are classes, ``name``, ``seed``.

    Args:
        source: the data set.
        batch_size: training samples per batch and process.
        val_batch_size: the same for everything else; ``batch_size`` by default.
        workers: processes that read samples; 0 reads them in the main process.
        seed: of the order, and of what the training draws for each sample.
        limit_val: use only the first validation samples.

    Raises:
        InputError: a number out of range.
    """

    def __init__(
        self,
        source: SampleSource,
        batch_size: int = 64,
        val_batch_size: int | None = None,
        workers: int = 0,
        seed: int = 0,
        limit_val: int | None = None,
    ) -> None:
        super().__init__(batch_size, val_batch_size, workers, seed)
        at_least("limit_val", limit_val, 1)
        self.source = source
        self.limit_val = limit_val

    @property
    def semantics(self) -> ClassSemantics:
        """How a model on this data reads its condition."""
        return ClassSemantics(self.source.num_classes)

    @property
    def num_classes(self) -> int:
        """Classes that condition the model."""
        return self.source.num_classes

    @property
    def shape(self) -> list[int]:
        """Of a sample."""
        return list(self.source.shape)

    def dataset(self, name: str, training: bool = False, first: int | None = None) -> PreparedSplit:
        """See :meth:`Loaders.dataset`; samples are not augmented."""
        split = self.source.split(name)
        limits = [limit for limit in (first, self.limit_val if name == "val" else None) if limit is not None]
        return PreparedSplit(FirstOf(split, min(limits)) if limits else split, _as_read, self.seed, training)


def _as_read(sample: dict[str, Any], seed: int, training: bool) -> dict[str, Any]:
    return sample
