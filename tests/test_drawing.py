"""A picture that is too large for the memory is made in bands, or it is said that it cannot be."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

import i2i.drawing
from i2i.device import check_dtype, choose_device, free_memory
from i2i.errors import InputError
from i2i.nn.bands import BandedSPADE
from i2i.nn.sean import SEANGenerator
from i2i.nn.spade import SPADEGenerator
from i2i.nn.unet import UNetGenerator
from i2i.semantics import LabelSemantics
from i2i.synthesizer import Synthesizer

LABELS = np.random.default_rng(0).integers(0, 4, (9, 7)).repeat(32, 0).repeat(32, 1)[:260, :200].astype(np.uint8)


def synthesizer(memory: float | None = None, **options: object) -> Synthesizer:
    torch.manual_seed(0)
    generator = SPADEGenerator(4, width=2, hidden=8, gain=1.0)
    return Synthesizer(generator, LabelSemantics(4), memory=memory, **options)  # type: ignore[arg-type]


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The first block in bands of each picture drawn."""
    found, draw = [], BandedSPADE.__call__

    def spy(self: BandedSPADE, semantics: object, style: object, plan: object) -> object:
        found.append(plan.first)  # type: ignore[attr-defined]
        return draw(self, semantics, style, plan)  # type: ignore[arg-type]

    monkeypatch.setattr(BandedSPADE, "__call__", spy)
    return found


def test_memory_decides_and_the_picture_does_not_change(plans: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = synthesizer()(LABELS)
    bands = synthesizer(memory=0.012)(LABELS)
    monkeypatch.setattr(i2i.drawing, "free_memory", lambda device: 24 << 20)
    short = synthesizer()(LABELS)
    assert plans[0] == 7 and max(plans[1:]) < 7
    for found in (bands, short):
        assert found.shape == (1, 260, 200, 3)
        assert np.abs(found.astype(int) - whole).max() <= 1 and (found != whole).mean() < 1e-3
    assert whole.std() > 5


@pytest.mark.parametrize("regions", ["class", "instance"])
def test_styles_of_regions_and_noise_are_the_same_in_bands(plans: list[int], regions: Any) -> None:
    torch.manual_seed(0)
    generator = SEANGenerator(5, 4, 8, regions, width=2, hidden=8, gain=1.0)
    for name, parameter in generator.named_parameters():
        if name.endswith("noise_scale"):
            torch.nn.init.constant_(parameter, 0.3)
    options: dict[str, Any] = {"instances": LABELS.astype(np.int32) * 7, "seed": 3, "count": 2}
    whole, bands = (
        Synthesizer(generator, LabelSemantics(4, edges=True), memory=memory)(LABELS, **options)
        for memory in (None, 0.012)
    )
    assert plans[:2] == [7, 7] and max(plans[2:]) < 7
    assert bands.shape == (2, 260, 200, 3) and whole.std() > 5
    assert np.abs(bands.astype(int) - whole).max() <= 1 and (bands != whole).mean() < 1e-3


def test_what_is_needed_is_taken_where_no_memory_is_given(plans: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i2i.drawing, "free_memory", lambda device: 1000)
    assert synthesizer()(LABELS).shape == (1, 260, 200, 3) and plans[0] < 7


def test_a_memory_that_cannot_be_kept() -> None:
    message = r"memory is 1e-05 GiB; a picture of 224x288 needs at least (0.0\d) GiB"
    with pytest.raises(InputError, match=message) as refused:
        synthesizer(memory=1e-5)(LABELS)
    told = re.search(message, str(refused.value))
    assert told is not None and synthesizer(memory=float(told[1]))(LABELS).shape == (1, 260, 200, 3)
    for memory in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="it is a number of GiB"):
            synthesizer(memory=memory)
    with pytest.raises(InputError, match="keep is -1"):
        synthesizer(keep=-1)
    with pytest.raises(InputError, match=r"this network \(UNetGenerator\) are made whole"):
        Synthesizer(UNetGenerator(4, width=2, depth=4), LabelSemantics(4), memory=1)


@pytest.mark.parametrize(("dtype", "near"), [(torch.bfloat16, 6), (torch.float16, 2), (torch.float64, 1)])
def test_other_types_are_near(dtype: torch.dtype, near: int) -> None:
    whole, found = synthesizer()(LABELS), synthesizer(dtype=dtype)
    assert found.generator.last.weight.dtype == dtype
    assert np.abs(found(LABELS).astype(int) - whole).max() <= near
    torch.manual_seed(0)
    unet = Synthesizer(UNetGenerator(4, width=2, depth=4, dropout=0), LabelSemantics(4), dtype=dtype)
    assert unet.generator.last.weight.dtype == dtype and unet(LABELS).shape == (1, 260, 200, 3)


def test_types_that_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"dtype is torch.int32; allowed are torch.float32, torch.bfloat16"):
        synthesizer(dtype=torch.int32)
    monkeypatch.setattr(torch.nn.functional, "conv2d", lambda *a: (_ for _ in ()).throw(RuntimeError("not for Half")))
    with pytest.raises(InputError, match=r"dtype torch.float16 cannot be computed with on cpu here; try torch.float32"):
        check_dtype(torch.float16, torch.device("cpu"))


def test_free_memory_is_less_than_there_is() -> None:
    import os

    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < free_memory(choose_device("cpu")) <= there
