"""A model as a folder, to be given away: a description, the weights as safetensors, the classes, a model card.

``config.json`` holds what the description of a model file holds (:mod:`i2i.checkpoint`), and the size and hash of every
file with weights; ``model.safetensors`` the tensors by the names of a model file. Nothing in it can hold code, and
neither Lightning nor a configuration is needed to read it. The weights may be of the formats of other programs instead
(:mod:`i2i.export`), for these to run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file as load_safetensors

import i2i
from i2i import hub
from i2i.checkpoint import FORMAT as DESCRIPTION_FORMAT
from i2i.checkpoint import load_file, restore
from i2i.errors import InputError

FORMAT = 1

CONFIG, WEIGHTS, ONNX, PROGRAM = "config.json", "model.safetensors", "model.onnx", "model.pt2"
CLASSES, CARD = "classes.csv", "README.md"
FILES = (CONFIG, WEIGHTS, ONNX, PROGRAM, CLASSES, CARD)
"""All that there may be in such a folder; files of the Hub and hidden ones aside."""


def load_model(model: str | Path) -> dict[str, Any]:
    """Read a model wherever it lies, on the CPU; see :func:`i2i.checkpoint.load_file` for what is returned.

    Args:
        model: a checkpoint of a training run or a model file; a folder of `i2i export`; or, where there is no such
            path, a repository of the Hugging Face Hub, ``owner/name`` or ``owner/name@revision``, which is downloaded
            into the Hub's cache.

    Raises:
        InputError: there is none, or it is damaged, of another kind or of a later format.
    """
    path = Path(model)
    if path.is_dir():
        return load_folder(path)
    if path.name in (CONFIG, WEIGHTS) and path.is_file():
        return load_folder(path.parent)
    if not path.exists() and hub.is_repository(str(model)):
        return load_folder(hub.download(str(model), (CONFIG, WEIGHTS)), name=str(model))
    return load_file(path)


def load_parts(path: str | Path, ema: bool = True) -> dict[str, Any]:
    """What is needed to run a model: generator, encoder, semantics, encoding and resize, by these names.

    Args:
        path: as at :func:`load_model`.
        ema: the moving average of the generator's weights, where the file has one.

    Raises:
        InputError: as :func:`load_model` and :func:`i2i.checkpoint.restore`, or a file without a generator.
    """
    contents = load_model(path)
    averaged = ema and any(name.startswith("average.") for name in contents["state_dict"])
    try:
        parts = {name: restore(contents, name) for name in ("semantics", "encoder", "encoding", "resize")}
        parts["generator"] = restore(contents, "generator", "average" if averaged else None)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if parts["generator"] is None:
        raise InputError(f"{path}: no generator in this file; it is of something else than a model")
    return parts


def load_folder(path: str | Path, name: str | None = None) -> dict[str, Any]:
    """Read the description and the weights of a folder.

    Args:
        path: the folder.
        name: what errors call it, if not by its path.

    Returns:
        What :func:`i2i.checkpoint.load_file` returns, and under "export" what is told about the weights.

    Raises:
        InputError: a file is missing or damaged, the folder is not of `i2i export`, or is of a later format.
    """
    name = str(path) if name is None else name
    config = read_config(path, name)
    if WEIGHTS not in config["files"]:
        there = ", ".join(config["files"])
        raise InputError(f"{name}: holds {there} and no {WEIGHTS}; export the model with --format safetensors, too")
    check_file(Path(path) / WEIGHTS, config["files"][WEIGHTS], f"{name}/{WEIGHTS}")
    try:
        tensors = load_safetensors(Path(path) / WEIGHTS)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{name}/{WEIGHTS}: damaged, or not a file of safetensors") from error
    about = {key: config.get(key) for key in ("weights", "batch statistics")}
    return {"i2i": config["model"], "state_dict": tensors, "export": about}


def read_config(path: str | Path, name: str | None = None) -> dict[str, Any]:
    """The checked ``config.json`` of a folder.

    Raises:
        InputError: it is missing, cannot be read, is not of `i2i export`, or is of a later format.
    """
    name = str(path) if name is None else name
    file = Path(path) / CONFIG
    if not file.is_file():
        raise InputError(f"{name}: no {CONFIG} in it; a model is a checkpoint, or a folder that i2i export has written")
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{name}/{CONFIG}: damaged, or not JSON") from error
    if not isinstance(config, dict) or config.get("library_name") != "i2i":
        raise InputError(f"{name}/{CONFIG}: of another kind, not of i2i export")
    if config.get("format") != FORMAT:
        raise InputError(f"{name}: folder format {config.get('format')!r}; i2i {i2i.__version__} reads {FORMAT}")
    model, files = config.get("model"), config.get("files")
    if not isinstance(model, Mapping) or not isinstance(files, Mapping):
        raise InputError(f"{name}/{CONFIG}: damaged, there is no description of a model in it")
    if model.get("format") != DESCRIPTION_FORMAT:
        found = f"description format {model.get('format')!r}"
        raise InputError(f"{name}: {found}; i2i {i2i.__version__} reads {DESCRIPTION_FORMAT}")
    return config


def fingerprint(path: str | Path) -> dict[str, Any]:
    """The size of a file in bytes and its SHA-256, as ``config.json`` tells them."""
    with Path(path).open("rb") as file:
        return {"bytes": Path(path).stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def check_file(path: Path, expected: object, name: str) -> None:
    """Raise :class:`InputError` where a file is not there, or is not the one that was exported."""
    if not path.is_file():
        raise InputError(f"{name}: no such file, though {CONFIG} names it")
    if not isinstance(expected, Mapping) or path.stat().st_size != expected.get("bytes"):
        raise InputError(f"{name}: truncated or replaced, its size is not the one in {CONFIG}")
    if fingerprint(path) != expected:
        raise InputError(f"{name}: damaged or replaced, its SHA-256 is not the one in {CONFIG}")


def check_folder(path: str | Path, name: str | None = None) -> dict[str, Any]:
    """The ``config.json`` of a folder whose files are all there and whole.

    Raises:
        InputError: see :func:`read_config`; or a file is missing or damaged.
    """
    name = str(path) if name is None else name
    config = read_config(path, name)
    for file, expected in config["files"].items():
        if file not in FILES:
            raise InputError(f"{name}/{CONFIG}: names a file {file!r}, which i2i export does not write")
        check_file(Path(path) / file, expected, f"{name}/{file}")
    return config


def model_hash(model: str | Path) -> str:
    """SHA-256 of a model's file; of a folder that of its weights."""
    path = Path(model)
    if not path.exists() and hub.is_repository(str(model)):
        path = hub.download(str(model), (CONFIG, WEIGHTS))
    return str(fingerprint(path / WEIGHTS if path.is_dir() else path)["sha256"])
