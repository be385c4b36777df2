"""The training step against independent arithmetic, and what must hold around it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import Tensor, nn
from torch.utils.data import DataLoader

from i2i import draws
from i2i.benchmark.memory import KeptForBackward
from i2i.checkpoint import load_file
from i2i.classes import ClassTable, LabelEncoding
from i2i.data.camvid import CamVid
from i2i.data.datamodule import DataModule
from i2i.data.transforms import Fixed
from i2i.errors import InputError
from i2i.losses.adversarial import HingeLoss
from i2i.losses.objective import Objective
from i2i.losses.variational import VariationalObjective
from i2i.nn.encoder import StyleEncoder
from i2i.nn.oasis import OASISGenerator
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.nn.spade import SPADEGenerator
from i2i.nn.unet import UNetGenerator
from i2i.semantics import LabelSemantics
from i2i.translator import Translator
from i2i.two_player import NonFiniteLossError

CLASSES = 5
Item = dict[str, Any]


def sgd(lr: float) -> Callable[[Any], torch.optim.Optimizer]:
    return lambda parameters: torch.optim.SGD(parameters, lr=lr)


def objective(**weights: float) -> Objective:
    given = {"feature_matching": 10.0, "perceptual": 0.0, "divergence": 0.05, "reconstruction": 3.0} | weights
    return Objective(HingeLoss(), **given)


def translator(style: bool = False, norm: str = "instance", **arguments: Any) -> Translator:
    torch.manual_seed(1)
    style_dim = 6 if style else None
    given: dict[str, Any] = {
        "generator": SPADEGenerator(CLASSES, style_dim, width=1, hidden=4, norm=norm, base_size=(1, 2), gain=1.0),
        "discriminator": MultiscalePatchGAN(CLASSES, width=2, layers=2, gain=1.0),
        "objective": objective(),
        "semantics": LabelSemantics(CLASSES),
        "encoder": StyleEncoder(6, width=2, size=16, gain=1.0) if style else None,
        "optimizer_g": sgd(0.01),
        "optimizer_d": sgd(0.02),
    }
    return Translator(**given | arguments)


def items(count: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> list[Item]:
    source = torch.Generator().manual_seed(seed)
    return [
        {
            "photo": torch.rand(3, 32, 64, generator=source, dtype=dtype) * 2 - 1,
            "labels": torch.randint(CLASSES, (32, 64), generator=source, dtype=torch.uint8),
            "name": str(i),
        }
        for i in range(count)
    ]


def train(module: Translator, data: list[Item], batch_size: int = 2, epochs: int = 1, **trainer: Any) -> pl.Trainer:
    given: dict[str, Any] = {
        "max_epochs": epochs,
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
    }
    engine = pl.Trainer(**given | trainer)
    engine.fit(module, DataLoader(data, batch_size=batch_size))
    return engine


def state(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize("rounds", [1, 3])
def test_a_step_is_the_textbook_step(rounds: int) -> None:
    """Discriminator first on the detached picture, generator through the updated discriminator on the same picture.

    With several steps of the discriminator, all but the last are its own alone.
    """
    module = translator(ema_decay=0.0, discriminator_steps=rounds).double()
    generator, discriminator = copy.deepcopy(module.generator), copy.deepcopy(module.discriminator)
    data = items(2 * rounds, torch.float64)
    train(module, data, precision="64-true")

    generator.train()
    discriminator.train()
    for step in range(rounds):
        batch = data[2 * step : 2 * step + 2]
        labels, photo = torch.stack([i["labels"] for i in batch]), torch.stack([i["photo"] for i in batch])
        semantics = module.semantics(labels)
        fake = generator(semantics)
        outputs = discriminator(semantics.repeated(2), torch.cat([fake.detach(), photo]))
        logits = [scale[-1] for scale in outputs]
        hinge = [torch.relu(1 + x[:2]).mean() + torch.relu(1 - x[2:]).mean() for x in logits]
        descend(discriminator, sum(hinge) / len(hinge), 0.02)
    for layer in discriminator.modules():  # the second pass below counts as the same use of the spectral norm
        if hasattr(layer, "parametrizations"):
            layer.parametrizations.weight[0].refine(layer.parametrizations.weight.original)
            layer.parametrizations.eval()
    on_fake, on_real = discriminator(semantics, fake), discriminator(semantics, photo)
    loss = 3.0 * (fake - photo).abs().mean()
    for a, b in zip(on_fake, on_real, strict=True):
        matching = sum((x - y.detach()).abs().mean() for x, y in zip(a[:-1], b[:-1], strict=True))
        loss = loss + (10.0 * matching - a[-1].mean()) / len(on_fake)
    descend(generator, loss, 0.01)

    for name, own in (("generator", generator), ("discriminator", discriminator)):
        ours = dict(getattr(module, name).named_parameters())
        for key, expected in own.named_parameters():
            torch.testing.assert_close(ours[key], expected, rtol=1e-9, atol=1e-12, msg=lambda m, k=key: f"{k}: {m}")


def descend(network: nn.Module, loss: Tensor, rate: float) -> None:
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(loss, parameters)
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter -= rate * gradient


@pytest.mark.parametrize(("schedule", "passes"), [("shared", 1), ("original", 2)])
def test_generator_passes_of_a_step(schedule: str, passes: int) -> None:
    module = translator(schedule=schedule, ema_decay=0.0)
    calls = []
    module.generator.register_forward_hook(lambda *_: calls.append(1))
    train(module, items(2))
    assert len(calls) == passes


def test_the_original_schedule_steps_the_generator_first() -> None:
    """With a discriminator that learns wildly, the generator's step does not notice in the original's order."""
    slow = translator(schedule="original", ema_decay=0.0, optimizer_d=sgd(1e-6))
    wild = translator(schedule="original", ema_decay=0.0, optimizer_d=sgd(10.0))
    shared = translator(schedule="shared", ema_decay=0.0, optimizer_d=sgd(10.0))
    for module in (slow, wild, shared):
        train(module, items(2))
    first = [dict(m.generator.named_parameters()) for m in (slow, wild, shared)]
    assert all(torch.equal(first[0][k], first[1][k]) for k in first[0])
    assert any(not torch.equal(first[0][k], first[2][k]) for k in first[0])


class Moves(pl.Callback):
    """Which players' weights each batch has moved, and how often the average was updated until then."""

    def __init__(self) -> None:
        self.seen: list[tuple[bool, bool]] = []
        self.updates: list[int] = []

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        self.before = [[p.detach().clone() for p in player] for player in pl_module.players()]

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
        generator, discriminator = (
            any(not torch.equal(p, old) for p, old in zip(player, before, strict=True))
            for player, before in zip(pl_module.players(), self.before, strict=True)
        )
        self.seen.append((generator, discriminator))
        self.updates.append(int(pl_module.average_updates))


