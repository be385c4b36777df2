"""The OASIS generator: noise by patterns is the dense noise, every kind of it; what resampling reaches."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from i2i.errors import InputError
from i2i.label_regions import Regions
from i2i.nn import pattern_modulation
from i2i.nn.oasis import OASISGenerator
from i2i.nn.pattern_modulation import TableWeights, modulation_tables
from i2i.nn.spade import SPADEGenerator
from i2i.nn.spade_block import SPADEResnetBlock
from i2i.noise import PixelNoiseMap, RegionNoiseMap
from i2i.recipe import build, recipe
from i2i.semantics import SemanticMap

KINDS: list[Any] = ["image", "class", "instance", "pixel"]
Z = 3


def network(channels: int, noise: Any = "image", dtype: torch.dtype = torch.float64, **changes: Any) -> OASISGenerator:
    """A small generator whose every number counts: no bias is zero, no running statistic is at its start."""
    generator = OASISGenerator(channels, Z, noise, **({"width": 2, "hidden": 4, "gain": 1.0} | changes))
    with torch.no_grad():
        for name, p in generator.named_parameters():
            if name.endswith("bias"):
                p.normal_(0, 0.3)
        for name, b in generator.named_buffers():
            if name.endswith("running_mean"):
                b.normal_(0, 0.5)
            if name.endswith("running_var"):
                b.uniform_(0.5, 2)
    return generator.to(dtype)


def blocky(batch: int = 2, height: int = 64, width: int = 96, edges: bool = True, classes: int = 4) -> SemanticMap:
    random = torch.Generator().manual_seed(3)
    coarse = torch.randint(0, classes, (2, batch, height // 16, width // 16), generator=random)
    labels, instances = (m.repeat_interleave(16, 1).repeat_interleave(16, 2) for m in coarse)
    return SemanticMap.from_labels(labels, classes, instances if edges else None)


def drawn(generator: OASISGenerator, semantics: SemanticMap, seed: int = 0) -> Tensor:
    return generator.draw(semantics, torch.Generator().manual_seed(seed)).to(generator.last.weight.dtype)


# --- the fast way is the dense way ---------------------------------------------------------------------------------


def assert_same_training(generator: OASISGenerator, semantics: SemanticMap, noise: Tensor, training: bool) -> None:
    """Output, all gradients (the noise's, too) and all buffers, in float64."""
    dense, fast = copy.deepcopy(generator).train(training), copy.deepcopy(generator).train(training)
    dense.modulation, fast.modulation = "dense", "patterns"
    results = []
    for net in (dense, fast):
        z = noise.clone().requires_grad_()
        out = net(semantics, z)
        weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out).cos()
        results.append((out.detach(), torch.autograd.grad((out * weights).sum(), [z, *net.parameters()])))
    (expected, gradients), (found, others) = results
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    assert gradients[0].abs().max() > 1e-4
    largest = max(1.0, *(float(g.abs().max()) for g in gradients))
    for a, b in zip(others, gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9 * largest)
    torch.testing.assert_close(fast.state_dict(), dense.state_dict(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", ["image", "class", "instance"])
@pytest.mark.parametrize("training", [True, False])
def test_outputs_and_gradients(kind: Any, training: bool) -> None:
    semantics = blocky()
    generator = network(semantics.channels, kind)
    assert_same_training(generator, semantics, drawn(generator, semantics), training)


@pytest.mark.parametrize("changes", [{"kernel": 5}, {"norm": "instance", "spectral": False}])
def test_other_architectures(changes: dict[str, Any]) -> None:
    semantics = blocky(edges=False)
    generator = network(semantics.channels, **changes)
    assert_same_training(generator, semantics, drawn(generator, semantics), True)


def test_on_real_maps(shared: Path) -> None:
    paths = sorted((shared / "data/camvid/valannot").glob("*.png"))[:2]
    maps = [np.asarray(Image.open(p).resize((128, 96), Image.Resampling.NEAREST)).astype(np.int64) for p in paths]
    semantics = SemanticMap.from_labels(np.stack(maps), 12)
    for kind in ("image", "class"):
        generator = network(12, kind)
        assert_same_training(generator, semantics, drawn(generator, semantics), True)


@settings(max_examples=25)
@given(
    size=st.tuples(st.integers(1, 6), st.integers(2, 6)),
    larger=st.sampled_from([1, 2]),
    regions=st.sampled_from([1, 2, 9]),
    edges=st.booleans(),
    kernel=st.sampled_from([3, 5]),
    method=st.sampled_from(["auto", "patterns"]),
    seed=st.integers(0, 99),
)
def test_a_block_on_any_map_and_any_regions(
    size: tuple[int, int], larger: int, regions: int, edges: bool, kernel: Any, method: Any, seed: int
) -> None:
    """Regions need not follow the labels; padding at the borders counts as neither label nor noise."""
    random = torch.Generator().manual_seed(seed)
    shape = (2, size[0] * larger, size[1] * larger)
    labels, instances = (torch.randint(0, 3, shape, generator=random) for _ in range(2))
    semantics = SemanticMap.from_labels(labels, 3, instances if edges else None)
    index = torch.randint(0, regions, shape, generator=random)
    torch.manual_seed(seed)
    noise = torch.randn(regions, Z, dtype=torch.float64, requires_grad=True)
    noisy = RegionNoiseMap(semantics, Regions(index, regions), noise)
    block = SPADEResnetBlock(4, 2, noisy.channels, kernel=kernel, hidden=3).double()
    x = torch.randn(2, 4, *size, dtype=torch.float64, requires_grad=True)
    twin = copy.deepcopy(block)
    expected, found = block(x, noisy, "dense"), twin(x, noisy, method)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    gradients = torch.autograd.grad(expected.square().sum(), [x, noise, *block.parameters()])
    others = torch.autograd.grad(found.square().sum(), [x, noise, *twin.parameters()])
    largest = max(1.0, *(float(g.abs().max()) for g in gradients))
    torch.testing.assert_close(others, gradients, rtol=1e-9, atol=1e-9 * largest)


@torch.no_grad()
@pytest.mark.parametrize("way", ["gather", "products", "pixels", "no patterns"])
def test_all_ways_give_the_same_tables(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    semantics = blocky(2, 16, 32)
    index = torch.randint(0, 5, (2, 16, 32))
    noise = torch.randn(5, Z, dtype=torch.float64)
    noisy: Any = RegionNoiseMap(semantics, Regions(index, 5), noise)
    block = SPADEResnetBlock(4, 2, noisy.channels, hidden=3).double()
    dense = noisy.dense(torch.float64)
    if way == "no patterns":
        noisy = PixelNoiseMap(semantics, noisy.noise_map())
    monkeypatch.setattr(pattern_modulation, "cheapest", lambda _: way)
    rows, tables = modulation_tables(TableWeights.of(block.modulations), noisy)
    for modulation, table in zip(block.modulations, tables, strict=True):
        hidden = modulation.shared(dense).clamp(min=0)
        expected = torch.cat([1 + modulation.gamma(hidden), modulation.beta(hidden)], 1)
        torch.testing.assert_close(table[rows.index.long()].permute(0, 3, 1, 2), expected, rtol=0, atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("changes", [{}, {"norm": "instance", "kernel": 5}])
def test_folding_changes_nothing(kind: Any, changes: dict[str, Any]) -> None:
    semantics = blocky()
    generator = network(semantics.channels, kind, **changes)
    noise = drawn(generator, semantics)
    folded = generator.train().fold()
    generator.eval().modulation = "dense"
    torch.testing.assert_close(folded(semantics, noise), generator(semantics, noise), rtol=0, atol=1e-9)
    assert torch.equal(drawn(folded, semantics), noise)
    assert (folded.multiple, folded.style_dim, folded.training) == (32, generator.style_dim, False)
    other = drawn(generator, semantics, seed=1)  # the same map, another noise: nothing of the first is kept
    torch.testing.assert_close(folded(semantics, other), generator(semantics, other), rtol=0, atol=1e-9)
    half = generator.fold(torch.bfloat16)(semantics, noise)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, generator(semantics, noise).float(), rtol=0, atol=0.2)


def test_a_folded_generator_gives_the_gradient_by_the_noise() -> None:
    semantics = blocky()
    generator = network(semantics.channels).eval()
    noise = drawn(generator, semantics).requires_grad_()
    (found,) = torch.autograd.grad(generator.fold()(semantics, noise).square().sum(), noise)
    (expected,) = torch.autograd.grad(generator(semantics, noise).square().sum(), noise)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


# --- kinds of noise ------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_all_forms_of_the_same_noise_give_the_same_picture() -> None:
    semantics = blocky(edges=False)
    generator = network(semantics.channels).eval()
    noise = drawn(generator, semantics)
    expected = generator(semantics, noise)
    by_class = noise[:, None].expand(-1, 4, -1)
    by_pixel = noise[:, :, None, None].expand(-1, -1, *semantics.size)
    for form in (by_class, by_pixel):
        torch.testing.assert_close(generator(semantics, form), expected, rtol=0, atol=1e-9)
    assert (generator(semantics, noise.flip(0)) - expected).abs().max() > 1e-2


@pytest.mark.parametrize(
    ("kind", "shape"), [("image", (2, Z)), ("class", (2, 4, Z)), ("instance", None), ("pixel", (2, Z, 64, 96))]
)
def test_what_is_drawn(kind: Any, shape: tuple[int, ...] | None) -> None:
    semantics = blocky()
    generator = network(semantics.channels, kind)
    if shape is None:
        assert semantics.instances is not None
        pairs = [torch.unique(semantics.labels[n] * 99 + semantics.instances[n]) for n in range(2)]
        shape = (2, max(map(len, pairs)), Z)
    first, again, other = (drawn(generator, semantics, seed) for seed in (0, 0, 1))
    assert first.shape == shape and torch.equal(first, again) and not torch.equal(first, other)
    many = torch.cat([drawn(generator, semantics, seed).flatten() for seed in range(200)])
    assert many.mean().item() == pytest.approx(0, abs=0.1) and many.std().item() == pytest.approx(1, abs=0.1)
    torch.manual_seed(5)
    free = generator.draw(semantics)
    torch.manual_seed(5)
    assert torch.equal(free, generator.draw(semantics))


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_resampled_noise_is_other_in_the_named_classes_alone(kind: Any) -> None:
    semantics = blocky()
    generator = network(semantics.channels, kind)
    style, fresh = (drawn(generator, semantics, seed) for seed in (0, 1))
    mixed = generator.resampled(semantics, style, fresh, [1, 3])
    maps = [generator._noisy(semantics, z).noise_map() for z in (style, fresh, mixed)]
    named = ((semantics.labels == 1) | (semantics.labels == 3))[:, None]
    assert torch.equal(maps[2], torch.where(named, maps[1], maps[0])) and named.any() and not named.all()


@torch.no_grad()
def test_resampling_changes_the_picture_only_within_reach() -> None:
    """Above the class on the left a wide map of one other class. The network sees so far and no farther:

    the first layer and the first block look 1 + 2 cells of 32 pixels around, or 4 by the block's own modulation, each
    further block 2 of its own cells, the last layer 1; and a cell takes its label from a pixel up to 31 pixels away.
    """
    reach = 4 * 32 + 2 * (16 + 8 + 4 + 2 + 1) + 1 + 31
    labels = torch.zeros(1, 32, 384, dtype=torch.long)
    labels[..., :8] = 1
    semantics = SemanticMap.from_labels(labels, 2)
    generator = network(2).eval()
    for prepared in (generator, generator.fold()):
        style, fresh = (drawn(generator, semantics, seed) for seed in (0, 1))
        before = prepared(semantics, style)
        after = prepared(semantics, prepared.resampled(semantics, style, fresh, [1]))
        change = (after - before).abs().amax((0, 1, 2))
        assert change[:8].min() > 1e-6
        assert (change[8 + reach :] < 1e-12).all() and len(change) > 8 + reach
        nothing = prepared(semantics, prepared.resampled(semantics, style, fresh, []))
        torch.testing.assert_close(nothing, before, rtol=0, atol=1e-12)


# --- the network ---------------------------------------------------------------------------------------------------


def test_the_published_size() -> None:
    """74.3 million parameters for the 151 labels of ADE20K and 64 channels of noise."""
    with torch.device("meta"):
        generator = OASISGenerator(151)
    assert sum(p.numel() for p in generator.parameters()) == pytest.approx(74.31e6, rel=1e-4)
    assert [block.conv_1.weight.shape[0] for block in generator.blocks] == [1024, 1024, 512, 256, 128, 64]
    assert generator.first.weight.shape == (1024, 151 + 64, 3, 3)


def test_a_recipe_rebuilds_it() -> None:
    generator = OASISGenerator(4, 5, "class", width=1, hidden=3)
    again = build(recipe(generator))
    assert isinstance(again, OASISGenerator) and again.noise == "class"
    assert [p.shape for p in again.parameters()] == [p.shape for p in generator.parameters()]
    with pytest.raises(TypeError, match="FoldedOASIS is not a recorded class"):
        recipe(generator.fold())


@pytest.mark.parametrize("noise", [None, torch.zeros(2, Z + 1), torch.zeros(1, Z), torch.zeros(2, 5, Z)])
def test_noise_that_does_not_fit(noise: Tensor | None) -> None:
    with pytest.raises(InputError, match=r"takes noise of shape \(2, 3\)"):
        network(4)(blocky(edges=False), noise)


def test_bad_input() -> None:
    with pytest.raises(InputError, match="no instance maps"):
        network(4, "instance").draw(blocky(edges=False))
    with pytest.raises(InputError, match="noise_channels 0"):
        OASISGenerator(4, 0)
    with pytest.raises(InputError, match=r"5 channels .* takes 4"):
        network(4)(blocky(), torch.zeros(2, Z))
    with pytest.raises(InputError, match="multiples of 32"):
        network(4)(SemanticMap.from_labels(torch.zeros(1, 40, 64, dtype=torch.long), 4), torch.zeros(1, Z))
    with pytest.raises(InputError, match="no noise by region"):
        SPADEGenerator(4, 3, width=1).resampled(blocky(), torch.zeros(2, 3), torch.zeros(2, 3), [1])
