"""The benchmark's instruments: clocks, memory, the step without a Trainer."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader

from i2i.benchmark.maps import painted_maps
from i2i.benchmark.memory import KeptForBackward, peak_bytes
from i2i.benchmark.results import Case, Ratio
from i2i.benchmark.settings import Settings, make_generator
from i2i.benchmark.step import SteppedAlone, random_vgg
from i2i.benchmark.timing import elapsed, interleave, stopwatch
from i2i.losses.objective import Objective
from i2i.nn.compiled import plain_operations
from i2i.nn.features import VGG19Features
from i2i.nn.modulate import modulate
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.patterns import PixelRows
from i2i.translator import Translator

CPU = torch.device("cpu")


def test_every_contestant_runs_on_every_input_in_turn() -> None:
    told: list[tuple[str, int]] = []
    contestants: dict[str, Callable[[int], Any]] = {
        "a": lambda i: told.append(("a", i)),
        "b": lambda i: told.append(("b", i)),
    }
    ticks: list[None] = []
    seconds = interleave(contestants, 2, 3, CPU, lambda: ticks.append(None))
    assert np.shape(seconds["a"]) == np.shape(seconds["b"]) == (2, 3)
    assert len(ticks) == len(told) == 12
    pairs = [told[i : i + 2] for i in range(0, 12, 2)]
    assert all({name for name, _ in pair} == {"a", "b"} and pair[0][1] == pair[1][1] for pair in pairs)
    assert {pair[0][0] for pair in pairs} == {"a", "b"}  # none is always first


def test_a_ratio_compares_neighbours_and_names_the_worst_input() -> None:
    dense = Case("dense", [[4.0, 8.0, 6.0], [10.0, 10.0, 10.0]])
    fast = Case("fast", [[1.0, 2.0, 2.0], [5.0, 5.0, 5.0]])
    ratio = Ratio.of(dense, fast)
    assert ratio.value == pytest.approx(9.0 / 3.5)  # medians of all runs
    assert (ratio.low, ratio.high) == pytest.approx((2.0, 3.75))  # of 2, 2, 2, 3, 4, 4
    assert ratio.worst == pytest.approx(2.0)
    assert ratio.fastest == pytest.approx((4.0 + 2.0) / 2)  # 4/1 on the first input, 10/5 on the second


def test_the_stopwatch_times_the_calls_of_its_modules_alone() -> None:
    inner, outer = torch.nn.Linear(64, 64), torch.nn.Linear(64, 64)
    x = torch.randn(8, 64)
    with stopwatch([inner], CPU) as seconds:
        whole = elapsed(lambda: outer(inner(inner(x))), CPU)
    inner(x)
    assert len(seconds) == 2 and 0 < sum(seconds) < whole


def test_the_peak_is_what_lives_at_a_time() -> None:
    size = 1_000_000

    def work() -> None:
        first = torch.zeros(size)
        second = first + 1
        del first
        second.add_(second * 2)

    assert 8 * size <= peak_bytes(work, CPU) < 8.1 * size


def test_kept_memory_counts_once_and_without_weights() -> None:
    conv = torch.nn.Conv2d(4, 4, 3, padding=1)
    x = torch.randn(1, 4, 10, 10)
    kept = KeptForBackward([conv])
    with kept:
        out = conv(x).exp().sin()  # x for the convolution; one map, which exp and sin both keep
    assert kept.live == kept.most == 2 * x.nbytes
    out.sum().backward()
    assert kept.live == 0


def test_kept_memory_sees_the_inputs_of_what_is_computed_again() -> None:
    x = torch.randn(100, requires_grad=True) * 1
    kept = KeptForBackward([])
    with kept:
        out = checkpoint(lambda t: t.exp().sin().cos(), x, use_reentrant=False)
    assert kept.live == x.nbytes
    out.sum().backward()


def test_plain_operations_keep_the_kernels_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table whose kernels answer nonsense is not noticed within it."""
    from i2i.nn import compiled, modulate_cpp

    monkeypatch.setattr(compiled, "available", lambda: True)
    monkeypatch.setattr(modulate_cpp, "forward", lambda x, rows, table, slope: torch.full_like(x, 7.0))
    x, table = torch.ones(1, 2, 2, 2), torch.ones(1, 4)
    rows = PixelRows(torch.zeros(1, 2, 2, dtype=torch.int32), 1)
    with plain_operations():
        assert (modulate(x, rows, table) == 2).all()
    assert (modulate(x, rows, table) == 7).all()


def test_a_step_alone_is_the_trainers_step() -> None:
    """The benchmark steps without a Trainer; the weights must come out as with one."""
    maps = painted_maps((64, 64), 1, 1, seed=3)
    batch: Any = {"labels": maps.labels[0], "photo": torch.rand(1, 3, 64, 64) * 2 - 1, "name": ["a"]}
    settings = Settings(CPU, width=2)

    def parts() -> dict[str, Any]:
        torch.manual_seed(0)
        return {
            "generator": make_generator(maps, settings),
            "discriminator": MultiscalePatchGAN(maps.semantics.channels, width=2),
            "objective": Objective(perceptual=0),
            "semantics": maps.semantics,
            "ema_decay": 0.0,
        }

    alone, trained = SteppedAlone(**parts()), Translator(**parts())
    alone.train()
    alone.start()
    torch.manual_seed(5)
    alone.training_step(copy.copy(batch), 0)
    seed_again = pl.callbacks.LambdaCallback(on_train_batch_start=lambda *_: torch.manual_seed(5))
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    engine = pl.Trainer(max_epochs=1, accelerator="cpu", callbacks=[seed_again], **quiet)
    engine.fit(trained, DataLoader([batch], batch_size=None))
    theirs = trained.state_dict()
    assert all(torch.allclose(tensor, theirs[name], atol=1e-6) for name, tensor in alone.state_dict().items())


def test_random_vgg_weights_are_a_file_that_the_loss_takes() -> None:
    with random_vgg(0) as path:
        assert len(VGG19Features(str(path))(torch.zeros(1, 3, 32, 32))) == 5
    assert not path.exists()
