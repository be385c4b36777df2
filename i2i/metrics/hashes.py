"""Which weights were used, in 64 letters."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import nn


def file_hash(path: str | Path) -> str:
    """SHA-256 of a file, the same that ``sha256sum`` prints."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def network_hash(network: nn.Module) -> str:
    """SHA-256 of a network's weights: names, types, shapes and bytes of its state dict, in the order of the names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
