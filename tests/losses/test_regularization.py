"""The terms against closed forms, their formulas and finite differences, and through a resumed run."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from i2i import draws
from i2i.errors import InputError
from i2i.foundations.condition import ClassCondition
from i2i.foundations.connected import ConnectedDiscriminator
from i2i.foundations.convolutional import DCGANDiscriminator
from i2i.foundations.progressive import ProgressiveDiscriminator, Variation
from i2i.losses.adversarial import WassersteinLoss
from i2i.losses.objective import Objective, Regularizer, judge_both
from i2i.losses.regularization import R1, GradientPenalty, LeCam
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.semantics import SemanticMap
from tests.processes import in_two_processes

CLASSES = 3


def batch(size: int = 32, count: int = 2, dtype: torch.dtype = torch.float32) -> tuple[SemanticMap, Tensor, Tensor]:
    maps = SemanticMap.from_labels(torch.randint(0, CLASSES, (count, size, size)), CLASSES)
    fake, real = (torch.rand(count, 3, size, size, dtype=dtype) * 2 - 1 for _ in range(2))
    return maps, fake, real


class Linear(nn.Module):
    """A logit w · x for each 4 x 4 patch, on as many scales as there are weights."""

    def __init__(self, *weights: Tensor) -> None:
        super().__init__()
        self.weights = weights

    def forward(self, condition: SemanticMap, photo: Tensor) -> list[list[Tensor]]:
        return [[nn.functional.conv2d(photo, w[None], stride=4)] for w in self.weights]


@pytest.mark.parametrize(("size", "count"), [(4, 1), (16, 3), (32, 2)])
def test_r1_of_linear_patches_is_the_squared_norm_of_their_weights(size: int, count: int) -> None:
    """Whatever the size of the photos and of the batch; the mean over scales."""
    weights = [torch.randn(3, 4, 4) for _ in range(2)]
    found = R1()(Linear(*weights), *batch(size, count))
    expected = sum(w.square().sum() for w in weights) / 2
    torch.testing.assert_close(found, expected)


def test_r1_of_one_logit_a_photo_is_the_published_one() -> None:
    """D(x) = ½ xᵀAx has the gradient Ax."""
    root = torch.randn(48, 48, dtype=torch.float64)
    a = root + root.T

    class Quadratic(nn.Module):
        def forward(self, condition: SemanticMap, photo: Tensor) -> list[list[Tensor]]:
            x = photo.flatten(1)
            return [[((x @ a) * x).sum(1)[:, None, None, None] / 2]]

    maps, fake, real = batch(4, 5, torch.float64)
    expected = (real.flatten(1) @ a).square().sum(1).mean()
    torch.testing.assert_close(R1()(Quadratic(), maps, fake, real), expected)
    assert not real.requires_grad and fake.grad is None


def test_r1_weighs_gamma_halves_over_all_steps() -> None:
    """Lazily: once in ``every`` steps, and then as much as all of them together."""
    network, data = Linear(torch.randn(3, 4, 4)), batch(8)
    eager, lazy = (Objective(perceptual=0, regularizers=[R1(3.0, every)]) for every in (1, 4))
    totals = []
    for objective in (eager, lazy):
        values = []
        for _ in range(8):
            term = objective.regularizers[0](network, *data)
            values.append(0.0 if term is None else objective.total({"r1": term}).item())
        totals.append(values)
    norm = network.weights[0].square().sum().item()
    assert totals[0] == pytest.approx([1.5 * norm] * 8)
    assert totals[1] == pytest.approx([6 * norm, 0, 0, 0] * 2)


@pytest.mark.parametrize("spectral", [True, False])
@pytest.mark.parametrize(
    ("term", "norm"),
    [(R1, "instance"), (R1, "none"), (R1, "batch"), (GradientPenalty, "instance"), (GradientPenalty, "none")],
)
def test_the_gradient_at_the_weights_by_finite_differences(term: Any, norm: str, spectral: bool) -> None:
    """Through everything a discriminator is made of, beside another pass that shares its spectral norm."""
    network = MultiscalePatchGAN(CLASSES, width=2, layers=3, norm=norm, spectral=spectral, gain=1.0).double()
    maps, fake, real = batch(32, 2, torch.float64)
    for layer in network.modules():  # the power iterations would move between the evaluations
        if hasattr(layer, "parametrizations"):
            layer.parametrizations.weight[0].refine = lambda *_: None
        for name, child in layer.named_children():  # a kink in D is a jump in R1
            if isinstance(child, nn.LeakyReLU):
                setattr(layer, name, nn.SiLU())
    objective = Objective(perceptual=0, regularizers=[R1(2.0, 1) if term is R1 else term()])

    def loss() -> Tensor:
        with draws.of_samples([3, 4]):
            terms, _ = objective.discriminator(network, maps, fake, real)
        assert set(terms) == {"real", "fake", term.name}
        return objective.total(terms)

    parameters = [p for p in network.parameters() if p.dim() > 1]
    gradients = torch.autograd.grad(loss(), parameters)
    directions = [torch.randn_like(p) for p in parameters]
    expected = sum((g * d).sum() for g, d in zip(gradients, directions, strict=True))
    sides = []
    for step in (1e-6, -1e-6):
        with torch.no_grad():
            for p, d in zip(parameters, directions, strict=True):
                p += step * d
        sides.append(loss().item())
        with torch.no_grad():
            for p, d in zip(parameters, directions, strict=True):
                p -= step * d
    torch.testing.assert_close(torch.tensor((sides[0] - sides[1]) / 2e-6), expected.float(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("term", [R1, GradientPenalty])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_gradients_are_computed_in_full_precision(term: Any, dtype: torch.dtype) -> None:
    network = MultiscalePatchGAN(CLASSES, width=2, layers=3, gain=1.0).eval()
    data = batch()
    with draws.of_samples([3, 4]):
        expected = term()(network, *data)
    with draws.of_samples([3, 4]), torch.autocast("cpu", dtype=dtype), parametrize.cached():
        network(data[0], data[2])
        found = term()(network, *data)
    assert expected is not None and found is not None and found.dtype == torch.float32
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("size", "count"), [(4, 1), (16, 3)])
def test_the_penalty_of_linear_patches_is_that_of_their_mean(size: int, count: int) -> None:
    """The mean of P logits of patches that do not overlap has a slope of ‖w‖ / √P; the mean over scales."""
    weights = [torch.randn(3, 4, 4) for _ in range(2)]
    found = GradientPenalty()(Linear(*weights), *batch(size, count))
    expected = sum((w.norm() / (size // 4) - 1).square() for w in weights) / 2
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("shape", [(6,), (3, 4, 4)])
def test_the_penalty_is_taken_on_the_straight_line_between_real_and_fake(shape: tuple[int, ...]) -> None:
    """D(x) = ½ xᵀAx has the gradient Ax, here at places that are drawn by each sample's own seed."""
    length, seeds = math.prod(shape), [5, 6, 7]
    root = torch.randn(length, length, dtype=torch.float64)
    a = root + root.T

    class Quadratic(nn.Module):
        def forward(self, condition: Any, samples: Tensor) -> list[list[Tensor]]:
            assert condition == "as it is"
            x = samples.flatten(1)
            return [[((x @ a) * x).sum(1, keepdim=True) / 2]]

    fake, real = (torch.randn(3, *shape, dtype=torch.float64) for _ in range(2))
    penalties = []
    for seed, y, x in zip(seeds, fake.flatten(1), real.flatten(1), strict=True):
        share = torch.rand(1, generator=torch.Generator().manual_seed(seed)).double()
        penalties.append(((a @ (share * x + (1 - share) * y)).norm() - 1) ** 2)
    with draws.of_samples(seeds):
        found = GradientPenalty()(Quadratic(), "as it is", fake, real)  # type: ignore[arg-type]
    torch.testing.assert_close(found, torch.stack(penalties).mean())
    assert not real.requires_grad and not fake.requires_grad


