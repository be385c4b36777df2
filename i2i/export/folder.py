"""A folder that is there as a whole or not at all, and that replaces no other without consent."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from i2i.errors import InputError
from i2i.model_folder import FILES, read_config


def check_target(out: Path, overwrite: bool) -> None:
    """Raise :class:`InputError` where a folder may not be written: something else is there.

    Args:
        out: the folder to be.
        overwrite: whether an exported model that is there may go. Nothing else ever may.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not out.is_dir():
        raise InputError(f"{out} is a file; name a folder to write")
    if not overwrite:
        raise InputError(f"{out} exists; name another folder, or replace the model in it with --overwrite")
    foreign = sorted(path.name for path in out.iterdir() if path.name not in FILES)
    if foreign:
        raise InputError(f"{out} holds {foreign[0]!r}, which i2i has not written; it is not overwritten")
    read_config(out)


@contextmanager
def new_folder(out: Path, overwrite: bool) -> Iterator[Path]:
    """A temporary folder beside ``out``, which takes its name at the end; it is gone after an error.

    Args:
        out: the folder to be.
        overwrite: see :func:`check_target`.

    Raises:
        InputError: see there.
    """
    check_target(out, overwrite)
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        yield temporary
        _flush(temporary)
        check_target(out, overwrite)  # whatever came meanwhile
        _publish(temporary, out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _flush(folder: Path) -> None:
    """Bring all files to the disk; they are to be read like any others."""
    umask = os.umask(0)
    os.umask(umask)
    folder.chmod(0o777 & ~umask)
    for path in [*folder.iterdir(), folder]:
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
