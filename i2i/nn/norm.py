"""Normalisation: of weights by their largest singular value, of features over the batch of all processes."""

from __future__ import annotations

from typing import Any, Literal, TypeVar, cast

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
            if self.training:
                self.refine(weight)
            u, v = self.u.clone(), self.v.clone()  # the next use changes the buffers before this one's backward pass
            return cast(Tensor, _DivideByNorm.apply(weight, u, v))

    @torch.no_grad()
    def refine(self, weight: Tensor, iterations: int = 1) -> None:
        """Power iterations on ``weight``, in place on ``u`` and ``v``."""
        if weight.is_meta:  # no values yet, as in a network that is only counted, or about to be loaded
            return
        matrix = weight.flatten(1)
        for _ in range(iterations):
            self.v.copy_(F.normalize(torch.mv(matrix.t(), self.u), dim=0, eps=_EPS))
            self.u.copy_(F.normalize(torch.mv(matrix, self.v), dim=0, eps=_EPS))


class _DivideByNorm(torch.autograd.Function):
    """W / σ with σ = uᵀWv, u and v constant; differentiable any number of times.

    The gradient (G − ⟨G, W / σ⟩ uvᵀ) / σ takes few passes over the weights this way, not one for every operation above.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, u: Tensor, v: Tensor) -> Tensor:
        ctx.save_for_backward(weight, u, v)
        return weight / _sigma(weight, u, v)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        weight, u, v = ctx.saved_tensors
        sigma = _sigma(weight, u, v)
        gradient, matrix = gradients[0].flatten(1), weight.flatten(1)
        share = torch.dot(gradient.flatten(), matrix.flatten()) / sigma
        return (gradient / sigma).addr_(u, v * (-share / sigma)).view_as(weight), None, None


def _sigma(weight: Tensor, u: Tensor, v: Tensor) -> Tensor:
    return torch.dot(u, torch.mv(weight.flatten(1), v))


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

    def forward(self, x: Tensor, copies: int = 1) -> Tensor:
        """(N, C, H, W) -> the same shape and type; ``copies`` as in :func:`normalise`."""
        if not self.training:
            return super().forward(x)
        if _processes() == 1:
            return _normalise_batch(self, x, copies)
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        mean, variance, count = _global_statistics(wide)
        count = count * copies
        _track(self, mean.detach(), variance.detach() * (count / (count - 1)))
        scale = torch.rsqrt(variance + self.eps)
        if self.affine:
            scale = scale * self.weight
        out = (wide - mean[:, None, None]) * scale[:, None, None]
        if self.affine:
            out = out + self.bias[:, None, None]
        return out.to(x.dtype)


class InstanceNorm2d(nn.InstanceNorm2d):
    """Normalises every channel of every image by its own mean and variance, as group norm with a group per channel.

    The function is that of ``torch.nn.InstanceNorm2d``, whose gradient is wrong in PyTorch 2.15 for a batch of one when
    the gradient arrives in channels_last. Group norm is right in every format, and accurate in the contiguous one.

    Args:
        features: number of channels C.
    """

    def __init__(self, features: int) -> None:
        super().__init__(features)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W), H · W > 1 -> the same shape and type."""
        return F.group_norm(x.contiguous(), x.shape[1], eps=self.eps)


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
            return InstanceNorm2d(features)
        case "none":
            return nn.Identity()
    raise InputError(f"norm {kind!r} is not known; allowed are batch, global_batch, instance, none")


def param_free_norm(kind: Norm, features: int) -> nn.Module:
    """The normalisation under SPADE's modulation: no scale or shift of its own."""
    return norm_layer(kind, features)


def normalise(norm: nn.Module, x: Tensor, copies: int = 1) -> Tensor:
    """``norm(x)`` before x is repeated instead of afterwards, as by nearest-neighbour up-sampling.

    The mean and the variance over an image or a batch are those of the repeated values, but the *unbiased* variance,
    which batch norm keeps for evaluation, depends on their number.

    Args:
        norm: a layer of :func:`norm_layer`.
        x: (N, C, h, w), with more than one value per channel.
        copies: how often every value of x will be there.
    """
    if copies == 1 or not norm.training or not isinstance(norm, nn.BatchNorm2d):
        out: Tensor = norm(x)
        return out
    return norm(x, copies) if isinstance(norm, GlobalBatchNorm2d) else _normalise_batch(norm, x, copies)


def _normalise_batch(norm: nn.BatchNorm2d, x: Tensor, copies: int) -> Tensor:
    """Batch norm in training mode over the batch of this process."""
    if copies == 1:
        return nn.BatchNorm2d.forward(norm, x)
    assert norm.running_mean is not None and norm.running_var is not None
    mean, variance = torch.zeros_like(norm.running_mean), torch.zeros_like(norm.running_var)
    out = F.batch_norm(x, mean, variance, norm.weight, norm.bias, training=True, momentum=1.0, eps=norm.eps)
    count = x.numel() // x.shape[1]
    _track(norm, mean, variance * (copies * (count - 1) / (copies * count - 1)))
    return out


@torch.no_grad()
def _track(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    assert norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None
    assert norm.momentum is not None
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), norm.momentum)
    norm.running_var.lerp_(variance.to(norm.running_var.dtype), norm.momentum)
    norm.num_batches_tracked.add_(1)


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
