"""The folder of an exported model: there as a whole or not at all, and replacing no other without consent."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from i2i.errors import InputError
from i2i.model_folder import FILES, read_config
from i2i.whole_folder import check_free, whole_folder


def check_target(out: Path, overwrite: bool) -> None:
    """Raise :class:`InputError` where a folder may not be written: something else is there.

    Args:
        out: the folder to be.
        overwrite: whether an exported model that is there may go. Nothing else ever may.
    """
    check_free(out, overwrite, "model", _check_model)


def new_folder(out: Path, overwrite: bool) -> AbstractContextManager[Path]:
    """A temporary folder beside ``out``, which takes its name at the end; it is gone after an error.

    Args:
        out: the folder to be.
        overwrite: see :func:`check_target`.

    Raises:
        InputError: see there.
    """
    return whole_folder(out, partial(check_target, out, overwrite))


def _check_model(out: Path) -> None:
    foreign = sorted(path.name for path in out.iterdir() if path.name not in FILES)
    if foreign:
        raise InputError(f"{out} holds {foreign[0]!r}, which i2i has not written; it is not overwritten")
    read_config(out)
