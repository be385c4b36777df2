"""Predicted memory against the memory that real steps take, by the recorded allocations of torch's CPU allocator."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from i2i.benchmark.memory import peak_bytes
from i2i.commands.memory import Parts
from i2i.footprint.prediction import Footprint, _step, predict, rehearsed_batch
from i2i.footprint.rehearsal import Rehearsal

CONF = Path(__file__).resolve().parent.parent / "conf"
TOLERANCE = {"OASIS": 0.2}
"""Of the bytes that a step takes beside what lies there; 0.1 where no other is given. OASIS takes most in the backward
pass of its discriminator's last convolutions, for which the CPU's library copies features and gradient into an order of
its own."""

WIDE = ["--model.generator.width", "8", "--model.discriminator.width", "8", "--data.resize.size", "[128, 64]"]
CASES = {
    "SPADE with style, label patterns": ("folder", [*WIDE, "--model.generator.hidden", "40"]),
    "SPADE, dense": ("folder", [*WIDE, "--model.generator.hidden", "16"]),
    "SPADE, accumulated": ("folder", [*WIDE, "--model.generator.hidden", "40", "--model.accumulate", "4"]),
    "pix2pixHD": ("pix2pixhd", [*WIDE, "--model.history", "0"]),
    "OASIS": ("oasis", [*WIDE, "--model.generator.hidden", "40", "--trainer.callbacks", "null"]),
    "pix2pix": ("pix2pix_labels", WIDE),
}


def parts(config: str, flags: list[str], pairs: Path) -> Parts:
    return Parts(["-c", str(CONF / f"{config}.yaml"), "--data.source.root", str(pairs), *flags])


def predicted(
    config: str, flags: list[str], pairs: Path, count: int, precision: str, recompute: bool, as_gpu: bool = False
) -> Footprint:
    with Rehearsal(as_gpu) as rehearsal:
        made = parts(config, flags, pairs)
        made.model.recompute(recompute)
        return predict(made.model, rehearsal, rehearsed_batch(made.data, made.size, count), precision)


def measured(config: str, flags: list[str], pairs: Path, count: int, precision: str, recompute: bool) -> int:
    """The most bytes that a step allocates beyond what lies there between steps."""
    made = parts(config, flags, pairs)
    made.model.recompute(recompute)
    made.model.train()
    made.model.start()
    batch = rehearsed_batch(made.data, made.size, count)
    batch["photo"] = torch.rand_like(batch["photo"]) * 2 - 1
    _step(made.model, batch, precision)
    return peak_bytes(lambda: _step(made.model, batch, precision), torch.device("cpu"))


QUICK = "SPADE with style, label patterns"


@pytest.mark.parametrize(
    "case", [case if case == QUICK else pytest.param(case, marks=pytest.mark.slow) for case in CASES]
)
def test_the_prediction_is_what_a_step_takes(pairs: Path, case: str) -> None:
    config, flags = CASES[case]
    ours = predicted(config, flags, pairs, 3, "32-true", False).working
    real = measured(config, flags, pairs, 3, "32-true", False)
    assert ours == pytest.approx(real, rel=TOLERANCE.get(case, 0.1))


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "recompute"), [("bf16-mixed", False), ("32-true", True), ("bf16-mixed", True)])
def test_so_with_the_options_that_save(pairs: Path, precision: str, recompute: bool) -> None:
    config, flags = CASES[QUICK]
    ours = predicted(config, flags, pairs, 3, precision, recompute).working
    assert ours == pytest.approx(measured(config, flags, pairs, 3, precision, recompute), rel=0.1)


def test_what_lies_there_between_steps_is_counted_exactly(pairs: Path) -> None:
    config, flags = CASES[QUICK]
    found = predicted(config, flags, pairs, 1, "32-true", False)
    made = parts(config, flags, pairs).model
    networks = [made.generator, made.discriminator, made.encoder]
    learnt = [sum(p.nbytes for p in n.parameters()) for n in networks]
    buffers = sum(b.nbytes for b in made.buffers()) - sum(b.nbytes for b in made.average.buffers())
    assert found.weights == sum(learnt) + buffers
    assert found.average == learnt[0] + sum(b.nbytes for b in made.generator.buffers())
    assert found.gradients == learnt[0] + learnt[2]
    tensors = sum(len(list(n.parameters())) for n in networks)
    assert found.optimizers == 2 * sum(learnt) + 4 * tensors  # two moments; the count of steps of each tensor
    assert found.peak > found.fixed + found.gradients


@pytest.mark.parametrize("recompute", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_norms_of_a_gpu_are_wide_in_half_precision(pairs: Path, recompute: bool) -> None:
    """There autocast computes them in float32, which keeps more than on the CPU; in float32 nothing differs."""
    config, flags = CASES["pix2pixHD"]
    cpu, gpu = (predicted(config, flags, pairs, 3, "bf16-mixed", recompute, as_gpu) for as_gpu in (False, True))
    assert gpu.working > 1.05 * cpu.working
    full = [predicted(config, flags, pairs, 3, "32-true", recompute, as_gpu) for as_gpu in (False, True)]
    assert full[0] == full[1] and full[0].working > gpu.working
