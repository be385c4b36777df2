"""A picture in bands is the whole picture: for every way of cutting, network and kind of map."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from i2i.errors import InputError
from i2i.nn.band_plan import BandPlan, Planner, bands_of, steps_of
from i2i.nn.bands import BandedSPADE, has_bands
from i2i.nn.folded import FoldedSPADE
from i2i.nn.oasis import OASISGenerator
from i2i.nn.pix2pixhd import GlobalGenerator
from i2i.nn.sean import SEANGenerator
from i2i.nn.spade import SPADEGenerator
from i2i.region import Region
from i2i.semantics import SemanticMap

CLASSES = 4

SEEN = CLASSES + 1
NETWORKS: dict[str, Callable[[], SPADEGenerator]] = {
    "style": lambda: SPADEGenerator(SEEN, 6, width=1, hidden=4, base_size=(2, 2), gain=1.0),
    "kernel 5": lambda: SPADEGenerator(SEEN, width=2, hidden=3, upsamplings=7, kernel=5, gain=1.0),
    "no norm": lambda: SPADEGenerator(SEEN, width=1, hidden=4, upsamplings=6, norm="none", gain=1.0),
    "noise": lambda: OASISGenerator(SEEN, 3, width=1, hidden=4, gain=1.0),
    "noise by class": lambda: OASISGenerator(SEEN, 3, noise="class", width=1, hidden=4, gain=1.0),
    "noise by pixel": lambda: OASISGenerator(SEEN, 3, noise="pixel", width=1, hidden=4, gain=1.0),
    "SEAN": lambda: SEANGenerator(SEEN, CLASSES, 3, width=1, hidden=4, gain=1.0),
    "SEAN without noise": lambda: SEANGenerator(SEEN, CLASSES, 3, noise=False, width=1, hidden=4, gain=1.0),
    "SEAN by instance": lambda: SEANGenerator(
        SEEN, CLASSES, 3, "instance", width=2, hidden=3, upsamplings=7, kernel=5, norm="none", gain=1.0
    ),
}


def folded(name: str) -> FoldedSPADE:
    """Of statistics and weights that make every border tell."""
    torch.manual_seed(0)
    generator = NETWORKS[name]().eval().double()
    for layer in generator.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            assert layer.running_mean is not None and layer.running_var is not None
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
    for parameter_name, parameter in generator.named_parameters():
        if parameter_name.endswith(("mixing", "noise_scale")):
            torch.nn.init.normal_(parameter, 0, 0.4)
    return generator.fold()


def map_of(coarse: bool, rows: int = 1, columns: int = 1, batch: int = 2) -> SemanticMap:
    size, cell = (batch, rows * 128, columns * 128), 16 if coarse else 1
    labels, ids = (torch.randint(0, n, (size[0], size[1] // cell, size[2] // cell)) for n in (CLASSES, 9))
    labels, ids = (m.repeat_interleave(cell, 1).repeat_interleave(cell, 2) for m in (labels, ids))
    return SemanticMap.from_labels(labels, CLASSES, ids)


@pytest.mark.parametrize("coarse", [True, False], ids=["regions", "noise"])
@pytest.mark.parametrize("name", NETWORKS)
def test_bands_are_the_whole_picture(name: str, coarse: bool) -> None:
    generator = folded(name)
    semantics, count = map_of(coarse, batch=2 if coarse else 1), len(generator.blocks)
    style = generator.draw(semantics)
    style = None if style is None else style.double()
    with torch.inference_mode():
        whole, banded = generator(semantics, style), BandedSPADE(generator)
        for first, rows, once in [(0, 100, True), (count - 3, 40, False), (count - 1, 65, coarse)]:
            found = banded(semantics, style, BandPlan(first, rows, (once,) * count, 0, 0))
            torch.testing.assert_close(found, whole, rtol=0, atol=1e-10)
        assert torch.equal(banded(semantics, style, BandPlan(count, 128, (True,) * count, 0, 0)), whole)
    assert whole.std() > 0.05


@settings(max_examples=60)
@given(st.integers(1, 6), st.integers(1, 40), st.integers(0, 7))
def test_steps_hand_on_what_the_next_one_takes(height: int, rows: int, first: int) -> None:
    """A crop is what the step before got right, twice as large where up-sampled, and wrong by two pixels at most."""
    sizes = [(height << doublings, 2 << doublings) for doublings in (0, 1, 1, 2, 3, 4, 5)]
    first = min(first, len(sizes) - 1)
    covered = 0
    for band in bands_of(sizes[-1], rows):
        assert band.top == covered
        covered = band.bottom
        steps, wanted = steps_of(band, sizes, first)
        assert wanted == steps[-1].right == band.grown(1, sizes[-1])
        for i, step in enumerate(steps, first):
            grown = step.right.grown(2, sizes[i])
            assert step.crop.top <= grown.top and step.crop.bottom >= grown.bottom
            assert step.crop.top % 2 == 0 or sizes[i] == sizes[i - 1] or i == 0
            if i > first:
                factor = sizes[i][0] // sizes[i - 1][0]
                assert steps[i - 1 - first].right.times(factor) == step.crop
    assert covered == sizes[-1][0]


@pytest.mark.parametrize("styled", [False, True], ids=["SPADE", "SEAN"])
def test_less_memory_is_more_work(styled: bool) -> None:
    plain = SEANGenerator(SEEN, CLASSES, 6, width=16, hidden=32) if styled else SPADEGenerator(SEEN, 6, 16, hidden=32)
    generator = plain.eval().fold()
    semantics = map_of(coarse=True, rows=4, columns=2, batch=1)
    banded, style = BandedSPADE(generator), generator.draw(semantics)
    whole = banded.plan(semantics, style, 1 << 40)
    assert whole.first == len(generator.blocks)
    smallest = banded.plan(semantics, style, 1)
    limits = (
        torch.linspace(smallest.bytes, Planner(generator, generator.seen(semantics, style)[0])._whole_plan().bytes, 8)
        .long()
        .tolist()
    )
    plans = [banded.plan(semantics, style, limit + 1) for limit in limits]
    assert all(plan.bytes <= limit + 1 for plan, limit in zip(plans, limits, strict=True))
    work = [plan.work for plan in plans]
    assert work == sorted(work, reverse=True) and work[0] > 1.05 * whole.work and work[-1] == whole.work
    assert plans[0].bytes < 0.25 * plans[-1].bytes


@pytest.mark.parametrize("name", ["style", "SEAN"])
def test_the_whole_plan_counts_the_multiplications_of_the_trunk(name: str) -> None:
    """Against what the convolutions of the generator itself are asked to do."""
    generator, semantics = folded(name), map_of(coarse=True)
    style = generator.draw(semantics)
    assert style is not None
    counted = 0

    def count(layer: torch.nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal counted
        weight = layer.weight
        assert isinstance(weight, torch.Tensor)
        counted += output[:, 0].numel() * weight.numel()

    for layer in generator.modules():
        if type(layer).__name__ == "PackedConvolution":
            layer.register_forward_hook(count)
    with torch.inference_mode():
        generator(semantics, style.double())
    assert BandedSPADE(generator).plan(semantics, style, 1 << 40).work == counted


def test_networks_whose_pictures_are_whole() -> None:
    instance = SPADEGenerator(CLASSES, width=2, hidden=4, norm="instance").eval().fold()
    for generator in (instance, GlobalGenerator(CLASSES, width=2, downsamplings=1, blocks=0)):
        assert not has_bands(generator)
        with pytest.raises(InputError, match="are made whole; SPADE, OASIS and SEAN without instance norm"):
            BandedSPADE(generator)
    assert has_bands(folded("noise")) and has_bands(folded("SEAN"))
    for_each = SEANGenerator(CLASSES, CLASSES, 3, width=2, hidden=4, norm="instance").eval().fold()
    assert not has_bands(for_each)


def test_a_band_is_rows_of_the_picture() -> None:
    assert list(bands_of((5, 3), 2)) == [Region(0, 2, 0, 3), Region(2, 4, 0, 3), Region(4, 5, 0, 3)]
