"""Two processes with half the batch each are one process with the whole, and exchange no byte too many."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.environments import TorchElasticEnvironment
from torch import Tensor
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.utils.data import DataLoader

from i2i.callbacks.growth import Grow
from i2i.losses import segmentation
from i2i.losses.adversarial import HingeLoss, LeastSquaresLoss
from i2i.losses.objective import Objective
from i2i.losses.segmentation import SegmentationObjective
from i2i.losses.variational import VariationalObjective
from i2i.nn.encoder import StyleEncoder
from i2i.nn.growth import Growing
from i2i.nn.oasis import OASISGenerator
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.nn.pix2pixhd import LocalEnhancer
from i2i.nn.progressive_spade import ProgressiveSPADEGenerator
from i2i.nn.segmenter import SegmentationDiscriminator
from i2i.nn.spade import SPADEGenerator
from i2i.semantics import LabelSemantics
from i2i.separate_ddp import SeparateDDP
from i2i.translator import Translator
from tests.processes import in_two_processes

CLASSES, STYLE = 4, 5
GLOBAL_BATCH, STEPS = 4, 3
Terms = dict[str, float]


class Given(Translator):
    """Its randomness is a function of the photos, so that it does not matter which process has them."""

    def style(self, semantics: Any, photo: Tensor) -> Any:
        noise = 3 * photo.flatten(1)[:, :STYLE]
        if self.encoder is None:
            return noise, None, None
        mean, logvar = self.encoder(photo)
        return mean + noise * torch.exp(0.5 * logvar), mean, logvar


def sgd(rate: float) -> Callable[[Any], torch.optim.Optimizer]:
    return lambda parameters: torch.optim.SGD(parameters, lr=rate, momentum=0.5)


def vae(**options: Any) -> Translator:
    """Whose divergence is a mean, where the others' is a sum."""
    return spade(losses=VariationalObjective(50.0, adversarial_weight=0.5), **options)


def spade(losses: Objective | None = None, **options: Any) -> Translator:
    generator = SPADEGenerator(CLASSES, STYLE, width=1, hidden=4, base_size=(1, 2), gain=1.0)
    encoder = StyleEncoder(STYLE, width=2, size=16, gain=1.0)
    discriminator = MultiscalePatchGAN(CLASSES, width=2, layers=2, gain=1.0)
    losses = losses or Objective(HingeLoss(), perceptual=0.0, divergence=0.05, reconstruction=3.0)
    return translator(generator, discriminator, losses, encoder=encoder, **options)


def growing(**options: Any) -> Translator:
    """Half as large at first; from batch to batch other parts of the generator are trained, and need a reducer."""
    generator = ProgressiveSPADEGenerator(CLASSES, 1, STYLE, width=1, hidden=4, base_size=(1, 2), gain=1.0)
    encoder = StyleEncoder(STYLE, width=2, size=16, gain=1.0)
    discriminator = MultiscalePatchGAN(CLASSES, width=2, layers=2, gain=1.0)
    losses = Objective(HingeLoss(), perceptual=0.0, reconstruction=3.0)
    return translator(generator, discriminator, losses, encoder=encoder, **options)


def pix2pixhd(**options: Any) -> Translator:
    """In the first epoch the coarse part of the generator is frozen, so the reducer must be another in the second."""
    generator = LocalEnhancer(CLASSES, width=2, blocks=1, coarse_downsamplings=2, coarse_blocks=1)
    discriminator = MultiscalePatchGAN(CLASSES, width=2, layers=2, spectral=False, init="normal")
    losses = Objective(LeastSquaresLoss(scales="sum"), perceptual=0.0, discriminator_scale=0.5)
    return translator(generator, discriminator, losses, frozen_epochs=1, **options)


def oasis(**options: Any) -> Translator:
    generator = OASISGenerator(CLASSES, noise_channels=STYLE, width=1, hidden=4, gain=1.0)
    discriminator = SegmentationDiscriminator(CLASSES, width=1, gain=1.0)
    return translator(generator, discriminator, SegmentationObjective(ignored=[3]), **options)


def translator(*parts: Any, **options: Any) -> Translator:
    return Given(*parts, LabelSemantics(CLASSES), optimizer_g=sgd(0.01), optimizer_d=sgd(0.02), **options).double()


MODELS: dict[str, Callable[..., Translator]] = {
    "spade": spade,
    "growing": growing,
    "vae": vae,
    "pix2pixhd": pix2pixhd,
    "oasis": oasis,
}


def items(count: int) -> list[dict[str, Any]]:
    random = torch.Generator().manual_seed(0)
    return [
        {
            "photo": torch.rand(3, 64, 64, generator=random, dtype=torch.float64) * 2 - 1,
            "labels": torch.randint(CLASSES, (4, 4), generator=random)
            .repeat_interleave(16, 0)
            .repeat_interleave(16, 1),
            "name": str(i),
        }
        for i in range(count)
    ]


class Log(pl.Callback):
    """All terms of all steps, and the figures of validation."""

    def __init__(self) -> None:
        self.steps: list[Terms] = []

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        logged = trainer.callback_metrics
        self.steps.append({n: float(v) for n, v in logged.items() if n.startswith(("generator/", "discriminator/"))})