def test_a_flat_critic_is_penalised_and_finite() -> None:
    weight = torch.zeros(3, 4, 4, requires_grad=True)
    found = GradientPenalty()(Linear(weight), *batch(8))
    assert found is not None and found.item() == 1
    (gradient,) = torch.autograd.grad(found, weight)
    assert bool(gradient.isfinite().all())


def test_the_penalty_bounds_the_slope_of_a_critic() -> None:
    """Of a Wasserstein critic of points, which without it grows without end.

    Over a distance W a slope s costs λ(s − 1)² and gains sW, so that the best is 1 + W / 2λ, not quite 1.
    """

    def slope(*terms: Regularizer) -> float:
        torch.manual_seed(0)
        layers = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))

        class Critic(nn.Module):
            def forward(self, condition: Any, samples: Tensor) -> list[list[Tensor]]:
                return [[layers(samples)]]

        optimizer = torch.optim.Adam(layers.parameters(), 1e-2, (0.5, 0.9))
        objective = Objective(WassersteinLoss(), feature_matching=0, perceptual=0, regularizers=terms)
        for _ in range(200):
            fake, real = torch.randn(64, 2), torch.randn(64, 2) + torch.tensor([4.0, 0.0])
            terms_of_step, _ = objective.discriminator(Critic(), Pairs(), fake, real)  # type: ignore[arg-type]
            optimizer.zero_grad()
            objective.total(terms_of_step).backward()
            optimizer.step()
        between = torch.tensor([[2.0, 0.0]], requires_grad=True)
        return float(torch.autograd.grad(layers(between).sum(), between)[0].norm())

    assert slope(GradientPenalty()) == pytest.approx(1 + 4 / 20, abs=0.1)
    assert slope() > 5


