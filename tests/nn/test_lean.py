"""Large features in little memory: the same function, band by band."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import i2i.nn.lean as lean
from i2i.benchmark.memory import peak_bytes
from i2i.nn.lean import Unit, in_bands
from i2i.nn.norm import InstanceNorm2d
from i2i.nn.pix2pixhd import GlobalGenerator, LocalEnhancer
from i2i.nn.residual import doubling, halving, last_layer, same_size
from i2i.semantics import SemanticMap


@torch.no_grad()
@settings(max_examples=60)
@given(
    kind=st.sampled_from(["same", "seven", "halving", "doubling"]),
    height=st.integers(4, 40),
    width=st.integers(4, 12),
    band=st.integers(1, 9000),
)
def test_bands_of_a_convolution_are_the_whole(kind: str, height: int, width: int, band: int) -> None:
    torch.manual_seed(height)
    made = {"same": same_size(3, 2, 3, "none"), "halving": halving(3, 2, "none"), "doubling": doubling(3, 2, "none")}
    conv = last_layer(3, 2) if kind == "seven" else made[kind][0]
    assert isinstance(conv, nn.Conv2d | nn.ConvTranspose2d)
    x = torch.randn(2, 3, height, width, dtype=torch.float64)
    torch.testing.assert_close(in_bands(conv.double(), x, band), conv(x), rtol=0, atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
@pytest.mark.parametrize("kind", [GlobalGenerator, LocalEnhancer])
def test_a_large_picture_is_the_same(
    kind: type[GlobalGenerator | LocalEnhancer], norm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    generator = kind(5, width=2, norm=norm, gain=0.3).double().eval()  # type: ignore[arg-type]
    semantics = SemanticMap.from_labels(torch.randint(5, (2, 96, 64)), 5)
    whole = generator(semantics)
    calls = []
    monkeypatch.setattr(lean, "_LARGE", 1000)
    monkeypatch.setattr(lean, "in_bands", lambda conv, x: calls.append(conv) or in_bands(conv, x, 5000))
    torch.testing.assert_close(generator(semantics), whole, rtol=0, atol=1e-9)
    assert len(calls) > 10 and whole.std() > 0.05


def test_a_gradient_goes_the_usual_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lean, "_LARGE", 0)
    unit = same_size(2, 2, 3, "instance")
    unit(torch.randn(1, 2, 8, 8)).sum().backward()
    assert all(p.grad is not None for p in unit.parameters())


@torch.no_grad()
def test_it_takes_less_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = Unit(nn.Conv2d(8, 64, 7, padding=3, padding_mode="reflect"), InstanceNorm2d(64), nn.ReLU(True))
    x = torch.randn(1, 8, 512, 512)  # the output is just too small to count as large, and then just large enough
    usual = peak_bytes(lambda: unit(x), torch.device("cpu"))
    monkeypatch.setattr(lean, "_LARGE", x.nbytes)
    output = 64 * 512 * 512 * 4
    assert peak_bytes(lambda: unit(x), torch.device("cpu")) < 1.6 * output < 2 * output < usual
