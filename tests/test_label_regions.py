"""Regions of label maps: their windows, joined with the rows of another table, against loops over pixels."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from i2i.label_regions import Regions, class_regions, instance_regions, regions_of
from i2i.patterns import PixelRows
from i2i.semantics import SemanticMap


def maps(batch: int, height: int, width: int, seed: int, classes: int = 3) -> SemanticMap:
    random = torch.Generator().manual_seed(seed)
    labels, instances = (torch.randint(0, classes, (batch, height, width), generator=random) for _ in range(2))
    return SemanticMap.from_labels(labels, classes, 700 * instances)


@settings(max_examples=30)
@given(
    shape=st.tuples(st.integers(1, 2), st.integers(1, 6), st.integers(1, 6)),
    regions=st.integers(1, 4),
    rows=st.sampled_from(["few", "finer", "pixels"]),
    kernel=st.sampled_from([3, 5]),
    seed=st.integers(0, 99),
)
def test_a_pair_is_the_row_and_the_window_of_its_pixels(
    shape: tuple[int, int, int], regions: int, rows: str, kernel: int, seed: int
) -> None:
    """Rows that know nothing of regions; rows that tell them; and a row for every pixel."""
    random = torch.Generator().manual_seed(seed)
    found = Regions(torch.randint(0, regions, shape, generator=random), regions)
    windows = found.windows(kernel)
    if rows == "pixels":
        first = PixelRows.one_each(*shape, torch.device("cpu"))
    else:
        keys = torch.randint(0, 2, shape, generator=random)
        keys = keys + 2 * windows.rows.index if rows == "finer" else keys
        distinct, index = torch.unique(keys, return_inverse=True)
        first = PixelRows(index.int(), len(distinct))
    joined = found.joined(first, kernel)
    padded = torch.nn.functional.pad(found.index, [kernel // 2] * 4, value=regions)
    seen = set()
    for n, y, x in torch.cartesian_prod(*(torch.arange(side) for side in shape)).view(-1, 3).tolist():
        pair = int(joined.rows.index[n, y, x])
        row = pair if joined.first is None else int(joined.first[pair])
        assert row == int(first.index[n, y, x])
        window = windows.contents[int(joined.second[pair])].view(kernel, kernel)
        assert torch.equal(window, padded[n, y : y + kernel, x : x + kernel])
        seen.add(pair)
    assert seen == set(range(joined.rows.count))
    assert found.joined(first, kernel) is joined
    if rows != "few":
        assert joined.first is None and joined.rows is first


def test_the_id_of_a_region() -> None:
    semantics = maps(2, 5, 6, 0)
    assert semantics.instances is not None
    classes, instances = class_regions(semantics), instance_regions(semantics)
    assert torch.equal(classes.id[classes.regions.index], semantics.labels)
    assert torch.equal(instances.id[instances.regions.index], semantics.instances)


def test_vectors_of_classes_come_to_their_regions() -> None:
    semantics = maps(2, 5, 6, 1)
    vectors = torch.randn(2, 3, 4)
    found = regions_of(semantics, "instance")
    placed = found.of_classes(vectors)
    assert placed.shape == (2, found.places, 4)
    spread = found.chosen(placed)[found.regions.index]
    for n, y, x in torch.cartesian_prod(torch.arange(2), torch.arange(5), torch.arange(6)).tolist():
        assert torch.equal(spread[n, y, x], vectors[n, semantics.labels[n, y, x]])
    assert regions_of(semantics, "instance") is found and regions_of(semantics, "class") is not found


def test_of_labels_without_values_every_class_is_a_region() -> None:
    semantics = SemanticMap(torch.zeros(2, 4, 4, dtype=torch.long, device="meta"), 5)
    assert class_regions(semantics).regions.count == 10


@pytest.mark.parametrize("kind", ["class", "instance"])
def test_regions_found_in_inference_serve_training(kind: str) -> None:
    with torch.inference_mode():
        semantics = maps(1, 4, 4, 0)
        found = regions_of(semantics, kind)  # type: ignore[arg-type]
        joined = found.regions.joined(semantics.patterns(4, 4).outer.rows, 3)
    codes = torch.randn(1, found.places, 2, requires_grad=True)
    assert joined.second.sum() >= 0
    found.chosen(codes)[joined.second.clamp(max=0)].sum().backward()
    assert codes.grad is not None
