"""Normalisation: of weights by their largest singular value, of features over the batch of all processes."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from i2i.errors import InputError

Norm = Literal["batch", "global_batch", "instance", "none"]
"""How features are normalised: over the batch of this process, over the batch of all processes (what the published
SPADE calls "sync batch"), over each image alone, or not at all."""

M = TypeVar("M", bound=nn.Module)

_EPS = 1e-12


class SpectralNorm(nn.Module):
    """Divides a weight by its largest singular value (Miyato et al. 2018, "Spectral Normalization for GANs").

    A parametrization: the weight is taken as the matrix (O, I·kh·kw); each use in training mode refines the singular
    vectors ``u`` (O,) and ``v`` (I·kh·kw,) by one power iteration, through which no gradient flows. Several forward
    passes that should count as one use belong into ``torch.nn.utils.parametrize.cached()``.

    Args:
        weight: (O, I, …), the weight to be normalised.
    """

    u: Tensor
    v: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        matrix = weight.detach().flatten(1)
        self.register_buffer("u", F.normalize(torch.randn_like(matrix[:, 0]), dim=0, eps=_EPS))
        self.register_buffer("v", F.normalize(torch.randn_like(matrix[0]), dim=0, eps=_EPS))

    def forward(self, weight: Tensor) -> Tensor:
        """(O, I, …) -> the same shape, with largest singular value about 1. Not in reduced precision."""
        with torch.autocast("cpu" if weight.is_meta else weight.device.type, enabled=False):
            matrix = weight.flatten(1)
            if self.training:
                self.refine(weight)
            u, v = self.u.clone(), self.v.clone()  # the next use changes the buffers before this one's backward pass
            return weight / torch.dot(u, torch.mv(matrix, v))

    @torch.no_grad()
    def refine(self, weight: Tensor, iterations: int = 1) -> None:
        """Power iterations on ``weight``, in place on ``u`` and ``v``."""
        matrix = weight.flatten(1)
        for _ in range(iterations):
            self.v.copy_(F.normalize(torch.mv(matrix.t(), self.u), dim=0, eps=_EPS))
            self.u.copy_(F.normalize(torch.mv(matrix, self.v), dim=0, eps=_EPS))


def spectral(module: M) -> M:
    """Put the weight of a convolution or linear layer under :class:`SpectralNorm`; returns the same module."""
    weight = module.weight
    assert isinstance(weight, Tensor)
    parametrize.register_parametrization(module, "weight", SpectralNorm(weight))
    return module


class GlobalBatchNorm2d(nn.BatchNorm2d):
    """Batch norm over the batch of all processes: two processes with half the batch each equal one with the whole.

    Mean and variance are float32 (float64 for float64 input) whatever the features' type, and are shared by one
    differentiable all-reduce. With one process, and in evaluation mode, it is :class:`torch.nn.BatchNorm2d`. The
    running variance is the unbiased one, n/(n−1) with n counted over all processes. The state dict is that of
    ``BatchNorm2d``.

    Args:
        features: number of channels C.
        affine: whether to learn a scale and a shift per channel.
    """

    def __init__(self, features: int, affine: bool = False) -> None:
        super().__init__(features, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape and type."""
        if not self.training or _processes() == 1:
            return super().forward(x)
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        mean, variance, count = _global_statistics(wide)
        self._track(mean.detach(), variance.detach() * (count / (count - 1)))
        scale = torch.rsqrt(variance + self.eps)
        if self.affine:
            scale = scale * self.weight
        out = (wide - mean[:, None, None]) * scale[:, None, None]
        if self.affine:
            out = out + self.bias[:, None, None]
        return out.to(x.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None
        assert self.momentum is not None
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), self.momentum)
        self.num_batches_tracked.add_(1)


def norm_layer(kind: Norm, features: int, affine: bool = False) -> nn.Module:
    """The layer that normalises ``features`` channels.

    Args:
        kind: see :data:`Norm`.
        features: number of channels.
        affine: whether batch norms learn a scale and a shift; instance norm never does here.
    """
    match kind:
        case "batch":
            return nn.BatchNorm2d(features, affine=affine)
        case "global_batch":
            return GlobalBatchNorm2d(features, affine=affine)
        case "instance":
            return nn.InstanceNorm2d(features)
        case "none":
            return nn.Identity()
    raise InputError(f"norm {kind!r} is not known; allowed are batch, global_batch, instance, none")


def param_free_norm(kind: Norm, features: int) -> nn.Module:
    """The normalisation under SPADE's modulation: no scale or shift of its own."""
    return norm_layer(kind, features)


def _global_statistics(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, biased variance (C,) and number of values per channel over all processes."""
    variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
    count = mean.new_full((1,), x.numel() // x.shape[1])
    # Every process fills its own row, so one sum gathers all rows; combining means and variances, rather than sums of
    # squares, does not cancel in float32.
    mine = F.one_hot(torch.tensor(dist.get_rank(), device=x.device), dist.get_world_size()).to(mean.dtype)
    rows = _SumOverProcesses.apply(mine[:, None] * torch.cat([mean, variance, count]))
    means, variances, counts = rows.split([len(mean), len(mean), 1], 1)
    total = counts.sum()
    mean = (counts * means).sum(0) / total
    return mean, (counts * (variances + (means - mean) ** 2)).sum(0) / total, total


class _SumOverProcesses(torch.autograd.Function):
    """All-reduce whose gradient is the sum of all processes' gradients, differentiable any number of times."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x = x.contiguous().clone()
        dist.all_reduce(x)
        return x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return _SumOverProcesses.apply(gradients[0])


def _processes() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
