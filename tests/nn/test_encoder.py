"""The style encoder: any photo in, one distribution out."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from i2i.errors import InputError
from i2i.nn.encoder import StyleEncoder
from i2i.recipe import build, recipe


@settings(deadline=None, max_examples=10)
@given(height=st.integers(5, 90), width=st.integers(5, 90), size=st.sampled_from([16, 32, 64]))
@torch.no_grad()
def test_any_size_of_photo(height: int, width: int, size: int) -> None:
    encoder = StyleEncoder(style_dim=7, width=2, size=size).eval()
    photo = torch.rand(2, 3, height, width) * 2 - 1
    mean, logvar = encoder(photo)
    assert mean.shape == logvar.shape == (2, 7)
    square = F.interpolate(photo, size=(size, size), mode="bilinear")
    torch.testing.assert_close(encoder(square)[0], mean)


def test_layers_halve_to_four_and_double_up_to_eightfold() -> None:
    with torch.device("meta"):
        encoder = StyleEncoder()
    convs = [m for m in encoder.modules() if isinstance(m, nn.Conv2d)]
    assert [c.out_channels for c in convs] == [64, 128, 256, 512, 512, 512]
    assert encoder.mean.in_features == 512 * 4 * 4 and encoder.mean.out_features == 256


def test_recipe_gradients_and_errors() -> None:
    encoder = StyleEncoder(5, width=2, size=32, norm="none")
    photo = torch.rand(2, 3, 40, 24)
    mean, logvar = encoder(photo)
    (mean.sum() + logvar.sum()).backward()
    assert all(p.grad is not None for p in encoder.parameters())
    twin = build(recipe(encoder))
    twin.load_state_dict(encoder.state_dict())
    assert torch.equal(twin.eval()(photo)[0], encoder.eval()(photo)[0])
    with pytest.raises(InputError, match=r"shape \(2, 1, 40, 24\)"):
        encoder(photo[:, :1])
    with pytest.raises(InputError, match="size is 48; it must be a power of two"):
        StyleEncoder(size=48)