class Pairs:
    """The condition of points that have none."""

    def repeated(self, times: int) -> Pairs:
        return self


@pytest.mark.parametrize("norm", ["batch", "global_batch"])
def test_a_batch_norm_is_refused(norm: Any) -> None:
    network = MultiscalePatchGAN(CLASSES, width=2, layers=2, norm=norm)
    with pytest.raises(InputError, match="the batch norm of MultiscalePatchGAN mixes samples"):
        GradientPenalty()(network, *batch())


def test_the_penalty_under_dropout_is_of_each_sample_by_itself() -> None:
    """What is left out is drawn for each sample, and its gradient is that of the units it has."""
    network, seeds = ConnectedDiscriminator([2], hidden=[32, 16], dropout=0.5), [5, 6, 7]
    fake, real = torch.randn(3, 2), torch.randn(3, 2)

    def penalty(chosen: list[int]) -> Tensor:
        condition = ClassCondition(torch.zeros(len(chosen), dtype=torch.long), 0)
        with draws.of_samples([seeds[i] for i in chosen]):
            found = GradientPenalty()(network, condition, fake[chosen], real[chosen])
        assert found is not None
        return found

    alone = torch.stack([penalty([i]) for i in range(3)])
    torch.testing.assert_close(penalty([0, 1, 2]), alone.mean())
    network.eval()
    assert (penalty([0]) - alone[0]).abs() > 1e-3


def test_the_penalty_reaches_through_the_variation_over_the_batch() -> None:
    """D(xᵢ) = wxᵢ + s: the sum over the batch has the slope w + N ds/dxᵢ, s the standard deviation of all x.

    So the progressive GANs took it (Karras et al. 2018), whose discriminator knows s.
    """

    class Critic(nn.Module):
        def forward(self, condition: Any, samples: Tensor) -> list[list[Tensor]]:
            told = Variation()(samples)
            return [[3 * told[:, :1] + told[:, 1:]]]

    x = torch.tensor([0.0, 1.0, 5.0], dtype=torch.float64)[:, None, None, None]
    found = GradientPenalty()(Critic(), "none", x, x)  # type: ignore[arg-type]  # on the line from x to x
    slope = 3 + (x - x.mean()) / x.std(correction=0)
    torch.testing.assert_close(found, (slope.abs() - 1).square().mean())


@pytest.mark.parametrize(
    "network",
    [ProgressiveDiscriminator([1, 16, 16], width=4), DCGANDiscriminator([1, 16, 16], width=4, norm="instance")],
)
def test_the_penalty_teaches_discriminators_of_samples(network: nn.Module) -> None:
    condition = ClassCondition(torch.zeros(3, dtype=torch.long), 0, (16, 16))
    found = GradientPenalty()(network, condition, *torch.randn(2, 3, 1, 16, 16))
    assert found is not None and bool(found.isfinite())
    taught = [p for p in network.parameters() if p.requires_grad and p.dim() > 1]
    gradients = torch.autograd.grad(found, taught)
    assert all(bool(g.isfinite().all()) and float(g.abs().max()) > 0 for g in gradients)


def test_all_passes_of_a_step_share_one_power_iteration() -> None:
    network = MultiscalePatchGAN(CLASSES, width=2, layers=2)
    norms = [layer.parametrizations.weight[0] for layer in network.modules() if hasattr(layer, "parametrizations")]
    calls: list[int] = []
    for norm in norms:
        norm.register_forward_hook(lambda *_: calls.append(1))
    Objective(perceptual=0, regularizers=[R1(), GradientPenalty(), LeCam()]).discriminator(network, *batch())
    assert len(calls) == len(norms) > 0


def test_lecam_by_its_formula() -> None:
    torch.manual_seed(0)
    network = Linear(torch.randn(3, 4, 4), torch.randn(3, 4, 4))
    term, decay = LeCam(decay=0.8), 0.8
    averages = [[0.0, 0.0], [0.0, 0.0]]  # scale by scale: fake, real
    for step in range(12):
        maps, fake, real = batch(16)
        distances = []
        for scale, weight in enumerate(network.weights):
            logits = [nn.functional.conv2d(x, weight[None], stride=4) for x in (fake, real)]
            rate = min(decay, step / (step + 1))
            for side in range(2):
                averages[scale][side] = rate * averages[scale][side] + (1 - rate) * logits[side].mean().item()
            of_fake, of_real = averages[scale]
            distances.append(((logits[1] - of_fake) ** 2).mean() + ((logits[0] - of_real) ** 2).mean())
        torch.testing.assert_close(term(network, maps, fake, real), sum(distances) / 2)


