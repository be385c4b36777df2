"""A folder that is there as a whole or not at all, and that replaces no other without consent."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from i2i.checkpoint import telling_why
from i2i.errors import InputError


def check_free(out: Path, overwrite: bool, what: str, ours: Callable[[Path], object]) -> None:
    """Raise :class:`InputError` where a folder may not or cannot be written, before there is anything to write.

    Args:
        out: the folder to be.
        overwrite: whether one of this program that is there may go. Nothing else ever may.
        what: the program has written there, for the message.
        ours: raises :class:`InputError` where the folder there holds something that the program has not written.
    """
    if out.name in ("", ".."):
        raise InputError(f"{out}: name the folder to write; it is made, or replaced, as a whole")
    with telling_why(out):
        _check_room(out)
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

    Raises:
        InputError: it cannot be written, such as where the disk is full.
    """
    check()
    with telling_why(out), _parents_of(out):
        temporary = Path(tempfile.mkdtemp(dir=out.parent, prefix=_prefix(out)))
        try:
            yield temporary
            _flush(temporary)
            check()
            _publish(temporary, out)
        except BaseException as error:
            shutil.rmtree(temporary, ignore_errors=True)
            if isinstance(error, InputError) and str(temporary) in str(error):  # a name that tells the user nothing
                raise InputError(str(error).replace(str(temporary), str(out))) from error
            raise


def _check_room(out: Path) -> None:
    """Raise where no folder can be made: tried, since permissions tell little of root, /proc and read-only disks."""
    nearest = next(folder for folder in out.parents if os.path.lexists(folder))
    if not nearest.is_dir():
        raise InputError(f"{out}: cannot be written: {nearest} is no folder")
    try:
        with suppress(FileNotFoundError):
            (nearest / out.name).lstat()  # refuses names that are too long
        Path(tempfile.mkdtemp(dir=nearest, prefix=_prefix(out))).rmdir()
    except OSError as error:
        reason = f"no folder can be made in {nearest}: {error.strerror or error}"
        raise InputError(f"{out}: cannot be written: {reason}") from error


@contextmanager
def _parents_of(out: Path) -> Iterator[None]:
    """Make the folders above; those that were not there go again after an error, where nothing else is in them."""
    missing = [folder for folder in out.parents if not folder.exists()]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()
        raise


def _prefix(out: Path) -> str:
    """Of temporary folders: only the beginning of the name, since names have at most 255 bytes."""
    return f".{out.name[:40]}."


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
    aside = Path(tempfile.mkdtemp(dir=out.parent, prefix=_prefix(out)))
    out.replace(aside)
    try:
        temporary.replace(out)
    except BaseException:
        aside.replace(out)
        raise
    shutil.rmtree(aside, ignore_errors=True)
