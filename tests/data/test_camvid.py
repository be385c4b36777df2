"""CamVid in SegNet's folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from i2i.data.camvid import CamVid
from i2i.errors import InputError


def test_layout_and_void(tmp_path: Path, write, ids) -> None:
    mask = ids(12)
    write("val/a.png")
    write("valannot/a.png", mask)
    source = CamVid(str(tmp_path))
    assert (source.split("val").read(0).labels == mask).all()
    assert source.encoding.num_classes == 12 and source.encoding.classes.names[11] == "void"
    with pytest.raises(InputError, match=r"no label maps.*trainannot"):
        source.split("train")


def test_real_split_sizes(shared: Path) -> None:
    source = CamVid(str(shared / "data/camvid"))
    assert [len(source.split(name)) for name in ("train", "val", "test")] == [367, 101, 233]
    sample = source.split("test").read(232)
    assert sample.photo is not None and sample.photo.shape == (360, 480, 3) and sample.labels.shape == (360, 480)
