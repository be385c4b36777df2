"""Sets of condition images: what is condition and what photo, splits, and everything that can be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from i2i.data import DataModule, DerivedImages, Fixed, NoResize, PairedImages, Preparation, ResizeAndCrop, SideBySide
from i2i.data.check import check_all, check_cheap
from i2i.data.derive import CannyEdges
from i2i.data.paired import Sample
from i2i.errors import InputError


def pixels(path: Path, mode: str = "RGB") -> np.ndarray:
    return np.asarray(Image.open(path).convert(mode))


@pytest.fixture
def folders(tmp_path: Path, write) -> Path:
    for name in ("one", "two", "three", "four"):
        write(f"A/{name}.png")
        write(f"B/{name}.bmp")
    return tmp_path


def test_the_direction_says_which_folder_is_the_condition(folders: Path) -> None:
    for direction, condition, photo in (("AtoB", "A/{}.png", "B/{}.bmp"), ("BtoA", "B/{}.bmp", "A/{}.png")):
        source = PairedImages(str(folders), direction, val_share=0.25)
        assert (len(source.split("train")), len(source.split("val"))) == (3, 1)
        for split in ("train", "val", "test"):
            sample = source.split(split).read(0)
            assert np.array_equal(sample.condition, pixels(folders / condition.format(sample.name)))
            assert np.array_equal(sample.photo, pixels(folders / photo.format(sample.name)))
            assert sample.labels is None and sample.size == (12, 16)
        assert source.split("test").name(0) == source.split("val").name(0)


@pytest.mark.parametrize("layout", ["A/{}/", "{}/A/"])
def test_splits_by_folder(tmp_path: Path, write, layout: str) -> None:
    for split, names in (("train", "ab"), ("val", "c"), ("test", "de")):
        for name in names:
            for side in "AB":
                write(f"{layout.replace('A', side).format(split)}{name}.png")
    source = PairedImages(str(tmp_path))
    found = {
        split: [source.split(split).name(i) for i in range(len(source.split(split)))]
        for split in ("train", "val", "test")
    }
    assert found == {"train": ["a", "b"], "val": ["c"], "test": ["d", "e"]}


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_channels_of_the_condition(folders: Path, write, channels) -> None:
    clear = np.dstack([np.full((12, 16, 3), 40, np.uint8), np.tile(np.uint8([0, 255]), (12, 8))])
    Image.fromarray(clear).save(folders / "A/one.png")
    Image.fromarray(np.full((12, 16), 77, np.uint8)).save(folders / "A/two.png")
    source = PairedImages(str(folders), channels=channels, val_share=0.25)
    samples = [s.read(i) for s in (source.split("train"), source.split("val")) for i in range(len(s))]
    by_name = {sample.name: sample.condition for sample in samples}
    assert all(image.shape == (12, 16, channels) for image in by_name.values())
    expected = {1: ([255], [40]), 3: ([255] * 3, [40] * 3), 4: ([40, 40, 40, 0], [40, 40, 40, 255])}[channels]
    assert by_name["one"][0, :2].tolist() == [list(colour) for colour in expected]  # laid on white
    assert by_name["two"][0, 0].tolist() == ([77] if channels == 1 else [77] * 3 + [255] * (channels - 3))
    assert source.semantics.channels == channels == DataModule(source, Fixed()).label_channels
    grey = np.asarray(Image.open(folders / "A/three.png").convert("L"))
    if channels == 1:
        assert np.array_equal(by_name["three"][:, :, 0], grey)


def test_side_by_side_files_are_cut_in_two(tmp_path: Path, write) -> None:
    for split, names in (("train", "ab"), ("val", "c")):
        for name in names:
            write(f"{split}/{name}.png", size=(10, 28))
    for direction in ("AtoB", "BtoA"):
        source = SideBySide(str(tmp_path), direction)
        sample = source.split("val").read(0)
        left, right = pixels(tmp_path / "val/c.png")[:, :14], pixels(tmp_path / "val/c.png")[:, 14:]
        wanted = (left, right) if direction == "AtoB" else (right, left)
        assert np.array_equal(sample.condition, wanted[0]) and np.array_equal(sample.photo, wanted[1])
    grey = SideBySide(str(tmp_path), channels=1).split("train").read(0)
    assert np.array_equal(grey.condition[:, :, 0], pixels(tmp_path / "train/a.png", "L")[:, :14])
    assert [len(SideBySide(str(tmp_path)).split(s)) for s in ("train", "val", "test")] == [2, 1, 1]


def test_black_and_white_comes_from_the_photo(tmp_path: Path, write) -> None:
    for name in ("a.png", "deeper/b.png", "deeper/c.jpg"):
        write(name)
    source = DerivedImages(str(tmp_path))
    sample = next(s for split in ("train", "val") for s in [source.split(split).read(0)] if s.name != "c")
    path = next(tmp_path.rglob(f"{sample.name}.png"))
    assert np.array_equal(sample.photo, pixels(path))
    assert np.array_equal(sample.condition[:, :, 0], pixels(path, "L"))
    assert len(source.split("train")) == 2 and source.semantics.channels == 1
    edges = DerivedImages(str(tmp_path), CannyEdges()).split("train").read(0)
    assert set(np.unique(edges.condition)) <= {0, 255}


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6])
def test_condition_and_photo_are_moved_alike_and_only_the_photo_changes_colour(channels: int) -> None:
    """The condition repeats the photo's red channel: so it must be afterwards, whatever was stretched and cropped."""
    random = np.random.default_rng(0)
    photo = random.integers(0, 256, (37, 50, 3)).astype(np.uint8)
    condition = np.repeat(photo[:, :, :1], channels, axis=2)
    sample = Sample("a", photo, None, condition=condition)
    for resize in (ResizeAndCrop((32, 24)), ResizeAndCrop((64, 80)), NoResize(8)):
        prepare = Preparation(resize, flip=0.5)
        for seed in range(4):
            item = prepare(sample, seed, training=True)
            assert item["condition"].shape == (channels, *item["photo"].shape[1:])
            assert same(item["condition"], item["photo"][:1])
            assert "labels" not in item
        still = prepare(sample, 0, training=False)
        assert same(still["condition"], still["photo"][:1])
    jittered = Preparation(Fixed((37, 50)), colour_jitter=1.0)(sample, 0, training=True)
    assert torch.equal(jittered["condition"], prepare_plain(condition))
    assert not torch.equal(jittered["photo"], prepare_plain(photo))


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """But for one grey value: OpenCV rounds a pixel in 100,000 by the number of channels."""
    return bool((a - b).abs().max() <= 1.01 / 127.5)


