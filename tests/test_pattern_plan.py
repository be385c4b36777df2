"""Patterns that are found where batches are made: what networks ask for, and nothing changed by it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from i2i import semantics as semantics_module
from i2i.data.datamodule import DataModule
from i2i.data.scenes import Scenes
from i2i.data.transforms import Fixed
from i2i.losses.objective import Objective
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.nn.spade import SPADEGenerator
from i2i.pattern_plan import PatternPlan, PreparedSemantics
from i2i.semantics import LabelSemantics, SemanticMap
from i2i.translator import Translator


def parts(edges: bool) -> tuple[LabelSemantics, SPADEGenerator, MultiscalePatchGAN]:
    torch.manual_seed(0)
    semantics = LabelSemantics(4, edges)
    return (
        semantics,
        SPADEGenerator(semantics.channels, width=2, hidden=32),
        MultiscalePatchGAN(semantics.channels, width=2, layers=2, scales=3),
    )


@pytest.mark.parametrize("edges", [False, True])
def test_networks_find_nothing_more_than_the_plan(edges: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after the way through a worker's pipe and to the device: nothing is numbered in the step itself."""
    semantics, generator, discriminator = parts(edges)
    generator.eval()  # singular vectors stand still
    discriminator.eval()
    plan = generator.pattern_plan() + discriminator.pattern_plan()
    batch = {"labels": torch.randint(4, (2, 64, 96), generator=torch.Generator().manual_seed(0)), "name": ["a", "b"]}
    prepared = pickle.loads(pickle.dumps(PreparedSemantics(semantics, plan)(batch)))
    plain, ready = semantics.read(batch), semantics.read(prepared).to("cpu")
    expected = generator(plain)
    judged = discriminator(plain.repeated(2), torch.cat([expected, expected]))

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("numbered in the step")

    monkeypatch.setattr(semantics_module, "find_patterns", refuse)
    monkeypatch.setattr(semantics_module, "number_windows", refuse)
    assert torch.equal(generator(ready), expected)
    again = discriminator(ready.repeated(2), torch.cat([expected, expected]))
    assert all(torch.equal(a, b) for x, y in zip(again, judged, strict=True) for a, b in zip(x, y, strict=True))
    with pytest.raises(AssertionError, match="numbered"):
        generator(plain.resized(128, 192))


def test_who_looks_nothing_up_asks_for_nothing() -> None:
    _, generator, discriminator = parts(False)
    generator.modulation, discriminator.look_up = "dense", False
    assert not generator.pattern_plan() and not discriminator.pattern_plan()
    assert not SPADEGenerator(4, width=2, hidden=8).pattern_plan()


def test_a_size_that_does_not_fit_is_left_to_the_network() -> None:
    semantics = SemanticMap.from_labels(torch.zeros(1, 20, 20, dtype=torch.long), 2)
    PatternPlan(frozenset({(32, 3), (4, 3)})).find(semantics)
    assert set(semantics._resized) == {(5, 5)}


@pytest.mark.parametrize("workers", [0, 1])
def test_training_is_the_same_bits_with_patterns_from_the_loader(workers: int, tmp_path: Path) -> None:
    def train(prepared: bool) -> dict[str, torch.Tensor]:
        data = DataModule(Scenes((64, 64), 4, 1, 1), Fixed((64, 64)), batch_size=2, workers=workers)
        torch.manual_seed(0)
        model = Translator(
            SPADEGenerator(data.label_channels, width=2, hidden=32),
            MultiscalePatchGAN(data.label_channels, width=2, layers=2),
            Objective(perceptual=0),
            data.semantics,
        )
        seen: list[bool] = []
        original = model.read
        model.read = lambda batch: seen.append("semantics" in batch) or original(batch)  # type: ignore
        if not prepared:
            model.setup = lambda stage: None  # type: ignore[method-assign]
        trainer = pl.Trainer(
            max_steps=4,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            limit_val_batches=0,
            use_distributed_sampler=False,
            default_root_dir=tmp_path,
        )
        trainer.fit(model, datamodule=data)
        assert seen and set(seen) == {prepared}
        return model.state_dict()

    with_plan, without = train(True), train(False)
    assert all(torch.equal(with_plan[name], without[name]) for name in without)
