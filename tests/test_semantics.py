"""Semantic maps against dense interpolation and naive neighbourhoods."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from i2i.errors import InputError
from i2i.semantics import LabelSemantics, SemanticMap

CLASSES = 4
sides = st.integers(1, 9)
maps = st.tuples(st.integers(1, 2), sides, sides).flatmap(
    lambda shape: arrays.arrays(np.uint8, shape, elements=st.integers(0, CLASSES - 1))
)


@given(
    labels=maps, height=st.integers(1, 20), width=st.integers(1, 20), dtype=st.sampled_from(["uint8", "int16", "int64"])
)
def test_resized_one_hot_is_the_interpolated_one_hot(labels: np.ndarray, height: int, width: int, dtype: str) -> None:
    tensor = torch.from_numpy(labels.astype(dtype))
    semantics = SemanticMap.from_labels(tensor, CLASSES, tensor)
    dense = F.one_hot(tensor.long(), CLASSES).permute(0, 3, 1, 2).float()
    assert semantics.edges is not None
    dense = torch.cat([dense, semantics.edges[:, None].float()], 1)
    assert torch.equal(semantics.dense(), dense)
    resized = semantics.resized(height, width)
    assert torch.equal(resized.dense(), F.interpolate(dense, size=(height, width), mode="nearest"))
    assert semantics.resized(height, width) is resized
    assert resized.size == (height, width) and resized.channels == semantics.channels == CLASSES + 1


@given(instances=maps)
def test_edges_are_where_a_neighbour_differs(instances: np.ndarray) -> None:
    edges = SemanticMap.from_labels(torch.from_numpy(instances), CLASSES, torch.from_numpy(instances)).edges
    cross = ndimage.generate_binary_structure(2, 1)
    for found, ids in zip(edges, instances, strict=True):  # type: ignore[arg-type]
        highest = ndimage.maximum_filter(ids, footprint=cross, mode="nearest")
        lowest = ndimage.minimum_filter(ids, footprint=cross, mode="nearest")
        np.testing.assert_array_equal(found.numpy(), highest != lowest)


@pytest.mark.parametrize("dtype", [torch.uint16, torch.uint32, torch.uint64])
def test_unsigned_maps_are_those_of_signed_ones(dtype: torch.dtype) -> None:
    labels, ids = torch.randint(0, CLASSES, (2, 5, 7)), torch.randint(0, 60_000, (2, 5, 7))
    expected = SemanticMap.from_labels(labels, CLASSES, ids)
    for found in (
        SemanticMap.from_labels(labels.to(dtype), CLASSES, ids.to(dtype)),
        SemanticMap.from_labels(labels.to(dtype).numpy(), CLASSES, ids.to(dtype).numpy()),
    ):
        assert torch.equal(found.dense(), expected.dense()) and torch.equal(found.edges, expected.edges)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=f"label {CLASSES} at image 0, row 0, column 0"):
        SemanticMap.from_labels(torch.full((1, 2, 2), CLASSES).to(dtype), CLASSES)


def test_large_instance_ids() -> None:
    ids = torch.tensor([[[33007, 33008, 33008]]], dtype=torch.int32)
    edges = SemanticMap.from_labels(torch.zeros(1, 1, 3, dtype=torch.uint8), 1, ids).edges
    assert edges is not None and edges.tolist() == [[[True, True, False]]]


def test_label_semantics() -> None:
    labels = torch.tensor([[[0, 0, 1]]], dtype=torch.uint8)
    instances = torch.tensor([[[5, 6, 6]]])
    assert LabelSemantics(2)(labels, instances).edges is None
    with_edges = LabelSemantics(2, edges=True)
    assert with_edges.channels == with_edges(labels, instances).channels == 3
    assert with_edges(labels, instances).edges.tolist() == [[[True, True, False]]]  # type: ignore[union-attr]
    assert with_edges(labels).edges.tolist() == [[[False, True, True]]]  # type: ignore[union-attr]


def test_four_dimensions_repetition_and_moving() -> None:
    labels = torch.randint(0, CLASSES, (2, 1, 3, 5), dtype=torch.int16)
    semantics = SemanticMap.from_labels(labels, CLASSES, labels)
    assert (semantics.batch, semantics.size) == (2, (3, 5))
    twice = semantics.repeated(2)
    assert torch.equal(twice.dense(), torch.cat([semantics.dense()] * 2))
    assert semantics.to("cpu").channels == semantics.channels
    assert semantics.dense(torch.bfloat16).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.tensor([[[0, 1], [2, 4]]]), "label 4 at image 0, row 1, column 1 is out of range; allowed are 0 to 3"),
        (torch.tensor([[[0, -1]]]), "label -1 at image 0, row 0, column 1"),
        (torch.zeros(3, 3, dtype=torch.long), r"shape \(3, 3\); expected"),
        (torch.zeros(1, 3, 2, 2, dtype=torch.long), r"shape \(1, 3, 2, 2\); expected"),
        (torch.zeros(1, 0, 2, dtype=torch.long), r"shape \(1, 0, 2\)"),
        (torch.zeros(1, 2, 2), "labels are torch.float32; a map of ids has an integer type"),
    ],
)
def test_bad_labels_are_named(labels: torch.Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        SemanticMap.from_labels(labels, CLASSES)


def test_bad_instances_are_named() -> None:
    labels = torch.zeros(1, 2, 2, dtype=torch.uint8)
    with pytest.raises(InputError, match=r"instances have shape \(1, 2, 3\), the labels \(1, 2, 2\)"):
        SemanticMap.from_labels(labels, 1, torch.zeros(1, 2, 3, dtype=torch.int32))
    with pytest.raises(InputError, match=r"instances are torch.float32"):
        SemanticMap.from_labels(labels, 1, torch.zeros(1, 2, 2))
