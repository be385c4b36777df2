"""A block's modulation tables for a map that is painted on: a row per pattern, computed when the pattern is new.

The numbers of :mod:`i2i.changing_patterns` are the rows' places; row 0 stands for "outside the image" and is zero.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from i2i.changing_patterns import Change
from i2i.nn.pattern_modulation import TableWeights, convolve_labels, table_by_gathering
from i2i.semantics import SemanticMap

_GATHERED = 4096
"""So many outer patterns are gathered at a time, which bounds the memory that a map of noise takes."""


class GrowingRows:
    """Rows of a table, to whose end others are added; mostly without copying, as there is room for half as many.

    Args:
        columns: of the table.
        like: a tensor of the type, and on the device, of the rows.
    """

    def __init__(self, columns: int, like: Tensor) -> None:
        self._buffer = like.new_zeros(1, columns)
        self._count = 1

    @property
    def rows(self) -> Tensor:
        """(P, columns), the first of zeros."""
        return self._buffer[: self._count]

    @property
    def bytes(self) -> int:
        """Memory, with the room that is left."""
        return self._buffer.numel() * self._buffer.element_size()

    def append(self, rows: Tensor) -> None:
        """Add (U, columns) at the end."""
        count = self._count + len(rows)
        if count > len(self._buffer):
            # the first rows, of a whole map, fit as they are
            room = count if self._count == 1 else max(count, self._count * 3 // 2)
            buffer = self._buffer.new_empty(room, self._buffer.shape[1])
            buffer[: self._count] = self.rows
            self._buffer = buffer
        self._buffer[self._count : count] = rows
        self._count = count

    def keep(self, numbers: Tensor) -> None:
        """Keep only the rows of these numbers, in this order, after the first."""
        self._buffer = self._buffer[F.pad(numbers.to(self._buffer.device), (1, 0))]
        self._count = len(self._buffer)


class GrowingTables:
    """The tables of a block's modulations.

    Args:
        weights: what they are made from.
    """

    def __init__(self, weights: TableWeights) -> None:
        self._weights = weights
        hidden = len(weights.bias) // len(weights.second)
        self._hidden = [GrowingRows(hidden, weights.rows) for _ in weights.second]
        self._tables = [GrowingRows(len(second.bias), weights.rows) for second in weights.second]

    @property
    def tables(self) -> list[Tensor]:
        """For each modulation (P, 2C): the factors 1 + γ, then the shifts β."""
        return [table.rows for table in self._tables]

    @property
    def bytes(self) -> int:
        """Memory of all rows."""
        return sum(rows.bytes for rows in [*self._hidden, *self._tables])

    def extend(self, semantics: SemanticMap, change: Change) -> None:
        """Compute the rows of the patterns that are new.

        Args:
            semantics: a map with the classes and edges of the one that changed.
            change: what :meth:`ChangingPatterns.update` returned.
        """
        device, weights = self._weights.rows.device, self._weights
        with torch.autocast(device.type, enabled=False):
            if len(change.inner):
                new = F.relu(convolve_labels(weights.rows, weights.bias, semantics, change.inner.to(device)))
                for hidden, part in zip(self._hidden, new.chunk(len(self._hidden), 1), strict=True):
                    hidden.append(part)
            for start in range(0, len(change.outer), _GATHERED):
                contents = change.outer[start : start + _GATHERED].to(device)
                for hidden, table, second in zip(self._hidden, self._tables, weights.second, strict=True):
                    table.append(table_by_gathering(hidden.rows, contents, second))

    def keep(self, inner: Tensor, outer: Tensor) -> None:
        """Drop the rows of all other numbers; as :meth:`ChangingPatterns.tidy` says."""
        for hidden, table in zip(self._hidden, self._tables, strict=True):
            hidden.keep(inner)
            table.keep(outer)
