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
from i2i.nn.generator import drawer
from i2i.nn.spade import SPADEGenerator
from i2i.recipe import build, recipe
from i2i.semantics import SemanticMap


@settings(max_examples=10)
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
    with pytest.raises(InputError, match="remembered is -1; allowed are 0 and more"):
        StyleEncoder(remembered=-1)


@given(batches=st.lists(st.integers(1, 7), min_size=1, max_size=5), remembered=st.integers(1, 6))
@settings(max_examples=20)
def test_it_remembers_the_photos_that_came_last(batches: list[int], remembered: int) -> None:
    torch.manual_seed(0)
    encoder = StyleEncoder(3, width=1, size=16, norm="none", spectral=False, remembered=remembered)
    photos = torch.rand(sum(batches), 3, 16, 16)
    assert encoder.eval()(photos)[0].shape == (sum(batches), 3) and not encoder.draws  # what is no training is not kept
    encoder.train()
    for batch in photos.split(batches):
        encoder(batch)
    last = encoder.eval()(photos[-remembered:])
    assert encoder.draws and encoder.seen is not None and encoder.seen.count == len(last[0])
    for name, wanted in zip(("mean", "logvar"), last, strict=True):
        kept = encoder.seen.get_buffer(name)[: len(wanted)]
        torch.testing.assert_close(kept.sort(0).values, wanted.sort(0).values)


def test_styles_are_drawn_from_the_distributions_of_photos() -> None:
    """The mean and the variance of many are those of the mixture; the same seed draws the same."""
    torch.manual_seed(0)
    encoder = StyleEncoder(4, width=2, size=16, norm="none", gain=1.0, remembered=5).train()
    mean, logvar = (part.detach() for part in encoder(torch.rand(5, 3, 16, 16) * 4 - 2))
    condition = SemanticMap.from_labels(torch.zeros(20_000, 1, 1, dtype=torch.long), 1)
    drawn = encoder.draw(condition, torch.Generator().manual_seed(1))
    assert torch.equal(drawn, encoder.draw(condition, torch.Generator().manual_seed(1)))
    torch.testing.assert_close(drawn.mean(0), mean.mean(0), rtol=0, atol=0.03)
    variance = (logvar.exp() + mean**2).mean(0) - mean.mean(0) ** 2  # of a mixture of equal shares
    torch.testing.assert_close(drawn.var(0), variance, rtol=0.05, atol=0)
    assert encoder.draw(condition).shape == drawn.shape


def test_who_draws() -> None:
    """The encoder once it has seen a photo; the generator where it remembers none, and where there is none."""
    generator, silent = SPADEGenerator(3, 4, width=1), StyleEncoder(4, width=1, size=16)
    encoder = StyleEncoder(4, width=1, size=16, remembered=2)
    assert all(drawer(generator, other) is generator for other in (None, silent, encoder))
    encoder.train()(torch.rand(1, 3, 16, 16))
    silent.train()(torch.rand(1, 3, 16, 16))
    assert drawer(generator, encoder) is encoder and drawer(generator, silent) is generator
    twin = build(recipe(encoder))
    twin.load_state_dict(encoder.state_dict())
    condition = SemanticMap.from_labels(torch.zeros(3, 1, 1, dtype=torch.long), 1)
    drawn = [part.draw(condition, torch.Generator().manual_seed(2)) for part in (encoder, twin)]
    assert torch.equal(*drawn) and twin.draws
