"""What cannot be written is known before the work, in one line, and trying leaves nothing behind."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from i2i.checkpoint import write_atomically
from i2i.errors import InputError
from i2i.room import check_file, check_folder


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    return tmp_path


@pytest.mark.parametrize(
    ("check", "out", "reason"),
    [
        (check_file, "folder", "folder is a folder; name the file to write"),
        (check_file, "file/x", "x: cannot be written: .*file is no folder"),
        (check_file, "nowhere/new/x", "x: cannot be written: .*nowhere is no folder"),
        (check_file, "x" * 300, os.strerror(errno.ENAMETOOLONG)),
        (check_file, "/proc/new/x", "^/proc/new/x: cannot be written: no file can be made in /proc: "),
        (check_folder, "file", "file is no folder; name a folder to write into"),
        (check_folder, "nowhere", "nowhere is no folder; name a folder to write into"),
        (check_folder, "file/x", "x: cannot be written: .*file is no folder"),
        (check_folder, "folder/" + "x" * 300, os.strerror(errno.ENAMETOOLONG)),
        (check_folder, "/proc/x", "^/proc/x: cannot be written: no folder can be made in /proc: "),
        (check_folder, "/proc/self", "^/proc/self: cannot be written: no file can be made in /proc/self: "),
    ],
)
def test_a_place_where_nothing_can_be_written(
    check: Callable[[Path], None], out: str, reason: str, place: Path
) -> None:
    if out.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("no file system that nobody can write to")
    with pytest.raises(InputError, match=reason) as told:
        check(place / out)
    assert "\n" not in str(told.value)
    assert tree(place) == ["file", "folder", "nowhere"]


@pytest.mark.parametrize("out", ["file", "new", "folder/new", "new/new", "x" * 255])
def test_a_file_where_one_can_be_written(out: str, place: Path) -> None:
    before = tree(place)
    check_file(place / out)
    assert tree(place) == before
    write_atomically(place / out, lambda file: file.write(b"1"))


@pytest.mark.parametrize("out", ["folder", "new", "new/new"])
def test_a_folder_that_takes_files(out: str, place: Path) -> None:
    before = tree(place)
    check_folder(place / out)
    assert tree(place) == before
    write_atomically(place / out / "page.html", lambda file: file.write(b"1"))
