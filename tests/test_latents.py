"""Arithmetic of styles against its geometry."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from i2i.errors import InputError
from i2i.latents import interpolated, mixed, moved

vectors = st.integers(0, 2**31).map(lambda seed: torch.randn(2, 5, generator=torch.Generator().manual_seed(seed)))


@settings(max_examples=50)
@given(vectors, st.floats(0, 1))
def test_the_spherical_way_turns_at_equal_speed_and_keeps_the_length(pair: torch.Tensor, weight: float) -> None:
    a, b = pair.double() / pair.double().norm(dim=1, keepdim=True)
    angle = math.acos(float(a @ b))
    found = mixed(a, b, weight)
    assert float(found.norm()) == pytest.approx(1, abs=1e-9)
    assert math.acos(min(1.0, float(a @ found))) == pytest.approx(weight * angle, abs=1e-6)
    # it stays in the plane of the two
    basis, _ = torch.linalg.qr(torch.stack([a, b], 1))
    assert torch.allclose(basis @ (basis.T @ found), found, atol=1e-9)


@settings(max_examples=50)
@given(vectors, st.sampled_from(["spherical", "linear"]))
def test_both_ways_begin_and_end_at_the_styles_given(pair: torch.Tensor, way: str) -> None:
    path = interpolated(pair[0], pair[1], 4, way)  # type: ignore[arg-type]
    assert path.shape == (4, 5)
    assert torch.equal(path[[0, -1]], pair)
    assert torch.allclose(path[1], mixed(pair[0], pair[1], 1 / 3, way), atol=1e-6)  # type: ignore[arg-type]


def test_the_straight_way_serves_where_there_is_no_angle() -> None:
    a = torch.tensor([1.0, 2.0])
    for b in (torch.zeros(2), 3 * a, -a, a):
        assert torch.allclose(mixed(a, b, 0.25), 0.75 * a + 0.25 * b)
    assert torch.equal(mixed(a, torch.ones(2), 0.5, "linear"), (a + 1) / 2)


@settings(max_examples=100)
@given(vectors, st.floats(0, 1), st.sampled_from([torch.float16, torch.float32, torch.float64]))
def test_between_opposite_vectors_the_way_is_straight(pair: torch.Tensor, weight: float, dtype: torch.dtype) -> None:
    """Between them there is no turn to prefer, whatever rounding makes of their angle."""
    a = torch.cat([pair.flatten()] * 6).to(dtype)
    length = float(a.double().norm())
    found = mixed(a, -a, weight).double()
    assert float((found - (1 - 2 * weight) * a.double()).norm()) <= 4 * torch.finfo(dtype).eps * length


def test_whole_numbers_are_styles_too() -> None:
    a, b = torch.tensor([3, 0]), torch.tensor([0, 3])
    assert torch.allclose(mixed(a, b, 0.5), torch.full((2,), 4.5).sqrt())
    assert torch.equal(mixed(a, b, 0.5, "linear"), torch.full((2,), 1.5))
    assert torch.equal(interpolated(a, b, 3)[[0, -1]], torch.tensor([[3.0, 0.0], [0.0, 3.0]]))


def test_arithmetic_is_that_of_means() -> None:
    styles = torch.randn(6, 5)
    found = moved(styles[0], styles[1:3], list(styles[3:]), by=2.0)
    assert torch.allclose(found, styles[0] + 2 * ((styles[1] + styles[2]) / 2 - styles[3:].sum(0) / 3), atol=1e-6)
    assert torch.allclose(moved(styles[0], styles[:1], styles[:1]), styles[0])


def test_what_cannot_be_mixed() -> None:
    a = torch.ones(3)
    for weight in (-0.1, 1.1, math.nan):
        with pytest.raises(InputError, match="weight of a mix is"):
            mixed(a, a, weight)
    with pytest.raises(InputError, match=r"shapes \(3,\) and \(4,\)"):
        mixed(a, torch.ones(4), 0.5)
    with pytest.raises(InputError, match="way is 'curved'; allowed are spherical, linear"):
        mixed(a, a, 0.5, "curved")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="n is 1"):
        interpolated(a, a, 1)
    with pytest.raises(InputError, match=r"n is 2\.0; it is a whole number"):
        interpolated(a, a, 2.0)  # type: ignore[arg-type]
    for by, message in ((math.nan, "by has the value nan"), (math.inf, "by has the value inf"), ("1", "by is '1'")):
        with pytest.raises(InputError, match=message):
            moved(a, [a], [a], by)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="towards has 0 styles"):
        moved(a, [], [a])
