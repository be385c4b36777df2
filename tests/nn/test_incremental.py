"""Pictures that follow strokes are those that would be made anew, and what no stroke reaches is not computed."""

from __future__ import annotations

import threading
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from i2i.data.scenes import LIGHTINGS, render
from i2i.errors import InputError
from i2i.nn.folded import FoldedSPADEBlock
from i2i.nn.incremental import IncrementalSPADE
from i2i.nn.norm import InstanceNorm2d
from i2i.nn.spade import SPADEGenerator
from i2i.region import Region
from i2i.semantics import SemanticMap

CLASSES = 4

# What the constructor is given, beside the channels.
NETWORKS: list[dict[str, Any]] = [
    {"style_dim": 3},
    {},
    {"norm": "instance"},
    {"kernel": 5, "style_dim": 3, "upsamplings": 6},
    {"shared_input_norm": False, "upsamplings": 7},
    {"norm": "none", "spectral": False, "style_dim": 3},
]


@cache
def network(number: int, edges: bool, dtype: torch.dtype = torch.float64, **changes: Any) -> SPADEGenerator:
    """A small generator of which every number counts: no bias is zero, no running statistic is at its start."""
    torch.manual_seed(number)
    arguments = {"width": 2, "hidden": 4, "gain": 1.0, "base_size": (2, 2)} | NETWORKS[number] | changes
    generator = SPADEGenerator(CLASSES + edges, **arguments)
    with torch.no_grad():
        for name, p in generator.named_parameters():
            if name.endswith("bias"):
                p.normal_(0, 0.3)
        for name, b in generator.named_buffers():
            if name.endswith("running_mean"):
                b.normal_(0, 0.5)
            if name.endswith("running_var"):
                b.uniform_(0.5, 2)
    return generator.to(dtype).eval().requires_grad_(False)


def semantic_map(labels: Tensor, edges: bool) -> SemanticMap:
    return SemanticMap.from_labels(labels.clone(), CLASSES, labels.clone() if edges else None)


def style_of(generator: SPADEGenerator, seed: int, batch: int = 1) -> Tensor | None:
    if generator.style_dim is None:
        return None
    random = torch.Generator().manual_seed(seed)
    return torch.randn(batch, generator.style_dim, generator=random, dtype=generator.last.weight.dtype)


def assert_anew(found: Tensor, generator: SPADEGenerator, labels: Tensor, style: Tensor | None, edges: bool) -> None:
    """Against the dense reference, which shares neither tables nor regions."""
    generator.modulation = "dense"
    expected = generator(semantic_map(labels, edges), style)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


