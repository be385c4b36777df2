from __future__ import annotations

import pytest
import torch

from i2i.nn.segmentation import SegmentationNetwork
from i2i.recipe import build, recipe


@pytest.mark.parametrize("size", [(32, 32), (64, 96), (50, 70)])
def test_logits_are_a_quarter_of_any_size(size: tuple[int, int]) -> None:
    network = SegmentationNetwork(5, width=4, pyramid=8).eval()
    found = network(torch.zeros(2, 3, *size))
    assert found.shape == (2, 5, -(-size[0] // 4), -(-size[1] // 4))


def test_every_scale_reaches_the_logits() -> None:
    network = SegmentationNetwork(3, width=4, pyramid=8)
    network(torch.randn(2, 3, 64, 64)).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_it_is_rebuilt_from_its_recipe() -> None:
    network = SegmentationNetwork(3, width=4, blocks=(1, 1, 1), pyramid=8)
    again = build(recipe(network))
    again.load_state_dict(network.state_dict())
    photo = torch.randn(1, 3, 48, 48)
    assert torch.equal(network.eval()(photo), again.eval()(photo))
