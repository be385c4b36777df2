"""What conditions a generator of samples: their classes, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from i2i.condition import Semantics
from i2i.errors import InputError
from i2i.pixels import Pixels
from i2i.recipe import recorded


class ClassCondition:
    """A batch of classes.

    Args:
        classes: (N,) int64, below ``num_classes``; zeros where there are none.
        num_classes: how many there are; 0 where nothing is conditioned and only N counts.
        size: (H, W) of the images; (1, 1) for points.
    """

    def __init__(self, classes: Tensor, num_classes: int, size: tuple[int, int] = (1, 1)) -> None:
        self.classes = classes
        self.channels = num_classes
        self.size = size

    @property
    def batch(self) -> int:
        """N."""
        return len(self.classes)

    @property
    def device(self) -> torch.device:
        """Where the classes lie."""
        return self.classes.device

    def one_hot(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """(N, num_classes); without columns where nothing is conditioned."""
        if self.channels == 0:
            return torch.empty(self.batch, 0, dtype=dtype, device=self.device)
        return F.one_hot(self.classes, self.channels).to(dtype)

    def dense(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """(N, num_classes, H, W): the class everywhere, as convolutions take it."""
        return self.one_hot(dtype)[:, :, None, None].expand(-1, -1, *self.size)

    def resized(self, height: int, width: int) -> ClassCondition:
        """Of images of another size."""
        return ClassCondition(self.classes, self.channels, (height, width))

    def repeated(self, times: int) -> ClassCondition:
        """The batch ``times`` over."""
        return ClassCondition(self.classes.repeat(times), self.channels, self.size)

    def gathered(self, pixels: Pixels) -> ClassCondition:
        """Itself: a shifted image is of the same class."""
        return self

    def to(self, device: torch.device | str) -> ClassCondition:
        """On another device."""
        return ClassCondition(self.classes.to(device), self.channels, self.size)


@recorded
class ClassSemantics(Semantics):
    """How a model reads the classes of its samples.

    Args:
        num_classes: how many there are; 0 for a model that nothing conditions.

    Raises:
        InputError: a negative number.
    """

    def __init__(self, num_classes: int = 0) -> None:
        if num_classes < 0:
            raise InputError(f"num_classes is {num_classes}; allowed are 0 (no condition) and more")
        self.num_classes = num_classes

    @property
    def channels(self) -> int:
        """Classes."""
        return self.num_classes

    def read(self, batch: Mapping[str, Any]) -> ClassCondition:
        """The condition of a batch: its "class" (N,) where there are classes, and the number and size of its "photo".

        Raises:
            InputError: there are no classes, or others.
        """
        samples = batch["photo"]
        if self.num_classes and "class" not in batch:
            raise InputError(f"the model takes {self.num_classes} classes, but the data has none")
        classes = batch["class"] if self.num_classes else torch.zeros(len(samples), dtype=torch.long)
        size = (samples.shape[-2], samples.shape[-1]) if samples.dim() == 4 else (1, 1)
        return self(classes.to(samples.device), size)

    def __call__(self, classes: Tensor, size: tuple[int, int] = (1, 1)) -> ClassCondition:
        """(N,) int64 to a checked condition of samples of this size.

        Raises:
            InputError: a class that is none.
        """
        if self.num_classes and len(classes):
            low, high = (int(x) for x in torch.aminmax(classes))
            if low < 0 or high >= self.num_classes:
                wrong = low if low < 0 else high
                raise InputError(f"class {wrong}; allowed are 0 to {self.num_classes - 1}")
        return ClassCondition(classes, self.num_classes, size)
