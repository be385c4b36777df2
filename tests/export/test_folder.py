"""A folder is there as a whole or not at all, and nothing else is ever written over."""

from __future__ import annotations

from pathlib import Path

import pytest

from i2i.cli import main
from i2i.errors import InputError
from i2i.export.folder import check_target, new_folder


def break_off(out: Path) -> None:
    with new_folder(out, overwrite=True) as folder:
        (folder / "config.json").write_text("half of it")
        raise OSError("disk full")


@pytest.fixture
def exported(model: Path, tmp_path: Path) -> Path:
    assert main(["export", str(model), str(tmp_path / "spade")]) == 0
    return tmp_path / "spade"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_failure_leaves_nothing_new(exported: Path) -> None:
    before = {path.name: path.read_bytes() for path in exported.iterdir()}
    for out in (exported, exported.parent / "other"):
        with pytest.raises(InputError, match=rf"{out}: cannot be written: disk full"):
            break_off(out)
    assert {path.name: path.read_bytes() for path in exported.iterdir()} == before
    assert names(exported.parent) == ["spade"]


def test_the_new_replaces_the_old_as_a_whole(exported: Path) -> None:
    with new_folder(exported, overwrite=True) as folder:
        (folder / "config.json").write_text("new")
        assert len(names(exported)) == 4  # the old is there until the new is complete
    assert names(exported) == ["config.json"] and names(exported.parent) == ["spade"]
    reference = exported.parent / "reference"
    reference.mkdir()
    (reference / "file").touch()
    assert exported.stat().st_mode == reference.stat().st_mode
    assert (exported / "config.json").stat().st_mode == (reference / "file").stat().st_mode


def test_the_old_comes_back_where_the_new_cannot_take_its_name(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace

    def fail(self: Path, target: Path) -> Path:
        if target == exported and (self / "marker").exists():
            raise OSError("no rename today")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fail)
    untouched = "spade: cannot be written: no rename today; what was there before is untouched"
    with pytest.raises(InputError, match=untouched), new_folder(exported, overwrite=True) as folder:
        (folder / "marker").touch()
    assert "config.json" in names(exported) and names(exported.parent) == ["spade"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with new_folder(tmp_path / "out", overwrite=False) as folder:
        (folder / "config.json").touch()
    assert names(tmp_path) == ["out"] and names(tmp_path / "out") == ["config.json"]


def test_what_else_is_there_stays(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exists; name another folder, or replace the model in it with --overwrite"):
        check_target(exported, overwrite=False)
    check_target(exported, overwrite=True)
    (exported / ".git").mkdir()
    with pytest.raises(InputError, match=r"holds '.git', which i2i has not written; it is not overwritten"):
        check_target(exported, overwrite=True)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file is a file; name a folder"):
        check_target(tmp_path / "file", overwrite=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/README.md").touch()
    with pytest.raises(InputError, match=r"no config.json in it"):
        check_target(tmp_path / "other", overwrite=True)
