"""A cache gives the same batches as the files it was made of, goes on after interruptions, and names its damages."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from i2i.data import caching
from i2i.data.caching import Written, write_cache
from i2i.data.datamodule import DataModule
from i2i.data.derive import CannyEdges
from i2i.data.folder import Folder
from i2i.data.images import DerivedImages, PairedImages
from i2i.data.loading import PreparedSplit
from i2i.data.paired import FileSplit, Sample, Source
from i2i.data.scenes import Scenes
from i2i.data.transforms import (
    Fixed,
    NoResize,
    Resize,
    ResizeAndCrop,
    ScaleShortSideAndCrop,
    ScaleWidth,
    ScaleWidthAndCrop,
)
from i2i.errors import InputError
from i2i.metrics.reference import fingerprint

RESIZES = [
    ResizeAndCrop((16, 16), enlarge=1.5),
    ScaleWidthAndCrop((16, 16), enlarge=1.3),
    ScaleShortSideAndCrop((12, 16)),
    ScaleWidth(32, multiple=8),
    Fixed((16, 24)),
    NoResize(8),
]


@pytest.fixture
def root(tmp_path: Path, write, ids) -> Path:
    """Pairs of odd sizes with instances, three kinds of number among them: 8, 16 and 32 bits."""
    root = tmp_path / "set"
    for split, count in (("train", 5), ("val", 3)):
        for number in range(count):
            size = (23 + number, 37 - 2 * number)
            write(f"set/{split}/photos/{split}{number}.png", size=size)
            write(f"set/{split}/labels/{split}{number}.png", ids(3, size, seed=number))
            write(f"set/{split}/instances/{split}{number}.tif", ids(3, size, seed=number).astype(np.int32) * 30_000_000)
    return root


def cached(data: DataModule, *roots: Path, **arguments: Any) -> Written:
    arguments = {"splits": ("train", "val"), "shard": 2, "progress": False, "say": lambda line: None} | arguments
    return write_cache(data, roots, **arguments)


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(
        (torch.equal(a[k], b[k]) and a[k].dtype == b[k].dtype) if isinstance(a[k], torch.Tensor) else a[k] == b[k]
        for k in a
    )


def equal(one: PreparedSplit, other: PreparedSplit, epochs: int = 1) -> bool:
    keys = [(epoch, index) for epoch in range(epochs) for index in range(len(one))]
    return len(one) == len(other) and all(same(one[key], other[key]) for key in keys)


@pytest.mark.parametrize("resize", RESIZES, ids=lambda resize: type(resize).__name__)
def test_samples_are_the_same_to_the_bit(root: Path, tmp_path: Path, resize: Resize) -> None:
    arguments: dict[str, Any] = {"flip": 0.5, "colour_jitter": 0.3, "workers": 0, "seed": 3}
    plain = DataModule(Folder(str(root)), resize, **arguments)
    cached(plain, tmp_path / "cache")
    quick = DataModule(Folder(str(root)), resize, cache=str(tmp_path / "cache"), **arguments)
    assert (quick.semantics.channels, quick.num_classes) == (plain.semantics.channels, plain.num_classes)
    assert equal(quick.dataset("val"), plain.dataset("val"))
    assert equal(quick.dataset("train"), plain.dataset("train"))
    plain_items, quick_items = plain.dataset("train", training=True), quick.dataset("train", training=True)
    assert equal(quick_items, plain_items, epochs=3)
    assert quick.cached is not None and quick_items.split.name(4) == "train4"
    assert not isinstance(quick_items.split, FileSplit) and not isinstance(quick.dataset("val").split, FileSplit)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_condition_images_are_the_same_to_the_bit(tmp_path: Path, write, channels: int) -> None:
    for number in range(3):
        rgba = np.random.default_rng(number).integers(0, 256, (20, 30, 4)).astype(np.uint8)
        write(f"A/{number}.png", rgba)
        write(f"B/{number}.png", size=(20, 30))
    for source in (PairedImages(str(tmp_path), channels=channels), DerivedImages(str(tmp_path / "B"), CannyEdges())):
        plain = DataModule(source, ResizeAndCrop((16, 16)), workers=0)
        out = tmp_path / type(source).__name__
        cached(plain, out)
        quick = DataModule(source, ResizeAndCrop((16, 16)), workers=0, cache=str(out))
        assert quick.label_channels == plain.label_channels and quick.encoding is None
        assert equal(quick.dataset("train", training=True), plain.dataset("train", training=True), epochs=2)
        assert equal(quick.dataset("val"), plain.dataset("val"))


def test_painted_scenes_and_real_frames(shared: Path, tmp_path: Path) -> None:
    from i2i.data.cityscapes import Cityscapes

    sources: list[Source] = [Scenes((32, 48), train=3, val=1), Cityscapes(str(shared / "data/cityscapes"))]
    for number, source in enumerate(sources):
        plain = DataModule(source, Fixed((32, 64)), workers=0, limit_train=3, limit_val=3)
        cached(plain, tmp_path / str(number))
        quick = DataModule(
            source, Fixed((32, 64)), workers=0, limit_train=3, limit_val=3, cache=str(tmp_path / str(number))
        )
        assert equal(quick.dataset("train", training=True), plain.dataset("train", training=True))
        assert equal(quick.dataset("val"), plain.dataset("val"))


def test_training_needs_the_files_no_more(root: Path, tmp_path: Path) -> None:
    plain = DataModule(Folder(str(root)), ResizeAndCrop((16, 16)), batch_size=2, workers=0)
    expected = list(plain.train_dataloader())
    cached(plain, tmp_path / "cache")
    shutil.rmtree(root)
    quick = DataModule(Folder(str(root), num_classes=None), ResizeAndCrop((16, 16)), batch_size=2, workers=1,
                       cache=str(tmp_path / "cache"))  # fmt: skip
    assert all(map(same, quick.train_dataloader(), expected))
    with pytest.raises(InputError, match="photos/"):  # stretched otherwise than for training: that is read from files
        quick.dataset("train")
    with pytest.raises(InputError, match=r"no split 'test', only train, val"):
        quick.source.split("test")


def test_splits_of_the_same_files_are_kept_once(root: Path, tmp_path: Path) -> None:
    data = DataModule(Folder(str(root)), Fixed((16, 16)), workers=0)
    done = cached(data, tmp_path / "cache", splits=("train", "val", "test"))
    assert done.samples == 8 and not list((tmp_path / "cache").glob("test*"))
    quick = DataModule(Folder(str(root)), Fixed((16, 16)), workers=0, cache=str(tmp_path / "cache"))
    assert equal(quick.dataset("test"), data.dataset("test"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"resize": Fixed((16, 32))}, r"data\.resize\.size is \[16, 16\] there and \[16, 32\] here"),
        ({"resize": ResizeAndCrop((16, 16))}, r"data\.resize\.class is .*Fixed.* there and .*ResizeAndCrop.* here"),
        ({"num_classes": 7}, r"data\.source\.num_classes is None there and 7 here"),
    ],
)
def test_a_cache_of_other_samples_is_refused(root: Path, tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    cached(DataModule(Folder(str(root)), Fixed((16, 16))), tmp_path / "cache")
    source = Folder(str(root / "elsewhere"), num_classes=change.get("num_classes"))
    with pytest.raises(InputError, match=reason) as caught:
        DataModule(source, change.get("resize", Fixed((16, 16))), cache=str(tmp_path / "cache"))
    assert "\n" not in str(caught.value) and str(tmp_path / "cache") in str(caught.value)


def test_what_is_no_cache_is_refused(root: Path, tmp_path: Path) -> None:
    data = DataModule(Folder(str(root)), Fixed((16, 16)))
    for cache, reason in ((str(root), "no cache"), ([], "empty list")):
        with pytest.raises(InputError, match=reason):
            DataModule(Folder(str(root)), Fixed((16, 16)), cache=cache)
    with pytest.raises(InputError, match="is no cache; name another folder"):
        cached(data, root)
    for content in (b"", b"{}", b'{"format": 9}', b"[1]", b"\xff", b'{"format": 1, "splits": {"train": 3}}'):
        (tmp_path / "broken").mkdir(exist_ok=True)
        (tmp_path / "broken/cache.json").write_bytes(content)
        with pytest.raises(InputError, match=r"broken/cache\.json: (damaged|a cache of another version)"):
            DataModule(Folder(str(root)), Fixed((16, 16)), cache=str(tmp_path / "broken"))


def test_a_class_that_records_nothing_is_refused(root: Path, tmp_path: Path) -> None:
    class Own(Folder): ...

    with pytest.raises(InputError, match="Own is not a recorded class"):
        cached(DataModule(Own(str(root)), Fixed((16, 16))), tmp_path / "cache")


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_interrupted_run_goes_on(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = DataModule(Folder(str(root)), Fixed((16, 16)))
    cached(data, tmp_path / "whole")
    read = FileSplit.read
    seen: list[int] = []

    def interrupted(split: FileSplit, index: int) -> Sample:
        seen.append(index)
        if len(seen) == 4:
            raise KeyboardInterrupt
        return read(split, index)

    monkeypatch.setattr(FileSplit, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cached(data, tmp_path / "cache")
    (tmp_path / "cache/.train-00002-of-00003.zip.abc").touch()  # as a process leaves that is killed
    assert [p.name for p in (tmp_path / "cache").glob("*.zip")] == ["train-00000-of-00003.zip"]
    with pytest.raises(InputError, match=r"4 of 5 shards of the cache are missing, for example train-00001"):
        DataModule(Folder(str(root)), Fixed((16, 16)), cache=str(tmp_path / "cache"))
    seen[:] = [0] * 10
    done = cached(data, tmp_path / "cache")
    assert (done.kept, done.shards, len(seen)) == (1, 5, 10 + 6)
    assert content(tmp_path / "cache") == content(tmp_path / "whole")


def test_a_damaged_shard_is_named_and_made_anew(root: Path, tmp_path: Path) -> None:
    data = DataModule(Folder(str(root)), Fixed((16, 16)))
    cached(data, tmp_path / "cache")
    before = content(tmp_path / "cache")
    path = tmp_path / "cache/train-00001-of-00003.zip"
    damaged = bytearray(path.read_bytes())
    damaged[100] ^= 1
    path.write_bytes(damaged)
    quick = DataModule(Folder(str(root)), Fixed((16, 16)), workers=1, cache=str(tmp_path / "cache"))
    with pytest.raises(InputError, match=r"^[^\n]*train-00001-of-00003\.zip: damaged, the sample train2 [^\n]*$"):
        list(quick.train_dataloader())
    done = cached(data, tmp_path / "cache")
    assert done.kept == 4 and len(done.damaged) == 1 and "train-00001-of-00003.zip" in done.damaged[0]
    assert content(tmp_path / "cache") == before


def test_changed_files_are_not_mixed_with_old_ones(root: Path, tmp_path: Path, write) -> None:
    cached(DataModule(Folder(str(root)), Fixed((16, 16))), tmp_path / "cache")
    write("set/train/photos/train1.png", size=(24, 35))
    with pytest.raises(InputError, match=r"files that have changed since \(train\)"):
        cached(DataModule(Folder(str(root)), Fixed((16, 16))), tmp_path / "cache")


def test_a_folder_that_cannot_be_written_to_is_named(root: Path) -> None:
    with pytest.raises(InputError, match=r"^[^\n]*/proc/cache[^\n]*$"):
        cached(DataModule(Folder(str(root)), Fixed((16, 16))), Path("/proc/cache"))


def test_an_unusable_sample_is_named(root: Path, tmp_path: Path) -> None:
    (root / "train/photos/train3.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"train3\.png: not an image"):
        cached(DataModule(Folder(str(root)), Fixed((16, 16))), tmp_path / "cache")


def test_shards_go_where_there_is_room(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, roots = DataModule(Folder(str(root)), Fixed((16, 16)), workers=0), [tmp_path / "one", tmp_path / "two"]
    cached(data, *roots)
    spread = [sorted(path.name for path in folder.glob("*.zip")) for folder in roots]
    assert sum(map(len, spread)) == 5 and min(map(len, spread)) == 2  # equals take turns
    quick = DataModule(Folder(str(root)), Fixed((16, 16)), workers=0, cache=[str(folder) for folder in roots])
    assert equal(quick.dataset("train", training=True), data.dataset("train", training=True))
    with pytest.raises(InputError, match=r"of 5 shards of the cache are missing.*name all folders"):
        DataModule(Folder(str(root)), Fixed((16, 16)), cache=str(tmp_path / "one"))

    monkeypatch.setattr(caching, "_room", lambda root: {"three": 1}.get(root.name, 9))
    cached(data, tmp_path / "three", tmp_path / "four")
    assert not list((tmp_path / "three").glob("*.zip")) and len(list((tmp_path / "four").glob("*.zip"))) == 5
    cached(DataModule(Folder(str(root)), Fixed((8, 8))), tmp_path / "five")
    with pytest.raises(InputError, match="hold different caches"):
        DataModule(Folder(str(root)), Fixed((8, 8)), cache=[str(tmp_path / "five"), str(tmp_path / "four")])


def test_two_runs_do_not_write_to_one_folder(root: Path, tmp_path: Path) -> None:
    data = DataModule(Folder(str(root)), Fixed((16, 16)))
    lines: list[str] = []

    def again(line: str) -> None:
        with pytest.raises(InputError, match="another i2i data cache is writing to"):
            cached(data, tmp_path / "cache")
        lines.append(line)

    cached(data, tmp_path / "cache", say=again)
    assert lines == [f"5 shards of up to 2 samples go to {tmp_path / 'cache'}"]


def test_features_of_photos_are_those_of_this_cache(root: Path, tmp_path: Path) -> None:
    first, second = Folder(str(root)), Folder(str(root), val_share=0.2)
    found = set()
    for number, source in enumerate((first, second)):
        cached(DataModule(source, Fixed((16, 16))), tmp_path / str(number))
        data = DataModule(source, Fixed((16, 16)), cache=str(tmp_path / str(number)))
        found.add(fingerprint(data.source.split("val")))
    assert len(found) == 2


def test_the_manifest_names_what_was_cached(root: Path, tmp_path: Path) -> None:
    cached(DataModule(Folder(str(root)), Fixed((16, 16))), tmp_path / "cache")
    manifest = json.loads((tmp_path / "cache/cache.json").read_text())
    assert manifest["source"]["class"].endswith("Folder") and "root" not in manifest["source"]["arguments"]
    assert manifest["splits"]["train"]["count"] == 5 and manifest["shard"] == 2
