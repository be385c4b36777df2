"""CMP facades: ids from 1, and a split where the archives have none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from i2i.data.facades import Facades
from i2i.errors import InputError


def archives(root: Path, base: int, extended: int) -> None:
    ids = np.arange(1, 13, dtype=np.uint8).reshape(3, 4)
    for part, letter, count in (("base", "b", base), ("extended", "x", extended)):
        (root / part).mkdir()
        for number in range(1, count + 1):
            stem = root / part / f"cmp_{letter}{number:04d}"
            Image.fromarray(np.zeros((3, 4, 3), np.uint8)).save(f"{stem}.jpg")
            mask = Image.fromarray(ids)
            mask.putpalette([0] * 768)
            mask.save(f"{stem}.png")
            Path(f"{stem}.xml").touch()


def test_both_archives_give_the_sizes_of_pix2pix(tmp_path: Path) -> None:
    archives(tmp_path, 378, 228)
    source = Facades(str(tmp_path))
    splits = {name: source.split(name) for name in ("train", "val", "test")}
    assert [len(split) for split in splits.values()] == [400, 100, 106]
    names = [pair.name for split in splits.values() for pair in split.pairs]
    assert len(set(names)) == 606
    other = Facades(str(tmp_path), seed=1).split("val")
    assert {pair.name for pair in other.pairs} != {pair.name for pair in splits["val"].pairs}
    assert (splits["train"].read(0).labels == np.arange(12).reshape(3, 4)).all()
    assert source.encoding.num_classes == 12


def test_problems_are_named(tmp_path: Path) -> None:
    archives(tmp_path, 12, 0)
    (tmp_path / "base/cmp_b0003.png").unlink()
    with pytest.raises(InputError, match=r"cmp_b0003\.jpg has no label map"):
        Facades(str(tmp_path), parts=["base"]).split("train")
    (tmp_path / "extended").rmdir()
    with pytest.raises(InputError, match=r"CMP_facade_DB_extended\.zip"):
        Facades(str(tmp_path)).split("train")
