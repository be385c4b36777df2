"""The options of a run of the original code."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from i2i.errors import InputError
from i2i.nn.norm import Norm

T = TypeVar("T")

NORMS: dict[str, Norm] = {
    "batch": "batch",
    "syncbatch": "global_batch",
    "sync_batch": "global_batch",
    "instance": "instance",
    "none": "none",
    "": "none",
}
"""What the original's words for normalisations mean."""


class Options(dict[str, Any]):
    """The options of a run; a missing one is named together with the file."""

    path: Path

    @classmethod
    def read(cls, folder: Path) -> Options:
        """From options.json, or else from the text that the original writes beside its pickle."""
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder")
        for name, parse in (("options.json", json.loads), ("opt.txt", _parse_text)):
            path = folder / name
            if path.is_file():
                try:
                    options = cls(parse(path.read_text()))
                except (OSError, ValueError, TypeError) as error:
                    raise InputError(f"{path}: cannot be read as options: {error}") from error
                options.path = path
                return options
        raise InputError(f"{folder}: neither options.json nor opt.txt is there; opt.pkl is never read")

    def __missing__(self, name: str) -> Any:
        raise InputError(f"{self.path}: the option {name} is missing")

    def one_of(self, name: str, allowed: Mapping[str, T]) -> T:
        """What a word stands for."""
        if self[name] not in allowed:
            raise InputError(f"{self.path}: {name} is {self[name]!r}; allowed are {', '.join(allowed)}")
        return allowed[self[name]]

    def norm(self, name: str) -> tuple[bool, Norm]:
        """A word like "spectralinstance": whether weights are spectrally normalised, and the features' norm."""
        word = str(self[name])
        rest = word.removeprefix("spectral")
        if rest not in NORMS:
            raise InputError(f"{self.path}: {name} is {word!r}; expected such as 'spectralinstance'")
        return rest != word, NORMS[rest]


def _parse_text(text: str) -> dict[str, Any]:
    """Lines of ``name: value  [default: …]`` between dashed lines."""
    options: dict[str, Any] = {}
    for line in text.splitlines():
        found = re.match(r"\s*(\w+): (.*?)\s*(\t\[default: .*\])?$", line)
        if found is None:
            continue
        try:
            options[found[1]] = ast.literal_eval(found[2])
        except (ValueError, SyntaxError):
            options[found[1]] = found[2]
    return options
