"""pix2pixHD's generators against a plain reading of the paper, and what sets them apart from SPADE."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2i.benchmark.memory import KeptForBackward
from i2i.errors import InputError
from i2i.nn.instance_encoder import InstanceEncoder
from i2i.nn.pix2pixhd import GlobalGenerator, LocalEnhancer
from i2i.nn.recomputation import recompute_blocks
from i2i.nn.spade import SPADEGenerator
from i2i.recipe import build, recipe
from i2i.semantics import SemanticMap

CLASSES = 4


def condition(batch: int = 2, height: int = 32, width: int = 48, instances: bool = True) -> SemanticMap:
    labels = torch.randint(CLASSES, (batch, height // 8, width // 8)).repeat_interleave(8, 1).repeat_interleave(8, 2)
    ids = labels * 1000 + torch.randint(2, labels.shape)
    return SemanticMap.from_labels(labels, CLASSES, ids if instances else None)


# --- the reference: functions of a list of weights, in the order in which the paper names the layers -----------------


class Layers:
    """Hands out the convolutions of a network one after the other, in the order of its parameters."""

    def __init__(self, network: nn.Module) -> None:
        self.left = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]

    def next(self) -> tuple[Tensor, Tensor]:
        layer = self.left.pop(0)
        assert layer.bias is not None
        return layer.weight, layer.bias


def normed(x: Tensor) -> Tensor:
    centred = x - x.mean((2, 3), keepdim=True)
    return centred / (centred.square().mean((2, 3), keepdim=True) + 1e-5).sqrt()


def mirrored(x: Tensor, by: int) -> Tensor:
    """Reflection padding by indexing: … 2 1 | 0 1 2 … n-1 | n-2 n-3 …"""
    for dim in (2, 3):
        n = x.shape[dim]
        before, after = list(range(by, 0, -1)), list(range(n - 2, n - 2 - by, -1))
        x = x.index_select(dim, torch.tensor(before + list(range(n)) + after))
    return x


def c7s1(x: Tensor, layers: Layers) -> Tensor:
    return F.conv2d(mirrored(x, 3), *layers.next())


def d(x: Tensor, layers: Layers) -> Tensor:
    return normed(F.conv2d(x, *layers.next(), stride=2, padding=1)).relu()


def residual(x: Tensor, layers: Layers) -> Tensor:
    hidden = normed(F.conv2d(mirrored(x, 1), *layers.next())).relu()
    return x + normed(F.conv2d(mirrored(hidden, 1), *layers.next()))


def u(x: Tensor, layers: Layers) -> Tensor:
    """The transposed convolution as what it is: a convolution of the map with zeros put between its values."""
    weight, bias = layers.next()
    n, channels, h, w = x.shape
    spread = x.new_zeros(n, channels, 2 * h + 2, 2 * w + 2)
    spread[:, :, 1:-1:2, 1:-1:2] = x
    out = F.conv2d(spread, weight.transpose(0, 1).flip(2, 3), bias)
    assert out.shape[-2:] == (2 * h, 2 * w)
    return normed(out).relu()


def trunk(x: Tensor, layers: Layers, downsamplings: int, blocks: int) -> Tensor:
    x = normed(c7s1(x, layers)).relu()
    for _ in range(downsamplings):
        x = d(x, layers)
    for _ in range(blocks):
        x = residual(x, layers)
    for _ in range(downsamplings):
        x = u(x, layers)
    return x


def averaged_down(x: Tensor) -> Tensor:
    """Mean over the 3×3 pixels around every second one, of those that are there."""
    ones = torch.ones_like(x)
    total, count = (F.conv2d(F.pad(t, (1, 1, 1, 1)), x.new_ones(t.shape[1], 1, 3, 3), stride=2, groups=t.shape[1])
                    for t in (x, ones))  # fmt: skip
    return total / count


def one_hot(semantics: SemanticMap, style: Tensor | None) -> Tensor:
    planes = [F.one_hot(semantics.labels.long(), CLASSES).permute(0, 3, 1, 2).double()]
    if semantics.edges is not None:
        planes.append(semantics.edges[:, None].double())
    return torch.cat([*planes, *([] if style is None else [style])], 1)


@pytest.mark.parametrize(
    ("width", "downsamplings", "blocks", "features"), [(3, 1, 1, 0), (2, 2, 0, 0), (4, 3, 2, 3), (1, 4, 1, 1)]
)
@torch.no_grad()
def test_the_global_generator_is_the_papers(width: int, downsamplings: int, blocks: int, features: int) -> None:
    semantics = condition(1, 32, 64)
    network = GlobalGenerator(CLASSES + 1, features, width, downsamplings, blocks, gain=0.3).double()
    style = torch.rand(1, features, 32, 64).double() if features else None
    layers = Layers(network)
    x = trunk(one_hot(semantics, style), layers, downsamplings, blocks)
    expected = torch.tanh(c7s1(x, layers))
    assert not layers.left
    torch.testing.assert_close(network(semantics, style), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("width", "levels", "blocks", "downsamplings", "coarse_blocks", "features"),
    [(2, 1, 1, 2, 1, 0), (1, 2, 2, 1, 0, 2), (2, 3, 0, 1, 1, 0)],
)
@torch.no_grad()
def test_the_local_enhancer_is_the_papers(
    width: int, levels: int, blocks: int, downsamplings: int, coarse_blocks: int, features: int
) -> None:
    semantics = condition(2, 32, 64)
    sizes = (width, levels, blocks, downsamplings, coarse_blocks)
    network = LocalEnhancer(CLASSES + 1, features, *sizes, gain=0.3).double()
    style = torch.rand(2, features, 32, 64).double() if features else None
    layers = Layers(network)
    pyramid = [one_hot(semantics, style)]
    for _ in range(levels):
        pyramid.append(averaged_down(pyramid[-1]))
    x = trunk(pyramid[-1], layers, downsamplings, coarse_blocks)
    for finer in pyramid[-2::-1]:
        x = x + d(normed(c7s1(finer, layers)).relu(), layers)
        for _ in range(blocks):
            x = residual(x, layers)
        x = u(x, layers)
    expected = torch.tanh(c7s1(x, layers))
    assert not layers.left
    torch.testing.assert_close(network(semantics, style), expected, rtol=0, atol=1e-9)


def test_published_sizes() -> None:
    with torch.device("meta"):
        coarse, fine = GlobalGenerator(36), LocalEnhancer(36)
    count = [sum(p.numel() for p in network.parameters()) for network in (coarse, fine)]
    assert count[0] == pytest.approx(182.5e6, rel=0.002)
    assert [m.out_channels for m in coarse.modules() if isinstance(m, nn.Conv2d)][:5] == [64, 128, 256, 512, 1024]
    last = sum(p.numel() for p in coarse.last.parameters())
    assert sum(p.numel() for p in fine.coarse.parameters()) == count[0] - last
    assert fine.multiple == 2 * coarse.multiple == 32


def test_weights_start_normal() -> None:
    network = LocalEnhancer(CLASSES, width=8, coarse_downsamplings=2, coarse_blocks=1)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            assert float(layer.weight.detach().std()) == pytest.approx(0.02, rel=0.15) and not layer.bias.any()


@torch.no_grad()
def test_instance_norm_washes_a_single_class_away_and_spade_does_not() -> None:
    """Park et al. 2019, section 3: why normalisation must be spatially adaptive."""
    maps = [SemanticMap(torch.full((1, 64, 64), label), CLASSES) for label in range(CLASSES)]
    arguments: dict[str, Any] = {"width": 4, "gain": 0.3}
    enhancer = LocalEnhancer(CLASSES, coarse_downsamplings=3, **arguments).double()
    for network in (GlobalGenerator(CLASSES, downsamplings=3, blocks=2, **arguments).double(), enhancer):
        pictures = [network(semantics) for semantics in maps]
        assert all(float((picture - pictures[0]).abs().max()) < 1e-6 for picture in pictures)
        two = torch.zeros(1, 64, 64, dtype=torch.long)
        two[:, 20:] = 1
        assert float((network(SemanticMap(two, CLASSES)) - pictures[0]).abs().max()) > 1e-2
    spade = SPADEGenerator(CLASSES, width=2, hidden=8, norm="instance", gain=1.0).double()
    shades = [spade(semantics) for semantics in maps]
    assert all(float((a - b).abs().max()) > 1e-2 for a, b in pairwise(shades))


@torch.no_grad()
def test_without_that_norm_the_class_counts() -> None:
    network = GlobalGenerator(CLASSES, width=4, downsamplings=2, blocks=1, norm="none", gain=0.3)
    pictures = [network(SemanticMap(torch.full((1, 16, 16), label), CLASSES)) for label in (0, 1)]
    assert float((pictures[0] - pictures[1]).abs().max()) > 1e-3


def test_every_weight_has_a_gradient_and_the_recipe_rebuilds_the_network() -> None:
    semantics = condition()
    generators = (GlobalGenerator(5, 2, 2, 2, 1, gain=0.3), LocalEnhancer(5, 2, 2, 2, 1, 1, 1, gain=0.3))
    for network in generators:
        style = network.draw(semantics)
        picture = network(semantics, style)
        assert picture.shape == (2, 3, 32, 48) and picture.abs().max() <= 1
        picture.square().mean().backward()
        assert all(p.grad is not None and p.grad.any() for n, p in network.named_parameters() if "weight" in n)
        twin = build(recipe(network))
        twin.load_state_dict(network.state_dict())
        assert torch.equal(twin(semantics, style), picture)


def test_drawn_features_are_constant_in_each_instance_and_seeded() -> None:
    semantics = condition()
    network = GlobalGenerator(5, 3, 2, 1, 0)
    seeds = [network.draw(semantics, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(seeds[0], seeds[1]) and not torch.equal(seeds[0], seeds[2])
    assert seeds[0].shape == (2, 3, 32, 48) and float(seeds[0].abs().max()) <= 1
    assert semantics.instances is not None
    for n in range(2):
        for number in semantics.instances[n].unique():
            inside = seeds[0][n][:, semantics.instances[n] == number]
            assert torch.equal(inside, inside[:, :1].expand_as(inside))
    assert GlobalGenerator(5, 0, 2, 1, 0).draw(semantics) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"condition": condition(1, 32, 48, instances=False)}, "4 channels .*takes 5"),
        ({"condition": condition(1, 40, 48)}, "40 x 48.*multiples of 16, and at least 32"),
        ({"condition": condition(1, 16, 48)}, "16 x 48.*multiples of 16, and at least 32"),
        ({"style": None}, r"instance features of shape \(1, 3, 32, 48\), got none"),
        ({"style": torch.zeros(1, 2, 32, 48)}, r"got a style of shape \(1, 2, 32, 48\)"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], message: str) -> None:
    network = LocalEnhancer(5, 3, 1, 2, 0, 2, 0)
    given = {"condition": condition(1), "style": torch.zeros(1, 3, 32, 48)} | change
    with pytest.raises(InputError, match=message):
        network(**given)


def test_numbers_that_are_too_small() -> None:
    wrong = [
        (GlobalGenerator, {"downsamplings": 0}, "downsamplings is 0; allowed are 1"),
        (GlobalGenerator, {"feature_channels": -1}, "feature_channels is -1"),
        (LocalEnhancer, {"levels": 0}, "levels is 0"),
        (LocalEnhancer, {"coarse_blocks": -1}, "coarse_blocks is -1"),
    ]
    for cls, arguments, message in wrong:
        with pytest.raises(InputError, match=message):
            cls(4, **arguments)
    with pytest.raises(InputError, match="features is 0"):
        InstanceEncoder(0)


def test_features_need_instances() -> None:
    with pytest.raises(InputError, match="these labels come without"):
        GlobalGenerator(4, 3).draw(condition(instances=False))


def test_recomputed_blocks_give_the_same_gradients_and_keep_less() -> None:
    condition = SemanticMap.from_labels(torch.randint(3, (2, 32, 32), generator=torch.Generator().manual_seed(0)), 3)
    found = []
    for recompute in (False, True):
        torch.manual_seed(0)
        network = GlobalGenerator(3, width=4, downsamplings=1, blocks=4, norm="batch").double()
        if recompute:
            recompute_blocks(network)
        counter = KeptForBackward([network])
        with counter:
            out = network(condition)
        gradients = torch.autograd.grad(out.square().sum(), list(network.parameters()))
        found.append((counter.most, gradients, list(network.buffers())))
    assert found[1][0] < found[0][0]
    for part in (1, 2):
        for ours, expected in zip(found[1][part], found[0][part], strict=True):
            assert torch.equal(ours, expected)
    with pytest.raises(InputError, match="Conv2d has no blocks"):
        recompute_blocks(torch.nn.Conv2d(1, 1, 1))
