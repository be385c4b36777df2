"""Adversarial losses on the logits of one or several discriminators."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2i.losses.precision import at_least_float32


class AdversarialLoss(nn.Module, ABC):
    """What all adversarial losses share: the way over the scales.

    A subclass states the loss of one tensor of logits as a scalar.

    Args:
        scales: how the losses of the scales become one: their "mean" (SPADE) or their "sum" (pix2pixHD).

    Attributes:
        boundary: the logit above which a patch counts as real.
    """

    boundary = 0.0

    def __init__(self, scales: Literal["mean", "sum"] = "mean") -> None:
        super().__init__()
        self.scales = scales

    def discriminator(self, real_logits: Sequence[Tensor], fake_logits: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Logits by scale -> the discriminator's loss on real and on fake photos."""
        return self._over_scales(self.on_real, real_logits), self._over_scales(self.on_fake, fake_logits)

    def generator(self, fake_logits: Sequence[Tensor]) -> Tensor:
        """Logits by scale -> the generator's loss."""
        return self._over_scales(self.to_fool, fake_logits)

    def accuracy(self, real_logits: Sequence[Tensor], fake_logits: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Share of the patches of real and of fake photos that are told as such; mean over the scales."""
        real = torch.stack([(x > self.boundary).float().mean() for x in real_logits])
        fake = torch.stack([(x <= self.boundary).float().mean() for x in fake_logits])
        return real.mean(), fake.mean()

    @abstractmethod
    def on_real(self, logits: Tensor) -> Tensor:
        """The discriminator's loss on real photos."""

    @abstractmethod
    def on_fake(self, logits: Tensor) -> Tensor:
        """The discriminator's loss on synthesised photos."""

    @abstractmethod
    def to_fool(self, logits: Tensor) -> Tensor:
        """The generator's loss."""

    def _over_scales(self, loss: Callable[[Tensor], Tensor], logits: Sequence[Tensor]) -> Tensor:
        losses = torch.stack([loss(at_least_float32(x)) for x in logits])
        return losses.mean() if self.scales == "mean" else losses.sum()


class HingeLoss(AdversarialLoss):
    """max(0, 1 − x) on real, max(0, 1 + x) on fake, −x for the generator (Lim and Ye 2017)."""

    def on_real(self, logits: Tensor) -> Tensor:
        """Mean of max(0, 1 − x)."""
        return F.relu(1 - logits).mean()

    def on_fake(self, logits: Tensor) -> Tensor:
        """Mean of max(0, 1 + x)."""
        return F.relu(1 + logits).mean()

    def to_fool(self, logits: Tensor) -> Tensor:
        """Mean of −x."""
        return -logits.mean()


class LeastSquaresLoss(AdversarialLoss):
    """Squared distance to 1 for real, to 0 for fake (Mao et al. 2017)."""

    boundary = 0.5

    def on_real(self, logits: Tensor) -> Tensor:
        """Mean of (x − 1)²."""
        return (logits - 1).square().mean()

    def on_fake(self, logits: Tensor) -> Tensor:
        """Mean of x²."""
        return logits.square().mean()

    def to_fool(self, logits: Tensor) -> Tensor:
        """Mean of (x − 1)²."""
        return self.on_real(logits)


class VanillaLoss(AdversarialLoss):
    """Cross entropy of the logistic probability, non-saturating for the generator (Goodfellow et al. 2014)."""

    def on_real(self, logits: Tensor) -> Tensor:
        """Mean of −log σ(x)."""
        return F.softplus(-logits).mean()

    def on_fake(self, logits: Tensor) -> Tensor:
        """Mean of −log(1 − σ(x))."""
        return F.softplus(logits).mean()

    def to_fool(self, logits: Tensor) -> Tensor:
        """Mean of −log σ(x)."""
        return self.on_real(logits)


class WassersteinLoss(AdversarialLoss):
    """The critic's difference of means (Arjovsky et al. 2017); what bounds the critic, spectral norm does."""

    def on_real(self, logits: Tensor) -> Tensor:
        """Mean of −x."""
        return -logits.mean()

    def on_fake(self, logits: Tensor) -> Tensor:
        """Mean of x."""
        return logits.mean()

    def to_fool(self, logits: Tensor) -> Tensor:
        """Mean of −x."""
        return -logits.mean()
