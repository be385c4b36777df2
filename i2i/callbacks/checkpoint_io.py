"""How the trainer's checkpoints come to the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from i2i.checkpoint import write_atomically


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints so that under a name there is always a whole one.

    Lightning's own writes the bytes to the computer's folder of temporary files and moves them from there; on another
    file system a move is a copy, and a run that is killed during it leaves half a file in the place of the whole one.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint, see :func:`i2i.checkpoint.write_atomically`.

        Raises:
            InputError: it cannot be written; the file before stands.
        """
        write_atomically(path, lambda file: torch.save(checkpoint, file))
