"""The generator: shapes, sizes, what the labels do, and the published numbers of parameters."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from i2i.errors import InputError
from i2i.nn.spade import SPADEGenerator
from i2i.nn.spade_block import Modulation, SPADEResnetBlock
from i2i.recipe import build, recipe
from i2i.semantics import SemanticMap

CLASSES = 4


def tiny(**changes: Any) -> SPADEGenerator:
    arguments: dict[str, Any] = {"label_channels": CLASSES, "width": 2, "hidden": 4, "gain": 1.0}
    return SPADEGenerator(**(arguments | changes))


def random_map(batch: int, height: int, width: int) -> SemanticMap:
    return SemanticMap(torch.randint(0, CLASSES, (batch, height, width)), CLASSES)


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@settings(max_examples=12)
@given(
    upsamplings=st.sampled_from([5, 6, 7]),
    rows=st.integers(1, 2),
    columns=st.integers(1, 3),
    style=st.booleans(),
    kernel=st.sampled_from([3, 5]),
)
@torch.no_grad()
def test_any_multiple_and_aspect(upsamplings: Any, rows: int, columns: int, style: bool, kernel: Any) -> None:
    generator = tiny(upsamplings=upsamplings, style_dim=3 if style else None, kernel=kernel, base_size=(1, 2), hidden=1)
    height, width = rows * generator.multiple, columns * generator.multiple
    photo = generator(random_map(2, height, width), torch.randn(2, 3) if style else None)
    assert photo.shape == (2, 3, height, width)
    assert photo.abs().max() <= 1


@pytest.mark.parametrize("norm", ["batch", "global_batch", "instance", "none"])
@pytest.mark.parametrize("spectral", [True, False])
def test_every_parameter_learns(norm: Any, spectral: bool) -> None:
    generator = tiny(norm=norm, spectral=spectral, style_dim=5, base_size=(2, 2))
    generator(random_map(2, 64, 64), torch.randn(2, 5)).square().sum().backward()
    assert all(p.grad is not None for p in generator.parameters())
    spectral_parameters = [name for name, _ in generator.named_parameters() if "parametrizations" in name]
    assert len(spectral_parameters) == (18 if spectral else 0)  # 7 blocks of 2 convolutions, 4 learned shortcuts


@torch.no_grad()
def test_a_map_of_one_class_looks_different_for_each_class() -> None:
    generator = tiny().eval()
    photos = [generator(SemanticMap(torch.full((1, 32, 32), label), CLASSES)) for label in range(CLASSES)]
    for i, a in enumerate(photos):
        for b in photos[i + 1 :]:
            assert (a - b).abs().max() > 1e-3


@torch.no_grad()
def test_the_style_changes_the_photo_and_is_ignored_without() -> None:
    semantics, z = random_map(2, 32, 64), torch.randn(2, 6)
    generator = tiny(style_dim=6, base_size=(1, 2)).eval()
    assert (generator(semantics, z) - generator(semantics, -z)).abs().max() > 1e-3
    generator = tiny().eval()
    assert torch.equal(generator(semantics, z), generator(semantics))


@torch.no_grad()
@pytest.mark.parametrize("kernel", [3, 5])
def test_a_label_reaches_as_far_as_documented(kernel: Any) -> None:
    modulation = Modulation(CLASSES, 3, hidden=8, kernel=kernel)
    labels = torch.zeros(1, 21, 21, dtype=torch.long)
    changed = labels.clone()
    changed[0, 10, 10] = 1
    x = torch.randn(1, 3, 21, 21)
    difference = modulation(x, SemanticMap(labels, CLASSES)) != modulation(x, SemanticMap(changed, CLASSES))
    rows, columns = difference.any(1)[0].nonzero().unbind(1)
    reach = kernel - 1
    assert (rows - 10).abs().max() == reach and (columns - 10).abs().max() == reach


@torch.no_grad()
def test_modulation_is_the_formula_of_the_paper() -> None:
    modulation = Modulation(CLASSES + 1, 3, hidden=8)
    semantics = SemanticMap.from_labels(torch.randint(0, CLASSES, (2, 9, 7)), CLASSES, torch.randint(0, 3, (2, 9, 7)))
    x = torch.randn(2, 3, 9, 7)
    assert semantics.edges is not None
    dense = torch.cat([F.one_hot(semantics.labels, CLASSES).permute(0, 3, 1, 2), semantics.edges[:, None]], 1).float()
    hidden = F.conv2d(dense, modulation.shared.weight, modulation.shared.bias, padding=1).clamp(min=0)
    gamma = F.conv2d(hidden, modulation.gamma.weight, modulation.gamma.bias, padding=1)
    beta = F.conv2d(hidden, modulation.beta.weight, modulation.beta.bias, padding=1)
    torch.testing.assert_close(modulation(x, semantics), x * (1 + gamma) + beta)


@torch.no_grad()
def test_a_block_normalises_its_input_once() -> None:
    """Sharing the normalised input gives what two normalisations of it give, in training and afterwards."""
    shared = SPADEResnetBlock(4, 2, CLASSES, hidden=4)
    apart = SPADEResnetBlock(4, 2, CLASSES, hidden=4, shared_input_norm=False)
    missing, extra = apart.load_state_dict(shared.state_dict(), strict=False)
    assert extra == [] and {name.split(".")[0] for name in missing} == {"normalise_s"}
    semantics = random_map(2, 8, 8)
    for training in (True, True, False):
        x = torch.randn(2, 4, 4, 4)
        torch.testing.assert_close(shared.train(training)(x, semantics), apart.train(training)(x, semantics))


@torch.no_grad()
@pytest.mark.parametrize("changes", [{}, {"style_dim": 3, "upsamplings": 6, "norm": "instance", "base_size": (2, 1)}])
def test_a_recipe_and_the_weights_give_the_same_network(changes: dict[str, Any]) -> None:
    generator = tiny(**changes)
    semantics, z = random_map(1, 128, 64), torch.randn(1, 3)
    generator(semantics, z)  # moves the statistics and the singular vectors away from their start
    twin = build(recipe(generator))
    twin.load_state_dict(generator.state_dict())
    copied = copy.deepcopy(generator)
    expected = generator.eval()(semantics, z)
    assert torch.equal(twin.eval()(semantics, z), expected)
    assert torch.equal(copied.eval()(semantics, z), expected)


@torch.no_grad()
def test_reduced_precision_stays_close() -> None:
    generator = tiny(gain=0.5).eval()
    semantics = random_map(1, 32, 32)
    expected = generator(semantics)
    with torch.autocast("cpu", torch.bfloat16):
        found = generator(semantics)
    torch.testing.assert_close(found.float(), expected, rtol=0, atol=0.05)


@pytest.mark.parametrize(
    ("channels", "changes", "millions"),
    [(151, {}, 96.5), (36, {"upsamplings": 6}, 93.0), (151, {"style_dim": 256}, 96.5 + 15.4)],
)
def test_published_sizes(channels: int, changes: dict[str, Any], millions: float) -> None:
    with torch.device("meta"):
        generator = SPADEGenerator(channels, **changes)
    assert parameters(generator) / 1e6 == pytest.approx(millions, abs=0.06)


def _call(size: tuple[int, int], style: Tensor | None = None, classes: int = CLASSES, **changes: Any) -> Tensor:
    photo: Tensor = tiny(**changes)(SemanticMap(torch.zeros(1, *size, dtype=torch.long), classes), style)
    return photo


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: _call((32, 40)), "32 x 40; .* multiples of 32"),
        (lambda: _call((32, 32), upsamplings=6), "multiples of 64"),
        (lambda: _call((64, 64), style_dim=3), r"style of shape \(1, 3\), got none"),
        (lambda: _call((64, 64), torch.zeros(2, 3), style_dim=3), r"got one of shape \(2, 3\)"),
        (lambda: _call((64, 64), classes=5), "has 5 channels .* takes 4"),
        (lambda: _call((32, 32)), "starts as one pixel"),
        (lambda: tiny(upsamplings=4), "upsamplings 4"),
        (lambda: tiny(kernel=1), "kernel 1"),
        (lambda: tiny(width=0), "width 0 is too small"),
    ],
)
def test_what_does_not_fit_is_named(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_misspelt_modulation_is_refused() -> None:
    generator = SPADEGenerator(3, width=1, hidden=2)
    with pytest.raises(InputError, match="modulation 'pattern' is not known; allowed are auto, dense, patterns"):
        generator.modulation = "pattern"  # type: ignore[assignment]
    assert generator.modulation == "auto"
