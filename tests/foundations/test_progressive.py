"""Progressive growing without a condition: nothing jumps, both networks meet at every size, and they learn."""

from __future__ import annotations

from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from i2i.callbacks.growth import Grow
from i2i.errors import InputError
from i2i.foundations.condition import ClassCondition, ClassSemantics
from i2i.foundations.progressive import ProgressiveDiscriminator, ProgressiveGenerator, Variation, normalised
from i2i.losses.adversarial import HingeLoss
from i2i.losses.objective import Objective
from i2i.nn.growth import Growing, enlarged, growths, reduced
from i2i.recipe import build, recipe
from i2i.translator import Translator


def nothing(size: int = 1) -> ClassCondition:
    """Three samples of nothing in particular."""
    return ClassCondition(torch.zeros(3, dtype=torch.long), 0, (size, size))


def networks(stages: int = 2, **changes: Any) -> tuple[ProgressiveGenerator, ProgressiveDiscriminator]:
    torch.manual_seed(0)
    arguments: dict[str, Any] = {"shape": (3, 4 << stages, 4 << stages), "width": 4} | changes
    return ProgressiveGenerator(style_dim=5, **arguments).double(), ProgressiveDiscriminator(**arguments).double()


def set_growth(now: float, *growing: Growing) -> None:
    for network in growing:
        network.growth.now = now
        network.release()


def made(generator: ProgressiveGenerator, now: float) -> Tensor:
    set_growth(now, generator)
    with torch.no_grad():
        style = generator.draw(nothing(), torch.Generator().manual_seed(0)).double()
        picture: Tensor = generator(nothing(), style)
    return picture


@pytest.mark.parametrize("stages", [1, 3])
def test_the_generator_fades_without_a_jump(stages: int) -> None:
    generator, _ = networks(stages)
    for before in range(stages):
        pictures = [made(generator, before + now) for now in (0.0, 1e-9, 0.5, 1 - 1e-9, 1.0)]
        assert {picture.shape for picture in pictures} == {(3, 3, 4 << stages, 4 << stages)}
        torch.testing.assert_close(pictures[1], pictures[0], rtol=0, atol=1e-8)
        torch.testing.assert_close(pictures[3], pictures[4], rtol=0, atol=1e-8)
        torch.testing.assert_close(pictures[2], (pictures[0] + pictures[4]) / 2, rtol=0, atol=1e-12)
        factor = 1 << (stages - before)
        assert torch.equal(enlarged(pictures[0][:, :, ::factor, ::factor], factor), pictures[0])


def test_the_discriminator_fades_without_a_jump() -> None:
    """A new size that has no share yet says of a picture what the size before says of its half."""
    _, discriminator = networks(2)
    photos = torch.rand(3, 3, 8, 8, dtype=torch.float64)

    def judged(now: float, pictures: Tensor) -> Tensor:
        set_growth(now, discriminator)
        with torch.no_grad():
            ((logits,),) = discriminator(nothing(pictures.shape[-1]), pictures)
        assert isinstance(logits, Tensor) and logits.shape == (3, 1, 1, 1)
        return logits

    torch.testing.assert_close(judged(1e-9, photos), judged(0.0, reduced(photos, 2)), rtol=0, atol=1e-7)
    torch.testing.assert_close(judged(1 - 1e-9, photos), judged(1.0, photos), rtol=0, atol=1e-7)


@pytest.mark.parametrize("now", [0.0, 0.5, 1.0, 1.25, 2.0])
def test_what_takes_a_gradient_is_what_gets_one(now: float) -> None:
    generator, discriminator = networks(2)
    set_growth(now, generator, discriminator)
    made = generator(nothing(16), generator.draw(nothing(16)).double())
    condition, fake, _ = generator.compared(nothing(16), made, torch.zeros(3, 3, 16, 16))
    ((logits,),) = discriminator(condition, fake)
    logits.square().sum().backward()
    for network in (generator, discriminator):
        names = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
        assert names == {name for name, parameter in network.named_parameters() if parameter.grad is not None}


def test_features_are_normalised_and_the_variation_is_told() -> None:
    x = torch.randn(5, 7, 2, 3, dtype=torch.float64)
    torch.testing.assert_close(normalised(x).square().mean(1), torch.ones(5, 2, 3, dtype=torch.float64))
    told = Variation()(x)
    assert torch.equal(told[:, :7], x) and told.shape == (5, 8, 2, 3)
    assert float(told[0, 7, 0, 0]) == pytest.approx(float(x.std(0, correction=0).mean()), rel=1e-6)
    assert (told[:, 7] == told[0, 7, 0, 0]).all()


def test_classes_and_recipes() -> None:
    """A class makes another image, and is another question to the discriminator."""
    networks_of_classes = networks(2, num_classes=3)
    for network in networks_of_classes:
        assert recipe(build(recipe(network))) == recipe(network)
    generator, discriminator = networks_of_classes
    style = torch.randn(1, 5, dtype=torch.float64).expand(3, -1)
    condition = ClassCondition(torch.tensor([0, 2, 2]), 3, (16, 16))
    with torch.no_grad():
        made = generator(condition, style)
        ((logits,),) = discriminator(condition, made[1:2].expand(3, -1, -1, -1))
    for values in (made, logits):
        assert torch.equal(values[1], values[2]) and (values[0] - values[1]).abs().max() > 1e-3
    with pytest.raises(InputError, match="size 8, 16, 32"):
        networks(2, shape=(3, 12, 12))


def test_they_learn_while_they_grow() -> None:
    """Images of 16×16, dark above, bright below, and noisy: the mean image is that of the truth at the end."""
    generator = ProgressiveGenerator((1, 16, 16), style_dim=8, width=8)
    discriminator = ProgressiveDiscriminator((1, 16, 16), width=8)
    objective = Objective(HingeLoss(), feature_matching=0.0, perceptual=0.0)
    model = Translator(
        generator, discriminator, objective, ClassSemantics(), ema_decay=0.9,
        optimizer_g=lambda p: torch.optim.Adam(p, 2e-3, betas=(0.0, 0.99)),
        optimizer_d=lambda p: torch.optim.Adam(p, 2e-3, betas=(0.0, 0.99)),
    )  # fmt: skip
    truth = torch.linspace(-0.8, 0.8, 16)[None, :, None].expand(1, 16, 16)
    photos = [{"photo": truth + 0.1 * torch.randn(1, 16, 16), "name": str(i)} for i in range(320)]
    quiet = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary", "use_distributed_sampler")
    trainer = pl.Trainer(
        max_epochs=6, accelerator="cpu", num_sanity_val_steps=0, callbacks=[Grow(1.5, 0.75)],
        **dict.fromkeys(quiet, False),
    )  # fmt: skip
    trainer.fit(model, DataLoader(photos, 16, drop_last=True))  # type: ignore[arg-type]
    assert [growth.now for growth in growths(model)] == [2, 2, 2]  # of generator, discriminator and average
    condition = ClassCondition(torch.zeros(64, dtype=torch.long), 0, (16, 16))
    with torch.no_grad():
        mean = model(condition, generator.draw(condition)).mean(0)
    assert (mean - truth).abs().mean() < 0.2  # at the start 0.4
