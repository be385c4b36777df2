"""Configuration files: read, and refused where the configuration library would run out of time, memory or stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from i2i.errors import InputError

_MOST_VALUES = 100_000
_DEEPEST = 100


def read_configuration(path: str | Path) -> dict[str, Any]:
    """The content of a YAML file.

    Raises:
        InputError: it cannot be read, is no mapping, refers to itself, or is far too large once its aliases are
            written out.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"cannot read the configuration {path}: {reason}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: not a configuration of i2i fit")
    _measure(content, path)
    return content


def configurations(arguments: Sequence[str]) -> list[dict[str, Any]]:
    """The contents of the configurations that a command line names.

    Raises:
        InputError: as :func:`read_configuration`.
    """
    found = []
    for flag, value in zip(arguments, [*arguments[1:], ""], strict=True):
        name, equals, given = flag.partition("=")
        if name in ("-c", "--config"):
            found.append(read_configuration(given if equals else value))
    return found


def of_samples(configuration: Mapping[str, Any]) -> bool:
    """Whether the data of a configuration are samples, and not pairs of a condition and a photo."""
    data = configuration.get("data")
    source = data.get("source") if isinstance(data, Mapping) else None
    name = source.get("class_path") if isinstance(source, Mapping) else source
    return isinstance(name, str) and name.startswith("i2i.foundations.")


def refuse_samples(configuration: Mapping[str, Any], path: str | Path) -> None:
    """Look whether a configuration is of pairs, where a command is for these alone.

    Raises:
        InputError: it is of samples.
    """
    if of_samples(configuration):
        raise InputError(
            f"{path} is of a model of samples; this command is for models of label maps or images. What there is for "
            "samples: i2i fit, i2i validate, i2i test and i2i latents"
        )


def _measure(content: Any, path: str | Path) -> None:
    """Count values as they are when every alias is written out."""
    waiting, count = [(content, 0)], 0
    while waiting:
        value, depth = waiting.pop()
        count += 1
        if count > _MOST_VALUES or depth > _DEEPEST:
            raise InputError(
                f"{path}: more than {_MOST_VALUES} values, or nested more than {_DEEPEST} deep, aliases written out; "
                f"this is no configuration"
            )
        if isinstance(value, dict):
            if not all(isinstance(key, str) for key in value):
                odd = next(key for key in value if not isinstance(key, str))
                raise InputError(f"{path}: the key {odd!r} is no text; the keys of a configuration are names")
            waiting += [(inner, depth + 1) for inner in value.values()]
        elif isinstance(value, list):
            waiting += [(inner, depth + 1) for inner in value]
