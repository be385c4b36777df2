"""Feature matching, divergence, the perceptual loss and the objective that weighs them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from i2i.condition import Condition
from i2i.errors import InputError
from i2i.losses.adversarial import (
    AdversarialLoss,
    HingeLoss,
    LeastSquaresLoss,
    MinimaxLoss,
    VanillaLoss,
    WassersteinLoss,
)
from i2i.losses.divergence import kl_divergence as ours
from i2i.losses.matching import FeatureMatchingLoss
from i2i.losses.objective import Objective, Regularizer, View
from i2i.losses.perceptual import PerceptualLoss
from i2i.losses.regularization import R1, GradientPenalty, LeCam
from i2i.nn.features import VGG19Features
from i2i.semantics import SemanticMap


def features(scales: int = 2, layers: int = 3, grad: bool = False) -> list[list[Tensor]]:
    return [
        [torch.randn(2, 3, 8 >> s, 8 >> s, requires_grad=grad) for _ in range(layers)]
        + [torch.randn(2, 1, 4, 4, requires_grad=grad)]
        for s in range(scales)
    ]


def test_feature_matching_by_hand() -> None:
    fake, real = features(), features()
    total = sum((fake[s][i] - real[s][i]).abs().mean().item() for s in range(2) for i in range(3))
    assert FeatureMatchingLoss()(fake, real).item() == pytest.approx(total / 2)
    assert FeatureMatchingLoss("mean", "sum")(fake, real).item() == pytest.approx(total / 3)


def test_feature_matching_is_pix2pixhds_for_any_number_of_layers() -> None:
    """4 / (layers + 1) / scales of the sum, where their ``layers + 1`` layers have features."""
    fake, real = features(3, 5), features(3, 5)
    total = sum((fake[s][i] - real[s][i]).abs().mean().item() for s in range(3) for i in range(5))
    assert 4 * FeatureMatchingLoss("mean")(fake, real).item() == pytest.approx(total * 4 / 5 / 3)


def test_feature_matching_moves_the_fake_alone() -> None:
    fake, real = features(grad=True), features(grad=True)
    FeatureMatchingLoss()(fake, real).backward()
    assert all(x.grad is not None for scale in fake for x in scale[:-1])
    assert all(x.grad is None for scale in real for x in scale)
    assert all(scale[-1].grad is None for scale in fake)


def test_divergence_is_that_of_two_normal_distributions() -> None:
    mean, logvar = torch.randn(3, 5), torch.randn(3, 5)
    expected = kl_divergence(Normal(mean, (logvar / 2).exp()), Normal(0.0, 1.0)).sum()
    torch.testing.assert_close(ours(mean, logvar), expected)
    assert float(ours(torch.zeros(3, 5), torch.zeros(3, 5))) == 0


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of random VGG19 weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    tensors, channels, index = {}, 3, 0
    for width, count in ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)):
        for _ in range(count):
            tensors[f"features.{index}.weight"] = torch.randn(width, channels, 3, 3) * (2 / (9 * channels)) ** 0.5
            tensors[f"features.{index}.bias"] = torch.zeros(width)
            channels, index = width, index + 2
        index += 1
    torch.save(tensors, path)
    return str(path)


def test_perceptual_by_hand(vgg: str) -> None:
    loss, network = PerceptualLoss(vgg), VGG19Features(vgg)
    fake, real = torch.rand(1, 3, 32, 32, requires_grad=True), torch.rand(1, 3, 32, 32, requires_grad=True)
    distances = [(a - b).abs().mean().item() for a, b in zip(network(fake), network(real), strict=True)]
    expected = distances[0] / 32 + distances[1] / 16 + distances[2] / 8 + distances[3] / 4 + distances[4]
    found = loss(fake, real)
    assert found.item() == pytest.approx(expected, rel=1e-5)
    found.backward()
    assert fake.grad is not None and real.grad is None
    assert loss(real, real).item() == 0


def test_vgg_is_no_part_of_the_objective_but_follows_it(vgg: str) -> None:
    objective = Objective(vgg=vgg, vgg_imagenet_norm=False)
    assert objective.perceptual is not None
    assert not objective.state_dict() and not list(objective.parameters()) and not list(objective.buffers())
    nn.ModuleList([objective]).to(torch.float64).train()
    network = objective.perceptual.features
    assert {t.dtype for t in [*network.parameters(), *network.buffers()]} == {torch.float64}
    assert not network.training and not network.imagenet_norm
    assert objective.to("meta").perceptual.features.mean.device.type == "meta"  # type: ignore[union-attr]


class Judge(nn.Module):
    """Known features for every photo, told apart by its mean: below 0 is fake."""

    def __init__(self, fake: list[list[Tensor]], real: list[list[Tensor]], independent: bool = True) -> None:
        super().__init__()
        self.fake, self.real, self.independent = fake, real, independent
        self.batches: list[int] = []

    def forward(self, condition: SemanticMap, photo: Tensor) -> list[list[Tensor]]:
        assert condition.batch == len(photo)
        self.batches.append(len(photo))
        parts = [self.fake if float(half.mean()) < 0 else self.real for half in photo.split(2)]
        return [[torch.cat(layers) for layers in zip(*scales, strict=True)] for scales in zip(*parts, strict=True)]


def pictures(size: int = 32) -> tuple[SemanticMap, Tensor, Tensor]:
    maps = SemanticMap.from_labels(torch.zeros(2, size, size, dtype=torch.long), 3)
    return maps, -torch.rand(2, 3, size, size), torch.rand(2, 3, size, size)


def test_terms_are_unweighted_and_total_weighs_them(vgg: str) -> None:
    objective = Objective(LeastSquaresLoss("sum"), 3.0, 5.0, 0.5, 7.0, vgg=vgg, discriminator_scale=0.25)
    fake_features, real_features = features(), features()
    judge, (maps, fake, real) = Judge(fake_features, real_features), pictures()
    mean, logvar = torch.randn(2, 4), torch.randn(2, 4)
    terms = objective.generator(judge, maps, fake, real, mean, logvar)
    assert float(terms["adversarial"]) == pytest.approx(sum(float(((x[-1] - 1) ** 2).mean()) for x in fake_features))
    assert float(terms["reconstruction"]) == pytest.approx(float((fake - real).abs().mean()))
    torch.testing.assert_close(terms["divergence"], ours(mean, logvar))
    torch.testing.assert_close(terms["feature_matching"], FeatureMatchingLoss()(fake_features, real_features))
    assert all(term.dim() == 0 for term in terms.values())
    weights = {"adversarial": 1, "feature_matching": 3, "perceptual": 5, "reconstruction": 7, "divergence": 0.5}
    assert set(terms) == set(weights)
    expected = sum(weights[name] * term.item() for name, term in terms.items())
    assert objective.total(terms).item() == pytest.approx(expected, rel=1e-5)

    judged, accuracy = objective.discriminator(judge, maps, fake, real)
    assert judged["fake"].item() == pytest.approx(sum(float((x[-1] ** 2).mean()) for x in fake_features))
    assert judged["real"].item() == pytest.approx(sum(float(((x[-1] - 1) ** 2).mean()) for x in real_features))
    assert objective.total(judged).item() == pytest.approx(0.25 * (judged["real"] + judged["fake"]).item())
    share = sum(float((x[-1] > 0.5).float().mean()) for x in real_features) / 2
    assert accuracy["accuracy_real"].item() == pytest.approx(share) and set(accuracy) == {
        "accuracy_real",
        "accuracy_fake",
    }


@pytest.mark.parametrize(("independent", "batches"), [(True, [4]), (False, [2, 2])])
def test_fake_and_real_share_a_batch_where_they_do_not_mix(independent: bool, batches: list[int]) -> None:
    judge, (maps, fake, real) = Judge(features(), features(), independent), pictures()
    Objective(perceptual=0).discriminator(judge, maps, fake, real)
    assert judge.batches == batches


class Brighter(View):
    def forward(self, condition: Condition, fake: Tensor, real: Tensor) -> tuple[Condition, Tensor, Tensor]:
        return condition.repeated(2), (fake + 0.5).repeat(2, 1, 1, 1), (real + 0.5).repeat(2, 1, 1, 1)


class EverySecond(Regularizer):
    name, weight = "penalty", 4.0

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, network: nn.Module, condition: Condition, fake: Tensor, real: Tensor) -> Tensor | None:
        self.calls += 1
        return real.mean() if self.calls % 2 else None


def test_views_and_regularizers() -> None:
    penalty = EverySecond()
    objective = Objective(feature_matching=0, perceptual=0, views=[Brighter()], regularizers=[penalty])
    maps, fake, real = pictures()
    seen: list[tuple[int, Tensor]] = []

    def judge(condition: Condition, photo: Tensor) -> list[list[Tensor]]:
        seen.append((condition.batch, photo))
        return [[photo.mean((1, 2, 3))]]

    terms, _ = objective.discriminator(judge, maps, fake, real)  # type: ignore[arg-type]
    assert set(terms) == {"real", "fake", "penalty"}
    assert float(terms["penalty"]) == pytest.approx(float(real.mean()) + 0.5)  # of what the discriminator sees
    weighed = float(terms["real"] + terms["fake"] + 4 * terms["penalty"])
    assert float(objective.total(terms)) == pytest.approx(weighed)
    assert set(objective.discriminator(judge, maps, fake, real)[0]) == {"real", "fake"}  # type: ignore[arg-type]
    objective.generator(judge, maps, fake, real)  # type: ignore[arg-type]
    assert [batch for batch, _ in seen] == [8, 8, 4]
    torch.testing.assert_close(seen[-1][1], (fake + 0.5).repeat(2, 1, 1, 1))
    with pytest.raises(InputError, match="two terms of the objective have the name 'penalty'"):
        Objective(perceptual=0, regularizers=[EverySecond(), EverySecond()])


def test_what_has_no_weight_is_not_computed() -> None:
    objective = Objective(feature_matching=0, perceptual=0)  # no VGG19 file is looked for
    judge, (maps, fake, real) = Judge(features(), features()), pictures(8)
    assert set(objective.generator(judge, maps, fake, real)) == {"adversarial"}
    assert judge.batches == [2]
    with_style = objective.generator(judge, maps, fake, real, torch.zeros(1, 2), torch.zeros(1, 2))
    assert set(with_style) == {"adversarial", "divergence"}


def test_a_generator_need_not_hear_of_the_discriminator() -> None:
    """Which is trained all the same, and tells the pictures from photos."""
    objective = Objective(
        feature_matching=0, perceptual=0, reconstruction=2.0, adversarial_weight=0, views=[Brighter()]
    )
    judge, (maps, fake, real) = Judge(features(), features()), pictures(8)
    assert set(objective.generator(judge, maps, fake, real)) == {"reconstruction"}
    assert judge.batches == []
    terms, watched = Objective(perceptual=0, adversarial_weight=0).discriminator(judge, maps, fake, real)
    assert set(terms) == {"real", "fake"} and set(watched) == {"accuracy_real", "accuracy_fake"}
    matched = Objective(perceptual=0, adversarial_weight=0).generator(judge, maps, fake, real)
    assert set(matched) == {"feature_matching"}


def test_the_adversarial_term_is_weighed() -> None:
    objective = Objective(feature_matching=0, perceptual=0, adversarial_weight=0.3)
    terms = objective.generator(Judge(features(), features()), *pictures(8))
    assert objective.total(terms).item() == pytest.approx(0.3 * terms["adversarial"].item())


def test_a_generator_that_nothing_teaches_is_refused() -> None:
    with pytest.raises(InputError, match="adversarial_weight, feature_matching, perceptual and reconstruction are all"):
        Objective(feature_matching=0, perceptual=0, adversarial_weight=0)


class Unconditional:
    """The condition of samples that have none."""

    def __init__(self, batch: int) -> None:
        self.batch = batch

    def repeated(self, times: int) -> Unconditional:
        return Unconditional(times * self.batch)


LOSSES = [HingeLoss, LeastSquaresLoss, MinimaxLoss, VanillaLoss, WassersteinLoss]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", [(2,), (1, 8, 8), (5, 3)])
def test_samples_may_have_any_shape(shape: tuple[int, ...], loss: type[AdversarialLoss]) -> None:
    """Points, grey images, sequences: everything but VGG19 and views, which are of photos."""

    class Scores(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(math.prod(shape), 8), nn.Linear(8, 1)])

        def forward(self, condition: Unconditional, samples: Tensor) -> list[list[Tensor]]:
            assert condition.batch == len(samples)
            hidden = self.layers[0](samples.flatten(1)).tanh()
            return [[hidden, self.layers[1](hidden)]]

    terms = [R1(every=1), GradientPenalty(), LeCam()]
    objective, network = Objective(loss(), perceptual=0, reconstruction=1, regularizers=terms), Scores()
    fake, real = torch.randn(4, *shape, requires_grad=True), torch.randn(4, *shape)
    judged, _ = objective.discriminator(network, Unconditional(4), fake.detach(), real)  # type: ignore[arg-type]
    objective.total(judged).backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())
    learned = objective.generator(network, Unconditional(4), fake, real)  # type: ignore[arg-type]
    assert set(learned) == {"adversarial", "feature_matching", "reconstruction"}
    objective.total(learned).backward()
    assert fake.grad is not None and fake.grad.shape == (4, *shape) and bool((fake.grad != 0).all())


def test_logits_alone_cannot_be_matched() -> None:
    with pytest.raises(InputError, match="no features that could match; feature_matching: 0"):
        FeatureMatchingLoss()([[torch.zeros(2, 1)]], [[torch.zeros(2, 1)]])


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_makes_no_sense_is_named(weight: float) -> None:
    with pytest.raises(InputError, match="loss 'divergence' is"):
        Objective(divergence=weight, perceptual=0)
