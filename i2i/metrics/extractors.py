"""Frozen networks whose features the distribution metrics compare."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from i2i.checkpoint import load_tensors
from i2i.errors import InputError
from i2i.metrics.frozen import IMAGENET_MEAN, IMAGENET_STD, FrozenNetwork, load_program
from i2i.metrics.hashes import file_hash
from i2i.metrics.resampling import DESCRIPTION, Resampling, resample

_INCEPTION_FILES = ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth")
_INCEPTION_SIZE = (299, 299)


class Extractor(FrozenNetwork):
    """Photos to features. What is measured are pictures as they are saved: photos are rounded to 8 bits first.

    Args:
        network: (N, 3, h, w) normalised photos -> (N, d) features, or (N, d, h', w') whose mean is taken.
        size: (height, width) of what the network sees.
        resampling: how photos come to that size.
        mean: of each channel in [0, 1], subtracted from the photos; ImageNet's by default.
        std: of each channel, by which they are divided then.
        name, sha256: see :class:`i2i.metrics.frozen.FrozenNetwork`.
    """

    def __init__(
        self,
        network: nn.Module,
        size: tuple[int, int] = (224, 224),
        resampling: Resampling = "bicubic",
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        name: str | None = None,
        sha256: str | None = None,
    ) -> None:
        super().__init__(network, mean, std, name, sha256)
        self.size = (int(size[0]), int(size[1]))
        self.resampling = resampling

    def describe(self) -> dict[str, Any]:
        """What a figure made with this extractor has to name."""
        return {
            "extractor": self.name,
            "extractor sha256": self.sha256,
            "extractor size": f"{self.size[1]}x{self.size[0]}",
            "resize": DESCRIPTION[self.resampling],
            **self.normalisation(),
        }

    @torch.no_grad()
    def forward(self, photo: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, d) float32.

        Raises:
            InputError: the network gives something else than features.
        """
        self.follow(photo)
        features = self.features(((photo.float().clamp(-1, 1) + 1) * 127.5).round())
        if isinstance(features, Tensor) and features.dim() == 4:
            features = features.mean(dim=(2, 3))
        if not isinstance(features, Tensor) or features.dim() != 2 or len(features) != len(photo):
            shape = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
            raise InputError(f"the extractor {self.name} gives {shape}; features are (N, d) or (N, d, h, w)")
        return features.float()

    def features(self, pixels: Tensor) -> Tensor:
        """(N, 3, H, W) whole numbers in [0, 255] -> what the network gives."""
        sized = resample(pixels, self.size, self.resampling)
        return cast(Tensor, self.network(self.normalised(sized / 255)))


class ProgramFeatures(Extractor):
    """A network from a file of TorchScript or ``torch.export``.

    Args:
        path: the file.
        size, resampling, mean, std: see :class:`Extractor`.

    Raises:
        InputError: the file is neither.
    """

    def __init__(
        self,
        path: str,
        size: tuple[int, int] = (224, 224),
        resampling: Resampling = "bicubic",
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        network = load_program(path)
        super().__init__(network, size, resampling, mean, std, name=Path(path).name, sha256=file_hash(path))


class InceptionFeatures(Extractor):
    """The 2048 pooled features of the Inception of 2015 from which the papers compute FID, in torch-fidelity's port.

    Args:
        weights: the file of the weights; by default one of either common name in torch's cache. Nothing is downloaded.
        resampling: ``tensorflow`` is what the papers use; ``bicubic`` what Parmar et al. 2022 recommend (rounded to 8
            bits after it, which they do not).

    Raises:
        InputError: the file is absent, truncated, or holds something else.
    """

    def __init__(self, weights: str | None = None, resampling: Resampling = "tensorflow") -> None:
        path = _find_inception(weights)
        network = _load_inception(path)
        half = (0.5, 0.5, 0.5)
        super().__init__(
            network, _INCEPTION_SIZE, resampling, half, half, "Inception 2015-12-05, 2048", file_hash(path)
        )

    def features(self, pixels: Tensor) -> Tensor:
        """The network normalises, and resizes on TensorFlow's grid what does not have its size yet."""
        if self.resampling == "bicubic":
            pixels = resample(pixels, self.size, self.resampling).round()
        return cast(Tensor, self.network(pixels.to(torch.uint8))[0])


def _find_inception(weights: str | None) -> Path:
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    candidates = [folder / name for name in _INCEPTION_FILES] if weights is None else [Path(weights)]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise InputError(
            f"{candidates[0]}: the Inception weights of FID are not there; put torch-fidelity's file of that name "
            f"(or pytorch-fid's {_INCEPTION_FILES[1]}, which is the same) into {folder}, name another place for it, or "
            "choose another extractor"
        )
    return found


def _load_inception(path: Path) -> nn.Module:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    tensors = load_tensors(path)
    # The library would unpickle whatever the file holds; it gets what was found to be nothing but tensors.
    harmless = io.BytesIO()
    torch.save(tensors, harmless)
    harmless.seek(0)
    try:
        return cast(nn.Module, FeatureExtractorInceptionV3("inception", ["2048"], harmless))
    except (KeyError, RuntimeError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: these are not the Inception weights of FID ({_INCEPTION_FILES[0]})") from error
