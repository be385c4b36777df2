"""The segmentation discriminator against its layers written out, and what it refuses."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2i.errors import InputError
from i2i.nn.segmenter import SegmentationDiscriminator
from i2i.recipe import build, recipe
from i2i.semantics import SemanticMap


def maps(batch: int, height: int, width: int, classes: int = 3) -> SemanticMap:
    return SemanticMap.from_labels(torch.zeros(batch, height, width, dtype=torch.long), classes)


def written_out(network: SegmentationDiscriminator, photo: Tensor) -> Tensor:
    """The published order of operations: shortcuts are convolved first and pooled or repeated afterwards."""

    def act(x: Tensor) -> Tensor:
        return torch.where(x < 0, 0.2 * x, x)

    def repeat(x: Tensor) -> Tensor:
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

    def pool(x: Tensor) -> Tensor:
        return x.unflatten(2, (-1, 2)).unflatten(4, (-1, 2)).mean((3, 5))

    def conv(layer: nn.Module, x: Tensor) -> Tensor:
        weight, bias = layer.weight, layer.bias
        assert isinstance(weight, Tensor) and isinstance(bias, Tensor)
        return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)

    x, outputs = photo, []
    for index, block in enumerate(network.down):
        inner = conv(block.conv_1, act(conv(block.conv_0, x if index == 0 else act(x))))
        shortcut = x if isinstance(block.conv_s, nn.Identity) else conv(block.conv_s, x)
        x = pool(shortcut) + pool(inner)
        outputs.append(x)
    for index, block in enumerate(network.up):
        if index:
            x = torch.cat([outputs[-1 - index], x], 1)
        inner = conv(block.conv_1, act(conv(block.conv_0, repeat(act(x)))))
        shortcut = repeat(x) if isinstance(block.conv_s, nn.Identity) else conv(block.conv_s, repeat(x))
        x = shortcut + inner
    return conv(network.last, x)


@torch.no_grad()
def test_it_is_the_u_net_written_out() -> None:
    network = SegmentationDiscriminator(3, width=2, gain=1.0).double().eval()
    for name, p in network.named_parameters():
        if name.endswith("bias"):
            p.normal_()
    photo = torch.rand(2, 3, 64, 128, dtype=torch.float64) * 2 - 1
    found = network(maps(2, 64, 128), photo)
    assert found.shape == (2, 4, 64, 128) and found.std() > 0.1
    torch.testing.assert_close(found, written_out(network, photo), rtol=1e-10, atol=1e-10)


def test_the_published_channels_and_size() -> None:
    """22.26 million parameters for the 151 labels of ADE20K; every block under spectral norm, the last layer not."""
    with torch.device("meta"):
        network = SegmentationDiscriminator(151)
    assert [block.conv_0.weight.shape[0] for block in network.down] == [128, 128, 256, 256, 512, 512]
    assert [block.conv_0.weight.shape[0] for block in network.up] == [512, 256, 256, 128, 128, 64]
    assert network.last.weight.shape[0] == 152
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(22.26e6, rel=1e-3)
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert [hasattr(layer, "parametrizations") for layer in layers] == [True] * (len(layers) - 1) + [False]


def test_initialised_by_xavier_with_the_gain() -> None:
    network = SegmentationDiscriminator(3, width=32, gain=0.02)
    weight = network.up[0].conv_0.parametrizations.weight.original
    fan = weight[0].numel() + weight[:, 0].numel()
    assert weight.std().item() == pytest.approx(0.02 * (2 / fan) ** 0.5, rel=0.02)
    assert all(not p.any() for name, p in network.named_parameters() if name.endswith("bias"))


def test_the_map_is_not_an_input() -> None:
    network = SegmentationDiscriminator(3, width=1, gain=1.0).eval()
    photo = torch.rand(1, 3, 64, 64)
    other = SemanticMap.from_labels(torch.randint(0, 3, (1, 64, 64)), 3)
    assert torch.equal(network(maps(1, 64, 64), photo), network(other, photo))


def test_a_recipe_rebuilds_it() -> None:
    network = SegmentationDiscriminator(5, width=2, spectral=False)
    again = build(recipe(network))
    assert [p.shape for p in again.parameters()] == [p.shape for p in network.parameters()]


@pytest.mark.parametrize(
    ("photo", "size", "message"),
    [
        ((1, 3, 96, 64), (96, 64), "96 x 64.*multiples of 64"),
        ((1, 3, 64, 64), (64, 128), r"ask for \(1, 3, 64, 128\)"),
        ((2, 3, 64, 64), (64, 64), r"ask for \(1, 3, 64, 64\)"),
        ((1, 1, 64, 64), (64, 64), r"ask for \(1, 3, 64, 64\)"),
    ],
)
def test_what_does_not_fit_is_one_line(photo: tuple[int, ...], size: tuple[int, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SegmentationDiscriminator(3, width=1)(maps(1, *size), torch.zeros(photo))


def test_numbers_out_of_range() -> None:
    with pytest.raises(InputError, match="num_classes 0"):
        SegmentationDiscriminator(0)
