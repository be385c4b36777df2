"""Frozen networks that measure: how photos reach them, and which they are. Files that carry their own code."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from i2i.errors import InputError
from i2i.metrics.hashes import network_hash

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class FrozenNetwork(nn.Module):
    """A network that is only asked. It follows the photos to their device and stays in evaluation mode.

    Args:
        network: what is asked.
        mean: of each channel in [0, 1], subtracted from the photos.
        std: of each channel, by which they are divided then.
        name: what the network is called in results; by default its class.
        sha256: of its weights; by default computed from the network.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, network: nn.Module, mean: Sequence[float], std: Sequence[float], name: str | None, sha256: str | None
    ) -> None:
        super().__init__()
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise InputError(f"mean {list(mean)} and std {list(std)} are three numbers each, std above 0")
        self.network = network.eval()
        for parameter in network.parameters():  # a TorchScript module has no requires_grad_
            parameter.requires_grad = False
        self.register_buffer("mean", torch.tensor(list(mean))[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(list(std))[:, None, None], persistent=False)
        self.name = type(network).__name__ if name is None else name
        self.sha256 = network_hash(network) if sha256 is None else sha256

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode."""
        return super().train(False)

    def normalised(self, photo: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] -> as the network was trained."""
        return (photo - self.mean) / self.std

    def follow(self, photo: Tensor) -> None:
        """Move to where the photos are."""
        if self.mean.device != photo.device:
            self.to(photo.device)

    def normalisation(self) -> dict[str, list[float]]:
        """Mean and deviation, for the protocol."""
        return {name: [round(float(x), 6) for x in getattr(self, name).flatten()] for name in ("mean", "std")}


class Program(nn.Module):
    """An exported program. It was traced with one batch size, often 1, so it is given one photo at a time.

    Args:
        program: what ``torch.export.load`` returned.
    """

    def __init__(self, program: torch.export.ExportedProgram) -> None:
        super().__init__()
        self.network = program.module()

    def train(self, mode: bool = True) -> Self:
        """Exported programs have one mode only."""
        return self

    def eval(self) -> Self:
        """Exported programs have one mode only."""
        return self

    def forward(self, photo: Tensor) -> Any:
        """The program's output on each photo, joined."""
        outputs = [self.network(one[None]) for one in photo]
        if isinstance(outputs[0], dict):
            return {name: torch.cat([output[name] for output in outputs]) for name in outputs[0]}
        if isinstance(outputs[0], tuple | list):
            return [torch.cat(parts) for parts in zip(*outputs, strict=True)]
        return torch.cat(outputs)


def load_program(path: str | Path) -> nn.Module:
    """Load a network, on the CPU.

    Raises:
        InputError: the file is missing, or is neither TorchScript nor an exported program.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; a network in TorchScript or of torch.export is expected")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if _is_script(Path(path)):
                script: nn.Module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
                return script
            return Program(torch.export.load(str(path)))
    except Exception as error:  # both loaders raise whatever their readers run into
        first = str(error).strip().splitlines()[:1]
        raise InputError(
            f"{path}: neither TorchScript nor a program of torch.export ({' '.join(first)[:100]})"
        ) from error


def _is_script(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        raise InputError("not an archive")
    with zipfile.ZipFile(path) as archive:
        return any(name.split("/")[-1] == "constants.pkl" for name in archive.namelist())
