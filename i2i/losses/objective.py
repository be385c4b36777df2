"""The objective: which losses train the networks and how much each weighs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from i2i.condition import Condition
from i2i.errors import InputError
from i2i.losses.adversarial import AdversarialLoss, HingeLoss
from i2i.losses.divergence import kl_divergence
from i2i.losses.matching import FeatureMatchingLoss
from i2i.losses.perceptual import PerceptualLoss
from i2i.losses.precision import at_least_float32
from i2i.nn.constant import constant_weights

Features = Sequence[Sequence[Tensor]]
"""A discriminator's output: a list over scales of lists over layers, the logits last."""

STYLE_TERM = "divergence"
"""The generator's only term that depends on the encoded style itself; all others depend on the picture alone."""


class View(nn.Module, ABC):
    """What the discriminator is shown of a batch: crops, or augmented pictures."""

    @abstractmethod
    def forward(self, condition: Condition, fake: Tensor, real: Tensor) -> tuple[Condition, Tensor, Tensor]:
        """Condition and pictures (N, 3, H, W) of a batch -> those that the discriminator judges."""


class Regularizer(nn.Module, ABC):
    """A further term of the discriminator's loss.

    Attributes:
        name: of the term in the log.
        weight: of the term.
    """

    name: str
    weight: float

    @abstractmethod
    def forward(self, network: nn.Module, condition: Condition, fake: Tensor, real: Tensor) -> Tensor | None:
        """The unweighted scalar; None at steps without it. ``fake`` takes no gradient."""


