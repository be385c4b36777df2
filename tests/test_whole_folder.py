"""Where a folder cannot be written, one line tells which and why, before the work; and nothing is left behind."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from i2i.checkpoint import write_atomically
from i2i.errors import InputError
from i2i.whole_folder import check_free, whole_folder


def free(out: Path) -> None:
    check_free(out, overwrite=False, what="things", ours=lambda folder: None)


def break_off(out: Path, file: Path, error: BaseException) -> None:
    with whole_folder(out, lambda: free(out)) as folder:
        (folder / file).touch()
        raise error


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize(
    ("out", "reason"),
    [
        ("file/x", "file is no folder"),
        ("file/new/x", "file is no folder"),
        ("nowhere/x", "nowhere is no folder"),
        ("new/" + "x" * 300, os.strerror(errno.ENAMETOOLONG)),
    ],
)
def test_a_place_that_takes_no_folder(out: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    with pytest.raises(InputError) as told:
        free(tmp_path / out)
    assert str(told.value).startswith(f"{tmp_path / out}: cannot be written: ") and reason in str(told.value)
    assert tree(tmp_path) == ["file", "nowhere"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no file system that nobody can write to")
@pytest.mark.parametrize("out", ["/proc/x", "/proc/new/x"])
def test_a_file_system_that_takes_no_folder(out: str) -> None:
    """Permissions would let root."""
    with pytest.raises(InputError, match=f"{out}: cannot be written: no folder can be made in /proc: "):
        free(Path(out))


@pytest.mark.parametrize("out", [".", "/", "a/.."])
def test_a_folder_that_cannot_be_replaced_as_a_whole(out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="name the folder to write"):
        free(Path(out))


def test_a_place_where_one_can_be_made(tmp_path: Path) -> None:
    """Nothing is made by asking; a long name and folders above that are missing are no obstacle."""
    out = tmp_path / "new" / ("x" * 250)
    free(out)
    assert tree(tmp_path) == []
    with whole_folder(out, lambda: free(out)) as folder:
        (folder / "file").touch()
    assert tree(out) == ["file"] and tree(tmp_path) == ["new", f"new/{out.name}", f"new/{out.name}/file"]


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "new/deeper/out"
    with pytest.raises(InputError, match=f"^{out}: cannot be written: No space left$"):
        break_off(out, Path("half"), OSError(errno.ENOSPC, "No space left"))
    assert tree(tmp_path) == []


def test_only_folders_of_its_own_go(tmp_path: Path) -> None:
    out = tmp_path / "new/deeper/out"
    with pytest.raises(KeyboardInterrupt):
        break_off(out, tmp_path / "new/file", KeyboardInterrupt())
    assert tree(tmp_path) == ["new", "new/file"]


def test_what_is_told_of_the_temporary_folder_is_told_of_the_one_to_be(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def fail(file: object) -> None:
        raise OSError(errno.ENOSPC, "disk full")

    with (
        pytest.raises(InputError, match=f"^{out}/a/b.png: cannot be written: disk full"),
        whole_folder(out, lambda: free(out)) as folder,
    ):
        write_atomically(folder / "a/b.png", fail)
    assert tree(tmp_path) == []
