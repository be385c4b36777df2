"""Styles by region in Python: photos with their label maps, codes of classes, and mixtures of several photos."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from i2i.checkpoint import save_model
from i2i.classes import ClassTable, LabelEncoding
from i2i.data.transforms import Fixed
from i2i.errors import InputError
from i2i.nn.pix2pixhd import GlobalGenerator
from i2i.nn.region_encoder import RegionEncoder
from i2i.nn.sean import SEANGenerator
from i2i.nn.spade import SPADEGenerator
from i2i.photos import LabelledPhoto
from i2i.semantics import LabelSemantics, SemanticMap
from i2i.styles import Mix
from i2i.synthesizer import Synthesizer

CLASSES = 4
D = 5


def build(path: Path, kind: Any = "class", encoder: bool = True) -> Synthesizer:
    """An untrained model with a memory of four photos."""
    torch.manual_seed(3)
    semantics = LabelSemantics(CLASSES, kind == "instance")
    generator = SEANGenerator(semantics.channels, CLASSES, D, kind, width=2, hidden=8, gain=1.0)
    regions = RegionEncoder(CLASSES, D, kind, width=4, norm="none", gain=1.0)
    for _ in range(4):
        there = semantics(torch.randint(0, CLASSES, (1, 32, 32)))
        regions(torch.rand(1, 3, 32, 32) * 2 - 1, SemanticMap(there.labels, CLASSES, None, there.labels))
    encoding = LabelEncoding(ClassTable(["sky", "tree", "road", "house"], [[0, 0, i] for i in range(4)]))
    given = {"encoder": regions if encoder else None, "encoding": encoding, "resize": Fixed((64, 64))}
    save_model(path, generator.eval(), semantics, **given)
    return Synthesizer.load(path)


@pytest.fixture(scope="module")
def synthesizer(tmp_path_factory: pytest.TempPathFactory) -> Synthesizer:
    return build(tmp_path_factory.mktemp("model") / "sean.ckpt")


@pytest.fixture(scope="module")
def by_instance(tmp_path_factory: pytest.TempPathFactory) -> Synthesizer:
    return build(tmp_path_factory.mktemp("model") / "instances.ckpt", "instance")


def maps(seed: int = 0, classes: tuple[int, ...] = (0, 1, 2), height: int = 64, width: int = 64) -> np.ndarray:
    coarse = np.random.default_rng(seed).choice(classes, (-(-height // 16), -(-width // 16)))
    return np.kron(coarse, np.ones((16, 16)))[:height, :width].astype(np.uint8)


def photo(seed: int, height: int = 64, width: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def test_the_photo_of_the_very_map_needs_no_labels(synthesizer: Synthesizer) -> None:
    labels = maps()
    own = synthesizer(labels, style=photo(1))
    assert np.array_equal(own, synthesizer(labels, style=LabelledPhoto(photo(1), labels)))
    assert not np.array_equal(own, synthesizer(labels, style=photo(2)))
    with pytest.raises(InputError, match="80 x 80 pixels, its label map 48 x 40"):
        synthesizer(maps(0, height=40, width=48), style=photo(1, 80, 80))


def test_the_classes_of_a_photo_come_to_another_map(synthesizer: Synthesizer) -> None:
    """The picture is that of the codes, with the mean code of training for the class that the photo has not."""
    encoder = synthesizer.encoder
    assert isinstance(encoder, RegionEncoder)
    style = LabelledPhoto(photo(1, 50, 70), torch.from_numpy(maps(1, (0, 1, 3), 50, 70)))
    labels = maps(2)
    codes = encoder.seen.typical.clone()
    for label, code in synthesizer.instance_features(style.photo, style.labels).items():
        codes[label] = code
    assert not torch.equal(codes[1], encoder.seen.typical[1])
    found = synthesizer(labels, style=style)
    assert np.array_equal(found, synthesizer(labels, style=codes))
    condition = synthesizer.semantics(labels[None])  # type: ignore[operator]
    value = synthesizer.generator(condition, codes[None])[0].permute(1, 2, 0)
    assert np.abs(found[0] - ((value.numpy() + 1) / 2 * 255)).max() <= 1
    assert synthesizer(np.stack([labels, labels]), style=style).shape == (2, 64, 64, 3)


def test_regions_of_several_photos(synthesizer: Synthesizer) -> None:
    """By name, by label, as a photo and as a code: all the same."""
    labels = maps(2)
    base = LabelledPhoto(photo(1), maps(1, (0, 1, 2, 3)))
    other = LabelledPhoto(photo(7), maps(5, (0, 1, 2, 3)))
    sky = synthesizer.instance_features(other.photo, other.labels)[0]
    mixed = synthesizer(labels, style=base, features={"sky": other})
    for features in ({0: other}, {0: sky}, {"sky": sky.tolist()}):
        assert np.array_equal(mixed, synthesizer(labels, style=base, features=features))
    assert not np.array_equal(mixed, synthesizer(labels, style=base))
    everything = dict.fromkeys(range(CLASSES), other)
    assert np.array_equal(synthesizer(labels, style=base, features=everything), synthesizer(labels, style=other))
    # a class that the map has not changes nothing, and is no error, so that one mixture serves a folder of maps
    assert np.array_equal(mixed, synthesizer(labels, style=base, features={"sky": other, "house": other}))


def test_drawn_styles(synthesizer: Synthesizer) -> None:
    labels = maps(2)
    pictures = synthesizer(labels, seed=1, count=6)
    assert np.array_equal(pictures, synthesizer(labels, seed=1, count=6))
    assert 1 < len(np.unique(pictures, axis=0)) <= 4  # of four photos
    skies = synthesizer(labels, seed=1, count=6, resample=["sky"])
    assert np.array_equal(skies[0], pictures[0]) and len(np.unique(skies, axis=0)) > 1
    of_photo = synthesizer(labels, style=photo(1), seed=1, count=6, resample=["sky"])
    assert np.array_equal(of_photo[:1], synthesizer(labels, style=photo(1))) and len(np.unique(of_photo, axis=0)) > 1


def test_the_canvas_takes_a_photo_with_labels(synthesizer: Synthesizer) -> None:
    labels, style = maps(2), LabelledPhoto(photo(1), maps(1))
    canvas = synthesizer.canvas()
    assert np.array_equal(canvas.update(labels, style=style), synthesizer(labels, style=style)[0])
    labels[:8] = 1
    assert np.array_equal(canvas.update(labels), synthesizer(labels, style=style)[0])


def test_instances(by_instance: Synthesizer) -> None:
    """An instance has its own code on its own map, its class's on another, and any that is given."""
    labels, ids = maps(2), maps(3).astype(np.int32) * 10
    own = by_instance(labels, ids, style=photo(1))
    codes = by_instance.instance_features(photo(1), labels, ids)
    assert set(codes) == set(ids.ravel().tolist())
    given = by_instance(labels, ids, style=photo(4), features={**codes})
    assert given.shape == own.shape
    one = by_instance(labels, ids, style=photo(1), features={10: torch.zeros(D)})
    assert not np.array_equal(one, own)
    means = by_instance(labels, ids, style=LabelledPhoto(photo(1), labels, ids))
    assert not np.array_equal(means, own)
    # where every class is one instance, both are the same
    same = by_instance(labels, labels, style=LabelledPhoto(photo(1), labels, labels))
    assert np.array_equal(same, by_instance(labels, labels, style=photo(1)))
    assert by_instance(labels, ids, seed=0, count=3).shape == (3, 64, 64, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"style": torch.zeros(D)}, r"the style has shape \(5,\); \(4, 5\) is allowed"),
        ({"style": LabelledPhoto(photo(0), maps(0, (0, 1), 48, 80))}, r"64 x 64 pixels, its label map 80 x 48"),
        (
            {"style": LabelledPhoto(photo(0), maps()[None, :, None])},
            r"map of a style photo: labels have shape \(1, 64, 1, 64\)",
        ),
        ({"style": LabelledPhoto(photo(0), maps() + 2)}, "label 4 at .* allowed are 0 to 3"),
        ({"style": LabelledPhoto(photo(0), maps()[:0])}, "the label map of a style photo: labels have shape"),
        ({"style": LabelledPhoto(photo(0), [maps(), maps()])}, "2 label maps are given for a style photo"),
        ({"style": LabelledPhoto(photo(0), "nowhere.png")}, "nowhere.png: no such file"),
        ({"style": np.zeros((3, D))}, r"the style has shape \(3, 5\); \(4, 5\) is allowed"),
        ({"style": np.zeros((2, 3, D))}, r"the style has shape \(3, 5\); \(4, 5\) is allowed"),
        ({"style": photo(0) / 255}, r"a style photo is \(H, W, 3\) uint8; got float64 of shape \(64, 64, 3\)"),
        ({"style": photo(0) / 255, "count": 2}, "a style photo is .* uint8; got float64"),
        ({"style": torch.full((CLASSES, D), torch.nan)}, "the style has the value nan; allowed are finite"),
        ({"style": np.full((CLASSES, D), np.inf)}, "the style has the value inf"),
        ({"features": {"sky": "photo.jpg"}}, "the vector of class 0 is 'photo.jpg'; numbers are needed"),
        ({"features": {"sea": torch.zeros(D)}}, "'sea' is no class of this model"),
        ({"features": {9: torch.zeros(D)}}, "9 is no class of this model"),
        ({"features": {"sky": [1.0, 2.0]}}, r"the features of class 0 are \[1.0, 2.0\]; 5 numbers are needed"),
        ({"features": {"house": LabelledPhoto(photo(0), maps())}}, "whose 'house' is to be taken has no such class"),
    ],
)
def test_bad_input(synthesizer: Synthesizer, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        synthesizer(maps(), **arguments)


def test_the_label_map_of_a_photo_comes_in_every_form(synthesizer: Synthesizer, tmp_path: Path) -> None:
    labels, own = maps(2), maps(1, (0, 1, 3))
    Image.fromarray(own).save(tmp_path / "map.png")
    Image.fromarray(photo(1)).save(tmp_path / "photo.png")
    expected = synthesizer(labels, style=LabelledPhoto(photo(1), own))
    read_only = own.copy()
    read_only.flags.writeable = False
    forms: list[Any] = [own.astype(">i4"), own.astype(np.uint32), np.ascontiguousarray(own[:, ::-1])[:, ::-1], [own]]
    forms += [read_only, torch.from_numpy(own).to(torch.uint32), tmp_path / "map.png", str(tmp_path / "map.png")]
    forms += [Image.fromarray(own), Image.open(tmp_path / "map.png"), Image.fromarray(synthesizer.to_rgb(own))]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for form in forms:
            assert np.array_equal(synthesizer(labels, style=LabelledPhoto(photo(1), form)), expected)
    both = LabelledPhoto(tmp_path / "photo.png", tmp_path / "map.png")
    assert np.array_equal(synthesizer(labels, style=both), expected)
    sky = synthesizer(labels, style=photo(2), features={"sky": LabelledPhoto(photo(1), own)})
    assert np.array_equal(sky, synthesizer(labels, style=photo(2), features={"sky": both}))
    assert np.array_equal(expected[0], synthesizer.canvas().update(labels, style=both))


@pytest.mark.parametrize(("height", "width"), [(61, 67), (33, 50), (1, 3)])
def test_what_a_map_is_padded_with_belongs_to_no_region(
    synthesizer: Synthesizer, by_instance: Synthesizer, height: int, width: int
) -> None:
    """A photo, the features of its regions and the photo with its map are one style, at any size."""
    labels, own = maps(2, height=height, width=width), photo(1, height, width)
    labels[-1, :], own[-1, :] = 3, 255  # would count too often
    found = synthesizer(labels, style=own)
    assert np.array_equal(found, synthesizer(labels, style=LabelledPhoto(own, labels)))
    base = LabelledPhoto(own, labels)  # for regions that are too small to have features
    features = dict(synthesizer.instance_features(own, labels))
    assert np.array_equal(found, synthesizer(labels, style=base, features=features))
    ids = maps(3, height=height, width=width).astype(np.int32) * 10
    found, features = by_instance(labels, ids, style=own), dict(by_instance.instance_features(own, labels, ids))
    # an id in two classes is two instances, whose features cannot both be given
    alone = {number: vector for number, vector in features.items() if len(np.unique(labels[ids == number])) == 1}
    assert np.array_equal(found, by_instance(labels, ids, style=own, features=alone))


def test_codes_come_back_from_a_file(synthesizer: Synthesizer, tmp_path: Path) -> None:
    codes = torch.randn(3, CLASSES, D)
    np.save(tmp_path / "codes.npy", codes.numpy())
    loaded = np.load(tmp_path / "codes.npy", mmap_mode="r")
    labels = maps(2)
    for form in (loaded, loaded.astype(np.float64), loaded.astype(">f4"), list(loaded), np.flip(np.flip(loaded))):
        assert np.array_equal(synthesizer(labels, style=form), synthesizer(labels, style=codes))
    assert np.array_equal(synthesizer(labels, style=loaded[1]), synthesizer(labels, style=codes[1]))
    assert np.array_equal(synthesizer(np.stack([labels] * 3), style=loaded), synthesizer(labels, style=codes))


def test_several_styles_give_a_picture_each(synthesizer: Synthesizer) -> None:
    styles = [LabelledPhoto(photo(i), maps()) for i in range(3)]
    expected = np.concatenate([synthesizer(maps(), style=style, seed=0) for style in styles])
    assert np.array_equal(synthesizer(maps(), style=styles), expected)
    codes = torch.randn(2, CLASSES, D)
    expected = np.concatenate([synthesizer(maps(), style=table) for table in codes])
    assert np.array_equal(synthesizer(maps(), style=codes), expected)
    with pytest.raises(InputError, match="this model's style is no vector but of regions"):
        synthesizer(maps(), style=Mix(codes[0], codes[1]))


def test_what_only_other_models_take(synthesizer: Synthesizer, by_instance: Synthesizer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ask for its instance_features"):
        synthesizer.latent(photo(1))
    with pytest.raises(InputError, match="this model's regions are instances"):
        by_instance(maps(), maps(), features={0: LabelledPhoto(photo(0), maps())})
    with pytest.raises(InputError, match="instance 77, which is not in the map"):
        by_instance(maps(), maps(), features={77: torch.zeros(D)})
    labels = LabelledPhoto(photo(1), maps())
    generator = SPADEGenerator(CLASSES, width=1, hidden=4)
    plain = Synthesizer(generator, LabelSemantics(CLASSES))
    with pytest.raises(InputError, match="no style for each region"):
        plain(maps(), style=labels)
    features = Synthesizer(GlobalGenerator(CLASSES + 1, 3, 2, 1, 1), LabelSemantics(CLASSES, edges=True))
    for wrong in ({1: labels}, {"sky": [0.0, 0.0, 0.0]}):
        with pytest.raises(InputError, match="takes vectors by instance id"):
            features(maps(), maps(), features=wrong)
    alone = build(tmp_path / "alone.ckpt", encoder=False)
    with pytest.raises(InputError, match="no style encoder"):
        alone(maps(), style=photo(0))
    assert not np.array_equal(alone(maps(), seed=0), alone(maps(), seed=1))
