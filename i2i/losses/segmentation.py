"""The objective of OASIS (Sushko et al. 2021): the discriminator names every pixel's class, or calls it fake."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from i2i import draws
from i2i.condition import Condition
from i2i.errors import InputError
from i2i.losses.objective import BaseObjective, View
from i2i.losses.precision import at_least_float32
from i2i.semantics import SemanticMap


class SegmentationObjective(BaseObjective):
    """Class-balanced cross-entropy over N classes and "fake", with LabelMix consistency. Labels stay integers.

    The discriminator gives N + 1 logits a pixel: :class:`i2i.nn.segmenter.SegmentationDiscriminator`. A loss of weight
    0 is not computed.

    Args:
        labelmix: weight of the LabelMix consistency; published is 10, and 5 for Cityscapes.
        ignored: labels that stand for "unknown": their pixels of real photos are not asked for, and the generator is
            not told what to make of them. As all others they count as fake where they are.
        perceptual: weight of the VGG19 distance; its weights file is read only if this is not 0.
        divergence: weight of the style's KL divergence, for models with a style encoder, which is summed over the whole
            batch of a step. The published 0.05 with n samples on each GPU is 0.05 · n / (whole batch) here, see
            :func:`i2i.losses.divergence.kl_divergence`.
        reconstruction: weight of the L1 distance to the real photo, mean over pixels and channels in [-1, 1].
        vgg, vgg_imagenet_norm, views: see :class:`i2i.losses.objective.BaseObjective`.

    Raises:
        InputError: a negative weight or label, or a VGG19 file that cannot be used.
    """

    def __init__(
        self,
        labelmix: float = 10.0,
        ignored: Sequence[int] = (),
        perceptual: float = 0.0,
        divergence: float = 0.05,
        reconstruction: float = 0.0,
        vgg: str | None = None,
        vgg_imagenet_norm: bool = True,
        views: Sequence[View] = (),
    ) -> None:
        weights = {
            "adversarial": 1.0,
            "perceptual": perceptual,
            "reconstruction": reconstruction,
            "divergence": divergence,
            "real": 1.0,
            "fake": 1.0,
            "labelmix": labelmix,
        }
        super().__init__(weights, vgg, vgg_imagenet_norm, views)
        if any(label < 0 for label in ignored):
            raise InputError(f"ignored labels are {list(ignored)}; labels are 0 and more")
        self.ignored = list(ignored)

    def discriminator(
        self, network: nn.Module, condition: Condition, fake: Tensor, real: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """As :meth:`BaseObjective.discriminator`: "real" and "fake", the two sums of the paper's equation 1, and
        "labelmix", equation 3.

        Watched are "accuracy_real", the share of the real photos' pixels of known class that are called by their class,
        and "accuracy_fake", the share of the synthesised photos' pixels that are called fake.
        """
        condition, fake, real = self._view(condition, fake, real)
        semantics = _label_map(condition)
        photos, mixes = [fake, real], self.weights["labelmix"] > 0
        if mixes:
            mask = labelmix_mask(semantics)
            photos.append(torch.where(mask, real, fake))
        logits = _named(network, semantics.repeated(len(photos)), torch.cat(photos))
        on_fake, on_real = logits[: len(fake)], logits[len(fake) : 2 * len(fake)]
        labels = semantics.labels.long()
        never = torch.full_like(labels, semantics.num_classes)  # the class "fake" comes after all others
        weights = class_weights(labels, semantics.num_classes, self.ignored)
        terms = {"real": balanced_cross_entropy(on_real, labels, weights), "fake": F.cross_entropy(on_fake, never)}
        if mixes:
            target = torch.where(mask, on_real, on_fake)
            terms["labelmix"] = (logits[2 * len(fake) :] - target).square().mean()
        return terms, self._accuracy(on_fake.detach(), on_real.detach(), labels)

    def generator(
        self,
        network: nn.Module,
        condition: Condition,
        fake: Tensor,
        real: Tensor,
        mean: Tensor | None = None,
        logvar: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """As :meth:`BaseObjective.generator`: "adversarial", the paper's equation 2: every pixel should be called by
        its class; and what no discriminator judges.
        """
        condition, seen, _ = self._view(condition, fake, real)
        semantics = _label_map(condition)
        logits = _named(network, semantics, seen)
        weights = class_weights(semantics.labels, semantics.num_classes, self.ignored)
        terms = {"adversarial": balanced_cross_entropy(logits, semantics.labels, weights)}
        return terms | self._unjudged(fake, real, mean, logvar)

    def _accuracy(self, on_fake: Tensor, on_real: Tensor, labels: Tensor) -> dict[str, Tensor]:
        known = ~torch.isin(labels, torch.tensor(self.ignored, dtype=labels.dtype, device=labels.device))
        right = (on_real.argmax(1) == labels) & known
        called_fake = on_fake.argmax(1) == on_fake.shape[1] - 1
        counts = torch.stack([right.sum(), known.sum()])
        if dist.is_available() and dist.is_initialized():  # processes know the classes of different numbers of pixels
            dist.all_reduce(counts)
        return {"accuracy_real": counts[0] / counts[1].clamp(min=1), "accuracy_fake": called_fake.float().mean()}


def class_weights(labels: Tensor, num_classes: int, ignored: Sequence[int] = ()) -> Tensor:
    """The weights of the paper's equation 1, inverse to how often a class occurs in the batch, over all processes.

    The weight of a class is ``pixels / (classes · pixels of the class)``, with the classes counted that occur and are
    not ignored. The mean over all pixels of weighted losses is then the mean over these classes of the mean over their
    pixels. (The paper leaves the number of classes out, which only scales the term; the published training has it.)

    Args:
        labels: (N, H, W) integers in [0, num_classes).
        num_classes: number of classes.
        ignored: labels of weight 0.

    Returns:
        (num_classes + 1,) float32; 0 for classes that do not occur and for the last, "fake".
    """
    counts = torch.bincount(labels.flatten().long(), minlength=num_classes + 1)
    counts[-1] = labels.numel()  # all pixels travel with them
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(counts)
    pixels = counts[-1].clone()
    counts[[label for label in ignored if label < num_classes]] = 0
    counts[-1] = 0
    occurs = counts > 0
    return torch.where(occurs, pixels / (occurs.sum() * counts).clamp(min=1), 0.0).float()


def balanced_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Mean over all pixels of ``−weight · log p`` of the pixel's class.

    Args:
        logits: (N, C, H, W).
        labels: (N, H, W) integers in [0, C).
        weights: (C,); pixels of a class of weight 0 add nothing.
    """
    return F.cross_entropy(logits, labels.long(), weights.to(logits.dtype), reduction="sum") / labels.numel()


