"""What a trainer can train on here."""

from __future__ import annotations

from pytorch_lightning.accelerators import AcceleratorRegistry

from i2i.errors import InputError


def check_accelerator(name: object, argument: str = "--trainer.accelerator") -> None:
    """Look whether there is such an accelerator, before anything is built for it.

    Args:
        name: as the trainer takes it: "auto", "cpu", "gpu" for CUDA or MPS, and so on; what is no name, but an
            accelerator itself, passes.
        argument: what it was given by, for the error.

    Raises:
        InputError: there is none, or the trainer knows of none.
    """
    there = sorted(one for one, entry in AcceleratorRegistry.items() if entry["accelerator"].is_available())
    allowed = ["auto", *there, *(["gpu"] if {"cuda", "mps"} & set(there) else [])]
    if isinstance(name, str) and name not in allowed:
        raise InputError(f"{argument} is {name!r}, which cannot be trained on here; allowed are {', '.join(allowed)}")
