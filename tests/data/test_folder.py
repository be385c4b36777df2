"""Folders of one's own: splits by folder or by share, classes from a table, a number, or the files."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from i2i.data.folder import Folder
from i2i.errors import InputError


def fill(write, ids, folder: str, names: list[str], below: int = 5) -> None:
    for seed, name in enumerate(names):
        write(f"{folder}photos/{name}.jpg")
        write(f"{folder}labels/{name}.png", ids(below, seed=seed))


def names(source: Folder, split: str) -> set[str]:
    return {pair.name for pair in source.split(split).pairs}


def test_a_share_of_the_pairs_validates_always_the_same(tmp_path: Path, write, ids) -> None:
    every = [f"p{i}" for i in range(20)]
    fill(write, ids, "", every)
    source = Folder(str(tmp_path), num_classes=5, val_share=0.2)
    train, val = names(source, "train"), names(source, "val")
    assert len(val) == 4 and not train & val and train | val == set(every)
    assert names(source, "test") == val
    assert names(Folder(str(tmp_path), num_classes=5, val_share=0.2), "val") == val
    assert names(Folder(str(tmp_path), num_classes=5, val_share=0.2, seed=3), "val") != val


def test_two_pairs_are_enough_and_one_is_not(tmp_path: Path, write, ids) -> None:
    fill(write, ids, "", ["a"])
    with pytest.raises(InputError, match="too few"):
        Folder(str(tmp_path), num_classes=5).split("train")
    fill(write, ids, "", ["b"])
    source = Folder(str(tmp_path), num_classes=5)
    assert len(source.split("train")) == len(source.split("val")) == 1


def test_sub_folders_are_the_splits(tmp_path: Path, write, ids) -> None:
    for folder, inside in (("train/", ["a", "b"]), ("val/", ["c"]), ("test/", ["d"])):
        fill(write, ids, folder, inside)
    source = Folder(str(tmp_path), num_classes=5)
    assert [names(source, split) for split in ("train", "val", "test")] == [{"a", "b"}, {"c"}, {"d"}]


def test_classes_from_the_files(tmp_path: Path, write, ids, caplog: pytest.LogCaptureFixture) -> None:
    fill(write, ids, "", ["a", "b"], below=7)
    mask = ids(7)
    mask[0] = 255
    write("labels/b.png", mask)
    with caplog.at_level(logging.WARNING):
        source = Folder(str(tmp_path))
        assert source.encoding.num_classes == 7 + 1
    assert "ids up to 6" in caplog.text and "255" in caplog.text
    read = {split: source.split(split).read(0).labels for split in ("train", "val")}
    assert any((labels[0] == 7).all() for labels in read.values())


def test_classes_from_a_table_with_colours(tmp_path: Path, write, ids) -> None:
    (tmp_path / "classes.csv").write_text("id,name,red,green,blue\n4,sky,0,0,255\n9,sea,0,255,0\n")
    for name in ("a", "b"):
        write(f"photos/{name}.png", size=(1, 2))
    write("labels/a.png", np.array([[[3, 0, 250], [0, 255, 0]]], np.uint8))
    write("labels/b.png", np.array([[9, 4]], np.uint8))
    source = Folder(str(tmp_path))
    maps = {split.read(0).name: split.read(0).labels.tolist() for split in (source.split("train"), source.split("val"))}
    assert maps == {"a": [[0, 1]], "b": [[1, 0]]}
    write("labels/a.png", np.array([[[3, 90, 250], [0, 255, 0]]], np.uint8))
    home = next(split for split in ("train", "val") if names(source, split) == {"a"})
    with pytest.raises(InputError, match=r"a\.png: colour \(3, 90, 250\)"):
        source.split(home).read(0)


def test_instances_are_found(tmp_path: Path, write, ids) -> None:
    fill(write, ids, "", ["a", "b"])
    assert not Folder(str(tmp_path), num_classes=5).has_instances
    write("instances/a.png", ids(200))
    source = Folder(str(tmp_path), num_classes=5)
    assert source.has_instances
    with pytest.raises(InputError, match=r"b\.png has no instance map"):
        source.split("train")
    assert not Folder(str(tmp_path), num_classes=5, instances=False).split("train").read(0).instances


def test_bad_folders(tmp_path: Path, write, ids) -> None:
    with pytest.raises(InputError, match="no folder"):
        Folder(str(tmp_path / "absent"), num_classes=2).split("train")
    with pytest.raises(InputError, match="no label maps"):
        Folder(str(tmp_path), num_classes=2).split("train")
    with pytest.raises(InputError, match="no label maps"):
        _ = Folder(str(tmp_path)).encoding
    with pytest.raises(InputError, match="val_share is 1"):
        Folder(str(tmp_path), val_share=1.0)
    write("labels/a.png")
    with pytest.raises(InputError, match=r"a\.png is an RGB mask; .*classes\.csv"):
        _ = Folder(str(tmp_path)).encoding
    write("labels/a.png", np.full((2, 2), 60000, np.uint16))
    with pytest.raises(InputError, match="ids 60000 to 60000"):
        _ = Folder(str(tmp_path)).encoding
    fill(write, ids, "", ["x"])
    (tmp_path / "labels/a.png").unlink()
    write("photos/b.png")
    with pytest.raises(InputError, match=r"b\.png has no label map"):
        Folder(str(tmp_path), num_classes=5).split("train")
