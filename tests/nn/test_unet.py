"""The U-Net against the formula of the paper, and its noise."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from i2i.errors import InputError
from i2i.image_map import ImageMap
from i2i.nn.unet import UNetGenerator
from i2i.recipe import build, recipe
from i2i.semantics import SemanticMap


def images(batch: int = 2, height: int = 16, width: int = 16, channels: int = 3) -> ImageMap:
    return ImageMap(torch.rand(batch, channels, height, width) * 2 - 1)


def noisy(**arguments: Any) -> UNetGenerator:
    """A small network whose layers matter: weights of the published 0.02 would all but switch off the inner ones."""
    given: dict[str, Any] = {"label_channels": 3, "width": 4, "depth": 4, "gain": 0.4}
    return UNetGenerator(**given | arguments)


def textbook(network: UNetGenerator, x: Tensor, masks: list[Tensor]) -> Tensor:
    """C64-…-C512 down, CD512-…-C64 up with the layers of equal size concatenated (Isola et al. 2017, appendix 6.1)."""

    def norm(layer: Any, x: Tensor) -> Tensor:
        mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
        return (x - mean) / (variance + 1e-5).sqrt() * layer.weight[:, None, None] + layer.bias[:, None, None]

    levels = []
    for i, layer in enumerate(network.down):
        x = F.conv2d(x if i == 0 else F.leaky_relu(x, 0.2), layer.conv.weight, layer.conv.bias, 2, 1)
        if 0 < i < len(network.down) - 1:
            x = norm(layer.norm, x)
        levels.append(x)
    for i, layer in enumerate(network.up):
        x = norm(layer.norm, F.conv_transpose2d(x.relu(), layer.conv.weight, layer.conv.bias, 2, 1))
        if i < len(masks):
            x = 2 * x * masks[i].view_as(x)
        x = torch.cat([x, levels[-2 - i]], 1)
    return F.conv_transpose2d(x.relu(), network.last.weight, network.last.bias, 2, 1).tanh()


@torch.no_grad()
@pytest.mark.parametrize("dropout_layers", [0, 1, 3])
def test_the_network_is_the_papers(dropout_layers: int) -> None:
    network = noisy(dropout_layers=dropout_layers).double()
    condition = images(2, 32, 16)
    for parameter in network.parameters():
        parameter += 0.1 * torch.randn_like(parameter)
    noise = network.draw(condition)
    features = [16 * 4 * 2, 8 * 8 * 4, 4 * 16 * 8][:dropout_layers]
    masks = [] if noise is None else list(noise.double().split(features, 1))
    expected = textbook(network, condition.image.double(), masks)
    torch.testing.assert_close(network(condition, noise), expected)


def test_published_sizes() -> None:
    with torch.device("meta"):
        network = UNetGenerator(3)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(54.414, abs=1e-3)
    for depth, side in ((7, 128), (8, 256), (9, 512)):
        with torch.device("meta"):
            network = UNetGenerator(3, width=1, depth=depth)
            x: Tensor = torch.empty(1, 3, side, side)
            for layer in network.down:
                x = layer(x, False) if layer is not network.down[-1] else layer.conv(x)
        assert x.shape[-2:] == (1, 1)


@torch.no_grad()
def test_a_seed_gives_the_same_noise_whatever_the_batch() -> None:
    network, condition = noisy(), images(3)
    draw = [
        network.draw(c, torch.Generator().manual_seed(5)) for c in (condition, condition, ImageMap(condition.image[:1]))
    ]
    assert all(isinstance(noise, Tensor) for noise in draw)
    whole, again, first = (noise for noise in draw if noise is not None)
    assert torch.equal(whole, again) and torch.equal(whole[:1], first)
    assert not torch.equal(whole[0], whole[1])
    state = torch.get_rng_state()
    network.draw(condition, torch.Generator().manual_seed(5))
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(1)
    one = network.draw(condition)
    torch.manual_seed(1)
    assert one is not None and torch.equal(one, network.draw(condition))  # type: ignore[arg-type]


@settings(max_examples=20)
@given(share=st.floats(0.05, 0.95), layers=st.integers(1, 3), rows=st.integers(1, 3))
def test_dropout_removes_its_share(share: float, layers: int, rows: int) -> None:
    network = noisy(width=8, dropout=share, dropout_layers=layers)
    kept = network.draw(images(4, 16 * rows, 32))
    assert kept is not None and kept.dtype == torch.bool
    assert kept.float().mean() == pytest.approx(1 - share, abs=5 * (share * (1 - share) / kept.numel()) ** 0.5)


@torch.no_grad()
@pytest.mark.parametrize("statistics", ["picture", "running"])
@pytest.mark.parametrize("norm", ["batch", "global_batch", "instance", "none"])
def test_in_evaluation_a_picture_does_not_depend_on_its_batch(statistics: Any, norm: Any) -> None:
    network, condition = noisy(statistics=statistics, norm=norm), images(3)
    network(images(4))  # so that the running averages are not those of the start
    network.eval()
    noise = network.draw(condition)
    assert noise is not None
    together = network(condition, noise)
    alone = torch.cat([network(ImageMap(condition.image[i : i + 1]), noise[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone)


@torch.no_grad()
def test_evaluation_is_the_published_test_at_a_batch_of_one() -> None:
    """There the networks stay in training mode: dropout, and batch norm by the test picture's own statistics."""
    network, condition = noisy(), images(1)
    noise = network.draw(condition)
    as_trained = network(condition, noise)
    assert torch.allclose(network.eval()(condition, noise), as_trained, atol=1e-5)
    running = noisy(statistics="running")
    running.load_state_dict(network.state_dict())
    assert not torch.allclose(running.eval()(condition, noise), as_trained, atol=1e-2)


