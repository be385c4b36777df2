"""The batch statistics of a network, computed anew: those of an averaged network are otherwise another network's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn


def batch_norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    """The layers that keep batch statistics."""
    return [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d) and layer.track_running_stats]


@torch.no_grad()
def recalculate_statistics(network: nn.Module, inputs: Iterable[tuple[Any, ...]]) -> int:
    """Set the running means and variances to the plain mean over some batches, in place.

    A moving average of the weights has never seen data: with the statistics of the network that it follows its features
    are not quite normalised. Here they are made its own (Izmailov et al. 2018, "Averaging Weights Leads to Wider
    Optima", section 3.2, and the training of Sushko et al. 2021). The mean weighs every batch alike; a variance is the
    mean of the batches' unbiased variances. Layers that share statistics over processes share these, too.

    Only the batch norms compute as in training, so nothing but their running statistics changes: not the vectors of the
    spectral norms, nor the training modes, nor whatever random numbers the caller does not draw.

    Args:
        network: all of its weights stay.
        inputs: of one forward pass each: ``network(*arguments)``. Without any, the statistics stay as they are.

    Returns:
        The number of batches.
    """
    modes = {layer: layer.training for layer in network.modules()}
    norms = {layer: layer.momentum for layer in batch_norms(network)}
    network.eval()
    for norm in norms:
        norm.train()
    count = 0
    try:
        for arguments in inputs:
            count += 1
            for norm in norms:
                norm.momentum = 1 / count  # the first batch replaces what was there
            network(*arguments)
    finally:
        for norm, momentum in norms.items():
            norm.momentum = momentum
        for layer, mode in modes.items():
            layer.training = mode
    return count
