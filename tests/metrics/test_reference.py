from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from i2i.classes import ClassTable, LabelEncoding
from i2i.data.camvid import CamVid
from i2i.data.folder import Folder
from i2i.data.paired import FileSplit, FirstOf, Pair
from i2i.data.scenes import Scenes
from i2i.errors import InputError
from i2i.metrics.reference import cache_folder, fingerprint, reference_features


class Counted:
    """A costly computation, counted."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> torch.Tensor:
        self.calls += 1
        return torch.arange(12.0).reshape(4, 3)


def test_features_are_computed_once_for_a_key(tmp_path: Path) -> None:
    compute, said = Counted(), list[str]()
    for _ in range(3):
        found = reference_features({"data": "a", "size": [2, 3]}, compute, tmp_path / "new", said.append)
        assert torch.equal(found, torch.arange(12.0).reshape(4, 3))
    assert compute.calls == 1
    reference_features({"data": "b", "size": [2, 3]}, compute, tmp_path / "new", said.append)
    assert compute.calls == 2
    assert not said


@pytest.mark.parametrize("damage", [b"", b"half a file", None])
def test_a_damaged_cache_is_computed_anew_with_a_line(damage: bytes | None, tmp_path: Path) -> None:
    compute, said = Counted(), list[str]()
    reference_features({"data": "a"}, compute, tmp_path, said.append)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-40] if damage is None else damage)
    reference_features({"data": "a"}, compute, tmp_path, said.append)
    assert compute.calls == 2
    assert len(said) == 1 and path.name in said[0] and "computed anew" in said[0]
    reference_features({"data": "a"}, compute, tmp_path, said.append)
    assert compute.calls == 2


def test_another_files_features_are_not_taken(tmp_path: Path) -> None:
    said = list[str]()
    reference_features({"data": "a"}, Counted(), tmp_path, said.append)
    (path,) = tmp_path.iterdir()
    torch.save({"key": "another", "features": torch.zeros(4, 3)}, path)
    assert float(reference_features({"data": "a"}, Counted(), tmp_path, said.append).sum()) == 66
    torch.save(torch.load(path, weights_only=True) | {"features": torch.full((4, 3), float("nan"))}, path)
    assert float(reference_features({"data": "a"}, Counted(), tmp_path, said.append).sum()) == 66
    assert len(said) == 2


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = list[str]()
    assert len(reference_features({}, Counted(), tmp_path / "file", said.append)) == 4
    assert "could not be kept" in said[0]


def test_the_cache_lies_where_the_desktop_standard_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "i2i"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache/i2i"


def test_the_fingerprint_follows_the_photos(pairs: Path, tmp_path: Path) -> None:
    split = Folder(str(pairs)).split("train")
    assert fingerprint(split) == fingerprint(Folder(str(pairs)).split("train"))
    assert fingerprint(FirstOf(split, 2)) != fingerprint(split)
    changed = tmp_path / "photo.jpg"
    changed.write_bytes(Path(str(split.pairs[0].photo)).read_bytes())
    with_copy = FileSplit([Pair("a", changed, split.pairs[0].condition)], split.encoding)
    before = fingerprint(with_copy)
    os.utime(changed, (1, 1))
    assert fingerprint(with_copy) != before


def test_procedural_photos_have_one_too() -> None:
    one = fingerprint(Scenes((32, 32), train=3, seed=1).split("train"))
    assert one == fingerprint(Scenes((32, 32), train=3, seed=1).split("train"))
    assert one != fingerprint(Scenes((32, 32), train=3, seed=2).split("train"))


def test_maps_without_photos_have_nothing_to_compare_with(pairs: Path) -> None:
    encoding = LabelEncoding(ClassTable.numbered(4))
    maps = FileSplit([Pair("view0", None, pairs / "labels/view0.png")], encoding)
    with pytest.raises(InputError, match="view0: no photo"):
        fingerprint(maps)
    with pytest.raises(InputError, match="no photos to compare with"):
        fingerprint(FileSplit([], encoding))


def test_it_is_quick_on_real_photos(shared: Path) -> None:
    assert len(fingerprint(CamVid(str(shared / "data/camvid")).split("test"))) == 64
