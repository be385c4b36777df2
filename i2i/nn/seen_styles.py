"""What styles an encoder of regions has seen: the mean code of each class, and whole styles to draw from."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor

from i2i.nn.recent import Recent

_DECAY = 0.99


class SeenStyles(Recent):
    """Moving averages of the codes of each class over a training, and the codes of the photos that came last.

    The encoder changes while it learns, so older codes count less. A style is remembered as a whole, since the regions
    of one photo go together: they are in one light.

    Args:
        classes: number of classes.
        channels: length of a code.
        remembered: number of photos.

    Attributes:
        means: (classes, channels); of a class that was never seen, 0.
        updates: (classes,), how many batches had each.
        styles: (remembered, classes, channels) of photos; 0 where a photo has not the class.
        known: (remembered, classes), which classes they have.
    """

    means: Tensor
    updates: Tensor
    styles: Tensor
    known: Tensor

    def __init__(self, classes: int, channels: int, remembered: int) -> None:
        super().__init__(
            styles=torch.zeros(remembered, classes, channels), known=torch.zeros(remembered, classes, dtype=torch.bool)
        )
        self.register_buffer("means", torch.zeros(classes, channels))
        self.register_buffer("updates", torch.zeros(classes, dtype=torch.long))

    @torch.no_grad()
    def remember(self, codes: Tensor, known: Tensor) -> None:
        """Take in the codes of a batch.

        Args:
            codes: (N, classes, channels).
            known: (N, classes), which classes each photo has.
        """
        codes = torch.where(known[..., None], codes, 0).to(self.means.dtype)
        sums, counts = codes.sum(0), known.sum(0)
        if dist.is_available() and dist.is_initialized():  # the means are those of all processes
            dist.all_reduce(sums)
            dist.all_reduce(counts)
        # At the start the plain mean of the batches, then a moving average.
        share = (1 / (self.updates + 1)).clamp(min=1 - _DECAY)
        there = counts > 0
        moved = torch.lerp(self.means, sums / counts.clamp(min=1)[:, None], share[:, None].to(sums.dtype))
        self.means.copy_(torch.where(there[:, None], moved, self.means))
        self.updates += there
        self.keep(styles=codes, known=known)

    def filled(self, codes: Tensor, known: Tensor) -> Tensor:
        """Codes (N, classes, channels) with the mean ones where a class is not known, (N, classes)."""
        return torch.where(known[..., None], codes, self.typical.to(codes.dtype))

    @property
    def typical(self) -> Tensor:
        """(classes, channels), the mean codes; of a class that was never seen the mean of all others."""
        seen = (self.updates > 0)[:, None]
        return torch.where(seen, self.means, self.means.sum(0) / seen.sum().clamp(min=1))

    def draw(self, count: int, random: torch.Generator | None = None) -> Tensor:
        """(count, classes, channels), each the style of one photo, filled; the mean style where there is no photo.

        Without ``random`` drawn as :mod:`i2i.draws` says.
        """
        if not self.count:
            return self.typical.expand(count, -1, -1)
        drawn = self.chosen(count, random)
        return self.filled(self.styles[drawn], self.known[drawn])
