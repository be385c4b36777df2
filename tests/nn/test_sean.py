"""The SEAN generator: equations against loops, patterns against the dense way, and what a style code reaches."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from i2i.errors import InputError
from i2i.label_regions import regions_of
from i2i.nn.recomputation import recompute_blocks
from i2i.nn.sean import SEANGenerator
from i2i.nn.sean_block import SEANModulation, SEANResnetBlock
from i2i.recipe import build, recipe
from i2i.semantics import SemanticMap
from i2i.styled_map import StyledMap

D = 3
CLASSES = 4


def unsettled(network: nn.Module) -> nn.Module:
    """Every number counts: no bias is zero, no running statistic at its start, no share a half, no noise without."""
    with torch.no_grad():
        for name, p in network.named_parameters():
            if name.endswith(("bias", "mixing", "noise_scale")):
                p.normal_(0, 0.4)
        for name, b in network.named_buffers():
            if name.endswith("running_mean"):
                b.normal_(0, 0.5)
            if name.endswith("running_var"):
                b.uniform_(0.5, 2)
    return network.double()


def network(channels: int, regions: Any = "class", **changes: Any) -> SEANGenerator:
    generator = SEANGenerator(channels, CLASSES, D, regions, **({"width": 2, "hidden": 4, "gain": 1.0} | changes))
    unsettled(generator)
    return generator


def blocky(batch: int = 2, height: int = 64, width: int = 96, edges: bool = True, cell: int = 16) -> SemanticMap:
    random = torch.Generator().manual_seed(3)
    coarse = torch.randint(0, CLASSES - 1, (2, batch, height // cell, width // cell), generator=random)
    labels, instances = (m.repeat_interleave(cell, 1).repeat_interleave(cell, 2) for m in coarse)
    return SemanticMap.from_labels(labels, CLASSES, instances if edges else None)  # the last class is in no map


def drawn(generator: SEANGenerator, semantics: SemanticMap, seed: int = 0) -> Tensor:
    return generator.draw(semantics, torch.Generator().manual_seed(seed)).double()


def styled(semantics: SemanticMap, kind: Any, codes: Tensor) -> StyledMap:
    found = regions_of(semantics, kind)
    return StyledMap(semantics, found.regions, found.label, found.chosen(codes))


# --- the equations ---------------------------------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize("kind", ["class", "instance"])
@pytest.mark.parametrize("size", [(8, 12), (4, 6)])
def test_the_modulation_is_that_of_the_paper(kind: Any, size: tuple[int, int]) -> None:
    """Pixel by pixel: the code of its region, which is that of the nearest-resized map, by the matrix of its class."""
    semantics = blocky(2, 8, 12, cell=2)
    assert semantics.instances is not None
    modulation = SEANModulation(semantics.channels, 5, CLASSES, D, hidden=4)
    unsettled(modulation)
    found = regions_of(semantics, kind)
    codes = torch.randn(2, found.places, D, dtype=torch.float64)
    step = 8 // size[0]
    style_map = torch.zeros(2, D, *size, dtype=torch.float64)
    style = modulation.style
    assert style is not None
    for n in range(2):
        both = torch.stack([semantics.labels[n], semantics.instances[n]], -1)
        pairs = sorted({tuple(pixel) for pixel in both.flatten(0, 1).tolist()})
        for y in range(size[0]):
            for x in range(size[1]):
                label = int(semantics.labels[n, y * step, x * step])
                own = (label, int(semantics.instances[n, y * step, x * step]))
                code = codes[n, label if kind == "class" else pairs.index(own)]
                style_map[n, :, y, x] = style.transform.weight[label] @ code + style.transform.bias[label]
    style_map.clamp_(min=0)
    one_hot = semantics.resized(*size).dense(torch.float64)
    hidden = modulation.labels.shared(one_hot).clamp(min=0)
    a, b = 1 / (1 + torch.exp(-style.mixing))
    gamma = a * style.gamma(style_map) + (1 - a) * modulation.labels.gamma(hidden)
    beta = b * style.beta(style_map) + (1 - b) * modulation.labels.beta(hidden)
    x = torch.randn(2, 5, *size, dtype=torch.float64)
    expected = x * (1 + gamma) + beta
    torch.testing.assert_close(modulation(x, styled(semantics, kind, codes).resized(*size)), expected)


def test_noise_comes_before_the_norm_by_channel() -> None:
    modulation = SEANModulation(2, 3, 2, D)
    x, noise = torch.randn(2, 3, 4, 4), torch.randn(2, 1, 4, 4)
    assert torch.equal(modulation.noisy(x, noise), x)  # it starts without
    with torch.no_grad():
        modulation.noise_scale.copy_(torch.tensor([0.0, 1.0, -2.0])[:, None, None])  # type: ignore[union-attr]
    expected = torch.stack([x[:, 0], x[:, 1] + noise[:, 0], x[:, 2] - 2 * noise[:, 0]], 1)
    torch.testing.assert_close(modulation.noisy(x, noise), expected)
    block = SEANResnetBlock(2, 2, 2, 2, D, norm="instance", hidden=3)
    with torch.no_grad():
        block.modulate_0.noise_scale.fill_(1e4)  # type: ignore[union-attr]
    seen: list[Tensor] = []
    block.normalise_0.register_forward_hook(lambda _, inputs, out: seen.append(out))
    there = styled(SemanticMap.from_labels(torch.zeros(1, 4, 4, dtype=torch.long), 2), "class", torch.zeros(1, 2, D))
    block(torch.randn(1, 2, 4, 4), there, (noise[:1], None), "dense")
    expected = (noise[:1] - noise[:1].mean()) / noise[:1].std(correction=0)
    torch.testing.assert_close(seen[0], expected.expand_as(seen[0]), rtol=0, atol=1e-2)


# --- the fast way is the dense way -----------------------------------------------------------------------------------


def assert_same_training(generator: SEANGenerator, semantics: SemanticMap, codes: Tensor, training: bool) -> None:
    """Output, all gradients (the codes', too) and all buffers, in float64, with the same noise."""
    dense, fast = copy.deepcopy(generator).train(training), copy.deepcopy(generator).train(training)
    dense.modulation, fast.modulation = "dense", "patterns"
    results = []
    for net in (dense, fast):
        z = codes.clone().requires_grad_()
        torch.manual_seed(7)
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


@pytest.mark.parametrize("kind", ["class", "instance"])
@pytest.mark.parametrize("training", [True, False])
def test_outputs_and_gradients(kind: Any, training: bool) -> None:
    semantics = blocky()
    generator = network(semantics.channels, kind)
    assert_same_training(generator, semantics, drawn(generator, semantics), training)


@pytest.mark.parametrize("changes", [{"kernel": 5, "noise": False}, {"norm": "instance", "spectral": False}])
def test_other_architectures(changes: dict[str, Any]) -> None:
    semantics = blocky(edges=False)
    generator = network(semantics.channels, **changes)
    assert_same_training(generator, semantics, drawn(generator, semantics), True)


@settings(max_examples=20)
@given(
    size=st.tuples(st.integers(1, 5), st.integers(2, 5)),
    larger=st.sampled_from([1, 2]),
    kind=st.sampled_from(["class", "instance"]),
    noise=st.booleans(),
    method=st.sampled_from(["auto", "patterns"]),
    seed=st.integers(0, 99),
)
def test_a_block_on_any_map(size: tuple[int, int], larger: int, kind: Any, noise: bool, method: Any, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    shape = (2, size[0] * larger, size[1] * larger)
    labels, instances = (torch.randint(0, 3, shape, generator=random) for _ in range(2))
    semantics = SemanticMap.from_labels(labels, 3, instances)
    torch.manual_seed(seed)
    codes = torch.randn(2, regions_of(semantics, kind).places, D, dtype=torch.float64, requires_grad=True)
    block = SEANResnetBlock(4, 2, semantics.channels, 3, D, hidden=3)
    unsettled(block)
    x = torch.randn(2, 4, *size, dtype=torch.float64, requires_grad=True)
    added: Any = [torch.randn(2, 1, *shape[1:], dtype=torch.float64) if noise else None for _ in range(3)]
    twin = copy.deepcopy(block)
    expected = block(x, styled(semantics, kind, codes), added, "dense")
    found = twin(x, styled(semantics, kind, codes), added, method)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    inputs = [x, codes, *(p for n, p in block.named_parameters() if noise or "noise_scale" not in n)]
    others = [x, codes, *(p for n, p in twin.named_parameters() if noise or "noise_scale" not in n)]
    gradients = torch.autograd.grad(expected.square().sum(), inputs)
    largest = max(1.0, *(float(g.abs().max()) for g in gradients))
    torch.testing.assert_close(
        torch.autograd.grad(found.square().sum(), others), gradients, rtol=1e-9, atol=1e-9 * largest
    )


@torch.no_grad()
@pytest.mark.parametrize("kind", ["class", "instance"])
@pytest.mark.parametrize("changes", [{}, {"norm": "instance", "kernel": 5}, {"noise": False}])
def test_folding_changes_nothing(kind: Any, changes: dict[str, Any]) -> None:
    semantics = blocky()
    generator = network(semantics.channels, kind, **changes)
    folded = generator.train().fold()
    generator.eval().modulation = "dense"
    for seed in (0, 1):  # the second style of a map: nothing of the first is kept
        codes = drawn(generator, semantics, seed)
        torch.testing.assert_close(folded(semantics, codes), generator(semantics, codes), rtol=0, atol=1e-9)
    assert (folded.multiple, folded.region_channels, folded.training) == (32, D, False)
    half = generator.fold(torch.bfloat16)(semantics, codes)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, generator(semantics, codes).float(), rtol=0, atol=0.2)


def test_recomputed_blocks_give_the_same_gradients() -> None:
    semantics = blocky()
    plain = network(semantics.channels)
    again = copy.deepcopy(plain)
    recompute_blocks(again)
    results = []
    for net in (plain, again):
        codes = drawn(net, semantics).requires_grad_()
        torch.manual_seed(1)
        loss = net(semantics, codes).square().sum()
        results.append(torch.autograd.grad(loss, [codes, *net.parameters()]))
    torch.testing.assert_close(results[1], results[0])
    torch.testing.assert_close(again.state_dict(), plain.state_dict())


# --- what a code reaches ---------------------------------------------------------------------------------------------


@torch.no_grad()
def test_a_code_changes_the_picture_around_its_class_alone() -> None:
    """A class on the left of a wide map of another. The first block looks 4 cells of 32 pixels around; the others and
    the last layer as in SPADE; a cell takes its label from a pixel up to 31 pixels away."""
    reach = 4 * 32 + 2 * (16 + 16 + 8 + 4 + 2 + 1) + 1 + 31
    labels = torch.zeros(1, 32, 480, dtype=torch.long)
    labels[..., :8] = 1
    semantics = SemanticMap.from_labels(labels, CLASSES)
    generator = network(CLASSES).eval()
    for prepared in (generator, generator.fold()):
        codes = drawn(generator, semantics)
        before = prepared(semantics, codes)
        for label in range(CLASSES):
            other = codes.clone()
            other[:, label] += 1
            change = (prepared(semantics, other) - before).abs().amax((0, 1, 2))
            if label == 1:
                assert change[:8].min() > 1e-6
                assert (change[8 + reach :] < 1e-12).all() and len(change) > 8 + reach
            elif label == 0:
                assert change.min() > 1e-6
            else:  # not in the map
                assert not change.any()


@torch.no_grad()
def test_pictures_of_a_batch_are_pictures_by_themselves() -> None:
    semantics = blocky()
    assert semantics.instances is not None
    for kind in ("class", "instance"):
        generator = network(semantics.channels, kind).eval()
        codes = drawn(generator, semantics)
        whole = generator(semantics, codes)
        for n in range(2):
            one = SemanticMap.from_labels(semantics.labels[n : n + 1], CLASSES, semantics.instances[n : n + 1])
            own = codes[n : n + 1, : regions_of(one, generator.regions).places]
            torch.testing.assert_close(generator(one, own), whole[n : n + 1], rtol=0, atol=1e-9)


@torch.no_grad()
def test_resampled_codes_are_other_in_the_named_classes_alone() -> None:
    semantics = blocky()
    for kind in ("class", "instance"):
        generator = network(semantics.channels, kind)
        style, fresh = (drawn(generator, semantics, seed) for seed in (0, 1))
        mixed = generator.resampled(semantics, style, fresh, [1])
        found = regions_of(semantics, generator.regions)
        maps = [found.chosen(codes)[found.regions.index] for codes in (style, fresh, mixed)]
        named = (semantics.labels == 1)[..., None]
        assert torch.equal(maps[2], torch.where(named, maps[1], maps[0])) and named.any() and not named.all()


@torch.no_grad()
def test_noise_is_drawn_in_training_and_fixed_afterwards() -> None:
    semantics = blocky()
    generator = network(semantics.channels, norm="instance", spectral=False)
    codes = drawn(generator, semantics)
    torch.manual_seed(0)
    first = generator(semantics, codes)
    torch.manual_seed(0)
    assert torch.equal(generator(semantics, codes), first)
    assert (generator(semantics, codes) - first).abs().max() > 1e-3
    generator.eval()
    assert torch.equal(generator(semantics, codes), generator(semantics, codes))


# --- the network -----------------------------------------------------------------------------------------------------


def test_a_recipe_rebuilds_it() -> None:
    generator = SEANGenerator(5, CLASSES, D, "instance", width=1, hidden=3, upsamplings=6)
    again = build(recipe(generator))
    assert isinstance(again, SEANGenerator) and again.regions == "instance"
    assert [p.shape for p in again.parameters()] == [p.shape for p in generator.parameters()]


def test_all_blocks_but_the_last_take_styles() -> None:
    for upsamplings in (5, 6, 7):
        generator = SEANGenerator(4, CLASSES, D, width=2, hidden=3, upsamplings=upsamplings)  # type: ignore[arg-type]
        taken = [any(m.style is not None for m in block.modulations) for block in generator.blocks]  # type: ignore
        assert taken == [True] * (len(taken) - 1) + [False]


def test_the_plan_is_that_of_spade() -> None:
    generator = SEANGenerator(4, CLASSES, D, width=1, hidden=32)
    assert generator.pattern_plan().neighbourhoods == {(1 << i, 3) for i in range(6)}
    assert not SEANGenerator(4, CLASSES, D, width=1, hidden=3).pattern_plan()


def test_bad_input() -> None:
    semantics = blocky(edges=False)
    with pytest.raises(InputError, match=r"style codes of shape \(2, 4, 3\), got none"):
        network(4)(semantics)
    with pytest.raises(InputError, match=r"got some of shape \(2, 3\)"):
        network(4)(semantics, torch.zeros(2, D))
    with pytest.raises(InputError, match="no instance maps"):
        network(4, "instance").draw(semantics)
    with pytest.raises(InputError, match="of 4 classes, the generator of 3"):
        SEANGenerator(4, 3, D, width=1)(semantics, torch.zeros(2, 3, D))
    with pytest.raises(InputError, match="region_channels is 0"):
        SEANGenerator(4, 4, 0)
    with pytest.raises(InputError, match="width is 1"):
        SEANGenerator(4, 4, width=1, upsamplings=7)
    with pytest.raises(InputError, match="multiples of 32"):
        network(4)(SemanticMap.from_labels(torch.zeros(1, 40, 64, dtype=torch.long), 4), torch.zeros(1, 4, D))
