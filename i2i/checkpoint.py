"""The self-describing model file: everything that is needed to run a model, and no code.

A file is the dict ``{"i2i": description, "state_dict": {"generator.…": …, "encoder.…": …, "discriminator.…": …}}``. The
description holds the recipes of the parts as plain data. A training checkpoint has the same two keys beside the
trainer's own. Files are read with ``weights_only=True`` and nothing else.
"""

from __future__ import annotations

import os
import pickle
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor, nn

import i2i
from i2i.condition import Semantics
from i2i.errors import InputError
from i2i.recipe import build, recipe

FORMAT = 1
_UNFINISHED = ".unfinished"


def describe(
    generator: nn.Module,
    semantics: Semantics,
    encoder: nn.Module | None = None,
    discriminator: nn.Module | None = None,
    encoding: object | None = None,
    resize: object | None = None,
) -> dict[str, Any]:
    """The description of a model: the format, the version of i2i and the recipe of every part that is given.

    Args:
        generator: the generator.
        semantics: how labels become the networks' condition.
        encoder: the style encoder.
        discriminator: the discriminator.
        encoding: the :class:`i2i.classes.LabelEncoding` of the label files.
        resize: the transform that brings label maps to the size the model was trained for.
    """
    parts = {
        "generator": generator,
        "semantics": semantics,
        "encoder": encoder,
        "discriminator": discriminator,
        "encoding": encoding,
        "resize": resize,
    }
    recipes = {name: recipe(part) for name, part in parts.items() if part is not None}
    return {"format": FORMAT, "version": i2i.__version__, **recipes}


def save_model(
    path: str | Path,
    generator: nn.Module,
    semantics: Semantics,
    encoder: nn.Module | None = None,
    discriminator: nn.Module | None = None,
    encoding: object | None = None,
    resize: object | None = None,
) -> None:
    """Write a model file; a file that is there already is replaced only by a complete one.

    Args:
        path: the file to write.
        generator, semantics, encoder, discriminator, encoding, resize: see :func:`describe`.
    """
    networks = {"generator": generator, "encoder": encoder, "discriminator": discriminator}
    contents = {
        "i2i": describe(generator, semantics, encoder, discriminator, encoding, resize),
        "state_dict": {
            f"{part}.{name}": tensor.detach().cpu()
            for part, network in networks.items()
            if network is not None
            for name, tensor in network.state_dict().items()
        },
    }
    write_atomically(path, lambda file: torch.save(contents, file))


def load_file(path: str | Path) -> dict[str, Any]:
    """Read a model file or a training checkpoint, on the CPU.

    Raises:
        InputError: the file is missing, cannot be read to its end, holds code, is no i2i file, or is of a later format.
    """
    contents = load_tensors(path)
    description, tensors = contents.get("i2i"), contents.get("state_dict")
    if not isinstance(description, Mapping) or not isinstance(tensors, Mapping):
        raise InputError(f"{path}: a checkpoint of another kind, not of i2i (keys: {_few(contents)})")
    if not all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in tensors.items()):
        raise InputError(f"{path}: damaged, its state_dict holds other things than named tensors")
    if description.get("format") != FORMAT:
        raise InputError(f"{path}: file format {description.get('format')!r}; i2i {i2i.__version__} reads {FORMAT}")
    return contents


def restore(contents: Mapping[str, Any], part: str, weights: str | None = None) -> Any:
    """Rebuild one part of a loaded file; None where the file has no such part.

    Args:
        contents: what :func:`load_file` returned.
        part: "generator", "encoder", "discriminator", or a part without weights ("semantics", "encoding", "resize").
        weights: the prefix of the weights, if not the part's name.

    Raises:
        InputError: the recipe cannot be built, or the weights do not fit it.
    """
    description = contents["i2i"].get(part)
    if description is None:
        return None
    prefix = f"{weights or part}."
    tensors = {name.removeprefix(prefix): t for name, t in contents["state_dict"].items() if name.startswith(prefix)}
    if not tensors:
        thing = _built(description, part)
        if isinstance(thing, nn.Module):
            raise InputError(f"the file has no weights {prefix}* for its {part}")
        return thing
    with torch.device("meta"):  # the weights come from the file: no time is spent on drawing others
        network = _built(description, part)
    load_weights(network, tensors, f"the {weights or part} in the file", assign=True)
    return network