@pytest.mark.parametrize(
    ("accumulate", "stepped", "pushed"),
    [(1, range(1, 16), [3, 6, 9, 12, 15]), (2, [2, 4, 5, 7, 9, 10, 12, 14, 15], [5, 10, 15])],
)
@pytest.mark.parametrize("schedule", ["shared", "original"])
def test_the_generator_moves_with_every_third_step_of_the_discriminator(
    schedule: str, accumulate: int, stepped: Any, pushed: list[int]
) -> None:
    """Over the ends of epochs of five batches, which are no multiple of three."""
    module, moves = translator(schedule=schedule, accumulate=accumulate, discriminator_steps=3), Moves()
    engine = train(module, items(10), epochs=3, callbacks=[moves])
    batches = range(1, 16)
    assert [n for n, (_, discriminator) in zip(batches, moves.seen, strict=True) if discriminator] == list(stepped)
    assert [n for n, (generator, _) in zip(batches, moves.seen, strict=True) if generator] == pushed
    assert moves.updates == [sum(step <= n for step in pushed) for n in batches]
    assert module.steps == len(list(stepped)) and engine.global_step == len(list(stepped)) + len(pushed)


def test_the_generator_keeps_no_graph_where_it_is_not_stepped() -> None:
    module = translator(discriminator_steps=2)
    graphs: list[bool] = []
    module.generator.register_forward_hook(lambda *arguments: graphs.append(arguments[-1].requires_grad))
    train(module, items(8))
    assert graphs == [False, True, False, True]


@pytest.mark.parametrize("style", [False, True])
def test_every_parameter_learns(style: bool) -> None:
    module = translator(style, ema_decay=0.5)
    before = state(module)
    train(module, items(4), epochs=2)
    after = dict(module.named_parameters())
    still = {n for n, p in after.items() if torch.equal(p, before[n])}
    # A bias before an instance norm is taken out again by it, and has a gradient of zero.
    assert {n for n in still if not n.endswith(".bias")} == set()


