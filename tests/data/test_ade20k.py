"""ADE20K: the challenge archive's layout, raw ids, and the other archive named."""

from __future__ import annotations

from pathlib import Path

import pytest

from i2i.data.ade20k import ADE20K
from i2i.errors import InputError


def test_raw_ids_stay_and_the_splits_are_the_published_folders(tmp_path: Path, write, ids) -> None:
    masks = {name: ids(151, seed=seed) for seed, name in enumerate(("training", "validation"))}
    for name, mask in masks.items():
        write(f"images/{name}/ADE_1.jpg")
        write(f"annotations/{name}/ADE_1.png", mask)
    source = ADE20K(str(tmp_path))
    for split, name in (("train", "training"), ("val", "validation"), ("test", "validation")):
        sample = source.split(split).read(0)
        assert (sample.labels == masks[name]).all() and sample.instances is None
    assert source.encoding.num_classes == 151
    with pytest.raises(InputError, match=r"'validation'.*train, val, test"):
        source.split("validation")


def test_an_id_beyond_150_is_out_of_range(tmp_path: Path, write, ids) -> None:
    write("images/training/a.jpg")
    write("annotations/training/a.png", ids(151) + 100)
    with pytest.raises(InputError, match=r"a\.png: label .* out of range; allowed are 0 to 150"):
        ADE20K(str(tmp_path)).split("train").read(0)


@pytest.mark.parametrize("trace", ["index_ade20k.pkl", "images/ADE/training/x.jpg", "images/training/a_seg.png"])
def test_the_full_data_set_is_named(tmp_path: Path, write, trace: str) -> None:
    if trace.endswith(".pkl"):
        (tmp_path / trace).touch()
    else:
        write(trace)
    with pytest.raises(InputError, match=r"full ADE20K.*ADEChallengeData2016\.zip"):
        ADE20K(str(tmp_path)).split("train")


def test_a_folder_too_high_and_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no label maps.*ADEChallengeData2016\.zip"):
        ADE20K(str(tmp_path)).split("train")
    (tmp_path / "ADEChallengeData2016").mkdir()
    with pytest.raises(InputError, match="give that folder as root"):
        ADE20K(str(tmp_path)).split("train")


def test_real_pairs(shared: Path) -> None:
    source = ADE20K(str(shared / "data/ADEChallengeData2016"), train="validation")
    split = source.split("train")
    assert len(split) == 3
    for index in range(3):
        sample = split.read(index)
        assert sample.photo is not None and sample.photo.shape[:2] == sample.labels.shape
