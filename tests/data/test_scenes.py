"""The procedural landscapes: pure, consistent between sizes, and of a lighting that only the photo tells."""

from __future__ import annotations

import csv
import hashlib
import pickle
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from i2i.data.folder import Folder
from i2i.data.paired import Sample
from i2i.data.scenery.canvas import Class
from i2i.data.scenes import LIGHTINGS, Scenes, render, write_scenes
from i2i.errors import InputError

THINGS = {"sun", "cloud", "tree", "bush", "rock", "house", "boat"}
CLASSES = 15

DIGEST = """
import hashlib
from i2i.data.scenes import Scenes
digest = hashlib.sha256()
for split in ("train", "val"):
    for index in range(8):
        sample = Scenes(size=(48, 64), seed=3).split(split).read(index)
        digest.update(sample.photo.tobytes() + sample.labels.tobytes() + sample.instances.tobytes())
print(digest.hexdigest())
"""


@cache
def samples(count: int = 200) -> list[Sample]:
    split = Scenes(size=(64, 64), train=count).split("train")
    return [split.read(index) for index in range(count)]


def test_another_process_paints_the_same_bytes() -> None:
    other = subprocess.run([sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True)
    digest = hashlib.sha256()
    for split in ("train", "val"):
        scenes = Scenes(size=(48, 64), seed=3).split(split)
        for index in reversed(range(8)):  # in another order, too: no state is carried along
            scenes.read(index)
        for index in range(8):
            sample = scenes.read(index)
            assert sample.photo is not None and sample.instances is not None
            digest.update(sample.photo.tobytes() + sample.labels.tobytes() + sample.instances.tobytes())
    assert other.stdout.strip() == digest.hexdigest()


@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**62),
    height=st.integers(16, 96),
    width=st.integers(16, 160),
    lighting=st.sampled_from(LIGHTINGS),
)
def test_every_landscape_has_the_shapes_types_and_ranges(seed: int, height: int, width: int, lighting: str) -> None:
    sample = render(seed, (height, width), lighting)
    assert sample.photo is not None and sample.instances is not None
    assert sample.photo.shape == (height, width, 3) and sample.photo.dtype == np.uint8
    assert sample.labels.shape == (height, width) and sample.labels.dtype == np.uint8
    assert sample.instances.shape == (height, width) and sample.instances.dtype == np.int32
    assert sample.labels.max() < CLASSES
    assert sample.instances.min() >= 0 and sample.instances.max() < 2**16


def test_every_class_appears_and_the_table_has_them_in_order() -> None:
    names = Scenes().encoding.classes.names
    assert [name.upper() for name in names] == [label.name for label in Class]
    share = np.mean([np.bincount(s.labels.ravel(), minlength=CLASSES) > 0 for s in samples()], axis=0)
    assert dict(zip(names, share > 0.1, strict=True)) == dict.fromkeys(names, True)


