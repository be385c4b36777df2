"""Coarse-to-fine training: the coarse network is really frozen, and then it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from i2i.errors import InputError
from i2i.losses.adversarial import LeastSquaresLoss
from i2i.losses.matching import FeatureMatchingLoss
from i2i.losses.objective import Objective
from i2i.nn.encoder import StyleEncoder
from i2i.nn.instance_encoder import InstanceEncoder
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.nn.pix2pixhd import GlobalGenerator, LocalEnhancer
from i2i.nn.spade import SPADEGenerator
from i2i.semantics import LabelSemantics
from i2i.translator import Translator

CLASSES = 4


def translator(levels: int = 1, features: int = 0, **arguments: Any) -> Translator:
    torch.manual_seed(1)
    channels = CLASSES + 1
    objective = Objective(
        LeastSquaresLoss("sum"), 40.0, perceptual=0.0, matching=FeatureMatchingLoss("mean"), discriminator_scale=0.5
    )
    given: dict[str, Any] = {
        "generator": LocalEnhancer(channels, features, 2, levels, 1, 1, 1, gain=0.3),
        "discriminator": MultiscalePatchGAN(channels, width=2, layers=2, spectral=False, init="normal", gain=0.3),
        "objective": objective,
        "semantics": LabelSemantics(CLASSES, edges=True),
        "encoder": InstanceEncoder(features, width=2, downsamplings=1, gain=0.3) if features else None,
        "optimizer_g": torch.optim.Adam,
        "optimizer_d": torch.optim.Adam,
    }
    return Translator(**given | arguments)


def items(count: int = 4) -> list[dict[str, Any]]:
    """Of each item's labels, photo and instances all carry its number."""
    source = torch.Generator().manual_seed(0)
    return [
        {
            "photo": torch.rand(3, 16, 32, generator=source) * 2 - 1,
            "labels": torch.randint(CLASSES, (16, 32), generator=source),
            "instances": torch.randint(6, (16, 32), generator=source),
            "name": str(i),
        }
        for i in range(count)
    ]


class Watch(pl.Callback):
    """The generator's weights after every epoch, and how often the watched weight was given a gradient in it."""

    def __init__(self, module: Translator, name: str) -> None:
        self.states: list[dict[str, Tensor]] = []
        self.gradients: list[int] = []
        self.count = 0
        module.generator.get_parameter(name).register_hook(self.seen)

    def seen(self, gradient: Tensor) -> None:
        self.count += 1

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        generator = pl_module.generator
        assert isinstance(generator, torch.nn.Module)
        self.states.append({name: p.detach().clone() for name, p in generator.named_parameters()})
        self.gradients.append(self.count)
        self.count = 0


def train(module: Translator, epochs: int, resume: Path | None = None, **given: Any) -> pl.Trainer:
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, **given,
    )  # fmt: skip
    trainer.fit(module, DataLoader(items(), batch_size=2), ckpt_path=resume, weights_only=True)
    return trainer


@pytest.mark.parametrize(("levels", "features"), [(1, 0), (2, 3)])
def test_frozen_for_the_first_epochs_and_then_not(levels: int, features: int) -> None:
    module = translator(levels, features, frozen_epochs=2)
    start = {name: p.detach().clone() for name, p in module.generator.named_parameters()}
    watch = Watch(module, "coarse.down.0.0.weight")
    train(module, 4, callbacks=[watch])
    earlier = ("coarse.", *(f"enhancers.{i}." for i in range(levels - 1)))
    frozen = {name for name in start if name.startswith(earlier)}
    assert any(name.startswith("enhancers.0") for name in frozen) == (levels == 2)
    for epoch, state in enumerate(watch.states):
        still = {name for name in start if torch.equal(state[name], start[name])}
        if epoch < 2:
            assert still >= frozen and not any("weight" in name for name in still - frozen)
        else:
            assert not any("weight" in name for name in still)
    assert watch.gradients[:2] == [0, 0] and watch.gradients[2] > 0
    assert all(p.requires_grad for p in module.generator.parameters())
    assert module.average is not None
    averaged = dict(module.average.named_parameters())  # type: ignore[union-attr]
    assert not torch.equal(averaged["coarse.down.0.0.weight"], start["coarse.down.0.0.weight"])


def test_the_rest_learns_as_if_the_frozen_part_were_constant() -> None:
    """One step by the gradient of the other parameters alone, taken apart from the trainer."""
    rate = 0.01
    sgd = {name: lambda parameters: torch.optim.SGD(parameters, rate) for name in ("optimizer_g", "optimizer_d")}
    modules = [translator(frozen_epochs=frozen, **sgd) for frozen in (0, 1)]
    for module in modules:
        train(module, 1, limit_train_batches=1)
    free, frozen = (dict(module.generator.named_parameters()) for module in modules)
    for name, parameter in frozen.items():
        if not name.startswith("coarse."):
            torch.testing.assert_close(parameter, free[name])


@pytest.mark.parametrize("left_at", [1, 2, 3])
def test_resumed_in_or_behind_the_frozen_epochs_is_uninterrupted(left_at: int, tmp_path: Path) -> None:
    whole, first, second = (translator(frozen_epochs=2) for _ in range(3))
    train(whole, 4)
    train(first, left_at).save_checkpoint(tmp_path / "left.ckpt")
    train(second, 4, tmp_path / "left.ckpt")
    for (name, ours), expected in zip(second.state_dict().items(), whole.state_dict().values(), strict=True):
        assert torch.equal(ours, expected), name


def test_the_history_shows_samples_that_belong_together() -> None:
    """Without an optimizer's step every picture is a function of its map, so that pairs can be told."""
    still = {name: lambda parameters: torch.optim.SGD(parameters, 0.0) for name in ("optimizer_g", "optimizer_d")}
    module = translator(history=3, ema_decay=0.0, **still)
    honest, seen = module.objective.discriminator, []

    def watched(network: Any, condition: Any, fake: Tensor, real: Tensor) -> Any:
        with torch.no_grad():
            torch.testing.assert_close(fake, module.generator(condition))
        seen.append((condition.labels.clone(), real))
        return honest(network, condition, fake, real)

    module.objective.discriminator = watched  # type: ignore[method-assign]
    train(module, 20)
    pairs = [(labels[i], real[i]) for labels, real in seen for i in range(2)]
    for labels, photo in pairs:
        assert any(torch.equal(labels, i["labels"]) and torch.equal(photo, i["photo"]) for i in items())
    current = [items()[n]["labels"] for _ in range(20) for n in range(4)]
    assert any(not torch.equal(labels, now) for (labels, _), now in zip(pairs, current, strict=True))
    assert not any("history" in name for name in module.state_dict())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frozen_epochs": -1}, "frozen_epochs is -1; allowed are 0 and more"),
        ({"frozen_epochs": 1, "generator": GlobalGenerator(5, 0, 2, 1, 0)}, "the generator has no part to be frozen"),
        ({"history": -2}, "size is -2"),
        ({"encoder": InstanceEncoder(3, 2, 1)}, r"gives 3 instance features, the generator takes 0"),
        ({"encoder": StyleEncoder(4, 2, 16)}, "gives a style of 4 numbers, the generator takes no style"),
        ({"encoder": InstanceEncoder(3, 2, 1), "generator": SPADEGenerator(5, width=1)}, "the generator takes 0"),
    ],
)
def test_arguments_that_cannot_be(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        translator(**arguments)
