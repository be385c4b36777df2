"""What was made of a map serves its next picture, within a limit, and for any number of threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import Tensor

import i2i.nn.folded_block
from i2i.kept_maps import KeptMaps, memory_of
from i2i.nn.oasis import OASISGenerator
from i2i.nn.spade import SPADEGenerator
from i2i.semantics import LabelSemantics, SemanticMap
from i2i.synthesizer import Synthesizer


def labels(seed: int, size: int = 64) -> np.ndarray:
    cells = np.random.default_rng(seed).integers(0, 4, (size // 8, size // 8))
    return cells.repeat(8, 0).repeat(8, 1).astype(np.uint8)


def spade(**options: float) -> Synthesizer:
    torch.manual_seed(0)
    generator = SPADEGenerator(4, 6, width=2, hidden=8, base_size=(2, 2), gain=1.0)
    return Synthesizer(generator, LabelSemantics(4), **options)  # type: ignore[arg-type]


def test_the_second_style_of_a_map_makes_no_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    made, make = [], i2i.nn.folded_block.modulation_tables
    monkeypatch.setattr(i2i.nn.folded_block, "modulation_tables", lambda *a: made.append(1) or make(*a))  # type: ignore[func-returns-value]
    synthesizer, blocks = spade(), 7
    first = synthesizer(labels(0), seed=1)
    assert len(made) == blocks
    again = synthesizer(labels(0).astype(np.uint8).copy(), seed=1)  # an equal map, not the same one
    assert np.array_equal(first, again) and len(made) == blocks
    synthesizer(torch.from_numpy(labels(0)), seed=2, count=3)
    assert len(made) == blocks
    synthesizer(labels(1), seed=1)
    assert len(made) == 2 * blocks
    synthesizer(np.stack([labels(0), labels(1)]), seed=3)
    assert len(made) == 2 * blocks
    nothing = spade(keep=0)
    for _ in range(2):
        assert np.array_equal(nothing(labels(0), seed=1), first)
    assert len(made) == 4 * blocks


def test_the_memory_is_bounded() -> None:
    synthesizer = spade(keep=0.002)
    for seed in range(6):
        synthesizer(labels(seed), seed=0)
    assert 1 <= len(synthesizer._kept) < 6 and 0 < synthesizer._kept.bytes <= 0.002 * 2**30
    synthesizer(labels(0, size=256), seed=0)  # takes more by itself
    assert synthesizer._kept.bytes <= 0.002 * 2**30
    many = KeptMaps(1 << 30)
    for seed in range(40):
        with many.lent({"labels": torch.tensor([[[seed]]])}, lambda maps: SemanticMap(maps["labels"], 99)):
            pass
    assert len(many) == 32
    with many.lent({"labels": torch.tensor([[[39]]])}, lambda maps: pytest.fail("it was kept")):
        pass


def test_memory_is_counted_by_storage() -> None:
    semantics = SemanticMap.from_labels(torch.zeros(1, 8, 8, dtype=torch.uint8), 2)
    assert memory_of(semantics) == 64
    semantics.kept_for(test_memory_is_counted_by_storage, lambda: [torch.zeros(10), (torch.zeros(3),)])
    view = torch.zeros(100)
    semantics.kept_for(torch, lambda: {"a": view[:5], "b": view[7:]})
    assert memory_of(semantics) == 64 + 40 + 12 + 400


@pytest.mark.parametrize("kind", ["spade", "oasis"])
def test_threads_get_what_one_gets(kind: str) -> None:
    """Different maps, styles and seeds at once, some maps shared, with a limit that drops maps all the time."""
    torch.manual_seed(0)
    if kind == "spade":
        synthesizer = spade(keep=0.003)
    else:
        oasis = OASISGenerator(4, 6, noise="class", width=2, hidden=8, gain=1.0)
        synthesizer = Synthesizer(oasis, LabelSemantics(4), keep=0.003)

    def picture(i: int) -> np.ndarray:
        style: Tensor | None = torch.full((6,), i / 10) if kind == "spade" and i % 3 == 0 else None
        return synthesizer(labels(i % 5, size=64 + 32 * (i % 2)), style=style, seed=i, count=1 + i % 2)

    serial = [picture(i) for i in range(20)]
    gate = threading.Barrier(5)

    def together(i: int) -> np.ndarray:
        if i < 5:
            gate.wait()
        return picture(i)

    with ThreadPoolExecutor(5) as pool:
        parallel = list(pool.map(together, range(20)))
    assert all(np.array_equal(a, b) for a, b in zip(serial, parallel, strict=True))
    assert synthesizer._kept.bytes <= 0.003 * 2**30
