"""What of a tour is done: kept beside its runs, so that a tour that was interrupted goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from i2i.checkpoint import write_atomically
from i2i.errors import InputError

FILE = "tour.json"


class Journal:
    """The file ``tour.json`` of a tour's folder.

    Args:
        folder: of the tour; it is made where there is none.

    Raises:
        InputError: the folder holds something else, or the file cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / FILE
        self._kept: dict[str, dict[str, Any]] = {}
        if self._path.exists():
            self._kept = _read(self._path)
        elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"{folder} is there and is no tour's folder; name a new one, or one that a tour has begun")

    def check(self, name: str, settings: Mapping[str, Any]) -> None:
        """Look whether a training can be gone on with; nothing is written.

        Raises:
            InputError: it was begun with other settings, and is done or has left a checkpoint.
        """
        if self._begun(name) and self._kept[name]["settings"] != json.loads(json.dumps(settings)):
            raise InputError(
                f"{self.folder}: {name} was begun with other settings (another seed, or another version of its "
                "configuration); name another folder"
            )

    def begin(self, name: str, settings: Mapping[str, Any]) -> None:
        """Note what a training is done with.

        Raises:
            InputError: as :meth:`check`.
        """
        self.check(name, settings)
        if not self._begun(name):
            self._kept[name] = {"settings": dict(settings), "seconds": 0.0, "done": False}
        self._write()

    def spend(self, name: str, seconds: float, done: bool) -> None:
        """Note the time that a training has taken further, and whether it is done; forget one that never came to be."""
        self._kept[name]["seconds"] += seconds
        self._kept[name]["done"] = done
        if not self._begun(name):
            del self._kept[name]
        self._write()

    def done(self, name: str) -> bool:
        """Whether a training is done."""
        return bool(self._kept.get(name, {}).get("done", False))

    def seconds(self, name: str) -> float:
        """What a training has taken so far."""
        return float(self._kept.get(name, {}).get("seconds", 0.0))

    def run(self, name: str) -> Path:
        """The folder of a training's run."""
        return self.folder / "runs" / name

    def _begun(self, name: str) -> bool:
        return name in self._kept and (self.done(name) or any((self.run(name) / "checkpoints").glob("*.ckpt")))

    def _write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self._kept, indent=1) + "\n"
        write_atomically(self._path, lambda file: file.write(text.encode()))


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if all({"settings", "seconds", "done"} <= set(one) for one in kept.values()):
            return dict(kept)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise InputError(f"cannot read {path}: {' '.join(str(error).split())}") from error
    raise InputError(f"{path} is no journal of a tour")
