"""Divergence of the style's distribution from the one styles are drawn from."""

from __future__ import annotations

from torch import Tensor

from i2i.losses.precision import at_least_float32


def kl_divergence(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mean, exp(logvar)) ‖ N(0, 1)), summed over batch and latent as in SPADE (Kingma and Welling 2014, app. B).

    Args:
        mean: (N, style_dim).
        logvar: (N, style_dim), log variance.

    Returns:
        A scalar of at least 0. It grows with the batch: training takes it over the whole batch of a step, however that
        is split over processes and accumulation. The original code sums over the part of the batch on each GPU and
        takes the mean over the GPUs, so its weight of 0.05 with n samples on each GPU is 0.05 · n / (whole batch) here:
        on its eight GPUs 0.00625, on one GPU 0.05.
    """
    mean, logvar = at_least_float32(mean), at_least_float32(logvar)
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum()
