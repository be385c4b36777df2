"""A folder that is there as a whole or not at all, and that replaces no other without consent."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from i2i.errors import InputError


def check_free(out: Path, overwrite: bool, what: str, ours: Callable[[Path], object]) -> None:
    """Raise :class:`InputError` where a folder may not be written: something else is there.

    Args:
        out: the folder to be.
        overwrite: whether one of this program that is there may go. Nothing else ever may.
        what: the program has written there, for the message.
        ours: raises :class:`InputError` where the folder there holds something that the program has not written.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not out.is_dir():
        raise InputError(f"{out} is a file; name a folder to write")
    if not overwrite:
        raise InputError(f"{out} exists; name another folder, or replace the {what} in it with --overwrite")
    ours(out)


@contextmanager
def whole_folder(out: Path, check: Callable[[], None]) -> Iterator[Path]:
    """A temporary folder beside ``out``, which takes its name at the end; it is gone after an error.

    Args:
        out: the folder to be.
        check: raises where it may not be written; asked before and after, for whatever came meanwhile.
    """
    check()
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        yield temporary
        _flush(temporary)
        check()
        _publish(temporary, out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _flush(folder: Path) -> None:
    """Bring all files to the disk; they are to be read like any others."""
    umask = os.umask(0)
    os.umask(umask)
    folder.chmod(0o777 & ~umask)
    for path in [*folder.rglob("*"), folder]:
        if path.is_file():
            path.chmod(0o666 & ~umask)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _publish(temporary: Path, out: Path) -> None:
    """Give the folder its name. One that is there is moved aside first, and comes back if that fails."""
    if not out.exists() or not any(out.iterdir()):
        temporary.replace(out)
        return
    aside = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    out.replace(aside)
    try:
        temporary.replace(out)
    except BaseException:
        aside.replace(out)
        raise
    shutil.rmtree(aside, ignore_errors=True)
