"""OASIS's objective against the paper's equations, pixel by pixel."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from i2i.condition import Condition
from i2i.errors import InputError
from i2i.losses.objective import Objective, View
from i2i.losses.segmentation import SegmentationObjective, balanced_cross_entropy, class_weights, labelmix_mask
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.nn.segmenter import SegmentationDiscriminator
from i2i.semantics import SemanticMap
from tests.processes import in_two_processes

CLASSES = 4


class PixelJudge(nn.Module):
    """Logits that are a fixed linear map of each pixel's colour, so that every term can be written out."""

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(classes + 1, 3, dtype=torch.float64))
        self.batches: list[int] = []

    def forward(self, condition: SemanticMap, photo: Tensor) -> Tensor:
        assert condition.batch == len(photo)
        self.batches.append(len(photo))
        return torch.einsum("oc,nchw->nohw", self.weight, photo)


class CurvedJudge(PixelJudge):
    """The same of squared colours: what is mixed matters."""

    def forward(self, condition: SemanticMap, photo: Tensor) -> Tensor:
        mean = photo.mean((2, 3), keepdim=True)
        return super().forward(condition, (photo + mean).square())


def batch(seed: int = 0, size: int = 6, classes: int = CLASSES) -> tuple[SemanticMap, Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, (2, size, size), generator=random)
    labels[labels == 1] = 2  # a class that does not occur
    fake, real = (torch.randn(2, 3, size, size, generator=random, dtype=torch.float64) for _ in range(2))
    return SemanticMap.from_labels(labels, classes), fake, real


def log_probability(logits: Tensor, n: int, c: int, y: int, x: int) -> float:
    values = logits[n, :, y, x].tolist()
    return values[c] - math.log(sum(math.exp(v) for v in values))


def balanced_by_loops(logits: Tensor, labels: Tensor, ignored: list[int]) -> float:
    """Mean over the classes that occur of the mean over their pixels of −log p(class)."""
    of_class: dict[int, list[float]] = {}
    count, height, width = labels.shape
    for n in range(count):
        for y in range(height):
            for x in range(width):
                c = int(labels[n, y, x])
                if c not in ignored:
                    of_class.setdefault(c, []).append(-log_probability(logits, n, c, y, x))
    return sum(sum(v) / len(v) for v in of_class.values()) / max(len(of_class), 1)


@pytest.mark.parametrize("ignored", [[], [0], [0, 3]])
def test_the_terms_are_the_papers_equations(ignored: list[int]) -> None:
    semantics, fake, real = batch()
    judge = PixelJudge()
    objective = SegmentationObjective(labelmix=0, ignored=ignored)
    terms, watched = objective.discriminator(judge, semantics, fake, real)
    assert set(terms) == {"real", "fake"} and judge.batches == [4]
    on_fake, on_real = judge(semantics, fake), judge(semantics, real)
    assert terms["real"].item() == pytest.approx(balanced_by_loops(on_real, semantics.labels, ignored), rel=1e-6)
    pixels = [(n, y, x) for n in range(2) for y in range(6) for x in range(6)]
    never = [-log_probability(on_fake, n, CLASSES, y, x) for n, y, x in pixels]
    assert terms["fake"].item() == pytest.approx(sum(never) / len(never), rel=1e-12)
    (adversarial,) = objective.generator(judge, semantics, fake, real).values()
    assert adversarial.item() == pytest.approx(balanced_by_loops(on_fake, semantics.labels, ignored), rel=1e-6)

    known = [p for p in pixels if int(semantics.labels[p]) not in ignored]
    right = [int(on_real[n, :, y, x].argmax()) == int(semantics.labels[n, y, x]) for n, y, x in known]
    assert watched["accuracy_real"].item() == pytest.approx(sum(right) / len(right))
    called = [int(on_fake[n, :, y, x].argmax()) == CLASSES for n, y, x in pixels]
    assert watched["accuracy_fake"].item() == pytest.approx(sum(called) / len(called))


@given(
    counts=st.lists(st.integers(0, 20), min_size=1, max_size=6).filter(lambda c: sum(c) > 0),
    ignored=st.lists(st.integers(0, 7), max_size=3),
)
@settings(max_examples=50)
def test_class_weights(counts: list[int], ignored: list[int]) -> None:
    """Inverse to the frequency; the weighted pixels of every class that occurs have the same share of all."""
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))[None, None]
    weights = class_weights(labels.to(torch.uint8), len(counts), ignored)
    known = [c for c, n in enumerate(counts) if n and c not in ignored]
    assert weights.shape == (len(counts) + 1,) and weights[-1] == 0
    for c, n in enumerate(counts):
        expected = sum(counts) / (len(known) * n) if c in known else 0.0
        assert weights[c].item() == pytest.approx(expected, rel=1e-6)


