"""The objective: which losses train the networks and how much each weighs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from i2i.errors import InputError
from i2i.losses.adversarial import AdversarialLoss, HingeLoss
from i2i.losses.divergence import kl_divergence
from i2i.losses.matching import FeatureMatchingLoss
from i2i.losses.perceptual import PerceptualLoss
from i2i.losses.precision import at_least_float32

Features = Sequence[Sequence[Tensor]]
"""A discriminator's output: a list over scales of lists over layers, the logits last."""


class Objective(nn.Module):
    """The losses by name, and the only owner of their weights. A loss of weight 0 is not computed.

    Args:
        adversarial: the adversarial loss, of weight 1; the hinge loss by default.
        feature_matching: weight of the feature matching.
        perceptual: weight of the VGG19 distance; its weights file is read only if this is not 0.
        divergence: weight of the style's KL divergence, for models with a style encoder.
        reconstruction: weight of the L1 distance to the real photo, mean over pixels and channels in [-1, 1].
        vgg: the VGG19 weights file; None for torch's cache.
        vgg_imagenet_norm: see :class:`i2i.nn.features.VGG19Features`.
        matching: how feature matching runs over layers and scales; SPADE's way by default.
        discriminator_scale: factor of the discriminator's two terms (pix2pixHD: 0.5).

    Raises:
        InputError: a negative weight, or a VGG19 file that cannot be used.
    """

    def __init__(
        self,
        adversarial: AdversarialLoss | None = None,
        feature_matching: float = 10.0,
        perceptual: float = 10.0,
        divergence: float = 0.05,
        reconstruction: float = 0.0,
        vgg: str | None = None,
        vgg_imagenet_norm: bool = True,
        matching: FeatureMatchingLoss | None = None,
        discriminator_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.weights: dict[str, float] = {
            "adversarial": 1.0,
            "feature_matching": feature_matching,
            "perceptual": perceptual,
            "reconstruction": reconstruction,
            "divergence": divergence,
            "real": discriminator_scale,
            "fake": discriminator_scale,
        }
        for name, weight in self.weights.items():
            if not 0 <= weight < float("inf"):
                raise InputError(f"the weight of the loss {name!r} is {weight}; it must be a number of at least 0")
        self.adversarial = HingeLoss() if adversarial is None else adversarial
        self.matching = FeatureMatchingLoss() if matching is None else matching
        self.perceptual = PerceptualLoss(vgg, vgg_imagenet_norm) if perceptual > 0 else None

    def discriminator(self, real: Features, fake: Features) -> dict[str, Tensor]:
        """The discriminator's unweighted terms, "real" and "fake", from its outputs on both."""
        on_real, on_fake = self.adversarial.discriminator([x[-1] for x in real], [x[-1] for x in fake])
        return {"real": on_real, "fake": on_fake}

    @torch.no_grad()
    def accuracy(self, real: Features, fake: Features) -> dict[str, Tensor]:
        """How many patches the discriminator tells rightly: "accuracy_real" and "accuracy_fake" in [0, 1]."""
        on_real, on_fake = self.adversarial.accuracy([x[-1] for x in real], [x[-1] for x in fake])
        return {"accuracy_real": on_real, "accuracy_fake": on_fake}

    def generator(
        self,
        fake_features: Features,
        real_features: Features,
        fake: Tensor,
        real: Tensor,
        mean: Tensor | None = None,
        logvar: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The generator's unweighted terms: those that apply and have a weight.

        Args:
            fake_features: the discriminator's output on the synthesised photos.
            real_features: that on the real ones; takes no gradient.
            fake: (N, 3, H, W) in [-1, 1].
            real: the photos that ``fake`` should resemble.
            mean: of the encoded style (N, style_dim), for models that encode one.
            logvar: its log variance.
        """
        terms = {"adversarial": self.adversarial.generator([x[-1] for x in fake_features])}
        if self.weights["feature_matching"] > 0:
            terms["feature_matching"] = self.matching(fake_features, real_features)
        if self.perceptual is not None:
            terms["perceptual"] = self.perceptual(fake, real)
        if self.weights["reconstruction"] > 0:
            terms["reconstruction"] = at_least_float32(fake - real).abs().mean()
        if self.weights["divergence"] > 0 and mean is not None and logvar is not None:
            terms["divergence"] = kl_divergence(mean, logvar)
        return terms

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of the terms of :meth:`generator` or :meth:`discriminator`."""
        return torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()
