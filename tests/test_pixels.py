"""Chosen pixels against numpy's padding and plain slices."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from i2i.pixels import Pixels, padded


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 6), st.integers(1, 30))
def test_padding_repeats_the_border_up_to_the_least_multiple(
    height: int, width: int, multiple: int, least: int
) -> None:
    maps = torch.randint(0, 99, (2, height, width))
    sides = [next(n for n in range(side, 99) if n % multiple == 0 and n >= least) for side in (height, width)]
    expected = np.pad(maps.numpy(), [(0, 0), (0, sides[0] - height), (0, sides[1] - width)], mode="edge")
    np.testing.assert_array_equal(padded(maps, multiple, least).numpy(), expected)


@given(height=st.integers(1, 7), width=st.integers(1, 7), data=st.data())
def test_shifted_is_cut_out_of_the_mirrored_picture(height: int, width: int, data: st.DataObject) -> None:
    down = [data.draw(st.integers(-height, height)) for _ in range(2)]
    right = [data.draw(st.integers(-width, width)) for _ in range(2)]
    maps, photos = torch.randint(0, 99, (2, height, width)), torch.rand(2, 3, height, width)
    pixels = Pixels.shifted((height, width), torch.tensor(down), torch.tensor(right))
    for n in range(2):
        window = np.s_[..., height - down[n] : 2 * height - down[n], width - right[n] : 2 * width - right[n]]
        sides = [(height, height), (width, width)]
        expected = np.pad(maps[n].numpy(), sides, mode="symmetric")[window]
        np.testing.assert_array_equal(pixels.of_maps(maps)[n].numpy(), expected)
        expected = np.pad(photos[n].numpy(), [(0, 0), *sides], mode="symmetric")[window]
        np.testing.assert_array_equal(pixels.of_photos(photos)[n].numpy(), expected)


@given(data=st.data())
def test_cropped_are_slices(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 6))
    places = data.draw(
        st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5 - height), st.integers(0, 6 - width)), min_size=1)
    )
    photos, maps = torch.rand(2, 3, 5, 6), torch.randint(0, 9, (2, 5, 6), dtype=torch.uint8)
    images, top, left = (torch.tensor(x) for x in zip(*places, strict=True))
    pixels = Pixels.cropped(images, top, left, (height, width)).to("cpu")
    slices = [(n, ..., slice(y, y + height), slice(x, x + width)) for n, y, x in places]
    assert torch.equal(pixels.of_photos(photos), torch.stack([photos[s] for s in slices]))
    found = pixels.of_maps(maps)
    assert found.dtype == torch.uint8 and torch.equal(found, torch.stack([maps[s] for s in slices]))


def test_the_gradient_counts_how_often_a_pixel_is_taken() -> None:
    photos = torch.rand(1, 2, 4, 5, requires_grad=True)
    Pixels.shifted((4, 5), torch.tensor([2]), torch.tensor([-1])).of_photos(photos).sum().backward()
    rows, columns = torch.tensor([2.0, 2, 0, 0]), torch.tensor([0.0, 1, 1, 1, 2])  # mirrored ones twice, lost ones not
    assert photos.grad is not None
    torch.testing.assert_close(photos.grad[0, 1], rows[:, None] * columns)
