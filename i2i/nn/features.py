"""Frozen VGG19 features (Simonyan and Zisserman 2015), in which the perceptual loss compares photos."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.hub
from torch import Tensor, nn

from i2i.checkpoint import load_tensors
from i2i.errors import InputError
from i2i.nn.compiled import has_only_shapes

_FILE = "vgg19-dcbb9e9d.pth"
_STAGES = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 1))  # channels and convolutions up to relu5_1
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class VGG19Features(nn.Module):
    """relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1 of VGG19, without gradient to its weights.

    Args:
        weights: the file of torchvision's ImageNet weights; by default the one in torch's cache. Nothing is downloaded.
        imagenet_norm: whether photos are brought to ImageNet's mean and deviation first, as the network was trained.
            The published SPADE and pix2pixHD feed [-1, 1] as it is: False.

    Raises:
        InputError: the file is absent, truncated, or holds something else.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, weights: str | None = None, imagenet_norm: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        self.taps: list[int] = []
        channels = 3
        for stage, (width, convolutions) in enumerate(_STAGES):
            if stage:
                layers.append(nn.MaxPool2d(2))
            for index in range(convolutions):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = width
                if index == 0:
                    self.taps.append(len(layers) - 1)
        self.features = nn.Sequential(*layers)  # torchvision's numbering
        self.imagenet_norm = imagenet_norm
        self.register_buffer("mean", torch.tensor(_IMAGENET_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(_IMAGENET_STD)[:, None, None], persistent=False)
        if not has_only_shapes():
            self._load(_find(weights))
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> VGG19Features:
        """Stay in evaluation mode: the network is frozen."""
        return super().train(False)

    def forward(self, photo: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [-1, 1] -> five feature maps, from (N, 64, H, W) to (N, 512, H/16, W/16)."""
        x = ((photo + 1) / 2 - self.mean) / self.std if self.imagenet_norm else photo
        outputs = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.taps:
                outputs.append(x)
        return outputs

    def _load(self, path: Path) -> None:
        tensors = load_tensors(path)
        try:
            self.load_state_dict({name: tensors[name] for name in self.state_dict()})
        except (KeyError, RuntimeError, TypeError) as error:
            raise InputError(f"{path}: these are not torchvision's VGG19 weights ({_FILE})") from error


def _find(weights: str | None) -> Path:
    cached = Path(torch.hub.get_dir()) / "checkpoints" / _FILE
    path = Path(weights) if weights is not None else cached
    if not path.is_file():
        raise InputError(
            f"{path}: the VGG19 weights of the perceptual loss are not there; put {_FILE} (torchvision's) at {cached}, "
            "name another place for it, or switch the loss off with perceptual weight 0"
        )
    return path
