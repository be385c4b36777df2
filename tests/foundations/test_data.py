"""The data of the foundations: known distributions, digits, folders of photos, what torchvision reads."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from sklearn.datasets import load_digits

from i2i.data.scenes import Scenes
from i2i.errors import InputError
from i2i.foundations.data import SampleData
from i2i.foundations.images import Digits, PhotosOf, Pictures, TorchvisionImages
from i2i.foundations.sources import GaussianRing, Samples, SineCurve


def points(split: object) -> np.ndarray:
    assert isinstance(split, Samples)
    return split.samples.double().numpy()


def test_the_sine_curve_is_one_and_evenly_sampled() -> None:
    drawn = points(SineCurve(train=4000).split("train"))
    np.testing.assert_allclose(drawn[:, 1], np.sin(drawn[:, 0]), atol=1e-6)
    assert stats.kstest(drawn[:, 0] / (2 * math.pi), "uniform").pvalue > 0.01


def test_the_ring_is_a_mixture_of_equal_gaussians() -> None:
    source = GaussianRing(modes=8, radius=2.0, deviation=0.05, train=8000)
    assert source.centres is not None
    drawn, centres = points(source.split("train")), source.centres.double().numpy()
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 2, rtol=1e-6)
    nearest = np.linalg.norm(drawn[:, None] - centres, axis=2).argmin(1)
    assert stats.chisquare(np.bincount(nearest, minlength=8)).pvalue > 0.01
    around = (drawn - centres[nearest]) / 0.05
    assert stats.kstest(around.ravel(), "norm").pvalue > 0.01


def test_splits_are_seeded_and_have_nothing_in_common() -> None:
    first, again, other = (points(SineCurve(seed=seed).split("train")) for seed in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert not set(first[:, 0]) & set(points(SineCurve().split("val"))[:, 0])
    with pytest.raises(InputError, match="no split 'tests'; allowed are train, val, test"):
        SineCurve().split("tests")


def test_digits_are_those_of_scikit_learn() -> None:
    source, original = Digits(size=8, classes=True), load_digits()
    splits = {name: source.split(name) for name in ("train", "val", "test")}
    assert sum(map(len, splits.values())) == len(original.images)
    sample = splits["val"].read(3)
    np.testing.assert_allclose((sample["photo"][0].numpy() + 1) * 8, original.images[15], atol=1e-5)
    assert int(sample["class"]) == original.target[15] and source.num_classes == 10
    assert Digits(size=28).split("train").read(0)["photo"].shape == (1, 28, 28)
    assert "class" not in Digits().split("train").read(0)
    once, thrice = (Digits(size=8, classes=True, repeats=repeats) for repeats in (1, 3))
    assert torch.equal(thrice.split("train").samples, once.split("train").samples.repeat(3, 1, 1, 1))
    assert torch.equal(thrice.split("val").samples, once.split("val").samples)
    with pytest.raises(InputError, match="repeats 0"):
        Digits(repeats=0)


def test_a_folder_of_photos_comes_square(tmp_path: Path) -> None:
    for i in range(20):
        pixels = np.zeros((20, 40, 3), np.uint8)
        pixels[:, 10:30] = 10 * i  # the square in the middle
        (tmp_path / f"{i % 2}").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / f"{i % 2}" / f"{i:02d}.png")
    source = Pictures(str(tmp_path), size=16)
    train, val = source.split("train"), source.split("val")
    assert (len(train), len(val)) == (18, 2)
    photo = train.read(0)["photo"]
    assert photo.shape == (3, 16, 16) and torch.allclose(photo, photo[0, 0, 0])
    assert train.name(0) == train.read(0)["name"] == "0/02.png"
    (tmp_path / "0" / "02.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"02\.png"):
        train.read(0)


def test_a_folder_that_is_none_is_no_empty_one(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    for name in ("none", "letter.txt"):
        with pytest.raises(InputError, match=rf"{name}: there is no such folder; name yours with --data\.source\.root"):
            Pictures(str(tmp_path / name))
    with pytest.raises(InputError, match="0 images; at least 10 are needed: every tenth is for validation"):
        Pictures(str(tmp_path))


def test_photos_of_equal_names_are_different_photos(tmp_path: Path) -> None:
    for folder in ("a", "b/c"):
        (tmp_path / folder).mkdir(parents=True)
        for i in range(10):
            for ending in ("jpg", "png"):
                Image.new("RGB", (8, 8), (20 * i, 0, 0)).save(tmp_path / folder / f"{i}.{ending}")
    source = Pictures(str(tmp_path), size=8)
    names = [split.name(i) for split in map(source.split, ("train", "val")) for i in range(len(split))]
    assert len(names) == 40 and set(names) == {path.relative_to(tmp_path).as_posix() for path in source.paths}


def test_photos_of_pairs() -> None:
    scenes = Scenes((32, 48), train=2, val=1)
    photo = PhotosOf(scenes, size=16).split("train").read(1)
    assert photo["photo"].shape == (3, 16, 16) and photo["name"] == scenes.split("train").name(1)


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST"])
def test_grey_sets_of_torchvision(name: Literal["MNIST", "FashionMNIST"], tmp_path: Path) -> None:
    """Their own file format, written by hand."""
    folder = tmp_path / name / "raw"
    folder.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (6, 28, 28), np.uint8)
    for part in ("train", "t10k"):
        header = np.array([0x803, 6, 28, 28], ">i4").tobytes()
        (folder / f"{part}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        labels = np.array([0x801, 6], ">i4").tobytes() + bytes([3, 1, 4, 1, 5, 9])
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(labels)
    source = TorchvisionImages(name, str(tmp_path), size=28, classes=True)
    sample = source.split("train").read(2)
    np.testing.assert_allclose((sample["photo"][0].numpy() + 1) * 127.5, images[2], atol=1e-3)
    assert int(sample["class"]) == 4
    assert TorchvisionImages(name, str(tmp_path)).split("val").read(0)["photo"].shape == (1, 32, 32)
    with pytest.raises(InputError, match=f"{name} is not there"):
        TorchvisionImages(name, str(tmp_path / "elsewhere")).split("train")


def test_celeba_of_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own files, written by hand but for what is known of the real ones: their hashes."""
    from torchvision.datasets import CelebA

    monkeypatch.setattr(CelebA, "file_list", [])
    with pytest.raises(InputError, match="CelebA is not there"):
        TorchvisionImages("CelebA", str(tmp_path)).split("train")
    folder = tmp_path / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    names = [f"{i + 1:06d}.jpg" for i in range(6)]
    for i, name in enumerate(names):
        picture = np.zeros((218, 178, 3), np.uint8)
        picture[20:198] = 40 * i  # the square in the middle
        Image.fromarray(picture).save(folder / "img_align_celeba" / name, quality=95)
    lines = {"list_eval_partition": (0, 1), "identity_CelebA": (0, 1), "list_bbox_celeba": (2, 4)}
    lines |= {"list_landmarks_align_celeba": (2, 10), "list_attr_celeba": (2, 40)}
    for name, (heads, columns) in lines.items():
        rows = [f"{file} {' '.join(['1'] * columns)}" for file in names]
        if name == "list_eval_partition":  # to train, to validate, to test
            rows = [f"{file} {part}" for file, part in zip(names, (0, 0, 1, 1, 2, 2), strict=True)]
        (folder / f"{name}.txt").write_text("\n".join([*["6", "names"][:heads], *rows]) + "\n")
    source = TorchvisionImages("CelebA", str(tmp_path), size=32)
    splits = {name: source.split(name) for name in ("train", "val", "test")}
    assert [len(split) for split in splits.values()] == [2, 2, 2]
    sample = splits["test"].read(1)
    assert sample["photo"].shape == (3, 32, 32) and "class" not in sample
    assert abs(float(sample["photo"].mean()) - (200 / 127.5 - 1)) < 0.02
    with pytest.raises(InputError, match="CelebA has no classes"):
        TorchvisionImages("CelebA", str(tmp_path), classes=True)


def test_batches() -> None:
    data = SampleData(Digits(8, classes=True), batch_size=4, limit_val=5)
    batch = next(iter(data.train_dataloader()))
    assert batch["photo"].shape == (4, 1, 8, 8) and batch["class"].shape == (4,) and len(batch["seed"]) == 4
    assert [len(b["name"]) for b in data.val_dataloader()] == [4, 1]
    assert data.shape == [1, 8, 8] and data.num_classes == data.semantics.num_classes == 10
    with pytest.raises(InputError, match="batch_size is 0"):
        SampleData(Digits(), batch_size=0)
    with pytest.raises(InputError, match="limit_val is 0; allowed are 1 and more"):
        SampleData(Digits(), limit_val=0)


@pytest.mark.parametrize("wrong", [{"train": 0}, {"seed": -1}, {"modes": 0}, {"deviation": 0.0}])
def test_numbers_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="allowed are"):
        GaussianRing(**wrong)  # type: ignore[arg-type]
