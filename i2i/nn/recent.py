"""A memory of what came last in a training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from i2i import draws


class Recent(nn.Module):
    """Keeps the last rows of some tables, as part of a network's state.

    An encoder changes while it learns, so what it says of the photos that came last is nearest to what it says now.
    Each process remembers its own photos.

    Args:
        tables: by their names, zeros of the shape (remembered, …).

    Attributes:
        photos: how many rows there were in all.
    """

    photos: Tensor

    def __init__(self, **tables: Tensor) -> None:
        super().__init__()
        self._names = list(tables)
        for name, table in tables.items():
            self.register_buffer(name, table)
        self.register_buffer("photos", torch.zeros((), dtype=torch.long))

    @property
    def count(self) -> int:
        """How many rows are remembered."""
        return min(int(self.photos), len(self.get_buffer(self._names[0])))

    @torch.no_grad()
    def keep(self, **rows: Tensor) -> None:
        """Take in rows (N, …) of each table, in the place of the oldest."""
        added = len(rows[self._names[0]])
        for name in self._names:
            table = self.get_buffer(name)
            places = (self.photos + torch.arange(added, device=table.device)) % len(table)
            table[places[-len(table) :]] = rows[name][-len(table) :].to(table.dtype)
        self.photos += added

    def chosen(self, count: int, random: torch.Generator | None = None) -> Tensor:
        """(count,), the numbers of rows that are drawn evenly; without ``random`` as :mod:`i2i.draws` says."""
        if random is None:
            drawn = draws.integers(0, self.count, (count,))
        else:
            drawn = torch.randint(self.count, (count,), generator=random)
        return drawn.to(self.photos.device)
