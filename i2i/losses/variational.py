"""The objective of the variational autoencoder (Kingma and Welling 2014), and of its union with a discriminator."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from i2i.errors import InputError
from i2i.losses.adversarial import AdversarialLoss
from i2i.losses.divergence import kl_divergence
from i2i.losses.matching import FeatureMatchingLoss
from i2i.losses.objective import Objective, Regularizer, View
from i2i.losses.precision import at_least_float32


class VariationalObjective(Objective):
    """The negative evidence lower bound in nats per sample, mean over the batch; and adversarial terms, if weighed.

    "reconstruction" is −log p(x|z), with p the normal distribution of standard deviation σ around what the generator
    decodes from one drawn style z: ``Σ (x − y)² / 2σ² + d/2 · log 2πσ²`` over the d numbers of a sample. "divergence"
    is KL(q(z|x) ‖ N(0, 1)). In expectation over z their sum is at least −log p(x) (equation 3 of the paper).

    In contrast to :class:`Objective`, whose divergence is a sum over the batch, everything here is a mean, and
    distances are summed over a sample's numbers: σ and ``divergence`` mean the same for any size of batch and sample.

    Args:
        deviation: σ, in the units of the samples. Where it is large, the encoder says little and what is decoded is
            blurred.
        divergence: weight of the divergence, the β of Higgins et al. 2017; 1 is the evidence lower bound.
        adversarial_weight: of the generator's adversarial term (Larsen et al. 2016). At 0 the discriminator only
            watches.
        adversarial, feature_matching, matching, discriminator_scale, views, regularizers: see :class:`Objective`.

    Raises:
        InputError: a value out of range, or two terms of one name; in training, a model without an encoder that gives a
            variance.
    """

    sums: frozenset[str] = frozenset()

    def __init__(
        self,
        deviation: float = 1.0,
        divergence: float = 1.0,
        adversarial_weight: float = 0.0,
        adversarial: AdversarialLoss | None = None,
        feature_matching: float = 0.0,
        matching: FeatureMatchingLoss | None = None,
        discriminator_scale: float = 1.0,
        views: Sequence[View] = (),
        regularizers: Sequence[Regularizer] = (),
    ) -> None:
        if not 0 < deviation < float("inf"):
            raise InputError(f"the deviation of the decoded samples is {deviation}; it must be a number above 0")
        super().__init__(
            adversarial,
            feature_matching,
            perceptual=0.0,
            divergence=divergence,
            reconstruction=1.0,
            matching=matching,
            discriminator_scale=discriminator_scale,
            views=views,
            regularizers=regularizers,
            adversarial_weight=adversarial_weight,
        )
        self.deviation = deviation

    def _unjudged(self, fake: Tensor, real: Tensor, mean: Tensor | None, logvar: Tensor | None) -> dict[str, Tensor]:
        if mean is None or logvar is None:
            raise InputError("the variational objective needs an encoder that gives a mean and a log variance")
        variance = self.deviation**2
        distance = at_least_float32(fake - real).square().flatten(1).sum(1).mean() / (2 * variance)
        numbers = real[0].numel()
        terms = {"reconstruction": distance + numbers / 2 * math.log(2 * math.pi * variance)}
        if self.weights["divergence"] > 0:
            terms["divergence"] = kl_divergence(mean, logvar) / len(real)
        return terms
