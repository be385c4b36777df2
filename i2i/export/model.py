"""What is exported: the parts of a model, and what is told about its weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from i2i.checkpoint import restore
from i2i.classes import LabelEncoding
from i2i.condition import Semantics
from i2i.data.transforms import Resize
from i2i.errors import InputError
from i2i.model_folder import load_model
from i2i.nn.generator import Generator
from i2i.nn.statistics import batch_norms
from i2i.nn.style import Encoder
from i2i.reader import check_translates

OF_THE_FILE = "of the file"
BORROWED = f"{OF_THE_FILE}, those of the trained generator and not the averaged one's own"


@dataclass
class Model:
    """A model whose generator is decided: the averaged one, or the trained one.

    Attributes:
        generator: on the CPU, in evaluation mode, as it is in the file: nothing is folded.
        semantics: how it reads its condition.
        encoder: of styles or instance features, where there is one.
        discriminator: where the file has one; for those who train on.
        encoding: how label files become labels.
        resize: how files come to the size the model was trained for.
        weights: "averaged" or "trained".
        statistics: where the batch statistics come from, in words; None for networks without.
    """

    generator: Generator
    semantics: Semantics
    encoder: Encoder | None
    discriminator: nn.Module | None
    encoding: LabelEncoding | None
    resize: Resize | None
    weights: str
    statistics: str | None

    @classmethod
    def load(cls, path: str | Path, raw: bool = False) -> Model:
        """Read a model.

        Args:
            path: see :func:`i2i.model_folder.load_model`.
            raw: the trained weights instead of their moving average.

        Raises:
            InputError: see there; or the file is of something else than a model.
        """
        contents = load_model(path)
        told: Mapping[str, Any] = contents.get("export", {})
        averaged = any(name.startswith("average.") for name in contents["state_dict"])
        if raw and told.get("weights") == "averaged":
            raise InputError(f"{path}: holds the averaged weights alone; export the checkpoint itself with --raw")
        try:
            names = ("semantics", "encoder", "discriminator", "encoding", "resize")
            parts = {name: restore(contents, name) for name in names}
            generator = restore(contents, "generator", "average" if averaged and not raw else None)
            check_translates(parts["semantics"])
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        if generator is None:
            raise InputError(f"{path}: no generator in this file; it is of something else than a model")
        generator.eval().requires_grad_(False)
        statistics = told.get("batch statistics") or OF_THE_FILE
        if averaged and not raw:
            statistics = _averaged_statistics(contents["state_dict"], generator)
        return cls(
            generator=generator,
            **parts,
            weights=told.get("weights") or ("averaged" if averaged and not raw else "trained"),
            statistics=statistics if batch_norms(generator) else None,
        )

    def in_float32(self) -> Model:
        """The same with a generator of float32, which others can run."""
        return replace(self, generator=copy.deepcopy(self.generator).float())

    def state_dict(self) -> dict[str, Tensor]:
        """All weights by the names of a model file, each with memory of its own."""
        parts = {"generator": self.generator, "encoder": self.encoder, "discriminator": self.discriminator}
        return {
            f"{part}.{name}": tensor.detach().cpu().contiguous().clone()
            for part, network in parts.items()
            if network is not None
            for name, tensor in network.state_dict().items()
        }


_OWN = f"{OF_THE_FILE}, the averaged generator's own"


def _averaged_statistics(tensors: Mapping[str, Tensor], generator: Generator) -> str:
    """Whether a training has recalculated them: else they are copies."""
    names = [name for name, norm in generator.named_modules() if norm in batch_norms(generator)]
    kept = [f"{name}.running_mean" for name in names]
    alike = all(torch.equal(tensors[f"average.{name}"], tensors[f"generator.{name}"]) for name in kept)
    return BORROWED if alike else _OWN