def test_an_instance_has_one_class_and_things_are_counted() -> None:
    names = Scenes().encoding.classes.names
    several = set()
    for sample in samples():
        assert sample.instances is not None
        pairs = np.unique(np.stack([sample.instances.ravel(), sample.labels.ravel()]), axis=1)
        assert len(np.unique(pairs[0])) == pairs.shape[1]  # no id occurs with two labels
        for label in np.unique(pairs[1]):
            own = pairs[0][pairs[1] == label]
            if names[label] in THINGS:
                assert (own // 1000 == label).all()
                several |= {names[label]} if len(own) > 1 else set()
            else:
                assert own.tolist() == [label]
    assert several == THINGS - {"sun"}


def test_the_same_landscape_at_twice_the_size() -> None:
    agreement = []
    for seed in range(40):
        small = render(seed, (64, 64), "day")
        large = render(seed, (128, 128), "day")
        votes = np.stack([(large.labels == label).reshape(64, 2, 64, 2).sum((1, 3)) for label in range(CLASSES)])
        agreement.append((votes.argmax(0) == small.labels).mean())
        assert small.photo is not None and large.photo is not None
        shrunk = large.photo.reshape(64, 2, 64, 2, 3).mean((1, 3))
        assert np.abs(shrunk - small.photo).mean() < 5  # of 255
    assert np.mean(agreement) > 0.95
    assert np.min(agreement) > 0.9


def test_a_wider_picture_shows_the_same_middle() -> None:
    for seed in range(5):
        narrow, wide = render(seed, (64, 64), "day").labels, render(seed, (64, 128), "day").labels
        assert (wide[:, 32:96] == narrow).mean() > 0.995


def test_lighting_changes_the_photo_alone() -> None:
    for seed in range(5):
        views = [render(seed, (64, 64), lighting) for lighting in LIGHTINGS]
        for view in views[1:]:
            assert (view.labels == views[0].labels).all()
            assert view.photo is not None and views[0].photo is not None
            assert np.abs(view.photo.astype(int) - views[0].photo).mean() > 8


def mean_colours(sample: Sample) -> NDArray[np.float64]:
    """(classes, 3): the mean colour of each class, NaN where it has too few pixels to tell."""
    found = np.full((CLASSES, 3), np.nan)
    assert sample.photo is not None
    for label in range(CLASSES):
        here = sample.labels == label
        if here.sum() >= 8:
            found[label] = sample.photo[here].mean(0)
    return found


def test_mean_colours_tell_the_lighting_of_held_out_landscapes() -> None:
    scenes = Scenes(size=(64, 64), train=200, test=200)
    known = np.stack([mean_colours(sample) for sample in samples()])
    styles = np.array([scenes.lighting("train", index) for index in range(200)])
    centres = np.stack([np.nanmean(known[styles == name], axis=0) for name in LIGHTINGS])
    held_out, right = scenes.split("test"), 0
    for index in range(len(held_out)):
        distance = np.nanmean(np.abs(centres - mean_colours(held_out.read(index))), axis=(1, 2))
        right += LIGHTINGS[int(distance.argmin())] == scenes.lighting("test", index)
    assert right >= 198


def test_label_maps_do_not_tell_the_lighting() -> None:
    """Nearest neighbours by label map share their lighting no more often than chance (1 in 6)."""
    scenes = Scenes(size=(64, 64), train=200)
    styles = np.array([scenes.lighting("train", index) for index in range(200)])
    maps = np.stack([sample.labels for sample in samples()])
    same = 0
    for index in range(200):
        likeness = (maps == maps[index]).mean((1, 2))
        likeness[index] = -1
        same += styles[likeness.argmax()] == styles[index]
    assert same < 200 / len(LIGHTINGS) + 4 * np.sqrt(200 * 5 / 36)
    counts = np.unique(styles, return_counts=True)[1]
    assert len(counts) == len(LIGHTINGS) and counts.min() > 15


def test_splits_and_seeds_have_different_landscapes() -> None:
    seen = {
        (scenes.layout_seed(split, index))
        for scenes in (Scenes(seed=0), Scenes(seed=1))
        for split in ("train", "val", "test")
        for index in range(50)
    }
    assert len(seen) == 300


def test_lightings_and_instances_can_be_chosen() -> None:
    scenes = Scenes(size=(32, 32), lightings=["night", "snow"], instances=False, val=3)
    assert {scenes.lighting("train", index) for index in range(40)} == {"night", "snow"}
    assert scenes.split("val").read(0).instances is None
    assert len(scenes.split("val")) == 3
    sample = pickle.loads(pickle.dumps(scenes.split("val"))).read(2)  # loader workers receive it so
    assert (sample.photo == scenes.split("val").read(2).photo).all()


def test_written_files_are_what_is_painted(tmp_path: Path) -> None:
    write_scenes(tmp_path, train=3, val=2, size=(32, 48), seed=5)
    scenes = Scenes(size=(32, 48), train=3, val=2, seed=5)
    for name in ("train", "val"):
        split = scenes.split(name)
        rows = list(csv.DictReader((tmp_path / name / "lighting.csv").open()))
        assert rows == [{"name": split.name(i), "lighting": scenes.lighting(name, i)} for i in range(len(split))]
        for index in range(len(split)):
            sample = split.read(index)
            file = f"{sample.name}.png"
            assert (np.array(Image.open(tmp_path / name / "photos" / file)) == sample.photo).all()
            assert (np.array(Image.open(tmp_path / name / "labels" / file)) == sample.labels).all()
            assert (np.array(Image.open(tmp_path / name / "instances" / file)) == sample.instances).all()
    folder = Folder(str(tmp_path))
    assert folder.encoding.classes.names == scenes.encoding.classes.names
    read, painted = folder.split("val").read(1), scenes.split("val").read(1)
    assert (read.labels == painted.labels).all() and read.instances is not None
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Scenes(lightings=["noon"]), "noon.*day, dusk"),
        (lambda: Scenes(lightings=[]), "day, dusk"),
        (lambda: Scenes(size=(8, 64)), r"\(8, 64\).*16 to 4096"),
        (lambda: Scenes(train=-1), "train is -1"),
        (lambda: Scenes().split("holdout"), "holdout.*train, val, test"),
        (lambda: render(0, (64, 64), "noon"), "noon"),
        (lambda: render(-1, (64, 64), "day"), "-1"),
    ],
)
def test_bad_input_is_named(make, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=message):
        make()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        write_scenes(tmp_path / "file", train=1, val=0, size=(16, 16))


def test_a_sample_is_painted_once_and_comes_back_the_same() -> None:
    kept, painted = Scenes((32, 32), train=3).split("train"), Scenes((32, 32), train=3, cache=0).split("train")
    assert kept.read(1) is kept.read(1)
    assert painted.read(1) is not painted.read(1)
    for name in ("photo", "labels", "instances"):
        assert np.array_equal(getattr(kept.read(1), name), getattr(painted.read(1), name))