def scene(size: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(render(seed, (size, size), LIGHTINGS[0]).labels).long()[None] % CLASSES


def painted(labels: Tensor, y: int, x: int, label: int | None = None) -> Tensor:
    """With another label at one pixel."""
    labels = labels.clone()
    labels[:, y, x] = (labels[:, y, x] + 1) % CLASSES if label is None else label
    return labels


# A stroke: corner, size and label; "fill" fills the map, "undo" goes back to the map before, "restyle" draws a style.
Stroke = tuple[int, int, int, int, int] | str
BORDERS: list[Stroke] = [(0, 95, 1, 1, 1), (127, 0, 1, 1, 2), (0, 0, 128, 1, 3), (64, 64, 1, 1, 1), (126, 94, 2, 2, 0)]


@settings(max_examples=15)
@given(
    number=st.integers(0, len(NETWORKS) - 1),
    edges=st.booleans(),
    batch=st.sampled_from([1, 1, 2]),
    strokes=st.lists(
        st.one_of(
            st.tuples(
                st.integers(0, 127),
                st.integers(0, 95),
                st.sampled_from([1, 2, 5, 40]),
                st.sampled_from([1, 2, 5, 40]),
                st.integers(0, CLASSES - 1),
            ),
            st.sampled_from(["fill", "undo", "restyle"]),
        ),
        min_size=1,
        max_size=6,
    ),
    seed=st.integers(0, 99),
)
@example(number=0, edges=False, batch=1, strokes=[*BORDERS, "undo", "undo", "fill", "undo", "restyle"], seed=0)
@example(number=1, edges=True, batch=1, strokes=[*BORDERS, "undo", "undo", "fill", "undo"], seed=0)
@example(number=2, edges=False, batch=2, strokes=[*BORDERS, "undo"], seed=0)
@example(number=4, edges=True, batch=2, strokes=["fill", *BORDERS, "undo"], seed=1)
def test_any_sequence_of_strokes(number: int, edges: bool, batch: int, strokes: list[Stroke], seed: int) -> None:
    generator = network(number, edges)
    random = torch.Generator().manual_seed(seed)
    columns = 6 if generator.upsamplings == 5 else 8
    blocks = torch.randint(0, CLASSES, (batch, 8, columns), generator=random)
    history = [blocks.repeat_interleave(16, 1).repeat_interleave(16, 2)]
    incremental = IncrementalSPADE(generator.fold())
    style = style_of(generator, seed, batch)
    assert_anew(incremental.update(semantic_map(history[0], edges), style), generator, history[0], style, edges)
    for i, stroke in enumerate(strokes):
        labels = history[-1].clone()
        if stroke == "undo":
            labels = history[max(len(history) - 2, 0)]
        elif stroke == "fill":
            labels[:] = i % CLASSES
        elif stroke == "restyle":
            style = style_of(generator, seed + i + 1, batch)
        elif isinstance(stroke, tuple):
            y, x, height, width, label = stroke
            labels[-1, y : y + height, x : x + width] = label
        history.append(labels)
        assert_anew(incremental.update(semantic_map(labels, edges), style), generator, labels, style, edges)


@pytest.mark.parametrize(
    ("place", "side", "share"),
    [(128, 256, 1.0), (144, 239, 0.77), (136, 102, 0.106), (132, 50, 0.0195), (130, 24, 0.0032), (129, 11, 0.00042)],
)
def test_a_pixel_reaches_as_far_as_is_told(place: int, side: int, share: float) -> None:
    generator = network(0, False, width=4)
    incremental = IncrementalSPADE(generator.fold())
    labels, style = scene(256), style_of(generator, 0)
    before = incremental.update(semantic_map(labels, False), style)
    assert incremental.work is not None and incremental.work.convolutions == 1
    assert incremental.work.patterns == incremental.work.known
    labels = painted(labels, place, place)
    after = incremental.update(semantic_map(labels, False), style)
    work = incremental.work
    assert work.region is not None and work.region.size == (side, side)
    assert work.convolutions == pytest.approx(share, rel=0.05)
    assert 0 < work.patterns <= 25 * 6
    outside = torch.ones(256, 256, dtype=torch.bool)
    work.region.of(outside).fill_(False)
    assert torch.equal(before[..., outside], after[..., outside])
    changed = Region.around((before != after).any(1))
    assert changed is not None
    assert changed.size == (side, side)  # the region is no larger than need be
    assert_anew(after, generator, labels, style, False)


def test_changes_far_apart() -> None:
    """One begins at a coarse resolution, and one that does not lie in its reach at a fine one."""
    generator = network(0, False, width=4)
    incremental = IncrementalSPADE(generator.fold())
    labels, style = scene(256), style_of(generator, 0)
    incremental.update(semantic_map(labels, False), style)
    labels = painted(painted(labels, 136, 136), 11, 241)
    assert_anew(incremental.update(semantic_map(labels, False), style), generator, labels, style, False)
    labels[:, 3, 5] = labels[:, 250, 251] = 3
    assert_anew(incremental.update(semantic_map(labels, False), style), generator, labels, style, False)


def test_the_same_map_costs_nothing_and_an_earlier_one_no_rows() -> None:
    generator = network(0, True)
    incremental = IncrementalSPADE(generator.fold())
    labels, style = scene(128), style_of(generator, 0)
    first = incremental.update(semantic_map(labels, True), style)
    again = incremental.update(semantic_map(labels, True), style)
    assert torch.equal(first, again)
    assert incremental.work is not None and incremental.work.region is None and incremental.work.convolutions == 0
    incremental.update(semantic_map(painted(labels, 4, 64), True), style)
    assert incremental.work.patterns > 0 and incremental.work.convolutions > 0
    back = incremental.update(semantic_map(labels, True), style)
    assert incremental.work.patterns == 0 and incremental.work.convolutions > 0
    torch.testing.assert_close(back, first, rtol=0, atol=1e-12)


def test_another_style_keeps_the_tables() -> None:
    generator = network(0, False)
    incremental = IncrementalSPADE(generator.fold())
    labels, style = scene(64), style_of(generator, 0)
    assert style is not None
    incremental.update(semantic_map(labels, False), style)
    style += 1  # in place: the canvas must have its own copy to compare with
    found = incremental.update(semantic_map(labels, False), style)
    assert incremental.work is not None and incremental.work.convolutions == 1 and incremental.work.patterns == 0
    assert_anew(found, generator, labels, style, False)


def test_instance_norm_starts_at_the_first_block_that_sees_the_change() -> None:
    generator = network(2, False)
    folded = generator.fold()
    assert any(isinstance(layer, InstanceNorm2d) for layer in folded.modules())
    incremental = IncrementalSPADE(folded)
    labels = scene(128)
    incremental.update(semantic_map(labels, False))
    labels = painted(labels, 65, 65)  # in the largest map alone
    found = incremental.update(semantic_map(labels, False))
    work = incremental.work
    assert work is not None and work.region == Region.whole((128, 128))
    assert 0.1 < work.convolutions < 0.3  # the last block of seven
    assert 0 < work.patterns <= 25
    assert_anew(found, generator, labels, None, False)


def test_pictures_belong_to_the_caller() -> None:
    generator = network(1, False)
    incremental = IncrementalSPADE(generator.fold())
    labels = scene(64)
    first = incremental.update(semantic_map(labels, False))
    kept = first.clone()
    incremental.update(semantic_map(painted(labels, 32, 32), False))
    assert torch.equal(first, kept)
    first.zero_()
    torch.testing.assert_close(incremental.update(semantic_map(labels, False)), kept, rtol=0, atol=1e-12)


def test_another_kind_of_map_is_a_new_start() -> None:
    generator = network(0, True)
    incremental = IncrementalSPADE(generator.fold())
    for labels in (scene(64), scene(128), scene(64).repeat(3, 1, 1), scene(64)):
        style = style_of(generator, 0, len(labels))
        found = incremental.update(semantic_map(labels, True), style)
        assert incremental.work is not None and incremental.work.convolutions == 1
        assert_anew(found, generator, labels, style, True)
    # as many channels, but another meaning of them
    without = SemanticMap.from_labels(scene(64), CLASSES + 1)
    generator.modulation = "auto"
    expected = generator(without, style)
    torch.testing.assert_close(incremental.update(without, style), expected, rtol=0, atol=1e-9)


def test_what_cannot_be_drawn_leaves_the_canvas_as_it_is() -> None:
    generator = network(0, False)
    incremental = IncrementalSPADE(generator.fold())
    labels, style = scene(64), style_of(generator, 0)
    incremental.update(semantic_map(labels, False), style)
    for semantics, other, said in [
        (semantic_map(labels, True), style, "channels"),
        (SemanticMap.from_labels(scene(64)[:, :60], CLASSES), style, "multiples of 32"),
        (semantic_map(labels, False), None, "style of shape"),
        (semantic_map(labels.repeat(2, 1, 1), False), style, "style of shape"),
    ]:
        with pytest.raises(InputError, match=said):
            incremental.update(semantics, other)
    incremental.update(semantic_map(labels, False), style)
    assert incremental.work is not None and incremental.work.convolutions == 0


def test_an_update_that_breaks_off_is_not_built_upon(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = network(1, False)
    incremental = IncrementalSPADE(generator.fold())
    labels = scene(64)
    incremental.update(semantic_map(labels, False))

    def fail(*_: Any) -> Tensor:
        raise MemoryError

    labels = painted(labels, 0, 0)
    with monkeypatch.context() as patch:
        patch.setattr(FoldedSPADEBlock, "after", fail)
        with pytest.raises(MemoryError):
            incremental.update(semantic_map(labels, False))
    assert_anew(incremental.update(semantic_map(labels, False)), generator, labels, None, False)


def test_tables_and_memory_stay_bounded() -> None:
    """Strokes of noise, of which every one brings new patterns."""
    generator = network(1, False)
    incremental = IncrementalSPADE(generator.fold())
    random = torch.Generator().manual_seed(0)
    labels = scene(64)
    known, sizes = [], []
    for _ in range(25):
        labels[:, 16:40, 8:32] = torch.randint(0, CLASSES, (1, 24, 24), generator=random)
        found = incremental.update(semantic_map(labels, False))
        assert incremental.work is not None
        known.append(incremental.work.known)
        sizes.append(incremental.bytes)
    assert_anew(found, generator, labels, None, False)
    assert any(after < before for before, after in pairwise(known))
    assert max(known[12:]) <= max(known[:12]) * 1.5 and max(sizes[12:]) <= max(sizes[:12]) * 1.5


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05)])
def test_many_strokes_in_single_and_half_precision(dtype: torch.dtype, tolerance: float) -> None:
    """Against the folded generator, which computes in the same type."""
    folded = network(0, False, torch.float32, width=8, hidden=16).fold(dtype)
    incremental = IncrementalSPADE(folded)
    labels, style = scene(128), style_of(network(0, False, torch.float32), 0)
    random = torch.Generator().manual_seed(0)
    for _ in range(15):
        y, x = torch.randint(0, 120, (2,), generator=random).tolist()
        labels[:, y : y + 8, x : x + 8] = int(torch.randint(0, CLASSES, (), generator=random))
        found = incremental.update(semantic_map(labels, False), style)
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, folded(semantic_map(labels, False), style), rtol=0, atol=tolerance)


def test_with_and_without_inference_mode() -> None:
    generator = network(0, False)
    incremental = IncrementalSPADE(generator.fold())
    labels = scene(64)
    for i, mode in enumerate([True, False, True]):
        with torch.inference_mode(mode):
            labels = painted(labels, 10 * i, 3)
            style = style_of(generator, 0)
            found = incremental.update(semantic_map(labels, False), style)
            assert_anew(found, generator, labels, style, False)


def test_painters_share_a_folded_generator_in_threads() -> None:
    generator = network(0, False)
    folded = generator.fold()
    style = style_of(generator, 0)
    found: dict[int, list[Tensor]] = {}

    def paint(seed: int) -> None:
        incremental, labels = IncrementalSPADE(folded), scene(64, seed)
        found[seed] = []
        for place in (1, 30, 62):
            labels = painted(labels, place, place)
            found[seed].append(incremental.update(semantic_map(labels, False), style))

    threads = [threading.Thread(target=paint, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, pictures in found.items():
        labels = scene(64, seed)
        for place, picture in zip((1, 30, 62), pictures, strict=True):
            labels = painted(labels, place, place)
            assert_anew(picture, generator, labels, style, False)
