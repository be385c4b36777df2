"""Crops: the same place in condition, fake and real photo, edges as in the whole map."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from i2i.errors import InputError
from i2i.losses.crops import RandomCrops
from i2i.semantics import SemanticMap, instance_edges


def located(batch: int, height: int, width: int) -> Tensor:
    """(N, 3, H, W): every pixel tells its image, row and column."""
    return torch.stack(
        torch.meshgrid(torch.arange(batch), torch.arange(height), torch.arange(width), indexing="ij"), 1
    ).double()


@settings(max_examples=25)
@given(size=st.tuples(st.integers(1, 9), st.integers(1, 11)), count=st.integers(1, 4), seed=st.integers(0, 10**6))
def test_one_place_for_all(size: tuple[int, int], count: int, seed: int) -> None:
    torch.manual_seed(seed)
    labels = torch.randint(0, 7, (2, 9, 11), dtype=torch.int16)
    instances = torch.randint(0, 3, (2, 9, 11), dtype=torch.int32)
    maps = SemanticMap.from_labels(labels, 7, instances)
    photo = located(2, 9, 11)
    crops, fake, real = RandomCrops(size, count)(maps, -photo, photo)
    assert real.shape == (2 * count, 3, *size) and torch.equal(fake, -real)
    image, row, column = real.long().unbind(1)
    assert image[:, 0, 0].tolist() == [0] * count + [1] * count
    assert torch.equal(row - row[:, :1, :1], torch.arange(size[0])[None, :, None].expand_as(row))
    assert torch.equal(column - column[:, :1, :1], torch.arange(size[1])[None, None].expand_as(row))
    assert isinstance(crops, SemanticMap) and crops.edges is not None and crops.instances is not None
    assert crops.labels.dtype == torch.int16 and torch.equal(crops.labels, labels[image, row, column])
    assert torch.equal(crops.instances, instances[image, row, column])
    assert torch.equal(crops.edges, instance_edges(instances)[image, row, column])


def test_every_place_is_as_likely() -> None:
    photo, maps = located(1, 5, 7), SemanticMap(torch.zeros(1, 5, 7, dtype=torch.uint8), 1)
    _, _, real = RandomCrops((3, 4), 6000)(maps, photo, photo)
    for axis, places in ((1, 3), (2, 4)):
        shares = torch.bincount(real[:, axis, 0, 0].long(), minlength=places) / len(real)
        torch.testing.assert_close(shares, torch.full((places,), 1 / places), rtol=0, atol=0.03)


def test_gradients_reach_what_was_seen() -> None:
    fake = torch.rand(1, 3, 8, 8, requires_grad=True)
    maps = SemanticMap(torch.zeros(1, 8, 8, dtype=torch.uint8), 1)
    torch.manual_seed(0)
    _, seen, real = RandomCrops((4, 4), 2)(maps, fake, located(1, 8, 8).float())
    seen.sum().backward()
    expected = torch.zeros(8, 8)
    for crop in real.long():
        expected[crop[1], crop[2]] += 1
    assert fake.grad is not None
    torch.testing.assert_close(fake.grad[0, 0], expected)


def test_what_does_not_fit_is_named() -> None:
    maps, photo = SemanticMap(torch.zeros(1, 8, 16, dtype=torch.uint8), 1), torch.zeros(1, 3, 8, 16)
    with pytest.raises(InputError, match="crops of 16 x 16 do not fit into photos of 8 x 16"):
        RandomCrops((16, 16))(maps, photo, photo)
    with pytest.raises(InputError, match="size 0 x 4, count 4"):
        RandomCrops((0, 4))
    with pytest.raises(InputError, match="count 0"):
        RandomCrops((4, 4), 0)


def test_crops_are_made_where_the_photos_lie() -> None:
    maps, photo = (
        SemanticMap(torch.zeros(2, 8, 8, device="meta", dtype=torch.uint8), 1),
        torch.zeros(2, 3, 8, 8).to("meta"),
    )
    crops, fake, real = RandomCrops((4, 4), 3)(maps, photo, photo)
    assert crops.device.type == fake.device.type == real.device.type == "meta"
    assert crops.size == (4, 4) and crops.batch == len(real) == 6