def labelmix_mask(semantics: SemanticMap) -> Tensor:
    """(N, 1, H, W) bool: each class of each map is taken from the real photo (true) or from the fake, by a coin's toss.

    The borders of the mask follow those of the labels (section 3.2). Drawn on the CPU (:mod:`i2i.draws`).
    """
    coins = draws.integers(0, 2, (semantics.batch, semantics.num_classes)).bool().to(semantics.device)
    images = torch.arange(semantics.batch, device=semantics.device)[:, None, None]
    return coins[images, semantics.labels.long()][:, None]


def _named(network: nn.Module, semantics: SemanticMap, photos: Tensor) -> Tensor:
    """(N, classes + 1, H, W) logits, in float32 at least."""
    logits = network(semantics, photos)
    wanted = (semantics.batch, semantics.num_classes + 1, *semantics.size)
    if not isinstance(logits, Tensor) or tuple(logits.shape) != wanted:
        found = f"gives {tuple(logits.shape)}" if isinstance(logits, Tensor) else "judges patches"
        raise InputError(
            f"the segmentation objective needs logits of shape {wanted} from its discriminator, as "
            f"SegmentationDiscriminator gives them; {type(network).__name__} {found}"
        )
    return at_least_float32(logits)


def _label_map(condition: Condition) -> SemanticMap:
    if not isinstance(condition, SemanticMap):
        raise InputError(f"the segmentation objective needs label maps, not a {type(condition).__name__}")
    return condition
