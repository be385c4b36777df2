"""The check finds everything that was spoilt on purpose, and nothing in sound data."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from i2i.data import CamVid, Cityscapes, DataModule, Fixed, Folder, NoResize
from i2i.data.check import check_all, check_cheap, label_names
from i2i.errors import InputError


@pytest.fixture
def source(tmp_path: Path, write, ids) -> Folder:
    for folder, count in (("train", 6), ("val", 2)):
        for number in range(count):
            write(f"{folder}/photos/{folder}{number}.jpg")
            write(f"{folder}/labels/{folder}{number}.png", ids(3, seed=number))
    return Folder(str(tmp_path), num_classes=4)


def test_sound_data(source: Folder, tmp_path: Path, ids) -> None:
    check_cheap(source)
    report = check_all(DataModule(source, Fixed((8, 8)), batch_size=2, workers=2), progress=False)
    assert report.ok and str(report).endswith("no problems found")
    train = report.splits[0]
    assert (train.name, train.pairs, train.photos, train.sizes) == ("train", 6, 6, Counter({(12, 16): 6}))
    expected = sum(np.bincount(ids(3, seed=number).ravel(), minlength=4) for number in range(6))
    assert (train.histogram == expected).all()
    assert "never seen: class 3" in str(report)


def test_a_class_with_the_colour_of_another_is_told(source: Folder, tmp_path: Path, write, ids) -> None:
    (tmp_path / "classes.csv").write_text(
        "id,name,red,green,blue\n0,sea,1,2,3\n1,quay,150,150,140\n2,land,9,200,9\n3,pier,150,150,140\n"
    )
    own = Folder(str(tmp_path))
    assert own.encoding.classes.twins == {3: 1}
    report = str(check_all(DataModule(own, Fixed((8, 8)), batch_size=2, workers=0), progress=False))
    assert "never seen: pier" in report
    assert "pier has the colour of quay: in RGB files all of it is the latter" in report
    assert report.endswith("no problems found")  # these files are of ids


def test_a_problem_of_both_splits_is_told_once(tmp_path: Path, write, ids) -> None:
    for number in range(6):
        write(f"photos/{number}.jpg")
        write(f"labels/{number}.png", ids(3, seed=number))
    (tmp_path / "photos/3.jpg").unlink()
    own = Folder(str(tmp_path), num_classes=4, val_share=0.4)
    report = check_all(DataModule(own, Fixed((8, 8)), workers=0), progress=False)
    assert [line for line in report.all_problems if "no photo" in line] == report.all_problems
    assert len(report.all_problems) == 1 and str(report).endswith("1 problems; training would fail")


def test_every_problem_is_found(source: Folder, tmp_path: Path, write, ids) -> None:
    train = tmp_path / "train"
    write("train/labels/train0.png", ids(3) + 9)
    (train / "photos/train0.jpg").write_bytes(b"no image")
    write("train/photos/train1.jpg", size=(20, 16))
    (train / "photos/train2.jpg").unlink()
    write("train/photos/extra.jpg")
    (train / "labels/train3.png").unlink()
    write("train/labels/train3.jpg", ids(3))
    (tmp_path / "val/labels/val1.png").write_bytes((tmp_path / "val/labels/val1.png").read_bytes()[:40])
    report = check_all(DataModule(source, Fixed((8, 8)), workers=0), progress=False)
    assert not report.ok
    expected = [
        ("train0.png", "label 9"),
        ("train0.jpg", "not an image"),
        ("train1.jpg", "16x20"),
        ("train2.png", "no photo"),
        ("extra.jpg", "no label map"),
        ("train3.jpg", "JPEG"),
        ("val1.png", "image"),
    ]
    for name, reason in expected:
        assert sum(name in line and reason in line for line in report.all_problems) == 1, (name, report.all_problems)
    assert len(report.all_problems) == len(expected)
    assert all(line in str(report) for line in report.all_problems)
    with pytest.raises(InputError):
        check_cheap(source)


def test_what_only_the_loaders_would_notice(source: Folder, write, ids) -> None:
    large = check_all(DataModule(source, Fixed((8, 8)), batch_size=7, workers=0), progress=False)
    assert [line for line in large.all_problems if "batch_size 7" in line]
    write("train/photos/train1.jpg", size=(24, 32))
    write("train/labels/train1.png", ids(3, (24, 32)))
    assert check_all(DataModule(source, NoResize(4), batch_size=1), progress=False).ok
    mixed = check_all(DataModule(source, NoResize(4), batch_size=2), progress=False)
    assert mixed.all_problems == ["train: 2 sizes do not fit into batches of 2; resize to a fixed size"]
    assert check_all(DataModule(source, Fixed((8, 8)), batch_size=2), progress=False).ok


def test_training_needs_photos_and_folders(tmp_path: Path, write, ids) -> None:
    for name in ("a", "b"):
        write(f"labels/{name}.png", ids(3))
    source = Folder(str(tmp_path), num_classes=3)
    with pytest.raises(InputError, match="training needs pairs"):
        check_cheap(source)
    assert not check_all(DataModule(source, Fixed((8, 8))), progress=False).ok
    nowhere = CamVid(str(tmp_path / "absent"))
    with pytest.raises(InputError, match="no label maps"):
        check_cheap(nowhere)
    assert len(check_all(DataModule(nowhere, Fixed((8, 8))), progress=False).all_problems) == 2
    unknown = check_all(DataModule(Folder(str(tmp_path / "absent")), Fixed((8, 8))), progress=False)
    assert not unknown.ok and len(unknown.all_problems) == 1


def test_names_of_labels_beyond_the_table() -> None:
    from i2i.data import COCOStuff

    assert label_names(COCOStuff("nowhere").encoding)[181:] == ["wood", "unknown"]
    assert label_names(Cityscapes("nowhere").encoding)[33:] == ["bicycle", "(unused channel)"]


def test_real_samples_are_sound(shared: Path) -> None:
    camvid = DataModule(CamVid(str(shared / "data/camvid")), Fixed(), workers=1, limit_train=20, limit_val=5)
    report = check_all(camvid, progress=False)
    assert report.ok and [split.pairs for split in report.splits] == [20, 5]
    frames = Cityscapes(str(shared / "data/cityscapes"))
    check_cheap(frames)
