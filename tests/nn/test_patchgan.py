"""The discriminator: shapes, receptive field, scales, and the published number of parameters."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from i2i.errors import InputError
from i2i.nn.patchgan import MultiscalePatchGAN, PatchGAN
from i2i.nn.pixelgan import PixelGAN
from i2i.recipe import build, recipe
from i2i.semantics import SemanticMap


def condition(batch: int, height: int, width: int, classes: int = 3) -> SemanticMap:
    return SemanticMap(torch.randint(0, classes, (batch, height, width)), classes)


@settings(max_examples=15)
@given(
    height=st.integers(16, 70),
    width=st.integers(16, 70),
    layers=st.integers(2, 5),
    scales=st.integers(1, 2),
    norm=st.sampled_from(["instance", "batch", "none"]),
)
@torch.no_grad()
def test_shapes(height: int, width: int, layers: int, scales: int, norm: Any) -> None:
    discriminator = MultiscalePatchGAN(3, width=4, layers=layers, scales=scales, norm=norm)
    outputs = discriminator(condition(2, height, width), torch.rand(2, 3, height, width))
    assert [len(scale) for scale in outputs] == [layers + 1] * scales
    for scale in outputs:
        h, w = height, width
        for i, feature in enumerate(scale):
            stride = 1 if i >= layers - 1 else 2  # kernel 4, padding 2
            h, w = h // stride + 1, w // stride + 1
            assert feature.shape == (2, 1 if i == layers else 4 << i, h, w)
        height, width = (height + 1) // 2, (width + 1) // 2


@pytest.mark.parametrize("padding", [1, 2])
@pytest.mark.parametrize(("layers", "field"), [(2, 16), (3, 34), (4, 70), (6, 286)])
def test_the_receptive_field_is_the_published_one(layers: int, field: int, padding: Any) -> None:
    """Where the gradient of one logit reaches: 70x70 is pix2pix's (Isola et al. 2017), 286x286 its ImageGAN's."""
    network = PatchGAN(3, width=2, layers=layers, norm="none", spectral=False, padding=padding).double()
    x = torch.rand(1, 3, 2 * field, 2 * field, dtype=torch.float64, requires_grad=True)
    logits = network(x)[-1]
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    assert x.grad is not None
    for other in (2, 3):
        reached = x.grad.abs().sum((0, 1, other)).nonzero()
        assert int(reached.max() - reached.min()) + 1 == field


def test_pix2pix_judges_a_picture_of_256_by_30_x_30_patches_and_286_by_pixels() -> None:
    semantics, photo = condition(1, 256, 256), torch.rand(1, 3, 256, 256)
    network = MultiscalePatchGAN(3, width=2, scales=1, padding=1, spectral=False, norm="batch", init="normal")
    assert network(semantics, photo)[0][-1].shape == (1, 1, 30, 30)
    with torch.device("meta"):
        whole = MultiscalePatchGAN(3, scales=1, padding=1, spectral=False, norm="batch")
    assert sum(p.numel() for p in whole.parameters()) / 1e6 == pytest.approx(2.769, abs=5e-4)


def test_the_pixel_discriminator_sees_single_pixels() -> None:
    network = PixelGAN(3, width=4, norm="none")
    photo = torch.rand(2, 3, 9, 7, requires_grad=True)
    ((first, second, logits),) = network(condition(2, 9, 7), photo)
    assert first.shape == (2, 4, 9, 7) and second.shape == (2, 8, 9, 7) and logits.shape == (2, 1, 9, 7)
    logits[1, 0, 4, 5].backward()
    assert photo.grad is not None
    assert photo.grad.abs().sum(1).nonzero().tolist() == [[1, 4, 5]]
    with pytest.raises(InputError, match=r"has 4 channels .* takes 3"):
        network(condition(2, 9, 7, classes=4), photo)


@torch.no_grad()
@pytest.mark.parametrize("norm", ["batch", "global_batch", "instance", "none"])
def test_a_discriminator_says_whether_it_mixes_the_pictures_of_a_batch(norm: Any) -> None:
    for network in (MultiscalePatchGAN(3, width=4, norm=norm), PixelGAN(3, width=4, norm=norm, gain=0.5)):
        network.train()
        maps, photos = condition(2, 32, 32), torch.rand(2, 3, 32, 32)
        alone = type(maps)(maps.labels[:1], 3)
        for layer in network.modules():  # the power iterations of the spectral norm go on with every pass
            if hasattr(layer, "parametrizations"):
                layer.parametrizations.eval()
        together, apart = network(maps, photos)[0][-1][:1], network(alone, photos[:1])[0][-1]
        assert torch.allclose(together, apart, atol=1e-5) == network.independent == ("batch" not in norm)


@torch.no_grad()
def test_the_second_scale_sees_the_average_of_what_is_there() -> None:
    discriminator = MultiscalePatchGAN(3, width=4)
    semantics, photo = condition(1, 32, 48), torch.rand(1, 3, 32, 48)
    x = torch.cat([F.one_hot(semantics.labels, 3).permute(0, 3, 1, 2).float(), photo], 1)
    inside = F.avg_pool2d(torch.ones_like(x), 3, 2, 1)  # the share of each window that lies in the image
    half = F.avg_pool2d(x, 3, 2, 1) / inside
    discriminator.eval()
    expected = discriminator.scales[1](half)
    for a, b in zip(discriminator(semantics, photo)[1], expected, strict=True):
        torch.testing.assert_close(a, b)


@torch.no_grad()
def test_one_batch_of_fake_and_real_judges_them_as_apart() -> None:
    discriminator = MultiscalePatchGAN(3, width=4).eval()
    semantics, fake, real = condition(2, 32, 32), torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    both = discriminator(semantics.repeated(2), torch.cat([fake, real]))
    for scale, (of_fake, of_real) in enumerate(
        zip(discriminator(semantics, fake), discriminator(semantics, real), strict=True)
    ):
        torch.testing.assert_close(both[scale][-1], torch.cat([of_fake[-1], of_real[-1]]))


@torch.no_grad()
def test_a_recipe_and_the_weights_give_the_same_network() -> None:
    network = MultiscalePatchGAN(3, width=4, layers=3, norm="batch", spectral=False, normed_bias=True, init="normal")
    semantics, photo = condition(2, 32, 32), torch.rand(2, 3, 32, 32)
    network(semantics, photo)
    twin = build(recipe(network))
    twin.load_state_dict(network.state_dict())
    for a, b in zip(network.eval()(semantics, photo), twin.eval()(semantics, photo), strict=True):
        assert torch.equal(a[-1], b[-1])


def test_published_size() -> None:
    """5.8 million for ADE20K, the three-channel photo included."""
    with torch.device("meta"):
        discriminator = MultiscalePatchGAN(151)
    assert sum(p.numel() for p in discriminator.parameters()) / 1e6 == pytest.approx(5.8, abs=0.06)


def test_what_does_not_fit_is_named() -> None:
    discriminator = MultiscalePatchGAN(3, width=2)
    with pytest.raises(InputError, match=r"has 4 channels .* takes 3"):
        discriminator(condition(1, 32, 32, classes=4), torch.rand(1, 3, 32, 32))
    with pytest.raises(InputError, match=r"shape \(1, 3, 32, 16\); the condition asks for \(1, 3, 32, 32\)"):
        discriminator(condition(1, 32, 32), torch.rand(1, 3, 32, 16))
    with pytest.raises(InputError, match="layers 1, scales 2, width 64"):
        MultiscalePatchGAN(3, layers=1)


@settings(max_examples=60)
@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    batch=st.integers(1, 2),
    layers=st.integers(2, 6),
    padding=st.sampled_from([1, 2]),
    norm=st.sampled_from(["batch", "instance", "none"]),
)
def test_pictures_that_are_too_small_are_refused_in_one_line(
    size: tuple[int, int], batch: int, layers: int, padding: Any, norm: Any
) -> None:
    """Torch's own refusals, of the kernel and of the normalisation, are the reference: exactly those are meant."""
    network = PatchGAN(3, width=1, layers=layers, norm=norm, spectral=False, padding=padding)
    x = torch.rand(batch, 3, *size)
    y, refused = x, False
    try:
        for layer in network.layers:
            y = layer(y)
    except (RuntimeError, ValueError):
        refused = True
    if refused:
        with pytest.raises(InputError, match=f"{size[0]} x {size[1]} is too small for a patch discriminator"):
            network(x)
    else:
        network(x)


@torch.no_grad()
@pytest.mark.parametrize(("layers", "scales"), [(4, 1), (3, 2)])
def test_labels_are_looked_up_with_pix2pix_padding_too(layers: int, scales: int) -> None:
    network = MultiscalePatchGAN(3, 4, layers, scales, spectral=False, padding=1, init="xavier", gain=1.0).double()
    maps, photo = condition(2, 90, 71), torch.rand(2, 3, 90, 71, dtype=torch.float64)
    looked_up = network(maps, photo)
    network.look_up = False
    for ours, dense in zip(looked_up, network(maps, photo), strict=True):
        for a, b in zip(ours, dense, strict=True):
            torch.testing.assert_close(a, b)
