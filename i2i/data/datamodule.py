"""The loaders: a source, its preparation and the order of samples, for pytorch-lightning."""

from __future__ import annotations

from typing import TypedDict

from torch import Tensor

from i2i.classes import LabelEncoding
from i2i.condition import Semantics
from i2i.data.cache import CachedSource
from i2i.data.loading import Loaders, PreparedSplit, at_least
from i2i.data.paired import FirstOf, Source
from i2i.data.preparation import Preparation
from i2i.data.transforms import Resize, Stretched
from i2i.semantics import SemanticMap


class Batch(TypedDict, total=False):
    """What the loader yields: ``photo`` (N, 3, H, W) in [-1, 1], ``labels`` and ``instances`` (N, H, W), ``name``.

    In place of labels there is ``condition`` (N, C, H, W) in [-1, 1] where images are translated. Beside them there is
    the finished label map, ``semantics``, where a plan says which patterns to find in it (:mod:`i2i.pattern_plan`), and
    in training ``seed``, of everything that is drawn for each sample (:mod:`i2i.draws`).
    """

    seed: list[int]
    photo: Tensor
    condition: Tensor
    labels: Tensor
    instances: Tensor
    semantics: SemanticMap
    name: list[str]


class DataModule(Loaders):
    """Batches of a source: ``photo`` (N, 3, H, W) float32 in [-1, 1], ``labels`` (N, H, W), ``instances``, ``name``.

    ``instances`` (N, H, W) int32 are there where the source has them, ``photo`` where the split has photos; ``name`` is
    a list of strings. Sources of images have ``condition`` (N, C, H, W) float32 in [-1, 1] in place of labels. Batches
    are a function of the arguments and the epoch: neither workers nor processes matter.

    Args:
        source: the data set.
        resize: how samples come to the size that the networks see.
        flip: probability of mirroring in training.
        colour_jitter: strength of random colour changes in training, 0 to 1.
        batch_size: training samples per batch and process.
        val_batch_size: the same for everything else; ``batch_size`` by default.
        workers: processes that read and prepare samples; 0 does it in the main process.
        seed: of the order, of the augmentation, and of what the training draws for each sample.
        limit_train: use only the first training pairs.
        limit_val: use only the first validation pairs.
        cache: the folder, or folders, that `i2i data cache` wrote for this source and resize. Batches are the same as
            without it; what it does not hold is read from the source's own files.
    """

    def __init__(
        self,
        source: Source,
        resize: Resize,
        flip: float = 0.5,
        colour_jitter: float = 0.0,
        batch_size: int = 1,
        val_batch_size: int | None = None,
        workers: int = 4,
        seed: int = 0,
        limit_train: int | None = None,
        limit_val: int | None = None,
        cache: list[str] | str | None = None,
    ) -> None:
        super().__init__(batch_size, val_batch_size, workers, seed)
        at_least("limit_train", limit_train, 1)
        at_least("limit_val", limit_val, 1)
        self.original = source
        roots = [cache] if isinstance(cache, str) else cache
        self.cached = None if roots is None else CachedSource(roots, source, resize)
        self.source: Source = source if self.cached is None else self.cached
        self.resize = resize
        self.preparation = Preparation(resize, flip, colour_jitter)
        self.rest = Preparation(Stretched(resize.size), flip, colour_jitter)
        self.limits = {"train": limit_train, "val": limit_val, "test": None}

    @property
    def encoding(self) -> LabelEncoding | None:
        """How the label files become labels; None where the condition is an image."""
        return self.source.encoding

    @property
    def semantics(self) -> Semantics:
        """How a model on this data reads its condition."""
        return self.source.semantics

    @property
    def num_classes(self) -> int:
        """Classes of the label maps, "unknown" included; 0 where the condition is an image."""
        return 0 if self.encoding is None else self.encoding.num_classes

    @property
    def label_channels(self) -> int:
        """Channels of the condition: classes, and the edges where there are instances; those of an image."""
        return self.semantics.channels

    def dataset(self, name: str, training: bool = False, first: int | None = None) -> PreparedSplit:
        """The prepared samples of the split ``train``, ``val`` or ``test``, augmented where ``training``.

        Args:
            name: of the split.
            training: whether to augment.
            first: leave out all but so many.
        """
        cached = self.cached is not None and self.cached.holds(name, training)
        split = (self.source if cached else self.original).split(name)
        limit = min((one for one in (self.limits[name], first) if one is not None), default=None)
        if limit is not None:
            split = FirstOf(split, limit)
        return PreparedSplit(split, self.rest if cached else self.preparation, self.seed, training)
