"""Judges from files: TorchScript and exported programs, torchvision, Hugging Face, and those of `i2i train-judge`."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from i2i.checkpoint import load_file, load_tensors, restore
from i2i.errors import InputError
from i2i.metrics.frozen import IMAGENET_MEAN, IMAGENET_STD, load_program
from i2i.metrics.hashes import file_hash
from i2i.metrics.judge import Judge


class TrainedJudge(Judge):
    """A judge that `i2i train-judge` made; its file says all that has to be known.

    Args:
        path: the file.

    Attributes:
        measured: its own figures on the real validation photos: no synthesised photo can be expected to do better.

    Raises:
        InputError: the file is absent, damaged, or of something else.
    """

    def __init__(self, path: str) -> None:
        contents = load_file(path)
        network, encoding, resize = (restore(contents, part) for part in ("judge", "encoding", "resize"))
        if network is None or encoding is None:
            raise InputError(f"{path}: no judge in this file; i2i train-judge makes one")
        half = (0.5, 0.5, 0.5)
        super().__init__(
            network,
            outputs=encoding.classes.names,
            mean=half,
            std=half,
            size=None if resize is None else resize.size,
            name=Path(path).name,
            sha256=file_hash(path),
            ignored=contents["i2i"].get("ignored", []),
        )
        self.measured: dict[str, Any] = dict(contents["i2i"].get("measured", {}))

    def describe(self) -> dict[str, Any]:
        """With the judge's own mIoU on real photos: the ceiling."""
        return {**super().describe(), **{f"judge's own {name}": value for name, value in self.measured.items()}}


class ProgramJudge(Judge):
    """A network from a file of TorchScript or ``torch.export``.

    Args:
        path: the file.
        outputs, first_label, mean, std, size: see :class:`Judge`.
    """

    def __init__(
        self,
        path: str,
        outputs: Sequence[str] | None = None,
        first_label: int = 0,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        size: tuple[int, int] | None = None,
    ) -> None:
        network = load_program(path)
        super().__init__(network, outputs, first_label, mean, std, size, Path(path).name, file_hash(path))


Architecture = Literal[
    "deeplabv3_mobilenet_v3_large",
    "deeplabv3_resnet50",
    "deeplabv3_resnet101",
    "fcn_resnet50",
    "fcn_resnet101",
    "lraspp_mobilenet_v3_large",
]
_CLASSIFIERS = ("classifier.4.weight", "classifier.low_classifier.weight")  # whose first side is the number of classes


class TorchvisionJudge(Judge):
    """A segmentation network of torchvision with weights from a file.

    Args:
        architecture: its name in torchvision.
        weights: the file of its state dict.
        outputs, first_label, mean, std, size: see :class:`Judge`.

    Raises:
        InputError: the file is absent, damaged, or of another network.
    """

    def __init__(
        self,
        architecture: Architecture,
        weights: str,
        outputs: Sequence[str] | None = None,
        first_label: int = 0,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        size: tuple[int, int] | None = None,
    ) -> None:
        from torchvision import models

        tensors = load_tensors(weights)
        classes = next((len(tensors[name]) for name in _CLASSIFIERS if name in tensors), None)
        if classes is None:
            raise InputError(f"{weights}: not the state dict of a segmentation network of torchvision")
        auxiliary = {"aux_loss": True} if any(name.startswith("aux_classifier") for name in tensors) else {}
        try:
            network = models.get_model(
                architecture, weights=None, weights_backbone=None, num_classes=classes, **auxiliary
            )
            network.load_state_dict(tensors)
        except (RuntimeError, TypeError, ValueError) as error:
            first = str(error).splitlines()
            raise InputError(
                f"{weights}: not weights of {architecture} ({' '.join(first[:2]).strip()[:120]})"
            ) from error
        super().__init__(network, outputs, first_label, mean, std, size, architecture, file_hash(weights))


class HuggingFaceJudge(Judge):
    """A semantic segmentation network of the package transformers, from a local folder (``pip install i2i[judges]``).

    Args:
        folder: with ``config.json`` and the weights as safetensors; ``preprocessor_config.json`` gives mean and
            deviation, ImageNet's where it is not there.
        outputs: see :class:`Judge`.
        first_label: see :class:`Judge`.
        size: see :class:`Judge`; the folder's own size is not used.

    Raises:
        InputError: transformers is not installed, or the folder does not hold such a network.
    """

    def __init__(
        self,
        folder: str,
        outputs: Sequence[str] | None = None,
        first_label: int = 0,
        size: tuple[int, int] | None = None,
    ) -> None:
        try:
            from transformers import AutoModelForSemanticSegmentation
        except ImportError as error:
            raise InputError("a Hugging Face judge needs the package transformers: pip install i2i[judges]") from error
        if not Path(folder).is_dir():
            raise InputError(f"{folder}: no such folder; it should hold config.json and model.safetensors")
        try:
            network = AutoModelForSemanticSegmentation.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
            )
        except Exception as error:  # the library raises whatever its readers run into
            first = " ".join(str(error).split())[:150]
            raise InputError(f"{folder}: not a semantic segmentation network of transformers ({first})") from error
        mean, std = _preprocessing(Path(folder))
        super().__init__(network, outputs, first_label, mean, std, size, Path(folder).resolve().name)


def _preprocessing(folder: Path) -> tuple[Sequence[float], Sequence[float]]:
    path = folder / "preprocessor_config.json"
    if not path.exists():
        warnings.warn(f"{path} is missing; ImageNet's mean and deviation are taken", stacklevel=3)
        return IMAGENET_MEAN, IMAGENET_STD
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return content.get("image_mean", IMAGENET_MEAN), content.get("image_std", IMAGENET_STD)
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: cannot be read as JSON") from error
