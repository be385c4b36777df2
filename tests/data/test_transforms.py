"""Photo, labels and instances stay together, and each is interpolated as its kind demands."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from i2i.data.paired import Sample
from i2i.data.preparation import Preparation, photo_tensor
from i2i.data.transforms import (
    Fixed,
    NoResize,
    Resize,
    ResizeAndCrop,
    ScaleShortSideAndCrop,
    ScaleWidth,
    ScaleWidthAndCrop,
    stretch_map,
    stretch_photo,
)
from i2i.errors import InputError
from i2i.recipe import build, recipe

SIZES = st.tuples(st.integers(1, 70), st.integers(1, 70))
CROPS = st.tuples(st.integers(8, 40), st.integers(8, 40))
SEEDS = st.integers(0, 2**32 - 1)
ENLARGE = st.floats(1, 1.5)


@st.composite
def resizes(draw: st.DrawFn) -> Resize:
    kinds = [ResizeAndCrop, ScaleWidth, ScaleWidthAndCrop, ScaleShortSideAndCrop, Fixed, NoResize]
    kind = draw(st.sampled_from(kinds))
    if kind is ScaleWidth:
        return ScaleWidth(draw(st.integers(1, 4)) * 16, draw(st.sampled_from([1, 4, 16])))
    if kind is NoResize:
        return NoResize(draw(st.sampled_from([1, 4, 16])))
    return Fixed(draw(CROPS)) if kind is Fixed else kind(draw(CROPS), draw(ENLARGE))


def place_of(height: int, width: int) -> NDArray[np.int32]:
    """A map whose every pixel has its own id: it shows which pixel came where."""
    return np.arange(height * width, dtype=np.int32).reshape(height, width) * 1000


@given(resizes(), SIZES, SEEDS, st.booleans())
@settings(max_examples=150)
def test_labels_and_instances_move_together(resize: Resize, size: tuple[int, int], seed: int, training: bool) -> None:
    instances = place_of(*size)
    labels = (instances // 1000 % 251).astype(np.int16)
    photo = np.zeros((*size, 3), np.uint8)
    item = Preparation(resize, flip=0.5, colour_jitter=0.5)(Sample("a", photo, labels, instances), seed, training)
    assert item["instances"].dtype == torch.int32 and item["labels"].dtype == torch.int16
    assert torch.equal(item["instances"] // 1000 % 251, item["labels"].int())
    assert item["photo"].shape == (3, *item["labels"].shape)
    if resize.size is not None:
        assert tuple(item["labels"].shape) == resize.size


@given(resizes(), st.integers(0, 3), SEEDS)
@settings(max_examples=150)
def test_the_photo_moves_with_the_labels(resize: Resize, kind: int, seed: int) -> None:
    """A photo of large squares in the classes' greys: away from the squares' borders, grey says which label belongs."""
    height, width = [(64, 64), (64, 96), (96, 64), (80, 72)][kind]
    rows, columns = np.mgrid[:height, :width] // 16
    labels = ((rows * 5 + columns * 3) % 8).astype(np.uint8)
    photo = np.repeat((labels * 32)[:, :, None], 3, 2)
    item = Preparation(resize, flip=0.5)(Sample("a", photo, labels), seed, True)
    seen = ((item["photo"][0] + 1) * 127.5 / 32).numpy()
    expected = item["labels"].numpy()
    around = np.lib.stride_tricks.sliding_window_view(expected, (5, 5)).reshape(*(n - 4 for n in expected.shape), 25)
    inner = around.min(2) == around.max(2)
    assert np.abs(seen - expected)[2:-2, 2:-2][inner].max(initial=0) < 0.05


@given(SIZES, SIZES, st.sampled_from([np.uint8, np.int16, np.int32]))
@settings(max_examples=100)
def test_maps_are_stretched_as_by_pil(source: tuple[int, int], target: tuple[int, int], dtype: type) -> None:
    ids = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, source).astype(dtype)
    expected = Image.fromarray(ids.astype(np.int32)).resize(target[::-1], Image.Resampling.NEAREST)
    stretched = stretch_map(ids, target)
    assert stretched.dtype == dtype and (stretched == np.asarray(expected)).all()


def test_photos_are_averaged_when_they_shrink() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (32, 48, 3)).astype(np.uint8)
    means = photo.reshape(8, 4, 8, 6, 3).mean((1, 3))
    assert np.abs(stretch_photo(photo, (8, 8)) - means).max() <= 1
    mixed = stretch_photo(photo, (8, 96))  # down and up at once: averaged before it is interpolated
    assert np.abs(mixed[:, :, 0].mean(1) - photo[:, :, 0].reshape(8, 4, 48).mean((1, 2))).max() < 3


@given(SIZES, SIZES, st.integers(0, 255))
@settings(max_examples=50)
def test_plain_photos_stay_plain(source: tuple[int, int], target: tuple[int, int], value: int) -> None:
    assert (stretch_photo(np.full((*source, 3), value, np.uint8), target) == value).all()


def test_published_sizes() -> None:
    assert ResizeAndCrop().stretched(427, 640, training=True) == (286, 286)
    assert ResizeAndCrop().stretched(427, 640, training=False) == (256, 256)
    assert ScaleWidthAndCrop((512, 1024)).stretched(1024, 2048, training=True) == (512, 1024)
    assert ScaleWidth(1024).stretched(1024, 2048, training=True) == (512, 1024)
    assert ScaleWidth(1024, 16).stretched(720, 1280, training=False) == (576, 1024)
    assert ScaleWidth(64).stretched(10, 2048, training=False) == (32, 64)
    assert ScaleShortSideAndCrop().stretched(427, 640, training=True) == (286, round(640 * 286 / 427))
    assert ScaleShortSideAndCrop().stretched(640, 427, training=False) == (round(640 * 256 / 427), 256)
    assert Fixed().stretched(1024, 2048, training=True) == (256, 512)
    assert NoResize().stretched(375, 500, training=True) == (384, 512)
    assert NoResize().stretched(10, 2048, training=True) == (32, 2048)


@given(st.sampled_from([ScaleWidthAndCrop, ScaleShortSideAndCrop]), CROPS, ENLARGE, SIZES, st.booleans())
def test_the_aspect_is_kept_and_the_crop_fits(
    kind: type[ScaleWidthAndCrop] | type[ScaleShortSideAndCrop],
    size: tuple[int, int],
    enlarge: float,
    source: tuple[int, int],
    training: bool,
) -> None:
    height, width = kind(size, enlarge).stretched(*source, training=training)
    assert height >= size[0] and width >= size[1]
    scale = max(height / source[0], width / source[1])
    assert abs(height - source[0] * scale) <= scale + 1 and abs(width - source[1] * scale) <= scale + 1


def test_evaluation_is_the_same_for_labels_alone() -> None:
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (50, 70, 3)).astype(np.uint8)
    labels = rng.integers(0, 9, (50, 70)).astype(np.uint8)
    for resize in (ResizeAndCrop((32, 32)), ScaleWidthAndCrop((20, 40)), ScaleShortSideAndCrop((24, 24)), NoResize(16)):
        whole = Preparation(resize, flip=1.0, colour_jitter=1.0)(Sample("a", photo, labels), 0, False)
        alone = Preparation(resize)(Sample("a", None, labels), 1, False)
        assert "photo" not in alone and torch.equal(whole["labels"], alone["labels"])
        assert torch.equal(whole["labels"], torch.from_numpy(resize.apply_labels(labels).copy()))
        assert torch.equal(whole["photo"], photo_tensor(resize.apply_photo(photo)))


def test_crops_reach_every_place_and_flips_come_as_often_as_asked() -> None:
    instances = place_of(20, 20)
    sample = Sample("a", np.zeros((20, 20, 3), np.uint8), instances.astype(np.uint8), instances)
    prepare = Preparation(ResizeAndCrop((16, 16), enlarge=1.25), flip=0.25)
    corners, flips = set(), 0
    for seed in range(600):
        found = prepare(sample, seed, True)["instances"].numpy() // 1000
        flipped = found[0, 1] < found[0, 0]
        flips += flipped
        corners.add(int(found[0, -1 if flipped else 0]))
    assert corners == {y * 20 + x for y in range(5) for x in range(5)}
    assert 0.25 * 600 - 4 * (600 * 0.1875) ** 0.5 < flips < 0.25 * 600 + 4 * (600 * 0.1875) ** 0.5


def test_the_colours_do_not_follow_the_crop() -> None:
    instances = place_of(40, 40)
    photo = np.full((40, 40, 3), 128, np.uint8)
    prepare = Preparation(ResizeAndCrop((20, 20), enlarge=2.0), colour_jitter=0.3)
    rows, brightness = [], []
    for seed in range(300):
        item = prepare(Sample("a", photo, instances.astype(np.uint8), instances), seed, True)
        rows.append(int(item["instances"][0, 0]) // 1000 // 40)
        brightness.append(float(item["photo"].mean()))
    assert np.std(brightness) > 0.05
    assert abs(np.corrcoef(rows, brightness)[0, 1]) < 0.25


def test_colour_jitter_leaves_labels_alone_and_global_randomness_plays_no_part() -> None:
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)
    labels = rng.integers(0, 9, (32, 32)).astype(np.uint8)
    prepare = Preparation(Fixed((32, 32)), colour_jitter=0.5)
    np.random.seed(1)  # noqa: NPY002 - the global state is what is tested
    first = prepare(Sample("a", photo, labels), 7, True)
    np.random.seed(2)  # noqa: NPY002
    again = Preparation(Fixed((32, 32)), colour_jitter=0.5)(Sample("a", photo, labels), 7, True)
    assert torch.equal(first["photo"], again["photo"])
    assert not torch.equal(first["photo"], prepare(Sample("a", photo, labels), 8, True)["photo"])
    assert (first["labels"].numpy() == labels).all()


def test_photo_values_reach_from_minus_one_to_one() -> None:
    tensor = photo_tensor(np.array([[[0, 128, 255]]], np.uint8))
    assert tensor.shape == (3, 1, 1) and tensor.dtype == torch.float32
    assert tensor.ravel().tolist() == pytest.approx([-1, 128 / 127.5 - 1, 1], abs=1e-6)


@given(resizes(), SIZES)
def test_recipes_rebuild_what_is_in_a_checkpoint(resize: Resize, size: tuple[int, int]) -> None:
    again = build(recipe(resize))
    assert again.size == resize.size
    assert again.stretched(*size, training=True) == resize.stretched(*size, training=True)
    prepare = build(recipe(Preparation(resize, 0.25, 0.5)))
    assert (prepare.flip, prepare.colour_jitter) == (0.25, 0.5)


def test_bad_arguments_are_named() -> None:
    for make, text in (
        (lambda: Fixed((0, 5)), r"size is \(0, 5\)"),
        (lambda: ResizeAndCrop((8, 8), enlarge=0.5), r"enlarge is 0.5"),
        (lambda: NoResize(0), "multiple is 0"),
        (lambda: ScaleWidth(100, 16), "width is 100, multiple 16"),
        (lambda: Preparation(Fixed(), flip=2), "flip is 2"),
    ):
        with pytest.raises(InputError, match=text):
            make()
    with pytest.raises(InputError, match="harbour has no photo"):
        Preparation(Fixed())(Sample("harbour", None, np.zeros((4, 4), np.uint8)), 0, True)
