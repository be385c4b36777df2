"""How networks start: the distribution of their weights before training."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from i2i.errors import InputError
from i2i.nn.norm import SpectralNorm
from i2i.nn.per_class import PerClassLinear

Init = Literal["xavier", "normal", "orthogonal", "kaiming", "none"]
"""Xavier normal (SPADE, gain 0.02), normal with a standard deviation (pix2pix, pix2pixHD, 0.02), orthogonal, Kaiming
normal by fan-in, or PyTorch's own defaults."""

_ITERATIONS = 15  # of the power method: the first forward pass already has weights of about the right norm


@torch.no_grad()
def initialise(network: nn.Module, kind: Init = "xavier", gain: float = 0.02) -> None:
    """Draw the weights of every convolution and linear layer, in place, from torch's global generator; biases are 0.

    Under spectral norm the original weight is drawn, and its singular vectors are estimated anew.

    Args:
        network: the network, with or without parametrized weights.
        kind: see :data:`Init`.
        gain: the gain of ``xavier`` and ``orthogonal``, the standard deviation of ``normal``; ``kaiming`` has none.

    Raises:
        InputError: another kind.
    """
    for layer in network.modules():
        if isinstance(layer, PerClassLinear) and kind != "none":
            for weight in layer.weight:  # each class's by itself, as the fans are those of one
                _draw(weight, kind, gain)
            layer.bias.zero_()
        if not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            continue
        parametrized = parametrize.is_parametrized(layer, "weight")
        weight = layer.parametrizations.weight.original if parametrized else layer.weight  # type: ignore[union-attr]
        assert isinstance(weight, Tensor)
        if kind != "none":
            _draw(weight, kind, gain)
            if layer.bias is not None:
                layer.bias.zero_()
        if parametrized:
            for step in layer.parametrizations.weight:  # type: ignore[union-attr]
                if isinstance(step, SpectralNorm):
                    step.refine(weight, _ITERATIONS)


def _draw(weight: Tensor, kind: Init, gain: float) -> None:
    match kind:
        case "xavier":
            nn.init.xavier_normal_(weight, gain)
        case "normal":
            nn.init.normal_(weight, 0.0, gain)
        case "orthogonal":
            nn.init.orthogonal_(weight, gain)
        case "kaiming":
            nn.init.kaiming_normal_(weight)
        case _:
            raise InputError(f"init {kind!r} is not known; allowed are xavier, normal, orthogonal, kaiming, none")
