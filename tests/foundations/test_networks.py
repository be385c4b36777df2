"""The small networks, against the formulas of their layers, and the condition they share."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2i import draws
from i2i.checkpoint import load_file, restore, save_model
from i2i.condition import Condition
from i2i.errors import InputError
from i2i.foundations.condition import ClassCondition, ClassSemantics
from i2i.foundations.connected import ConnectedDiscriminator, ConnectedEncoder, ConnectedGenerator, Dropout
from i2i.foundations.convolutional import ConvolutionalEncoder, DCGANDiscriminator, DCGANGenerator


def nothing(batch: int, size: tuple[int, int] = (1, 1)) -> ClassCondition:
    return ClassCondition(torch.zeros(batch, dtype=torch.long), 0, size)


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def count(units: list[int]) -> int:
    """Weights and biases of linear layers."""
    return sum((a + 1) * b for a, b in pairwise(units))


def test_the_first_gan_has_the_published_layers() -> None:
    """2-16-32-2 against 2-256-128-64-1, and 100-256-512-1024-784 against 784-1024-512-256-1."""
    assert parameters(ConnectedGenerator([2])) == count([2, 16, 32, 2])
    assert parameters(ConnectedDiscriminator([2])) == count([2, 256, 128, 64, 1])
    digits = ConnectedGenerator([1, 28, 28], style_dim=100, hidden=[256, 512, 1024], bounded=True)
    assert parameters(digits) == count([100, 256, 512, 1024, 784])
    assert parameters(ConnectedDiscriminator([1, 28, 28], hidden=[1024, 512, 256])) == count([784, 1024, 512, 256, 1])
    made = digits(nothing(3), 50 * torch.randn(3, 100))
    assert made.shape == (3, 1, 28, 28) and made.abs().max() <= 1


def test_connected_networks_are_their_textbook_formula() -> None:
    torch.manual_seed(0)
    generator = ConnectedGenerator([2], num_classes=3, style_dim=4, hidden=[5])
    discriminator = ConnectedDiscriminator([2], num_classes=3, hidden=[6], dropout=0.0)
    condition = ClassCondition(torch.tensor([2, 0]), 3)
    z, one_hot = torch.randn(2, 4), torch.tensor([[0.0, 0, 1], [1, 0, 0]])
    (a, b), (c, d) = ([m for m in n.modules() if isinstance(m, nn.Linear)] for n in (generator, discriminator))
    points = torch.relu(torch.cat([z, one_hot], 1) @ a.weight.T + a.bias) @ b.weight.T + b.bias
    torch.testing.assert_close(generator(condition, z), points)
    hidden = F.leaky_relu(torch.cat([points, one_hot], 1) @ c.weight.T + c.bias, 0.2)
    ((logits,),) = discriminator(condition, points)
    torch.testing.assert_close(logits, hidden @ d.weight.T + d.bias)


@pytest.mark.parametrize("size", [8, 16, 64])
@pytest.mark.parametrize("classes", [0, 3])
def test_convolutional_networks_fit_each_other(size: int, classes: int) -> None:
    shape = [3, size, size]
    condition = ClassCondition(torch.arange(2) * bool(classes), classes, (size, size))
    made = DCGANGenerator(shape, classes, style_dim=5, width=2)(condition, torch.randn(2, 5))
    assert made.shape == (2, *shape) and made.abs().max() <= 1
    ((logits,),) = DCGANDiscriminator(shape, classes, width=2)(condition, made)
    assert logits.numel() == 2
    mean, logvar = ConvolutionalEncoder(shape, classes, style_dim=7, width=2)(made, condition)
    assert mean.shape == logvar.shape == (2, 7)


def test_dcgan_has_the_published_widths() -> None:
    """1024-512-256-128-3 at 64 pixels is its width 128 (Radford et al. 2016, figure 1)."""
    layers = [m for m in DCGANGenerator([3, 64, 64], width=128).modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [m.out_channels for m in layers] == [1024, 512, 256, 128, 3]


@pytest.mark.parametrize("shape", [[3, 28, 28], [3, 4, 4], [3, 32, 16], [2]])
def test_a_size_that_does_not_double_from_four_is_refused(shape: list[int]) -> None:
    with pytest.raises(InputError, match="expected \\(channels, size, size\\)"):
        DCGANGenerator(shape)


def test_the_class_matters_and_only_where_there_are_classes() -> None:
    z = torch.randn(1, 2).repeat(2, 1)
    both = ClassCondition(torch.tensor([0, 1]), 2)
    made = ConnectedGenerator([2], num_classes=2)(both, z)
    assert not torch.allclose(made[0], made[1])
    made = ConnectedGenerator([2])(ClassSemantics()(torch.tensor([0, 0])), z)
    assert torch.equal(made[0], made[1])


@pytest.mark.parametrize("network", [ConnectedEncoder([1, 8, 8], 3, 4), ConvolutionalEncoder([1, 8, 8], 3, 4, 2)])
def test_encoders_see_sample_and_class(network: nn.Module) -> None:
    network.eval()
    x = torch.randn(1, 1, 8, 8)
    of = [
        network(x + shift, ClassCondition(torch.tensor([label]), 3, (8, 8)))[0]
        for shift, label in ((0, 0), (1, 0), (0, 1))
    ]
    assert not torch.allclose(of[0], of[1]) and not torch.allclose(of[0], of[2])


def test_dropout_is_each_samples_own_and_keeps_the_mean() -> None:
    layer, x = Dropout(0.3), torch.ones(4, 20000)
    with draws.of_samples([1, 2, 3, 4]):
        whole = layer(x)
    with draws.of_samples([3, 4]):
        half = layer(x[2:])
    assert torch.equal(whole[2:], half)
    assert whole.unique().tolist() == [0.0, pytest.approx(1 / 0.7)]
    assert float(whole.mean()) == pytest.approx(1, abs=0.01)
    assert torch.equal(layer.eval()(x), x)
    with pytest.raises(InputError, match="dropout is 1"):
        Dropout(1.0)


def test_a_condition_of_classes_is_a_condition() -> None:
    condition: Condition = ClassSemantics(3)(torch.tensor([2, 1]), (4, 6))
    expected = torch.zeros(2, 3, 4, 6)
    expected[0, 2] = expected[1, 1] = 1
    assert torch.equal(condition.dense(), expected)
    assert condition.resized(2, 2).dense().shape == (2, 3, 2, 2)
    assert condition.repeated(2).dense().shape == (4, 3, 4, 6)
    assert ClassSemantics()(torch.zeros(5, dtype=torch.long)).dense().shape == (5, 0, 1, 1)


def test_classes_are_checked() -> None:
    with pytest.raises(InputError, match="class 3; allowed are 0 to 2"):
        ClassSemantics(3)(torch.tensor([0, 3]))
    with pytest.raises(InputError, match="the model takes 3 classes, but the data has none"):
        ClassSemantics(3).read({"photo": torch.zeros(2, 2)})


@pytest.mark.parametrize(
    "network",
    [
        ConnectedGenerator([2], 3, 4, [5]),
        ConnectedDiscriminator([1, 8, 8], 3, [5], 0.1),
        ConnectedEncoder([2], 3, 4, [5]),
        DCGANGenerator([1, 16, 16], 3, 4, 2),
        DCGANDiscriminator([1, 16, 16], 3, 2, "instance"),
        ConvolutionalEncoder([1, 16, 16], 3, 4, 2),
    ],
    ids=lambda network: type(network).__name__,
)
def test_they_are_rebuilt_from_a_file_alone(network: nn.Module, tmp_path: pytest.TempPathFactory) -> None:
    path = f"{tmp_path}/model.ckpt"
    save_model(path, network, ClassSemantics(3))
    again = restore(load_file(path), "generator")
    assert type(again) is type(network)
    ours, theirs = network.state_dict(), again.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items()) and len(ours) == len(theirs)


def test_the_discriminator_of_a_penalty_judges_each_sample_by_itself() -> None:
    def one(network: nn.Module, x: Tensor) -> Tensor:
        ((logits,),) = network(nothing(len(x), (16, 16)), x)
        return logits

    torch.manual_seed(0)
    x = torch.randn(4, 1, 16, 16)
    for norm in ("none", "instance"):
        network = DCGANDiscriminator([1, 16, 16], width=4, norm=norm)  # type: ignore[arg-type]
        assert network.independent
        torch.testing.assert_close(one(network, x)[:2], one(network, x[:2]))
    assert not DCGANDiscriminator([1, 16, 16]).independent
