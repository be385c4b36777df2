"""What a checkpoint folder of the original code holds, and how its weights come into the networks of this package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from torch import Tensor, nn

from i2i.checkpoint import load_tensors, load_weights
from i2i.classes import ClassTable, LabelEncoding
from i2i.data.transforms import Resize
from i2i.errors import InputError
from i2i.nn.generator import Generator
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.semantics import LabelSemantics

Part = Literal["G", "D", "E"]
"""Generator, discriminator, encoder, as in the names of the original's files."""

M = TypeVar("M", bound=nn.Module)


@dataclass
class Official:
    """What a folder of the original code holds. The networks are in evaluation mode.

    Attributes:
        generator: called as ``generator(semantics, style)``; without style it ignores it.
        discriminator: called as ``discriminator(semantics, photo)``; None if the folder has none.
        encoder: called as ``encoder(photo, semantics)``, gives mean and log variance of the style, or instance features
            and None; None if the model has none.
        semantics: called as ``semantics(labels, instances)``.
        encoding: how label files become labels.
        resize: how files come to the networks' size; None if the options do not tell.
    """

    generator: Generator
    discriminator: MultiscalePatchGAN | None
    encoder: nn.Module | None
    semantics: LabelSemantics
    encoding: LabelEncoding
    resize: Resize | None


@dataclass(frozen=True)
class Weights:
    """The tensors of the networks of a folder, under the names of the original.

    Attributes:
        folder: where they lie.
        tensors: by part; None for a discriminator or encoder that is not there.
    """

    folder: Path
    tensors: Mapping[Part, dict[str, Tensor] | None]

    @classmethod
    def read(cls, folder: Path) -> Weights:
        """Read ``latest_net_{G,D,E}.pth``.

        Raises:
            InputError: the generator's file is missing, or a file is damaged.
        """
        parts: tuple[Part, ...] = ("G", "D", "E")
        found = {part: _tensors(folder / f"latest_net_{part}.pth") for part in parts}
        if found["G"] is None:
            raise InputError(f"{folder / 'latest_net_G.pth'}: no such file; the generator's weights are needed")
        return cls(folder, found)

    def __getitem__(self, part: Part) -> dict[str, Tensor]:
        tensors = self.tensors[part]
        assert tensors is not None
        return tensors

    def __contains__(self, part: object) -> bool:
        return any(part == name and tensors is not None for name, tensors in self.tensors.items())

    def fill(self, network: M, part: Part, renamed: Mapping[str, Tensor]) -> M:
        """The network, in evaluation mode, with tensors of this part under the names that they have here."""
        load_weights(network, renamed, str(self.folder / f"latest_net_{part}.pth"))
        return network.eval()


def _tensors(path: Path) -> dict[str, Tensor] | None:
    if not path.is_file():
        return None
    tensors = load_tensors(path)
    # Early versions of the spectral norm also stored the weight that follows from the others.
    return {name: t for name, t in tensors.items() if f"{name}_orig" not in tensors}


def known_encoding(classes: int) -> LabelEncoding:
    """The published data sets are known by their number of classes."""
    match classes:
        case 35:
            table = ClassTable.load("cityscapes")
            return LabelEncoding(table, unknown=[-1, 255], unknown_label=0, extra_channels=35 - len(table))
        case 151:
            return LabelEncoding(ClassTable.load("ade20k"))
        case 183:
            return LabelEncoding(ClassTable.load("coco_stuff"), unknown=[255])
    return LabelEncoding(ClassTable.numbered(classes))