def test_a_map_of_one_class_and_one_of_nothing_known() -> None:
    _, fake, real = batch()
    one = SemanticMap.from_labels(torch.full((2, 6, 6), 3), CLASSES)
    judge = PixelJudge()
    terms, _ = SegmentationObjective().discriminator(judge, one, fake, real)
    expected = -torch.log_softmax(judge(one, real), 1)[:, 3].mean()
    torch.testing.assert_close(terms["real"], expected)
    objective = SegmentationObjective(ignored=[3])
    terms, watched = objective.discriminator(judge, one, fake, real)
    assert terms["real"].item() == 0 and watched["accuracy_real"].item() == 0
    gradient = torch.autograd.grad(objective.total(terms), judge.weight)[0]
    assert torch.isfinite(gradient).all() and gradient.any()
    assert objective.generator(judge, one, fake, real)["adversarial"].item() == 0


def test_ignored_pixels_tell_the_generator_nothing() -> None:
    semantics, fake, real = batch()
    fake.requires_grad_()
    term = SegmentationObjective(ignored=[0]).generator(PixelJudge(), semantics, fake, real)["adversarial"]
    (gradient,) = torch.autograd.grad(term, fake)
    unknown = (semantics.labels == 0)[:, None].expand_as(fake)
    assert unknown.any() and not gradient[unknown].any() and (gradient[~unknown] != 0).all()


# --- LabelMix ------------------------------------------------------------------------------------------------------


def test_labelmix_is_equation_3() -> None:
    """‖D(M x + (1 − M) x̂) − (M D(x) + (1 − M) D(x̂))‖², mean over pixels and logits, with the mask written out."""
    semantics, fake, real = batch()
    judge = CurvedJudge()
    torch.manual_seed(7)
    terms, _ = SegmentationObjective(labelmix=3.0).discriminator(judge, semantics, fake, real)
    assert judge.batches == [6]  # fake, real and mixed: one spectral norm
    torch.manual_seed(7)
    coins = torch.randint(2, (2, CLASSES), dtype=torch.bool)
    mixed = fake.clone()
    for n in range(2):
        for y in range(6):
            for x in range(6):
                if coins[n, semantics.labels[n, y, x]]:
                    mixed[n, :, y, x] = real[n, :, y, x]
    assert not torch.equal(mixed, fake) and not torch.equal(mixed, real)
    on_mixed, on_fake, on_real = (judge(semantics, photo).detach() for photo in (mixed, fake, real))
    total = 0.0
    for n in range(2):
        for y in range(6):
            for x in range(6):
                source = on_real if coins[n, semantics.labels[n, y, x]] else on_fake
                total += float((on_mixed[n, :, y, x] - source[n, :, y, x]).square().sum())
    assert terms["labelmix"].item() == pytest.approx(total / on_mixed.numel(), rel=1e-12) and total > 0.1
    weighed = SegmentationObjective(labelmix=3.0).total(terms)
    torch.testing.assert_close(weighed, terms["real"] + terms["fake"] + 3 * terms["labelmix"])


def test_a_discriminator_of_single_pixels_is_consistent() -> None:
    semantics, fake, real = batch()
    terms, _ = SegmentationObjective().discriminator(PixelJudge(), semantics, fake, real)
    assert terms["labelmix"].item() < 1e-24


@given(seed=st.integers(0, 1000))
@settings(max_examples=20)
def test_a_mask_takes_each_class_as_a_whole(seed: int) -> None:
    semantics, _, _ = batch(seed, size=9)
    torch.manual_seed(seed)
    mask = labelmix_mask(semantics)
    assert mask.shape == (2, 1, 9, 9) and mask.dtype == torch.bool
    for n in range(2):
        for c in range(CLASSES):
            assert mask[n, 0][semantics.labels[n] == c].unique().numel() <= 1
    torch.manual_seed(seed)
    assert torch.equal(labelmix_mask(semantics), mask)


def test_masks_are_fair_and_differ_between_images() -> None:
    semantics = SemanticMap.from_labels(torch.zeros(2000, 1, 1, dtype=torch.long), 1)
    assert labelmix_mask(semantics).float().mean().item() == pytest.approx(0.5, abs=0.05)


# --- what surrounds it ---------------------------------------------------------------------------------------------


