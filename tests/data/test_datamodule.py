"""Batches: their types, and that neither workers nor processes change them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from i2i.data import CamVid, Cityscapes, DataModule, Fixed, NoResize, ResizeAndCrop
from i2i.data.loading import Loader
from i2i.errors import InputError

Batch = dict[str, Any]


@pytest.fixture
def camvid(tmp_path: Path, write, ids) -> CamVid:
    for split, count in (("train", 7), ("val", 3)):
        for number in range(count):
            write(f"{split}/{split}{number}.png", size=(24, 32))
            write(f"{split}annot/{split}{number}.png", ids(12, (24, 32), seed=number))
    return CamVid(str(tmp_path))


def epoch(loader: Loader, number: int) -> list[Batch]:
    loader.sampler.set_epoch(number)  # type: ignore[attr-defined]
    return list(loader)


def same(a: list[Batch], b: list[Batch]) -> bool:
    return len(a) == len(b) and all(
        x.keys() == y.keys()
        and all(torch.equal(x[k], y[k]) if isinstance(x[k], torch.Tensor) else x[k] == y[k] for k in x)
        for x, y in zip(a, b, strict=True)
    )


def test_batches_are_the_same_whatever_the_workers(camvid: CamVid) -> None:
    arguments: dict[str, Any] = {"flip": 0.5, "colour_jitter": 0.4, "batch_size": 2, "seed": 11}
    alone = DataModule(camvid, ResizeAndCrop((16, 16)), workers=0, **arguments).train_dataloader()
    two = DataModule(camvid, ResizeAndCrop((16, 16)), workers=2, **arguments).train_dataloader()
    epochs = [epoch(alone, number) for number in range(2)]
    for number, batches in enumerate(epochs):
        assert same(batches, epoch(two, number)), "workers, persistent ones in their second epoch too"
    assert not same(*epochs)
    assert same(epochs[0], epoch(alone, 0))
    other = DataModule(camvid, ResizeAndCrop((16, 16)), workers=0, **arguments | {"seed": 12}).train_dataloader()
    assert not same(epochs[0], epoch(other, 0))


def test_the_same_sample_is_augmented_anew_in_each_epoch(camvid: CamVid) -> None:
    data = DataModule(camvid, ResizeAndCrop((16, 16), enlarge=1.5), workers=0).dataset("train", training=True)
    photos = [data[number, 3]["photo"] for number in range(4)]
    assert all(not torch.equal(a, b) for i, a in enumerate(photos) for b in photos[:i])
    assert torch.equal(data[2, 3]["photo"], photos[2])


def test_types_shapes_and_order(camvid: CamVid) -> None:
    data = DataModule(camvid, Fixed((16, 32)), batch_size=3, val_batch_size=2, workers=0)
    (first, second) = list(data.train_dataloader())
    assert first["photo"].shape == (3, 3, 16, 32) and first["photo"].dtype == torch.float32
    assert first["photo"].min() >= -1 and first["photo"].max() <= 1
    assert first["labels"].shape == (3, 16, 32) and first["labels"].dtype == torch.uint8
    assert "instances" not in first and len(set(first["name"] + second["name"])) == 6
    assert [batch["name"] for batch in data.val_dataloader()] == [["val0", "val1"], ["val2"]]
    assert same(list(data.val_dataloader()), list(data.val_dataloader()))
    assert (data.label_channels, data.semantics.edges, data.encoding.num_classes) == (12, False, 12)


def test_limits_keep_the_first_pairs(camvid: CamVid) -> None:
    data = DataModule(camvid, Fixed((8, 8)), workers=0, limit_train=2, limit_val=1)
    assert sorted(batch["name"][0] for batch in data.train_dataloader()) == ["train0", "train1"]
    assert [batch["name"] for batch in data.val_dataloader()] == [["val0"]]


def test_a_set_smaller_than_a_batch(camvid: CamVid) -> None:
    with pytest.raises(InputError, match="7 samples, fewer than the batch_size 8"):
        DataModule(camvid, Fixed((8, 8)), batch_size=8).train_dataloader()
    with pytest.raises(InputError, match="batch_size is 0"):
        DataModule(camvid, Fixed((8, 8)), batch_size=0)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_in_a_worker_stays_one_line(camvid: CamVid, write, ids, workers: int) -> None:
    write("valannot/val1.png", ids(12, (24, 32)) + 50)
    data = DataModule(camvid, Fixed((8, 8)), batch_size=1, workers=workers)
    with pytest.raises(InputError, match=r"^[^\n]*val1\.png: label 50[^\n]*allowed are 0 to 11$"):
        list(data.val_dataloader())


def test_sizes_that_differ_cannot_share_a_batch(camvid: CamVid, write, ids) -> None:
    write("val/val1.png", size=(32, 64))
    write("valannot/val1.png", ids(12, (32, 64)))
    assert len(list(DataModule(camvid, NoResize(8), batch_size=1, workers=0).val_dataloader())) == 3
    with pytest.raises(InputError, match="val0 and val1 are 32x24 and 64x32 pixels"):
        list(DataModule(camvid, NoResize(8), batch_size=2, workers=0).val_dataloader())


def test_real_frames_with_instances_and_without_photos(shared: Path) -> None:
    data = DataModule(Cityscapes(str(shared / "data/cityscapes")), Fixed((64, 128)), batch_size=2, workers=0)
    batch = next(iter(data.train_dataloader()))
    assert batch["instances"].dtype == torch.int32 and batch["instances"].max() > 23000
    value = batch["instances"].long()
    assert torch.equal(torch.where(value >= 1000, value // 1000, value), batch["labels"].long())
    assert set(next(iter(data.val_dataloader()))) == {"labels", "instances", "name"}


def test_real_photos_match_pil(shared: Path) -> None:
    """Shrunk photos are what PIL's box filter makes of them, but for rounding."""
    from PIL import Image

    source = CamVid(str(shared / "data/camvid"))
    batch = next(iter(DataModule(source, Fixed((90, 120)), workers=0).val_dataloader()))
    with Image.open(source.split("val").pairs[0].photo) as image:
        expected = np.asarray(image.resize((120, 90), Image.Resampling.BOX), dtype=np.float32)
    found = (batch["photo"][0].permute(1, 2, 0).numpy() + 1) * 127.5
    assert np.abs(found - expected).max() <= 1.01