def test_accumulated_batches_are_one_large_batch() -> None:
    whole = translator(ema_decay=0.0).double()
    parts = translator(ema_decay=0.0, accumulate=2).double()
    for module in (whole, parts):  # power iterations count batches; without them the two are the same function
        for layer in module.modules():
            if hasattr(layer, "parametrizations"):
                layer.parametrizations.weight[0].refine = lambda *_: None
    data = items(4, torch.float64)
    train(whole, data, batch_size=4, precision="64-true")
    train(parts, data, batch_size=2, precision="64-true")
    # The generator's step of a part already sees an updated discriminator only at the boundary, so compare the latter.
    expected = dict(whole.discriminator.named_parameters())
    for name, parameter in parts.discriminator.named_parameters():
        torch.testing.assert_close(parameter, expected[name], rtol=1e-9, atol=1e-12)


def test_an_accumulated_evidence_bound_is_that_of_one_large_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its divergence is a mean, to be taken once; and no discriminator stands between generator and photo."""
    monkeypatch.setattr(draws, "normal", lambda shape, device, dtype: torch.full(shape, 0.7, dtype=dtype))
    data, trained = items(4, torch.float64), []
    for accumulate in (1, 2):
        module = translator(True, objective=VariationalObjective(30.0), ema_decay=0.0, accumulate=accumulate).double()
        for layer in module.modules():
            if hasattr(layer, "parametrizations"):
                layer.parametrizations.weight[0].refine = lambda *_: None
        before = state(module)
        train(module, data, batch_size=4 // accumulate, precision="64-true")
        trained.append(list(module.players()[0]))
        assert not torch.equal(before["encoder.mean.weight"], module.encoder.mean.weight)
    for whole, parts in zip(*trained, strict=True):
        torch.testing.assert_close(parts, whole, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("precision", ["32", "16-mixed"])
def test_clipping_bounds_the_step(precision: str) -> None:
    """Also in float16, where gradients carry the loss scale until just before the step."""
    module = translator(ema_decay=0.0, clip=1e-3, optimizer_g=sgd(1.0), optimizer_d=sgd(1.0))
    before = state(module)
    train(module, items(2), plugins=[mixed(precision)] if "mixed" in precision else [])
    for part in ("generator", "discriminator"):
        parameters = getattr(module, part).named_parameters()
        moved = torch.stack([(p.detach() - before[f"{part}.{name}"]).norm() for name, p in parameters]).norm()
        assert float(moved) == pytest.approx(1e-3, rel=1e-2)


def test_the_average_follows_the_formula() -> None:
    class Watch(pl.Callback):
        def __init__(self) -> None:
            self.seen: list[Tensor] = []

        def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, *_: Any) -> None:
            self.seen.append(pl_module.generator.last.weight.detach().clone())

    module, watch = translator(ema_decay=0.3), Watch()
    expected = module.generator.last.weight.detach().clone()
    train(module, items(8), callbacks=[watch])
    for n, weight in enumerate(watch.seen):
        decay = min(0.3, (1 + n) / (10 + n))
        expected = decay * expected + (1 - decay) * weight
    torch.testing.assert_close(module.average.last.weight, expected)
    assert not any(p.requires_grad for p in module.average.parameters())


def test_learning_rates_fall_linearly_to_zero_after_the_last_epoch() -> None:
    class Watch(pl.Callback):
        def __init__(self) -> None:
            self.rates: list[float] = []

        def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    watch = Watch()
    train(translator(decay_from=2), items(2), epochs=6, callbacks=[watch])
    assert watch.rates == pytest.approx([0.01, 0.01, 0.01, 0.0075, 0.005, 0.0025])


@pytest.mark.parametrize(("precision", "likeness"), [("16-mixed", 0.98), ("bf16-mixed", 0.8)])
def test_half_precision_takes_nearly_the_same_step(precision: Any, likeness: float) -> None:
    """In float16 through the loss scaler, whose factor must cancel."""
    full, half = (translator(True, ema_decay=0.0) for _ in range(2))
    before = state(full)
    for module, plugins in ((full, []), (half, [mixed(precision)])):
        torch.manual_seed(0)
        train(module, items(2), plugins=plugins)
    for part in ("generator", "discriminator", "encoder"):
        moved = [
            torch.cat([(p.detach() - before[f"{part}.{n}"]).flatten() for n, p in getattr(m, part).named_parameters()])
            for m in (full, half)
        ]
        assert float(torch.cosine_similarity(*moved, dim=0)) > likeness
        assert float(moved[1].norm() / moved[0].norm()) == pytest.approx(1, abs=0.15)


def test_the_gradient_at_the_picture_is_free_of_the_loss_scale() -> None:
    module = translator(ema_decay=0.0)
    train(module, items(2), plugins=[mixed("16-mixed")])
    leaf = torch.tensor([2.0, 3.0], requires_grad=True)
    torch.testing.assert_close(module.gradient((leaf**2).sum(), leaf), torch.tensor([4.0, 6.0]))


def mixed(precision: Any) -> MixedPrecision:
    scaler = torch.amp.GradScaler("cpu", init_scale=512.0) if precision == "16-mixed" else None
    return MixedPrecision(precision, "cpu", scaler)


DRAWN: dict[str, Callable[[], nn.Module]] = {
    "style": lambda: SPADEGenerator(CLASSES, 6, width=1, hidden=4, base_size=(1, 2), gain=1.0),
    "noise": lambda: OASISGenerator(CLASSES, 3, width=1, hidden=4, gain=1.0),
    "dropout": lambda: UNetGenerator(CLASSES, width=2, depth=5, norm="none", init="xavier"),
}


@pytest.mark.parametrize("generator", DRAWN)
def test_the_validation_of_a_photo_is_its_own_affair(generator: str) -> None:
    """Whatever is drawn for it: the batch, the order and what was drawn before do not matter."""
    module = translator(generator=DRAWN[generator](), encoder=None)
    data = items(3)
    photos = torch.stack([item["photo"] for item in data])
    errors = []
    for size, order in ((3, [0, 1, 2]), (2, [2, 0, 1]), (1, [1, 2, 0])):
        torch.rand(5)
        (found,) = validate(module, [data[i] for i in order], size)
        errors.append(found["validation/l1"])
    module.eval()
    made = module.reconstruct(
        {"photo": photos, "labels": torch.stack([item["labels"] for item in data]), "name": list("012")}
    )
    assert errors == pytest.approx([float((made - photos).abs().mean()) / 2] * 3, rel=1e-5)
    drawn = [
        tuple(module.reconstruct({"labels": data[0]["labels"][None], "name": [n]}).flatten().tolist()) for n in "ab"
    ]
    assert drawn[0] != drawn[1]


def validate(module: Translator, data: list[Item], batch_size: int) -> Any:
    quiet = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    engine = pl.Trainer(accelerator="cpu", use_distributed_sampler=False, **dict.fromkeys(quiet, False))
    return engine.validate(module, DataLoader(data, batch_size=batch_size), verbose=False)


def test_pictures_that_are_no_numbers_do_not_end_the_validation() -> None:
    """Nor the training around it: the last good checkpoint stays the best."""
    module = translator(ema_decay=0.0)
    with torch.no_grad():
        module.generator.last.bias.fill_(float("nan"))
    (found,) = validate(module, items(2), 1)
    assert math.isnan(found["validation/l1"])


@pytest.mark.parametrize("schedule", ["shared", "original"])
def test_activation_checkpointing_trains_the_same(schedule: Any) -> None:
    """Weights, batch statistics and singular vectors after some steps, to the last bit; with less kept for backward."""
    kept = {}
    for checkpointing in (False, True):
        module = translator(schedule=schedule, activation_checkpointing=checkpointing)
        counter = KeptForBackward([module])
        with counter:
            train(module, items(6))
        kept[checkpointing] = counter.most, state(module)
    assert kept[True][0] < kept[False][0]
    for name, tensor in kept[False][1].items():
        assert torch.equal(kept[True][1][name], tensor), name


def test_channels_last_is_the_same_function() -> None:
    plain, other = translator(ema_decay=0.5).double(), translator(ema_decay=0.5, channels_last=True).double()
    for module in (plain, other):
        train(module, items(4, torch.float64), precision="64-true")
    weights = [p for p in other.generator.parameters() if p.dim() == 4 and min(p.shape) > 1]
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in weights)
    for name, tensor in plain.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], tensor, rtol=1e-9, atol=1e-9)


def test_clipping_refuses_fused_optimizers_under_a_loss_scaler() -> None:
    """They would take gradients that are clipped while still scaled."""

    def fused(parameters: Any) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, fused=True)

    module = translator(ema_decay=0.0, clip=1.0, optimizer_g=fused, optimizer_d=sgd(1.0))
    with pytest.raises(InputError, match="fused: false"):
        train(module, items(2), plugins=[mixed("16-mixed")])


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_nan_stops_before_the_step_and_is_named(player: str) -> None:
    module = translator(ema_decay=0.0)
    honest = getattr(module.objective, player)
    name = "real" if player == "discriminator" else "reconstruction"

    def broken(*arguments: Any) -> Any:
        found = honest(*arguments)
        terms, *watched = found if player == "discriminator" else (found,)
        terms[name] = terms[name] * float("nan")
        return (terms, *watched) if watched else terms

    setattr(module.objective, player, broken)
    before = state(getattr(module, player))
    with pytest.raises(NonFiniteLossError, match=rf"epoch 0, batch 0.*'{name}'.*{player} is nan"):
        train(module, items(2))
    parameters = dict(getattr(module, player).named_parameters())
    assert all(torch.equal(p, before[n]) for n, p in parameters.items())


def test_resumed_at_an_epochs_end_is_uninterrupted(tmp_path: Path) -> None:
    data = items(4)
    adam = {"optimizer_g": torch.optim.Adam, "optimizer_d": torch.optim.Adam}
    whole = translator(**adam)
    train(whole, data, epochs=4)
    first = translator(**adam)
    train(first, data, epochs=2).save_checkpoint(tmp_path / "half.ckpt")
    second = translator(**adam)
    engine = pl.Trainer(
        max_epochs=4, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    engine.fit(second, DataLoader(data, batch_size=2), ckpt_path=tmp_path / "half.ckpt", weights_only=True)
    for (name, ours), expected in zip(second.state_dict().items(), whole.state_dict().values(), strict=True):
        assert torch.equal(ours, expected), name


def test_a_checkpoint_describes_itself_and_refuses_another_model(tmp_path: Path) -> None:
    encoding = LabelEncoding(ClassTable.numbered(CLASSES))
    module = translator(encoding=encoding, resize=Fixed((32, 64)))
    engine = train(module, items(2))
    engine.save_checkpoint(tmp_path / "model.ckpt")
    content = load_file(tmp_path / "model.ckpt")
    assert {"generator", "discriminator", "semantics", "encoding", "resize"} <= set(content["i2i"])
    other = translator(generator=SPADEGenerator(CLASSES, width=2, hidden=4))
    with pytest.raises(InputError, match=r"generator\.width is 1 in the file and 2 here"):
        pl.Trainer(max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False).fit(
            other, DataLoader(items(2)), ckpt_path=tmp_path / "model.ckpt", weights_only=True
        )


def test_frozen_extractors_stay_out_of_the_checkpoint() -> None:
    assert not any("perceptual" in name or "vgg" in name for name in translator().state_dict())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ema_decay": 1.0}, "ema_decay is 1.0"),
        ({"accumulate": 0}, "accumulate is 0"),
        ({"clip": -1.0}, "clip is -1.0"),
        ({"discriminator_steps": 0}, "discriminator_steps is 0"),
        ({"compile": True, "activation_checkpointing": True}, "compile and activation_checkpointing"),
        ({"encoder": StyleEncoder(3, width=2, size=16)}, "style of 3 numbers, the generator takes no style"),
    ],
)
def test_arguments_that_cannot_be(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        translator(**arguments)


def test_label_maps_without_photos_do_not_train() -> None:
    data = [{key: value for key, value in item.items() if key != "photo"} for item in items(2)]
    with pytest.raises(InputError, match="no photo; training needs pairs"):
        train(translator(), data)


def test_training_on_four_real_pairs_fits_them(shared: Path) -> None:
    """L1 and feature matching fall on a batch that is seen again and again."""

    class Watch(pl.Callback):
        def __init__(self) -> None:
            self.seen: list[tuple[float, float]] = []

        def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            logged = trainer.callback_metrics
            names = ("generator/reconstruction", "generator/feature_matching")
            self.seen.append((float(logged[names[0]]), float(logged[names[1]])))

    pl.seed_everything(0)
    data = DataModule(CamVid(str(shared / "data/camvid")), Fixed((64, 96)), 0.0, 0.0, 4, workers=0, limit_train=4)
    channels = data.label_channels
    module = Translator(
        SPADEGenerator(channels, width=8, hidden=16),
        MultiscalePatchGAN(channels, width=8, layers=3),
        objective(reconstruction=10.0),
        data.semantics,
        optimizer_g=lambda p: torch.optim.Adam(p, 2e-3, (0.0, 0.9)),
        optimizer_d=lambda p: torch.optim.Adam(p, 2e-3, (0.0, 0.9)),
    )
    watch = Watch()
    pl.Trainer(
        max_epochs=60, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        limit_val_batches=0, callbacks=[watch],
    ).fit(module, datamodule=data)  # fmt: skip
    seen = np.array(watch.seen)
    start, end = seen[:5].mean(0), seen[-5:].mean(0)
    assert end[0] < 0.6 * start[0]
    # The matched features are the discriminator's own and grow as it learns; only the pictures make them fall.
    assert end[1] < seen[:20, 1].max()
