"""The Fréchet distance between two sets of features (Heusel et al. 2017): FID, where they are Inception's."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from i2i.errors import InputError


@dataclass(frozen=True)
class Gaussian:
    """The mean of a set of features and a factor of their covariance; all that the Fréchet distance knows of the set.

    Attributes:
        mean: (d,) float64.
        factor: (r, d) float64 with covariance = factorᵀ · factor.
        count: how many features it was made from.
    """

    mean: Tensor
    factor: Tensor
    count: int

    @classmethod
    def from_features(cls, features: Tensor) -> Gaussian:
        """Of (n, d) features, with the unbiased covariance.

        Raises:
            InputError: fewer than two features, or values that are not finite.
        """
        features = features.detach().cpu().double()
        if features.dim() != 2 or len(features) < 2:
            raise InputError(f"the Fréchet distance needs at least 2 photos in each set; there are {len(features)}")
        if not torch.isfinite(features).all():
            raise InputError("the features of the Fréchet distance have values that are NaN or infinite")
        mean = features.mean(dim=0)
        centred = (features - mean) / (len(features) - 1) ** 0.5
        # More photos than dimensions: the triangle of their QR decomposition has the same covariance and is smaller.
        factor = torch.linalg.qr(centred, mode="r").R if len(centred) > centred.shape[1] else centred
        return cls(mean, factor, len(features))

    @classmethod
    def from_covariance(cls, mean: Tensor, covariance: Tensor, count: int) -> Gaussian:
        """Of stored statistics, as other programs keep them.

        Args:
            mean: (d,).
            covariance: (d, d), symmetric.
            count: how many features they are of.

        Raises:
            InputError: shapes that do not fit, or a covariance with clearly negative variances.
        """
        mean, covariance = mean.detach().cpu().double(), covariance.detach().cpu().double()
        if covariance.shape != (len(mean), len(mean)):
            raise InputError(f"a covariance of shape {tuple(covariance.shape)} does not fit a mean of {len(mean)}")
        variances, directions = torch.linalg.eigh((covariance + covariance.T) / 2)
        if variances[0] < -1e-6 * variances[-1].abs():
            raise InputError(f"the covariance has a variance of {float(variances[0]):.4g}; none can be negative")
        return cls(mean, variances.clamp(min=0).sqrt()[:, None] * directions.T, count)

    @property
    def covariance(self) -> Tensor:
        """(d, d)."""
        return self.factor.T @ self.factor


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """|μ₁ - μ₂|² + tr(Σ₁ + Σ₂ - 2 (Σ₁Σ₂)^½), at least 0 (Heusel et al. 2017, equation 6).

    With Σ = FᵀF, the eigenvalues of Σ₁Σ₂ are the squared singular values of F₁F₂ᵀ, so the trace of the root is their
    sum, the nuclear norm. That is exact, where the root of an indefinite or singular product is not.

    Raises:
        InputError: features of different dimensions.
    """
    if a.mean.shape != b.mean.shape:
        raise InputError(f"features of {len(a.mean)} and of {len(b.mean)} numbers cannot be compared")
    means = (a.mean - b.mean).square().sum()
    traces = a.factor.square().sum() + b.factor.square().sum()
    root = torch.linalg.svdvals(a.factor @ b.factor.T).sum()
    return max(0.0, float(means + traces - 2 * root))
