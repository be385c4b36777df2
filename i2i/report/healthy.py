"""What the curves of a training mean, what healthy looks like, and what to try where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from i2i.report.log import Curve


class Group(NamedTuple):
    """Curves that belong in one chart.

    Attributes:
        title: of the chart.
        names: in the log, at most two.
        healthy: what they mean and how they should look.
        band: the values between which they should lie.
        accuracy: whether they are shares that the discriminator gets right.
    """

    title: str
    names: tuple[str, ...]
    healthy: str
    band: tuple[float, float] | None = None
    accuracy: bool = False


GROUPS = (
    Group(
        "Accuracy of the discriminator",
        ("discriminator/accuracy_real", "discriminator/accuracy_fake"),
        "The share of its patches (of pixels, for OASIS) that the discriminator judges rightly. Healthy: both curves "
        "swing within the shaded band for the whole training. Both at 1 for many epochs: it has won, and its gradient "
        "teaches the generator little; lower its learning rate, or add augmentation or data. Both at 0.5 from the "
        "start: it learns nothing; raise its rate.",
        band=(0.5, 0.95),
        accuracy=True,
    ),
    Group(
        "Losses of the discriminator",
        ("discriminator/real", "discriminator/fake"),
        "They neither rise nor fall for good: the two networks keep each other in balance. With the hinge loss, 1 "
        "means undecided and 0 that all patches are told apart with a margin. Falling to 0 and staying there is the "
        "same warning as an accuracy of 1.",
    ),
    Group(
        "Adversarial loss of the generator",
        ("generator/adversarial",),
        "It does not fall the way a loss of supervised training does, and says nothing about quality: each improvement "
        "is answered by the discriminator. A slow rise is usual. A steep one without end means that the discriminator "
        "runs away.",
    ),
    Group(
        "Estimated distance",
        ("discriminator/wasserstein",),
        "How far the critic finds the samples from the data: the Wasserstein distance of the two distributions, but "
        "for a factor that depends on how the critic's slope is bounded. Rises at first, while the critic learns to "
        "see, then falls as the samples get better, and settles near 0. At 0 from the start: the critic learns "
        "nothing; take more of its steps, or a higher rate. Rising for good: the generator has lost.",
    ),
    Group(
        "Gradient penalty",
        ("discriminator/gradient_penalty",),
        "The squared distance of the critic's slope from 1. Falls within the first steps and stays well below 1; "
        "spikes ask for a lower learning rate.",
    ),
    Group(
        "Feature matching",
        ("generator/feature_matching",),
        "The distance of the discriminator's features for synthesised and real photos. It rises while the "
        "discriminator learns to see more and then stays level, or falls slowly. Wild jumps ask for a lower rate.",
    ),
    Group(
        "Perceptual loss",
        ("generator/perceptual",),
        "The distance of VGG's features: the steadiest curve there is. It falls quickly, then slowly, and levels off. "
        "If it rises again for many epochs, the training has passed its best point.",
    ),
    Group(
        "Reconstruction",
        ("generator/reconstruction",),
        "The mean absolute error to the photo in training; with the variational objective, in nats, how unlikely the "
        "photo is to what is decoded. It falls and levels off; far below the validation error it says that photos are "
        "learnt by heart.",
    ),
    Group(
        "Divergence of the styles",
        ("generator/divergence",),
        "How far the encoder's styles are from the distribution that styles are drawn from. Falls from its start and "
        "settles above 0. At 0 the style is ignored: lower its weight. Rising without end, drawn styles give poor "
        "pictures: raise it.",
    ),
    Group(
        "LabelMix consistency",
        ("discriminator/labelmix",),
        "The discriminator's reading of a mixed picture against the mix of its readings. Small and level.",
    ),
    Group(
        "Validation error",
        ("validation/l1",),
        "Mean absolute error on photos that were not trained on, in units of images in [0, 1]. Falls early and levels "
        "off. It does not see sharpness: judge by the pictures, FID and mIoU, and stop when these no longer improve.",
    ),
    Group("FID in training", ("validation/fid",), "Falls, steeply at first. Stop when it no longer does."),
    Group(
        "mIoU in training",
        ("validation/miou",),
        "How well a judge finds the classes of the map in the pictures. Rises towards what it reaches on real photos.",
    ),
    Group("Learning rates", ("learning_rate/generator", "learning_rate/discriminator"), "As configured."),
)
"""In the order in which they are shown."""


def verdict(group: Group, curves: Sequence[Curve]) -> str:
    """What the last quarter of these very curves says; empty where there is no rule for them."""
    if not group.accuracy or len(curves) != 2:
        return ""
    real, fake = (_late(curve) for curve in curves)
    shares = f"in the last quarter {real:.0%} of the real and {fake:.0%} of the synthesised are judged rightly"
    if min(real, fake) > 0.97:
        return f"{shares}: the discriminator has won. Lower its learning rate, or augment."
    if abs(real - fake) > 0.4:
        one = "real" if real > fake else "synthesised"
        return f"{shares}: it calls nearly everything {one}, which swings back or is the end; look at the pictures."
    if max(real, fake) < 0.53:
        return f"{shares}: it is guessing. Raise its learning rate, or it is too small."
    return f"{shares}, as it should be."


def _late(curve: Curve) -> float:
    values = curve.values[-max(1, len(curve.values) // 4) :]
    return sum(values) / len(values)