def train(model: Translator, rank: int = 0, world: int = 1, **trainer: Any) -> tuple[list[Terms], float]:
    """Two epochs; of every batch each process takes its share. The terms of all steps, and the validation's error."""
    log = Log()
    quiet = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary", "use_distributed_sampler")
    callbacks = [log, *([Grow(0.3, 0.7)] if isinstance(model.generator, Growing) else [])]
    data = items(GLOBAL_BATCH * STEPS)[rank::world]
    loaders = [DataLoader(data, size // world) for size in (GLOBAL_BATCH // model.accumulate, 2)]
    with mock.patch.object(segmentation, "labelmix_mask", lambda maps: (maps.labels % 2 == 0)[:, None]):
        engine = pl.Trainer(
            max_epochs=2, accelerator="cpu", precision="64-true", num_sanity_val_steps=0, callbacks=callbacks,
            **dict.fromkeys(quiet, False), **trainer,
        )  # fmt: skip
        engine.fit(model, *loaders)
    return log.steps, float(engine.callback_metrics["validation/l1"])


@contextmanager
def as_torchrun(rank: int) -> Iterator[None]:
    """What torchrun tells its processes; the process group is there already."""
    told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "GROUP_RANK": 0}
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500", "TORCHELASTIC_RUN_ID": "test"}
    with mock.patch.dict(os.environ, {name: str(value) for name, value in told.items()} | place):
        yield


def train_in_two(rank: int, model: Translator, **options: Any) -> tuple[list[Terms], float]:
    with as_torchrun(rank):
        strategy = SeparateDDP(cluster_environment=TorchElasticEnvironment(), **options)
        return train(model, rank, 2, strategy=strategy, devices=2)


def build(kind: str, **options: Any) -> Translator:
    torch.manual_seed(7)
    return MODELS[kind](**options)


def half(rank: int) -> dict[str, Any]:
    """What a process of two ends with."""
    found: dict[str, Any] = {}
    for kind in MODELS:
        model = build(kind)
        steps, error = train_in_two(rank, model)
        found[kind] = model.state_dict(), steps, error
    parts = build("spade", accumulate=2)
    steps, _ = train_in_two(rank, parts)
    found["accumulated"] = parts.state_dict(), steps
    rounds = build("spade", discriminator_steps=2)
    steps, _ = train_in_two(rank, rounds)
    found["rounds"] = rounds.state_dict(), steps
    found["sent"] = {accumulate: bytes_by_turn(rank, accumulate) for accumulate in (1, 2)}
    return found


def bytes_by_turn(rank: int, accumulate: int) -> list[tuple[int, int]]:
    """The player and the bytes of gradients that travelled in each turn of the first epoch."""
    turns: list[list[int]] = []

    def count(group, bucket):  # type: ignore[no-untyped-def]  # DDP refuses annotations that are strings
        turns[-1][1] += bucket.buffer().nbytes
        return allreduce_hook(group, bucket)

    model = build("spade", accumulate=accumulate)
    honest = model.turn

    def watched(player: int, boundary: bool) -> Any:
        turns.append([player, 0])
        return honest(player, boundary)

    model.turn = watched  # type: ignore[method-assign]
    train_in_two(rank, model, ddp_comm_hook=count, find_unused_parameters=False)
    return [(player, sent) for player, sent in turns[: 2 * STEPS * accumulate]]


@pytest.fixture(scope="module")
def halves() -> list[dict[str, Any]]:
    return in_two_processes(half)


@pytest.mark.parametrize("kind", MODELS)
def test_two_processes_train_as_one(halves: list[dict[str, Any]], kind: str) -> None:
    """Weights, statistics, averages, every logged term of every step, and the validation."""
    model = build(kind)
    steps, error = train(model)
    expected = model.state_dict()
    for state, terms, measured in (one[kind] for one in halves):
        compare(state, expected)
        assert measured == pytest.approx(error, rel=1e-6)
        assert len(terms) == len(steps) == 2 * STEPS
        for ours, theirs in zip(terms, steps, strict=True):
            assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize(
    ("name", "options"), [("accumulated", {"accumulate": 2}), ("rounds", {"discriminator_steps": 2})]
)
def test_processes_that_do_not_step_both_players_with_every_batch_are_one_that_does_not(
    halves: list[dict[str, Any]], name: str, options: dict[str, int]
) -> None:
    model = build("spade", **options)
    steps, _ = train(model)
    for one in halves:
        compare(one[name][0], model.state_dict())
        for ours, theirs in zip(one[name][1], steps, strict=True):
            assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-7)


def compare(state: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    for name, tensor in expected.items():
        torch.testing.assert_close(state[name], tensor, rtol=1e-9, atol=1e-9, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("accumulate", [1, 2])
def test_each_turn_exchanges_its_own_players_gradients_once_a_step(
    halves: list[dict[str, Any]], accumulate: int
) -> None:
    sizes = [sum(8 * p.numel() for p in player) for player in build("spade").players()]
    quiet = [(1, 0), (0, 0)] * (accumulate - 1)  # the discriminator's turn comes first
    for one in halves:
        assert one["sent"][accumulate] == [*quiet, (1, sizes[1]), (0, sizes[0])] * STEPS


def test_the_divergence_is_that_of_the_whole_batch() -> None:
    """However a batch is split into accumulated parts, its divergence is the sum over all of its samples."""
    whole, parts = (train(build("spade", accumulate=n))[0] for n in (1, 2))
    mean = sum(step["generator/divergence"] for step in parts[:2]) / 2
    assert mean == pytest.approx(whole[0]["generator/divergence"], rel=1e-6)
