"""Where samples come from: points whose distribution is known, and images without label maps."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from i2i.data.loading import Readable
from i2i.data.paired import SPLITS
from i2i.errors import InputError


class SampleSource(ABC):
    """A data set of samples of one shape.

    A split gives dictionaries with ``photo``, a float32 tensor of that shape, ``name``, and ``class`` (int64) where
    there are classes.

    Attributes:
        shape: of a sample: (2,) for points of the plane, (C, H, W) for images in [-1, 1].
        num_classes: how many classes the samples have; 0 for none.
        centres: (K, 2), the modes of a distribution of points that has some; else None.
        mode_radius: up to which a point lies at its mode.
    """

    shape: tuple[int, ...]
    num_classes: int = 0
    centres: Tensor | None = None
    mode_radius: float = 0.0

    @abstractmethod
    def split(self, name: str) -> Readable:
        """The split ``train``, ``val`` or ``test``.

        Raises:
            InputError: there is no such split, or it cannot be read.
        """


class Samples:
    """Samples that lie in memory.

    Args:
        samples: (N, *shape).
        name: what their names begin with.
        classes: (N,) int64; None for none.
    """

    def __init__(self, samples: Tensor, name: str, classes: Tensor | None = None) -> None:
        self.samples = samples
        self.classes = classes
        self._name = name

    def __len__(self) -> int:
        return len(self.samples)

    def name(self, index: int) -> str:
        """The name of a sample."""
        return f"{self._name}_{index:05d}"

    def read(self, index: int) -> dict[str, Any]:
        """One sample."""
        sample = {"photo": self.samples[index], "name": self.name(index)}
        return sample if self.classes is None else {**sample, "class": self.classes[index]}


class Points(SampleSource):
    """Points of the plane, drawn from a known distribution.

    Args:
        train, val, test: how many points the splits have.
        seed: of the points; those of the splits have nothing in common.

    Raises:
        InputError: a number out of range.
    """

    shape = (2,)

    def __init__(self, train: int, val: int, test: int, seed: int) -> None:
        self.counts = dict(zip(SPLITS, (train, val, test), strict=True))
        self.seed = seed
        if min(train, val, test) < 1 or seed < 0:
            raise InputError(f"points: {train}, {val}, {test}, seed {seed}; allowed are counts from 1, seeds from 0")

    @abstractmethod
    def draw(self, count: int, random: np.random.Generator) -> np.ndarray[Any, Any]:
        """(count, 2) points of the distribution."""

    def split(self, name: str) -> Samples:
        """See :meth:`SampleSource.split`."""
        number = split_number(name)
        points = self.draw(self.counts[name], np.random.default_rng([self.seed, number]))
        return Samples(torch.from_numpy(points).float(), name)


class SineCurve(Points):
    """Points (x, sin x), x evenly spread over [0, 2π).

    Args:
        train, val, test, seed: see :class:`Points`.
    """

    def __init__(self, train: int = 1024, val: int = 1024, test: int = 1024, seed: int = 0) -> None:
        super().__init__(train, val, test, seed)

    def draw(self, count: int, random: np.random.Generator) -> np.ndarray[Any, Any]:
        """(count, 2) points of the curve."""
        x = 2 * math.pi * random.random(count)
        return np.stack([x, np.sin(x)], 1)


class GaussianRing(Points):
    """A mixture of Gaussians on a circle, whose modes a generator may miss (Metz et al. 2017, "Unrolled GANs").

    Args:
        modes: how many Gaussians.
        radius: of the circle.
        deviation: the standard deviation of each Gaussian.
        train, val, test, seed: see :class:`Points`.

    Raises:
        InputError: a number out of range.
    """

    def __init__(
        self,
        modes: int = 8,
        radius: float = 2.0,
        deviation: float = 0.05,
        train: int = 4096,
        val: int = 1024,
        test: int = 1024,
        seed: int = 0,
    ) -> None:
        super().__init__(train, val, test, seed)
        if modes < 1 or radius <= 0 or deviation <= 0:
            raise InputError(f"modes {modes}, radius {radius}, deviation {deviation}; allowed are numbers above 0")
        angles = 2 * math.pi * torch.arange(modes) / modes
        self.centres = radius * torch.stack([angles.cos(), angles.sin()], 1)
        self.deviation = deviation
        self.mode_radius = 3 * deviation

    def draw(self, count: int, random: np.random.Generator) -> np.ndarray[Any, Any]:
        """(count, 2) points of the mixture."""
        assert self.centres is not None
        chosen = self.centres.double().numpy()[random.integers(len(self.centres), size=count)]
        return np.asarray(chosen + self.deviation * random.standard_normal((count, 2)))


def split_number(name: str) -> int:
    """The place of a split among all.

    Raises:
        InputError: there is no such split.
    """
    if name not in SPLITS:
        raise InputError(f"no split {name!r}; allowed are {', '.join(SPLITS)}")
    return SPLITS.index(name)
