"""Cityscapes: raw ids, 35 + 1 channels, label-only splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from i2i.data.cityscapes import Cityscapes
from i2i.data.datamodule import DataModule
from i2i.data.transforms import Fixed
from i2i.errors import InputError


def test_layout_and_rules(tmp_path: Path, write, ids) -> None:
    mask = ids(34)
    mask[0, 0] = 255
    instances = np.where(mask > 23, mask.astype(np.uint16) * 1000 + 8, mask).astype(np.uint16)
    for city in ("aachen", "ulm"):
        stem = f"{city}_000000_000019"
        write(f"leftImg8bit/train/{city}/{stem}_leftImg8bit.png")
        write(f"gtFine/train/{city}/{stem}_gtFine_labelIds.png", mask)
        write(f"gtFine/train/{city}/{stem}_gtFine_instanceIds.png", instances)
        write(f"gtFine/train/{city}/{stem}_gtFine_color.png")
    split = Cityscapes(str(tmp_path)).split("train")
    assert [split.name(i) for i in range(len(split))] == ["aachen_000000_000019", "ulm_000000_000019"]
    sample = split.read(1)
    assert sample.labels[0, 0] == 0 and (sample.labels.ravel()[1:] == mask.ravel()[1:]).all()
    assert sample.instances is not None and sample.instances.max() > 24000 and (sample.instances == instances).all()
    assert Cityscapes(str(tmp_path), instances=False).split("train").read(0).instances is None


@pytest.mark.parametrize(("instances", "channels"), [(True, 36), (False, 35)])
def test_channels_are_those_of_the_published_networks(instances: bool, channels: int) -> None:
    data = DataModule(Cityscapes("nowhere", instances=instances), Fixed())
    assert data.label_channels == channels and data.semantics.num_classes == 35


def test_a_photo_of_the_set_missing_is_an_error(tmp_path: Path, write, ids) -> None:
    for stem in ("a_1", "a_2"):
        write(f"gtFine/train/a/{stem}_gtFine_labelIds.png", ids(34))
    write("leftImg8bit/train/a/a_1_leftImg8bit.png")
    with pytest.raises(InputError, match=r"a_2_gtFine_labelIds\.png has no photo"):
        Cityscapes(str(tmp_path), instances=False).split("train")
    with pytest.raises(InputError, match=r"no instance maps.*instances: false"):
        Cityscapes(str(tmp_path)).split("train")
    with pytest.raises(InputError, match=r"no label maps.*gtFine_trainvaltest\.zip"):
        Cityscapes(str(tmp_path)).split("val")


def test_real_frames(shared: Path) -> None:
    source = Cityscapes(str(shared / "data/cityscapes"))
    train, val = source.split("train"), source.split("val")
    assert (len(train), len(val)) == (8, 15)
    sample = val.read(0)
    assert sample.photo is None and sample.instances is not None
    with Image.open(val.pairs[0].condition) as image:
        assert (sample.labels == np.asarray(image)).all()
    # in the official encoding an instance id is the class id, or the class id * 1000 + a number
    of_class = np.where(sample.instances >= 1000, sample.instances // 1000, sample.instances)
    assert (of_class == sample.labels).all()
