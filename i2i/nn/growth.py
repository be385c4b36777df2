"""Progressive growing (Karras et al. 2018): a network begins at a small size and doubles it, each doubling faded in.

A network that can grow is built at its full size, in stages: the first makes small pictures, each further one doubles
them. Every stage has a head, the layer between its features and colours. While a stage is new, its pictures are mixed
with those of the stage before, doubled: ``(1 − α) · doubled + α · new``, where α goes from 0 to 1 (their figure 2).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2i.condition import Condition
from i2i.errors import InputError


class Growth(nn.Module):
    """How far a network has grown.

    Checkpoints keep it, as the state of a module without weights. It is a number and no buffer, as the passes branch on
    it, and would have to wait for a GPU that holds it.

    Args:
        stages: how many doublings there are, at least 1. A network is made with all of them.

    Attributes:
        stages: as given.
        now: in [0, stages]: as many doublings are done as it has wholes; its fraction is the α of the one after them.

    Raises:
        InputError: no stages.
    """

    def __init__(self, stages: int) -> None:
        super().__init__()
        if stages < 1:
            raise InputError(f"stages is {stages}; it is a number of doublings, at least 1")
        self.stages = stages
        self.now = float(stages)

    @property
    def newest(self) -> int:
        """The newest stage, from 0 to :attr:`stages`."""
        return math.ceil(self.now)

    @property
    def done(self) -> bool:
        """Whether it is grown out."""
        return self.now == self.stages

    @property
    def alpha(self) -> float:
        """Share of the newest stage in the picture, in (0, 1]."""
        return self.now % 1 or 1.0

    @property
    def factor(self) -> int:
        """How many times smaller than the full size the pictures are now."""
        return 1 << (self.stages - self.newest)

    def get_extra_state(self) -> Tensor:
        """What a checkpoint keeps."""
        return torch.tensor(self.now, dtype=torch.float64, device="cpu")

    def set_extra_state(self, state: Tensor) -> None:
        """Take what a checkpoint has kept.

        Raises:
            InputError: out of range.
        """
        if not 0 <= float(state) <= self.stages:
            raise InputError(f"the growth in the file is {float(state)}; allowed are 0 to {self.stages}")
        self.now = float(state)

    def mixed(self, before: Callable[[], Tensor], new: Tensor) -> Tensor:
        """``(1 − α) · before + α · new``; what is before is not asked for where it has no share."""
        return new if self.alpha == 1 else torch.lerp(before(), new, self.alpha)

    def picture(
        self, first: Tensor, stage: Callable[[int, Tensor], Tensor], head: Callable[[int, Tensor], Tensor]
    ) -> Tensor:
        """What a generator makes now.

        Args:
            first: (N, C, h, w), the features before stage 0.
            stage: makes the features of a stage from those before it.
            head: makes the picture of a stage from its features, which it leaves as they are.

        Returns:
            (N, channels, H, W) of the full size; a picture that is smaller yet is repeated, pixel by pixel.
        """
        before = x = first
        for number in range(self.newest + 1):
            before, x = x, stage(number, x)
        picture = self.mixed(lambda: enlarged(head(self.newest - 1, before), 2), head(self.newest, x))
        return enlarged(picture, self.factor)

    def compared(self, condition: Condition, fake: Tensor, real: Tensor) -> tuple[Condition, Tensor, Tensor]:
        """As :meth:`i2i.nn.generator.Generator.compared`: everything at the size of now.

        Photos are averaged, and mixed as the pictures are, so that they have no finer details than these can have.
        """
        if self.factor > 1:
            height, width = (side // self.factor for side in fake.shape[2:])
            condition = condition.resized(height, width)
            fake = fake[:, :, :: self.factor, :: self.factor]  # undoes the repetition
        real = reduced(real, self.factor)
        return condition, fake, self.mixed(lambda: enlarged(reduced(real, 2), 2), real)


class Growing(nn.Module):
    """A network that grows: generator or discriminator.

    Attributes:
        growth: how far it has grown.
    """

    growth: Growth

    @abstractmethod
    def parts(self, stage: int) -> tuple[Iterable[nn.Module], nn.Module]:
        """What computes the features of a stage, and its head."""

    def release(self) -> None:
        """Let those parameters take gradients that are of use now, and no others.

        Several processes wait for the gradient of every parameter that takes one.
        """
        heads = {math.floor(self.growth.now), self.growth.newest}
        for stage in range(self.growth.stages + 1):
            body, head = self.parts(stage)
            for part in body:
                part.requires_grad_(stage <= self.growth.newest)
            head.requires_grad_(stage in heads)


def growths(module: nn.Module) -> Iterator[Growth]:
    """Those of all networks in a module."""
    return (part for part in module.modules() if isinstance(part, Growth))


def reduced(pictures: Tensor, factor: int) -> Tensor:
    """(N, C, H, W) -> (N, C, H / factor, W / factor), the mean of each square."""
    return pictures if factor == 1 else F.avg_pool2d(pictures, factor)


def enlarged(pictures: Tensor, factor: int) -> Tensor:
    """(N, C, h, w) -> (N, C, h · factor, w · factor), every pixel repeated."""
    return pictures if factor == 1 else F.interpolate(pictures, scale_factor=factor, mode="nearest")