def _built(description: Any, part: str) -> Any:
    """What the recipe describes; a damaged one is the user's to mend, whatever it makes a constructor say."""
    try:
        return build(description)
    except InputError:
        raise
    except (TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise InputError(f"the recipe of its {part} is damaged: {str(error).splitlines()[0]}") from error


def load_weights(network: nn.Module, tensors: Mapping[str, Tensor], name: str, assign: bool = False) -> None:
    """Load a state dict that must fit exactly.

    Args:
        network: what to load into.
        tensors: by name.
        name: what the error calls them.
        assign: take the tensors themselves instead of copying their values.

    Raises:
        InputError: names are missing or left over, or a shape differs.
    """
    try:
        missing, extra = network.load_state_dict(dict(tensors), strict=False, assign=assign)
    except RuntimeError as error:
        first = str(error).splitlines()[1:2] or [str(error)]
        raise InputError(f"{name}: {first[0].strip()}") from error
    if missing or extra:
        parts = [f"{what} {_few(names)}" for what, names in (("missing", missing), ("left over", extra)) if names]
        raise InputError(f"{name} does not fit {type(network).__name__}: {'; '.join(parts)}")


def load_tensors(path: str | Path, mapped: bool = False) -> dict[str, Any]:
    """A file of tensors and plain data that ``torch.save`` wrote, on the CPU, without running code that it may hold.

    Args:
        path: the file.
        mapped: leave the tensors on the disk until they are looked at; that they are whole is then not known.

    Raises:
        InputError: the file is missing, is not such a file or not a whole one, holds code, or is not a dict.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on files of other kinds, which get their error below
            contents = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        if any(word in str(error) for word in ("Unsupported global", "Unsupported class", "GLOBAL", "REDUCE")):
            raise InputError(f"{path}: refused, it holds pickled code and not only tensors and plain data") from error
        raise InputError(f"{path}: not a file of tensors, or damaged") from error
    except Exception as error:  # the unpickler raises whatever damaged bytes lead it to
        raise InputError(f"{path}: truncated, damaged, or not a file of tensors") from error
    if not isinstance(contents, dict):
        raise InputError(f"{path}: a {type(contents).__name__}; expected a dict of tensors")
    return contents


def write_atomically(path: str | Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file so that under its name there is the old or the new one, never a part of it.

    The bytes go to a temporary name in the same folder, are flushed to the disk, and are then renamed; at last the
    folder is flushed, so that the new name survives a power failure, too. A process that is killed leaves the temporary
    file behind: see :func:`remove_leftovers`.

    Args:
        path: the file; its folder is made where it is missing.
        write: writes the contents to the open binary file.

    Raises:
        InputError: it cannot be written: the disk is full, the folder read-only, or the like.
    """
    path = Path(path)
    with telling_why(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Only the beginning of the name, since names have at most 255 bytes.
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=_UNFINISHED)
        try:
            with os.fdopen(descriptor, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            umask = os.umask(0)
            os.umask(umask)
            with suppress(PermissionError):  # a temporary file is private, a model file like any other; where there are
                Path(temporary).chmod(0o666 & ~umask)  # no permissions, as on some mounted disks, it stays as it is
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _flush_folder(path.parent)


@contextmanager
def telling_why(path: Path) -> Iterator[None]:
    """Turn an error of the operating system, while a file or a folder is written, into what the user has to mend.

    Args:
        path: what is written; whatever is there already is not touched before the end.

    Raises:
        InputError: in place of the system's error, or of one of torch, which hides the reason behind its own.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = _os_error(error)
        if reason is None:
            raise
        before = "; what was there before is untouched" if os.path.lexists(path) else ""
        raise InputError(f"{path}: cannot be written: {reason.strerror or reason}{before}") from error


def remove_leftovers(folder: str | Path) -> None:
    """Remove the unfinished files of a process that was killed while it wrote into the folder."""
    for path in Path(folder).glob(f".*{_UNFINISHED}"):
        path.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    with suppress(OSError):  # not every file system, and not every platform, opens a folder
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _os_error(error: BaseException | None) -> OSError | None:
    """The operating system's error behind another one."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def _few(names: Any, most: int = 4) -> str:
    names = [str(name) for name in names]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
