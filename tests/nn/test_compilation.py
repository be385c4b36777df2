"""Compiled networks train as the others do, whichever player's turn it is and whatever the label maps are."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend

from i2i.benchmark.step import SteppedAlone
from i2i.losses.objective import Objective
from i2i.losses.segmentation import SegmentationObjective
from i2i.nn.compilation import compile_networks, parts_of
from i2i.nn.encoder import StyleEncoder
from i2i.nn.oasis import OASISGenerator
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.nn.pix2pixhd import GlobalGenerator
from i2i.nn.segmenter import SegmentationDiscriminator
from i2i.nn.spade import SPADEGenerator
from i2i.semantics import LabelSemantics

CLASSES = 4


def spade() -> list[Any]:
    discriminator = MultiscalePatchGAN(CLASSES, width=2, layers=2, scales=1, gain=1.0)
    generator = SPADEGenerator(CLASSES, 5, width=1, hidden=4, base_size=(2, 2), gain=1.0)
    return [generator, discriminator, Objective(perceptual=0.0), StyleEncoder(5, width=2, size=16, gain=1.0)]


def pix2pixhd() -> list[Any]:
    discriminator = MultiscalePatchGAN(CLASSES, width=2, layers=2, scales=1, spectral=False, init="normal")
    return [
        GlobalGenerator(CLASSES, width=4, downsamplings=2, blocks=1),
        discriminator,
        Objective(perceptual=0.0),
        None,
    ]


def oasis() -> list[Any]:
    discriminator = SegmentationDiscriminator(CLASSES, width=1, gain=1.0)
    return [OASISGenerator(CLASSES, 5, width=1, hidden=4, gain=1.0), discriminator, SegmentationObjective(), None]


def player(parts: Callable[[], list[Any]]) -> SteppedAlone:
    torch.manual_seed(0)
    generator, discriminator, objective, encoder = parts()
    sgd = partial(torch.optim.SGD, lr=0.01)
    given = (generator, discriminator, objective, LabelSemantics(CLASSES), encoder)
    made = SteppedAlone(*given, optimizer_g=sgd, optimizer_d=sgd).double().train()
    made.start()
    return made


def batch(seed: int) -> Any:
    random = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (2, 4, 4), generator=random).repeat_interleave(16, 1).repeat_interleave(16, 2)
    photo = torch.rand(2, 3, 64, 64, generator=random, dtype=torch.float64) * 2 - 1
    return {"labels": labels, "photo": photo, "name": ["a", "b"]}


def trained(made: SteppedAlone, steps: range) -> dict[str, torch.Tensor]:
    for step in steps:
        torch.manual_seed(step)
        made.training_step(batch(step), step)
    return made.state_dict()


def compare(ours: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], tolerance: float) -> None:
    for name, tensor in expected.items():
        torch.testing.assert_close(
            ours[name], tensor, rtol=tolerance, atol=tolerance, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("parts", [spade, pix2pixhd])
def test_traced_networks_train_the_same_and_other_maps_compile_nothing_anew(parts: Any) -> None:
    """Traced and differentiated by the compiler, run by PyTorch's own operations."""
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("aot_eager")
    plain, traced = player(parts), player(parts)
    networks = (traced.generator, traced.discriminator, traced.encoder)
    assert compile_networks(networks, backend=counter) == sum(len(parts_of(n)) for n in networks) > 0
    compare(trained(traced, range(2)), trained(plain, range(2)), 1e-9)
    graphs = counter.frame_count
    assert graphs > 0
    compare(trained(traced, range(2, 5)), trained(plain, range(2, 5)), 1e-9)
    assert counter.frame_count == graphs


@pytest.mark.slow
@pytest.mark.parametrize("parts", [spade])
def test_compiled_networks_train_the_same(parts: Any) -> None:
    torch._dynamo.reset()
    plain, compiled = player(parts), player(parts)
    compile_networks([compiled.generator, compiled.discriminator, compiled.encoder])
    compare(trained(compiled, range(3)), trained(plain, range(3)), 1e-6)


def test_networks_that_read_patterns_are_left_alone() -> None:
    assert parts_of(spade()[0]) == parts_of(oasis()[0]) == parts_of(oasis()[1]) == []
    assert parts_of(nn.Conv2d(1, 1, 1)) == parts_of(None) == []
