"""The label part of a discriminator's first convolution against the convolution of the one-hot tensor."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from i2i import patterns
from i2i.nn.constant import constant_weights
from i2i.nn.label_lookup import look_up_labels
from i2i.nn.patchgan import MultiscalePatchGAN, PatchGAN, label_part
from i2i.semantics import SemanticMap

CLASSES = 5


def draw_map(kind: str, height: int, width: int, edges: bool, batch: int = 2, seed: int = 0) -> SemanticMap:
    random = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    match kind:
        case "noise":
            labels = torch.randint(CLASSES, (batch, height, width), generator=random)
        case "stripes":
            labels = (x // 3 % CLASSES).expand(batch, -1, -1)
        case "checkerboard":
            labels = ((x + y) % 2).expand(batch, -1, -1)
        case "one pixel":
            labels = torch.zeros(batch, height, width, dtype=torch.long)
            labels[-1, height // 2, width // 3] = CLASSES - 1
        case _:
            labels = torch.full((batch, height, width), CLASSES - 1)
    return SemanticMap.from_labels(labels.contiguous(), CLASSES, labels // 2 if edges else None)


@settings(max_examples=60)
@given(
    kind=st.sampled_from(["noise", "stripes", "checkerboard", "one pixel", "single class"]),
    size=st.tuples(st.integers(4, 23), st.integers(4, 23)),
    edges=st.booleans(),
    geometry=st.sampled_from([(4, 2, 2), (4, 2, 1), (3, 1, 1), (4, 1, 2), (1, 1, 0)]),
    halvings=st.integers(0, 2),
    seed=st.integers(0, 99),
)
def test_it_is_the_convolution_of_the_averaged_one_hot_map(
    kind: str, size: tuple[int, int], edges: bool, geometry: tuple[int, int, int], halvings: int, seed: int
) -> None:
    kernel, stride, padding = geometry
    semantics = draw_map(kind, *size, edges, seed=seed)
    random = torch.Generator().manual_seed(seed)
    weight = torch.randn(3, semantics.channels, kernel, kernel, dtype=torch.float64, generator=random).requires_grad_()
    x = semantics.dense(torch.float64)
    for _ in range(halvings):
        x = F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)
    if min(x.shape[2:]) + 2 * padding < kernel:
        return
    expected = F.conv2d(x, weight, None, stride, padding)
    found = look_up_labels(semantics, weight, stride, padding, halvings)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-11, check_stride=False)
    above = torch.randn(expected.shape, dtype=torch.float64, generator=random)
    grads = [torch.autograd.grad(out, weight, above)[0] for out in (found, expected)]
    torch.testing.assert_close(*grads, rtol=0, atol=1e-9)


def gradients(network: nn.Module, semantics: SemanticMap, photo: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    photo = photo.clone().requires_grad_()
    features = [layer for scale in network(semantics, photo) for layer in scale]
    total = sum((f * torch.linspace(-1, 1, f.numel(), dtype=f.dtype).view(f.shape)).sum() for f in features)
    assert isinstance(total, Tensor)
    return features, list(torch.autograd.grad(total, [photo, *network.parameters()]))


@pytest.mark.parametrize("edges", [False, True])
@pytest.mark.parametrize("scales", [1, 3])
def test_a_discriminator_judges_alike_with_and_without(edges: bool, scales: int) -> None:
    """Outputs and every gradient, on a batch that repeats its maps; whether statistics are shared or not."""
    semantics = draw_map("stripes", 48, 40, edges)
    torch.manual_seed(0)
    network = MultiscalePatchGAN(semantics.channels, width=4, layers=3, scales=scales).double().eval()
    photo = torch.randn(4, 3, 48, 40, dtype=torch.float64)
    assert network.look_up
    fast = gradients(network, semantics.repeated(2), photo)
    network.look_up = False
    dense = gradients(network, semantics.repeated(2), photo)
    for found, expected in zip(fast[0] + fast[1], dense[0] + dense[1], strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


def test_repeated_maps_are_looked_up_once() -> None:
    semantics = draw_map("noise", 16, 16, False)
    twice = semantics.repeated(2).repeated(3)
    assert twice.distinct == (semantics, 6) and semantics.distinct == (semantics, 1)
    conv = PatchGAN(CLASSES + 3, width=4, layers=2).first
    assert label_part(twice, conv, 0).shape == (2, 4, 9, 9)


def test_what_takes_no_gradient_is_shared_between_passes() -> None:
    semantics = draw_map("noise", 16, 16, False)
    conv = PatchGAN(CLASSES + 3, width=4, layers=2).first.requires_grad_(False)
    with constant_weights():
        first = label_part(semantics, conv, 0)
        assert label_part(semantics.repeated(2), conv, 0) is first
        assert label_part(semantics, conv, 1) is not first
        assert label_part(draw_map("noise", 16, 16, False), conv, 0) is not first
        conv.requires_grad_(True)
        assert label_part(semantics, conv, 0).requires_grad
    conv.requires_grad_(False).weight.add_(1)
    second = label_part(semantics, conv, 0)
    torch.testing.assert_close(
        second, F.conv2d(semantics.dense(), conv.weight[:, :CLASSES], None, 2, 2), atol=1e-5, rtol=0
    )
    assert label_part(semantics, conv, 0) is not second


def test_a_forced_collision_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    semantics = draw_map("noise", 20, 22, True)
    weight = torch.randn(3, semantics.channels, 4, 4, dtype=torch.float64)
    expected = look_up_labels(semantics, weight, 2, 2, 1)
    monkeypatch.setattr(patterns, "_mix", lambda state, value: state)
    fresh = draw_map("noise", 20, 22, True)
    torch.testing.assert_close(look_up_labels(fresh, weight, 2, 2, 1), expected)
    assert fresh.windows((3, 2, 1)).collided
