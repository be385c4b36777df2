"""Tables that grow hold the rows that would be computed at once."""

from __future__ import annotations

import pytest
import torch

from i2i.changing_patterns import ChangingPatterns
from i2i.nn import growing_tables
from i2i.nn.growing_tables import GrowingRows, GrowingTables
from i2i.nn.pattern_modulation import TableWeights, modulation_tables
from i2i.nn.spade_block import SPADEResnetBlock
from i2i.semantics import SemanticMap


@pytest.mark.parametrize("edges", [False, True])
@pytest.mark.parametrize("at_once", [7, 4096])
def test_every_pixel_finds_its_row(edges: bool, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing_tables, "_GATHERED", at_once)
    block = SPADEResnetBlock(4, 3, 3 + edges, hidden=5).double().requires_grad_(False)
    weights = TableWeights.of(block.modulations)
    growing = GrowingTables(weights)
    patterns = ChangingPatterns((1, 12, 10), 6 if edges else 3, 3)
    labels = torch.zeros(1, 12, 10, dtype=torch.long)
    rows = []
    for y, x in [(0, 0), (5, 5), (11, 9), (5, 5), (0, 4)]:
        labels = labels.clone()
        labels[:, y : y + 3, x : x + 3] = (labels[:, y, x] + 1) % 3
        semantics = SemanticMap.from_labels(labels, 3, labels if edges else None)
        change = patterns.update(semantics.codes)
        assert change is not None
        growing.extend(semantics, change)
        used, expected = modulation_tables(weights, semantics)
        for table, fresh in zip(growing.tables, expected, strict=True):
            torch.testing.assert_close(table[patterns.index], fresh[used.index], rtol=0, atol=1e-12)
        rows.append(len(growing.tables[0]))
    assert rows == sorted(rows) and rows[-1] == 1 + patterns.known


def test_rows_are_added_and_dropped() -> None:
    rows = GrowingRows(2, torch.zeros((), dtype=torch.float64))
    added = torch.arange(40.0, dtype=torch.float64).view(20, 2)
    for part in added.split([3, 1, 0, 9, 7]):
        rows.append(part)
    assert torch.equal(rows.rows, torch.cat([torch.zeros(1, 2, dtype=torch.float64), added]))
    assert rows.rows.is_contiguous() and rows.bytes >= rows.rows.nbytes
    rows.keep(torch.tensor([2, 5, 20]))
    assert torch.equal(rows.rows[1:], added[[1, 4, 19]]) and rows.rows[0].count_nonzero() == 0
    rows.append(added[:1])
    assert torch.equal(rows.rows[4], added[0])
