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

    def watched(self, real_logits: Sequence[Tensor], fake_logits: Sequence[Tensor]) -> dict[str, Tensor]:
        """What of the discriminator's judgement is worth watching, by name; scalars, the mean over the scales.

        Here "accuracy_real" and "accuracy_fake", the share in [0, 1] of the patches of real and of fake photos that are
        told as such.
        """
        real = torch.stack([(x > self.boundary).float().mean() for x in real_logits])
        fake = torch.stack([(x <= self.boundary).float().mean() for x in fake_logits])
        return {"accuracy_real": real.mean(), "accuracy_fake": fake.mean()}

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


class MinimaxLoss(VanillaLoss):
    """Cross entropy whose own negative the generator minimises: the game's value (Goodfellow et al. 2014, equation 1).

    Its gradient vanishes ("saturates") where the discriminator is sure of what is fake, which is where a generator
    begins; :class:`VanillaLoss` has the same fixed point and is what the paper trains with.
    """

    def to_fool(self, logits: Tensor) -> Tensor:
        """Mean of log(1 − σ(x))."""
        return -self.on_fake(logits)


class WassersteinLoss(AdversarialLoss):
    """The critic's difference of means (Arjovsky et al. 2017, equation 3).

    Where the critic's slope is at most K it is a lower bound of K times the Wasserstein-1 distance of the two
    distributions, tight for the best critic. What bounds the slope is a spectral norm in the critic,
    :class:`i2i.losses.regularization.GradientPenalty` (which holds it near 1) or
    :class:`i2i.losses.clipped.ClippedRMSprop` (whose K is unknown, but stays the same).
    """

    def on_real(self, logits: Tensor) -> Tensor:
        """Mean of −x."""
        return -logits.mean()

    def on_fake(self, logits: Tensor) -> Tensor:
        """Mean of x."""
        return logits.mean()

    def to_fool(self, logits: Tensor) -> Tensor:
        """Mean of −x."""
        return -logits.mean()

    def watched(self, real_logits: Sequence[Tensor], fake_logits: Sequence[Tensor]) -> dict[str, Tensor]:
        """Gives "wasserstein", the critic's estimate E D(real) − E D(fake); mean over the scales.

        There is no accuracy: a critic is determined up to a constant, so that no value of its divides real from fake.
        """
        real, fake = (torch.stack([at_least_float32(x).mean() for x in side]) for side in (real_logits, fake_logits))
        return {"wasserstein": (real - fake).mean()}
