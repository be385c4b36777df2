"""What blocks are said to take, against what is allocated while they are computed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch

from i2i.benchmark.memory import peak_bytes
from i2i.nn.block_memory import BlockMemory
from i2i.nn.folded_block import FoldedBlock
from i2i.nn.oasis import OASISGenerator
from i2i.nn.sean import SEANGenerator
from i2i.nn.spade import SPADEGenerator
from i2i.semantics import SemanticMap

CPU = torch.device("cpu")
NETWORKS: dict[str, Callable[[], SPADEGenerator]] = {
    "SPADE": lambda: SPADEGenerator(9, width=8, hidden=32),
    "OASIS": lambda: OASISGenerator(9, 8, width=8, hidden=32),
    "SEAN": lambda: SEANGenerator(9, 8, 64, width=8, hidden=32),
    "SEAN without noise": lambda: SEANGenerator(9, 8, 64, noise=False, width=8, hidden=32),
    "SEAN by instance": lambda: SEANGenerator(9, 8, 64, "instance", width=8, hidden=32),
}


@torch.inference_mode()
@pytest.mark.parametrize("cell", [16, 1], ids=["regions", "noise"])
@pytest.mark.parametrize("name", NETWORKS)
def test_estimates_are_near(name: str, cell: int) -> None:
    torch.manual_seed(0)
    generator = NETWORKS[name]().eval().fold()
    labels, ids = (torch.randint(0, n, (1, 128 // cell, 128 // cell)) for n in (8, 5))
    labels, ids = (m.repeat_interleave(cell, 1).repeat_interleave(cell, 2) for m in (labels, ids))
    semantics = SemanticMap.from_labels(labels, 8, ids)
    seen, _ = generator.seen(semantics, generator.draw(semantics))
    for number, size in ((3, 32), (4, 64), (-1, 128)):
        number %= len(generator.blocks)
        block, here = generator.blocks[number], seen.resized(size, size)
        assert isinstance(block, FoldedBlock)
        memory = BlockMemory.of(block, seen, (size, size), 2, "auto")
        expected = memory.tables.total  # patterns are found here, and not below
        rows, tables = block.tables(here, "auto", keep=False)
        taken = peak_bytes(partial(block.tables, here, "auto", keep=False), CPU)
        assert 0.7 * taken < expected < 1.3 * taken
        x = torch.randn(1, block.conv_0.weight.shape[1], size // 2, size // 2)
        x = x.contiguous(memory_format=torch.channels_last)
        noise = generator.pixel_noise(number, here)
        block.convolved(x.clone(), rows, tables, noise)  # weights are packed
        taken = x.nbytes + peak_bytes(partial(block.convolved, x, rows, tables, noise), CPU)
        counted = sum(size * count for size, count in memory.features(size * size).items())
        assert 0.98 * taken < counted < 1.6 * taken  # of each size the most, at whatever moment