def test_lecam_draws_the_logits_together() -> None:
    """Down for real, up for fake, where the two are told apart."""
    network = Linear(torch.ones(3, 4, 4))
    maps, _, _ = batch(8)
    real = torch.ones(2, 3, 8, 8)
    parts: list[Tensor] = []

    class Watched(nn.Module):
        def forward(self, condition: SemanticMap, photo: Tensor) -> list[list[Tensor]]:
            parts.append(network(condition, photo)[0][-1].requires_grad_())
            return [[parts[-1]]]

    found = LeCam()(Watched(), maps, -real, real)
    assert found is not None
    (gradient,) = torch.autograd.grad(found, parts[0])
    assert bool((gradient[:2] < 0).all()) and bool((gradient[2:] > 0).all())


@pytest.mark.parametrize("make", [lambda: R1(100.0, 1), lambda: LeCam(3.0)], ids=["r1", "lecam"])
def test_a_discriminator_is_less_sure_of_pictures_it_learns_by_heart(make: Callable[[], Regularizer]) -> None:
    """Real and fake are noise of one distribution: all that tells them apart is memory."""
    data = batch(32, 4)

    def gap(*terms: Regularizer) -> float:
        torch.manual_seed(0)
        network = MultiscalePatchGAN(CLASSES, width=8, layers=2, gain=1.0)
        objective = Objective(perceptual=0, regularizers=terms)
        optimizer = torch.optim.Adam(network.parameters(), 2e-3, (0.0, 0.9))
        for _ in range(40):
            optimizer.zero_grad()
            objective.total(objective.discriminator(network, *data)[0]).backward()
            optimizer.step()
        maps, fake, real = data
        with torch.no_grad():
            return sum(
                float(r[-1].mean() - f[-1].mean()) for f, r in zip(*judge_both(network, maps, fake, real), strict=True)
            )

    plain, kept = gap(), gap(make())
    assert plain > 0.5 and kept < 0.5 * plain


@pytest.mark.parametrize("make", [lambda: R1(every=3), LeCam], ids=["r1", "lecam"])
def test_a_resumed_term_goes_on_as_if_uninterrupted(make: Callable[[], Regularizer], tmp_path: Path) -> None:
    network, steps = Linear(torch.randn(3, 4, 4), torch.randn(3, 4, 4)), [batch(8) for _ in range(8)]
    whole, first, second = make(), make(), make()
    expected = [whole(network, *data) for data in steps]
    for data in steps[:4]:
        first(network, *data)
    torch.save(first.state_dict(), tmp_path / "state.pt")
    second.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    found = [second(network, *data) for data in steps[4:]]
    assert [x is None for x in found] == [x is None for x in expected[4:]]
    for a, b in zip(found, expected[4:], strict=True):
        assert a is None or torch.equal(a, b)


def lecam_of_a_share(rank: int) -> tuple[list[float], Tensor]:
    torch.manual_seed(rank)
    term = LeCam()
    values = [float(term(Linear(torch.ones(3, 4, 4)), *batch(8))) for _ in range(3)]
    return values, term.averages


def test_lecams_averages_are_those_of_all_processes() -> None:
    parts = in_two_processes(lecam_of_a_share)
    both = []
    for rank in range(2):
        torch.manual_seed(rank)
        both.append([batch(8) for _ in range(3)])
    term = LeCam()
    for (maps, fake, real), (_, fake2, real2) in zip(*both, strict=True):
        whole = term(Linear(torch.ones(3, 4, 4)), maps.repeated(2), torch.cat([fake, fake2]), torch.cat([real, real2]))
    for _, averages in parts:
        torch.testing.assert_close(averages, term.averages)
    torch.testing.assert_close(torch.tensor(sum(values[-1] for values, _ in parts) / 2), whole)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: R1(-1.0), "R1: gamma -1.0"),
        (lambda: R1(every=0), "every 0"),
        (lambda: GradientPenalty(-1.0), "GradientPenalty: weight -1.0"),
        (lambda: LeCam(float("inf")), "LeCam: weight inf"),
        (lambda: LeCam(decay=1.0), "decay 1.0"),
        (lambda: Objective(perceptual=0, regularizers=[R1(), R1()]), "two terms of the objective have the name 'r1'"),
    ],
)
def test_what_cannot_be_is_named(make: Callable[[], Regularizer], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()