@torch.no_grad()
def test_without_noise_every_feature_is_kept() -> None:
    network, condition = noisy().eval(), images()
    silent = noisy(dropout=0.0).eval()
    silent.load_state_dict(network.state_dict())
    assert silent.draw(condition) is None
    assert torch.equal(network(condition, None), silent(condition))
    assert not torch.allclose(network(condition, network.draw(condition)), network(condition), atol=1e-3)


def test_skip_connections_carry_what_the_bottleneck_does_not() -> None:
    """With a dead innermost layer the picture still depends on the condition, at each pixel's own place only."""
    network = noisy(norm="none", dropout_layers=0, depth=3).double()
    with torch.no_grad():
        for layer in network.up:
            layer.conv.weight.zero_()
    image = (torch.rand(1, 3, 32, 32, dtype=torch.float64) * 2 - 1).requires_grad_()
    network(ImageMap(image))[0, :, 16, 16].sum().backward()
    assert image.grad is not None
    places = image.grad.abs().sum((0, 1)).nonzero()
    # one transposed convolution of stride 2 up, one convolution of stride 2 down
    assert len(places) > 0 and places.min() >= 16 - 5 and places.max() <= 16 + 5


@torch.no_grad()
def test_label_maps_are_conditions_too() -> None:
    labels = torch.randint(0, 3, (2, 16, 32))
    network = noisy().eval()
    one_hot = F.one_hot(labels, 3).permute(0, 3, 1, 2).float()
    assert torch.equal(network(SemanticMap(labels, 3)), network(ImageMap(one_hot)))


@torch.no_grad()
def test_a_recipe_and_the_weights_give_the_same_network() -> None:
    network, condition = noisy(dropout=0.3, dropout_layers=2, statistics="running"), images()
    network(condition)
    twin = build(recipe(network))
    twin.load_state_dict(network.state_dict())
    noise = [n.draw(condition, torch.Generator().manual_seed(0)) for n in (network, twin)]
    assert torch.equal(network.eval()(condition, noise[0]), twin.eval()(condition, noise[1]))


def test_what_does_not_fit_is_named() -> None:
    network = noisy()
    with pytest.raises(InputError, match="has 4 channels, the generator takes 3"):
        network(images(channels=4))
    with pytest.raises(InputError, match="24 x 16; for a U-Net of depth 4 height and width must be multiples of 16"):
        network(images(height=24))
    with pytest.raises(InputError, match=r"the noise has shape \(1, 7\)"):
        network(images(1), torch.ones(1, 7))
    for arguments, text in (
        ({"depth": 1}, "depth 1"),
        ({"dropout": 1.0}, r"dropout is 1\.0"),
        ({"dropout_layers": 4}, "with depth 4 allowed are 0 to 3"),
        ({"width": 0}, "width 0"),
    ):
        with pytest.raises(InputError, match=text):
            noisy(**arguments)