def prepare_plain(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1).float() / 127.5 - 1


def test_batches(folders: Path) -> None:
    data = DataModule(PairedImages(str(folders), channels=1), Fixed((8, 12)), batch_size=3, workers=0)
    (batch,) = data.train_dataloader()
    assert batch["condition"].shape == (3, 1, 8, 12) and batch["condition"].dtype == torch.float32
    assert -1 <= batch["condition"].min() < batch["condition"].max() <= 1 and batch["photo"].shape == (3, 3, 8, 12)
    assert data.encoding is None and data.semantics.read(batch).channels == 1


def test_the_check_counts_images_and_finds_everything(folders: Path, write) -> None:
    data = DataModule(PairedImages(str(folders), val_share=0.25), Fixed((8, 8)), workers=0)
    report = check_all(data, progress=False)
    assert report.ok and report.splits[0].sizes == {(12, 16): 3} and report.splits[0].photos == 3
    check_cheap(data.source)
    assert check_all(data, progress=False, multiple=8).ok
    (line, _) = check_all(data, progress=False, multiple=256).all_problems
    assert (
        line == "train: samples become 8 x 8 by Fixed; the generator takes heights and widths that are multiples of 256"
    )

    (folders / "B/one.bmp").write_bytes(b"no image")
    (folders / "A/one.png").write_bytes(b"no image")
    write("B/two.bmp", size=(24, 16))
    (folders / "B/three.bmp").unlink()
    write("B/extra.png")
    whole = DataModule(PairedImages(str(folders), val_share=0.01), Fixed((8, 8)), workers=0)
    problems = sorted(set(check_all(whole, progress=False).all_problems))
    expected = [
        ("A/one.png", "not an image"),
        ("B/one.bmp", "not an image"),
        ("B/two.bmp", "16x24 pixels, its partner"),
        ("A/three.png", "no picture of the same name in"),
        ("B/extra.png", "no picture of the same name in"),
    ]
    assert len(problems) == len(expected), problems
    for name, reason in expected:
        assert sum(name in line and reason in line for line in problems) == 1, (name, problems)
    with pytest.raises(InputError, match=r"no picture of the same name in .*/[AB] \(and 1 more such files\)"):
        whole.source.split("train")


def test_an_odd_width_is_named(tmp_path: Path, write) -> None:
    write("a.png", size=(10, 20))
    write("b.png", size=(10, 21))
    source = SideBySide(str(tmp_path))
    lines = check_all(DataModule(source, Fixed((8, 8)), workers=0), progress=False).all_problems
    assert len(lines) == 1 and "b.png is 21x10 pixels; a side-by-side picture A|B has an even width" in lines[0]
    with pytest.raises(InputError, match="even width"):
        check_cheap(source)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda root: PairedImages(f"{root}/nowhere"), "no pictures in .*nowhere/A; expected A/ and B/"),
        (lambda root: PairedImages(f"{root}/other"), "no picture has one of the same name"),
        (lambda root: SideBySide(f"{root}/nowhere"), "no side-by-side pictures"),
        (lambda root: DerivedImages(f"{root}/nowhere"), "no photos in"),
        (lambda root: DerivedImages(f"{root}/single"), "1 pair is too few"),
        (lambda root: PairedImages(root, channels=2), "channels is 2; image files give 1"),
        (lambda root: SideBySide(root, channels=4), "channels is 4; a side-by-side picture gives 1"),
        (lambda root: PairedImages(root, "atob"), "direction is 'atob'; allowed are AtoB and BtoA"),
        (lambda root: SideBySide(root, "both"), "direction is 'both'"),
        (lambda root: DerivedImages(root, val_share=1.0), "val_share is 1.0"),
    ],
)
def test_bad_input_is_named(tmp_path: Path, write, make, text: str) -> None:
    for name in ("other/A/a.png", "other/B/b.png", "single/a.png"):
        write(name)
    with pytest.raises(InputError, match=text):
        make(str(tmp_path)).split("train")