def test_terms_beside_the_adversarial() -> None:
    semantics, fake, real = batch()
    mean, logvar = torch.ones(2, 3), torch.zeros(2, 3)
    objective = SegmentationObjective(reconstruction=2.0, divergence=0.5)
    terms = objective.generator(PixelJudge(), semantics, fake, real, mean, logvar)
    assert set(terms) == {"adversarial", "reconstruction", "divergence"}
    assert terms["reconstruction"].item() == pytest.approx((fake - real).abs().mean().item())
    assert terms["divergence"].item() == pytest.approx(3.0)
    total = terms["adversarial"] + 2 * terms["reconstruction"] + 0.5 * terms["divergence"]
    torch.testing.assert_close(objective.total(terms), total)


class Mirror(View):
    def forward(self, condition: Condition, fake: Tensor, real: Tensor) -> tuple[Condition, Tensor, Tensor]:
        assert isinstance(condition, SemanticMap)
        return SemanticMap(condition.labels.flip(2), condition.num_classes), fake.flip(3), real.flip(3)


def test_views_change_what_is_judged() -> None:
    semantics, fake, real = batch()
    judge, seen = PixelJudge(), []
    judge.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[1]))
    plain, mirrored = SegmentationObjective(), SegmentationObjective(views=[Mirror()])
    torch.testing.assert_close(
        mirrored.generator(judge, semantics, fake, real), plain.generator(judge, semantics, fake, real)
    )
    assert torch.equal(seen[0], fake.flip(3)) and torch.equal(seen[1], fake)


def test_half_precision_logits_are_judged_in_single() -> None:
    semantics, fake, real = batch()
    judge = PixelJudge().bfloat16()
    terms, _ = SegmentationObjective().discriminator(judge, semantics, fake.bfloat16(), real.bfloat16())
    assert all(term.dtype == torch.float32 for term in terms.values())


def test_labels_out_of_range_never_reach_it() -> None:
    with pytest.raises(InputError, match="label 4 at image 0, row 0, column 0 is out of range"):
        SemanticMap.from_labels(torch.full((1, 2, 2), 4), CLASSES)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (SegmentationDiscriminator(3, width=1), r"\(1, 5, 64, 64\).*gives \(1, 4, 64, 64\)"),
        (MultiscalePatchGAN(CLASSES, width=1, layers=2), "MultiscalePatchGAN judges patches"),
    ],
)
def test_a_discriminator_that_names_no_pixels_is_refused(network: nn.Module, message: str) -> None:
    semantics = SemanticMap.from_labels(torch.zeros(1, 64, 64, dtype=torch.long), CLASSES)
    photo = torch.zeros(1, 3, 64, 64)
    with pytest.raises(InputError, match=message):
        SegmentationObjective().generator(network, semantics, photo, photo)


def test_a_patch_objective_refuses_a_segmenter() -> None:
    semantics = SemanticMap.from_labels(torch.zeros(1, 64, 64, dtype=torch.long), CLASSES)
    photo = torch.zeros(1, 3, 64, 64)
    network = SegmentationDiscriminator(CLASSES, width=1)
    objective = Objective(feature_matching=0, perceptual=0)
    with pytest.raises(InputError, match="SegmentationDiscriminator names pixels"):
        objective.generator(network, semantics, photo, photo)
    with pytest.raises(InputError, match="SegmentationDiscriminator names pixels"):
        objective.discriminator(network, semantics, photo, photo)


@pytest.mark.parametrize(
    ("arguments", "message"), [({"labelmix": -1.0}, "'labelmix' is -1.0"), ({"ignored": [-1]}, r"\[-1\]")]
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SegmentationObjective(**arguments)


def half_of_the_batch(rank: int) -> Any:
    labels = torch.tensor([[[0, 0, 1, 2]], [[2, 2, 2, 2]]])[rank : rank + 1]
    logits = torch.arange(32.0).view(2, 4, 1, 4).cos()[rank : rank + 1]
    weights = class_weights(labels, 3)
    return weights, balanced_cross_entropy(logits, labels, weights)


def test_two_processes_balance_as_one() -> None:
    labels = torch.tensor([[[0, 0, 1, 2]], [[2, 2, 2, 2]]])
    weights = class_weights(labels, 3)
    whole = balanced_cross_entropy(torch.arange(32.0).view(2, 4, 1, 4).cos(), labels, weights)
    parts = in_two_processes(half_of_the_batch)
    for found, _ in parts:
        torch.testing.assert_close(found, weights)
    torch.testing.assert_close((parts[0][1] + parts[1][1]) / 2, whole)