class BaseObjective(nn.Module, ABC):
    """What all objectives share: they own the weights of the losses, and judge through the discriminator.

    Args:
        weights: of the terms, by name; among them "perceptual", "reconstruction" and "divergence".
        vgg: the VGG19 weights file; None for torch's cache. It is read only if "perceptual" is not 0.
        vgg_imagenet_norm: see :class:`i2i.nn.features.VGG19Features`.
        views: what is done, one after the other, to what the discriminator is shown, in both players' steps.

    Attributes:
        sums: names of the terms that are sums over the batch; all others are means.

    Raises:
        InputError: a negative weight, or a VGG19 file that cannot be used.
    """

    sums: frozenset[str] = frozenset({STYLE_TERM})

    def __init__(
        self,
        weights: Mapping[str, float],
        vgg: str | None = None,
        vgg_imagenet_norm: bool = True,
        views: Sequence[View] = (),
    ) -> None:
        super().__init__()
        self.weights = dict(weights)
        for name, weight in self.weights.items():
            if not 0 <= weight < float("inf"):
                raise InputError(f"the weight of the loss {name!r} is {weight}; it must be a number of at least 0")
        self.perceptual = PerceptualLoss(vgg, vgg_imagenet_norm) if self.weights["perceptual"] > 0 else None
        self.views = nn.ModuleList(views)

    @property
    def frozen(self) -> nn.Module | None:
        """VGG19, where the perceptual distance needs it."""
        return None if self.perceptual is None else self.perceptual.features

    @abstractmethod
    def discriminator(
        self, network: nn.Module, condition: Condition, fake: Tensor, real: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The discriminator's terms.

        Args:
            network: the discriminator, called as ``network(condition, photos)``.
            condition: of the batch, N label maps or images.
            fake: (N, …), detached from the generator: photos (N, 3, H, W) in [-1, 1], or samples of another shape.
            real: the photos or samples of the batch, alike.

        Returns:
            The unweighted terms, and what is only watched.
        """

    @abstractmethod
    def generator(
        self,
        network: nn.Module,
        condition: Condition,
        fake: Tensor,
        real: Tensor,
        mean: Tensor | None = None,
        logvar: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The generator's unweighted terms: those that apply and have a weight.

        Args:
            network: the discriminator, called as ``network(condition, photos)``.
            condition: of the batch, N label maps or images.
            fake: (N, …), as in :meth:`discriminator`.
            real: the photos or samples that ``fake`` should resemble.
            mean: of the encoded style (N, style_dim), for models that encode one.
            logvar: its log variance.
        """

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of the terms of :meth:`generator` or :meth:`discriminator`."""
        return torch.stack([self.weights[name] * term for name, term in terms.items()]).sum()

    def _unjudged(self, fake: Tensor, real: Tensor, mean: Tensor | None, logvar: Tensor | None) -> dict[str, Tensor]:
        """The generator's terms for which no discriminator is asked: those that apply and have a weight."""
        terms = {}
        if self.perceptual is not None:
            terms["perceptual"] = self.perceptual(fake, real)
        if self.weights["reconstruction"] > 0:
            terms["reconstruction"] = at_least_float32(fake - real).abs().mean()
        if self.weights["divergence"] > 0 and mean is not None and logvar is not None:
            terms["divergence"] = kl_divergence(mean, logvar)
        return terms

    def _view(self, condition: Condition, fake: Tensor, real: Tensor) -> tuple[Condition, Tensor, Tensor]:
        for view in self.views:
            condition, fake, real = view(condition, fake, real)
        return condition, fake, real


class Objective(BaseObjective):
    """The losses by name, with their weights, for discriminators of patches or of whole samples.

    A loss of weight 0 is not computed.

    Args:
        adversarial: the adversarial loss; the hinge loss by default.
        feature_matching: weight of the feature matching.
        perceptual: weight of the VGG19 distance; its weights file is read only if this is not 0.
        divergence: weight of the style's KL divergence, for models with a style encoder, which is summed over the whole
            batch of a step. The published 0.05 with n samples on each GPU is 0.05 · n / (whole batch) here, see
            :func:`i2i.losses.divergence.kl_divergence`.
        reconstruction: weight of the L1 distance to the real photo, mean over pixels and channels in [-1, 1].
        vgg: the VGG19 weights file; None for torch's cache.
        vgg_imagenet_norm: see :class:`i2i.nn.features.VGG19Features`.
        matching: how feature matching runs over layers and scales; SPADE's way by default.
        discriminator_scale: factor of the discriminator's two terms (pix2pixHD: 0.5).
        views: what is done, one after the other, to what the discriminator is shown, in both players' steps.
        regularizers: further terms of the discriminator's loss.
        adversarial_weight: of the generator's adversarial term. At 0, and without feature matching, the generator does
            not hear of the discriminator, which is trained all the same: how well it tells the pictures from photos is
            then a measure of them.

    Raises:
        InputError: a negative weight, no term at all for the generator's pictures, two terms of one name, or a VGG19
            file that cannot be used.
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
        views: Sequence[View] = (),
        regularizers: Sequence[Regularizer] = (),
        adversarial_weight: float = 1.0,
    ) -> None:
        weights = {
            "adversarial": adversarial_weight,
            "feature_matching": feature_matching,
            "perceptual": perceptual,
            "reconstruction": reconstruction,
            "divergence": divergence,
            "real": discriminator_scale,
            "fake": discriminator_scale,
        }
        for regularizer in regularizers:
            if regularizer.name in weights:
                raise InputError(f"two terms of the objective have the name {regularizer.name!r}")
            weights[regularizer.name] = regularizer.weight
        super().__init__(weights, vgg, vgg_imagenet_norm, views)
        if not any(weights[name] for name in ("adversarial", "feature_matching", "perceptual", "reconstruction")):
            raise InputError(
                "adversarial_weight, feature_matching, perceptual and reconstruction are all 0: the generator would "
                "not learn; give one of them a weight"
            )
        self.adversarial = HingeLoss() if adversarial is None else adversarial
        self.matching = FeatureMatchingLoss() if matching is None else matching
        self.regularizers = nn.ModuleList(regularizers)

    def discriminator(
        self, network: nn.Module, condition: Condition, fake: Tensor, real: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """As :meth:`BaseObjective.discriminator`: "real", "fake" and the regularizers' terms.

        Watched is what the adversarial loss says, see :meth:`i2i.losses.adversarial.AdversarialLoss.watched`.
        """
        condition, fake, real = self._view(condition, fake, real)
        with parametrize.cached():  # one spectral norm for all passes
            on_fake, on_real = (_logits(x) for x in judge_both(network, condition, fake, real))
            terms = dict(zip(("real", "fake"), self.adversarial.discriminator(on_real, on_fake), strict=True))
            for regularizer in self.regularizers:
                term = regularizer(network, condition, fake, real)
                if term is not None:
                    terms[cast(Regularizer, regularizer).name] = term
        with torch.no_grad():
            return terms, self.adversarial.watched(on_real, on_fake)

    def generator(
        self,
        network: nn.Module,
        condition: Condition,
        fake: Tensor,
        real: Tensor,
        mean: Tensor | None = None,
        logvar: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """As :meth:`BaseObjective.generator`: "adversarial", "feature_matching", and what no discriminator judges."""
        return self._judged(network, condition, fake, real) | self._unjudged(fake, real, mean, logvar)

    def _judged(self, network: nn.Module, condition: Condition, fake: Tensor, real: Tensor) -> dict[str, Tensor]:
        fool, match = (self.weights[name] > 0 for name in ("adversarial", "feature_matching"))
        if not fool and not match:
            return {}
        condition, fake, real = self._view(condition, fake, real)
        with constant_weights():
            if match:
                with torch.no_grad():
                    real_features = judge(network, condition, real)
            fake_features = judge(network, condition, fake)
        terms = {"adversarial": self.adversarial.generator(_logits(fake_features))} if fool else {}
        if match:
            terms["feature_matching"] = self.matching(fake_features, real_features)
        return terms


def judge_both(network: nn.Module, condition: Condition, fake: Tensor, real: Tensor) -> tuple[Features, Features]:
    """Fake and real in one batch: one spectral norm and one pass for both; separately where they would mix."""
    if not getattr(network, "independent", True):
        return judge(network, condition, fake), judge(network, condition, real)
    both = judge(network, condition.repeated(2), torch.cat([fake, real]))
    half = len(fake)
    return [[f[:half] for f in scale] for scale in both], [[f[half:] for f in scale] for scale in both]


def judge(network: nn.Module, condition: Condition, photos: Tensor) -> Features:
    """The features of a discriminator of patches, or of whole samples.

    Raises:
        InputError: the discriminator is of another kind.
    """
    features: Features | Tensor = network(condition, photos)
    if isinstance(features, Tensor):
        raise InputError(f"{type(network).__name__} names pixels; it needs the segmentation objective, not this one")
    return features


def _logits(features: Features) -> list[Tensor]:
    return [layers[-1] for layers in features]
