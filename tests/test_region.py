"""Regions against masks of pixels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from i2i.region import Region

SIZE = (9, 12)


@st.composite
def regions(draw: st.DrawFn) -> Region:
    top, left = draw(st.integers(0, SIZE[0] - 1)), draw(st.integers(0, SIZE[1] - 1))
    return Region(top, draw(st.integers(top + 1, SIZE[0])), left, draw(st.integers(left + 1, SIZE[1])))


def mask(region: Region, factor: int = 1) -> Tensor:
    pixels = torch.zeros(1, SIZE[0] * factor, SIZE[1] * factor, dtype=torch.bool)
    pixels[:, region.top : region.bottom, region.left : region.right] = True
    return pixels


@given(region=regions(), other=regions(), by=st.integers(0, 3))
def test_regions_are_sets_of_pixels(region: Region, other: Region, by: int) -> None:
    assert Region.around(mask(region)) == region
    assert region.area == int(mask(region).sum()) and region.size == region.of(torch.zeros(SIZE)).shape
    dilated = F.max_pool2d(mask(region).float(), 2 * by + 1, stride=1, padding=by).bool()
    assert torch.equal(mask(region.grown(by, SIZE)), dilated)
    assert region.joined(other) == Region.around(mask(region) | mask(other))
    assert region.joined(None) == region
    repeated = mask(region).repeat_interleave(2, 1).repeat_interleave(2, 2)
    assert torch.equal(mask(region.times(2), 2), repeated)
    assert Region.around(F.max_pool2d(mask(region).float(), 2, ceil_mode=True).bool()) == region.over(2)
    union = region.joined(other)
    pixels = torch.arange(SIZE[0] * SIZE[1]).view(SIZE)
    assert torch.equal(region.within(union).of(union.of(pixels)), region.of(pixels))


def test_nothing_has_no_region() -> None:
    assert Region.around(torch.zeros(2, 3, 4, dtype=torch.bool)) is None
    assert Region.around(torch.ones(2, 3, 4, dtype=torch.bool)) == Region.whole((3, 4))


def test_a_region_is_around_the_changes_of_all_maps() -> None:
    changed = torch.zeros(2, 5, 5, dtype=torch.bool)
    changed[0, 1, 4] = changed[1, 3, 2] = True
    assert Region.around(changed) == Region(1, 4, 2, 5)
