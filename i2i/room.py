"""Whether there is room for a file or a folder: known before the work, whose fruits would be lost."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from i2i.checkpoint import telling_why
from i2i.errors import InputError


def check_file(path: Path) -> None:
    """Raise :class:`InputError` where a file cannot be written; one that is there may be replaced."""
    with telling_why(path):
        if path.is_dir():
            raise InputError(f"{path} is a folder; name the file to write")
        check_room(path, "file")


def check_folder(path: Path) -> None:
    """Raise :class:`InputError` where files cannot be written into a folder, which is there or can be made."""
    with telling_why(path):
        if path.is_dir():
            _try(path, path, "file")
            return
        if os.path.lexists(path):
            raise InputError(f"{path} is no folder; name a folder to write into")
        check_room(path, "folder")


def check_room(out: Path, what: str) -> None:
    """Raise :class:`InputError` where nothing of this name can be made.

    Args:
        out: what is to be; folders above it may be missing.
        what: "file" or "folder", for the message.
    """
    nearest = next(folder for folder in out.parents if os.path.lexists(folder))
    if not nearest.is_dir():
        raise InputError(f"{out}: cannot be written: {nearest} is no folder")
    _try(out, nearest, what)


def _try(out: Path, folder: Path, what: str) -> None:
    """Make something in the folder and remove it, since permissions tell little of root, /proc and read-only disks."""
    try:
        with suppress(FileNotFoundError):
            (folder / out.name).lstat()  # refuses names that are too long
        # Only the beginning of the name, since names have at most 255 bytes.
        Path(tempfile.mkdtemp(dir=folder, prefix=f".{out.name[:40]}.")).rmdir()
    except OSError as error:
        reason = f"no {what} can be made in {folder}: {error.strerror or error}"
        raise InputError(f"{out}: cannot be written: {reason}") from error
