"""COCO-Stuff: unknown as a class of its own, and the script that writes instance maps."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from i2i.data.coco_stuff import COCOStuff
from i2i.data.datamodule import DataModule
from i2i.data.files import read_instances
from i2i.data.transforms import ResizeAndCrop
from i2i.errors import InputError

SCRIPT = Path(__file__).resolve().parents[2] / "datasets/coco_stuff/write_instances.py"


def test_unknown_becomes_label_182(tmp_path: Path, write, ids) -> None:
    mask = ids(182)
    mask[:2] = 255
    write("images/train2017/000000000009.jpg")
    write("stuffthingmaps/train2017/000000000009.png", mask)
    write("instances/train2017/000000000009.png", mask)
    sample = COCOStuff(str(tmp_path)).split("train").read(0)
    assert (sample.labels[:2] == 182).all() and (sample.labels[2:] == mask[2:]).all()
    assert sample.instances is not None and (sample.instances == mask).all()


@pytest.mark.parametrize(("instances", "channels"), [(True, 184), (False, 183)])
def test_channels_are_those_of_the_published_networks(instances: bool, channels: int) -> None:
    assert DataModule(COCOStuff("nowhere", instances=instances), ResizeAndCrop()).label_channels == channels


def test_missing_instances_name_the_script(tmp_path: Path, write, ids) -> None:
    write("images/val2017/1.jpg")
    write("stuffthingmaps/val2017/1.png", ids(182))
    with pytest.raises(InputError, match=r"write_instances\.py"):
        COCOStuff(str(tmp_path)).split("val")


def test_the_script_draws_polygons_over_the_map(
    tmp_path: Path, write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write("labels/000000000007.png", np.full((20, 30), 40, np.uint8))
    square = [5, 5, 14, 5, 14, 14, 5, 14]
    things = [
        {"image_id": 7, "segmentation": [square, [20, 2, 28, 2, 28, 8, 20, 8]]},
        {"image_id": 7, "segmentation": {"counts": [600], "size": [20, 30]}},
        {"image_id": 7, "segmentation": [[10, 10, 18, 10, 18, 18, 10, 18]]},
    ]
    (tmp_path / "a.json").write_text(json.dumps({"annotations": things}))
    arguments = [str(SCRIPT), *(str(tmp_path / name) for name in ("a.json", "labels", "out"))]
    monkeypatch.setattr(sys, "argv", arguments)
    runpy.run_path(str(SCRIPT), run_name="__main__")
    ids = read_instances(tmp_path / "out/000000000007.png")
    assert set(np.unique(ids)) == {40, 1000, 1001}
    assert (ids[5:10, 5:15] == 1000).all() and (ids[3:8, 21:28] == 1000).all()
    assert (ids[10:15, 10:15] == 1001).all(), "a later thing covers an earlier one"
    assert ids[0, 0] == 40 and ids[19, 29] == 40


def test_real_pairs(shared: Path) -> None:
    source = COCOStuff(str(shared / "data/coco_stuff"))
    for name, count in (("train", 13), ("val", 8)):
        split = source.split(name)
        assert len(split) == count
        sample = split.read(0)
        with Image.open(split.pairs[0].condition) as image:
            raw = np.asarray(image)
        assert (sample.labels == np.where(raw == 255, 182, raw)).all()
