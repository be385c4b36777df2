"""`i2i memory`: the table, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from i2i.cli import main
from i2i.commands import memory
from i2i.footprint.prediction import Footprint

CONF = Path(__file__).resolve().parent.parent / "conf/pix2pix_labels.yaml"
GIB = 1 << 30


def footprint(peak: float) -> Footprint:
    return Footprint(weights=1, average=1, optimizers=1, gradients=1, peak=int(peak * GIB))


@pytest.mark.parametrize(("room", "expected"), [(10, 7), (3, 0), (4, 1), (4.9, 1), (5, 2), (100, 97)])
def test_the_largest_batch_is_on_the_line(room: float, expected: int) -> None:
    assert memory.Line((2, 4), (footprint(5), footprint(7))).largest(room * GIB) == expected


def test_other_batches_are_on_the_line() -> None:
    assert memory.Line((2, 4), (footprint(5), footprint(7))).peak(16) == 19 * GIB


@given(st.integers(1, 8), st.floats(1, 9), st.floats(0.01, 0.1), st.floats(0.2, 2), st.floats(0.5, 99))
def test_few_samples_do_not_tell_what_many_take(few: int, most: float, slow: float, fast: float, room: float) -> None:
    """The most of two moments of a step: up to a kink the optimizers' matters, then that of the activations."""

    def peak(count: int) -> float:
        return max(most + slow * count, most / 2 + fast * count)

    line = memory.rehearsed(lambda count: footprint(peak(count)), few)
    right = max(0, min((room - most) / slow, (room - most / 2) / fast))
    assert line.largest(room * GIB) == pytest.approx(right, rel=0.2, abs=1.01 + few)
    for count in line.counts:
        assert line.peak(count) == pytest.approx(peak(count) * GIB, rel=1e-6)


@pytest.mark.slow
def test_the_order_of_channels_does_not_matter(pairs: Path, capsys: Any) -> None:
    shown = []
    for more in ([], ["--model.channels_last", "true"]):
        assert main(["memory", "-c", str(CONF), "--data.source.root", str(pairs), "--card", "1GiB", *more]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]


def test_the_table_says_what_fits(pairs: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    flags = ["--data.source.root", str(pairs), "--batch", "3", "--card", "1GiB", "--card", "0.4GB"]
    assert main(["memory", "-c", str(CONF), *flags]) == 0
    shown = capsys.readouterr().out
    assert "Photos of 32 x 64" in shown and "peak, batch 3" in shown
    rows = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line.startswith(("32-true", "bf16"))}
    assert set(rows) == {"32-true", "bf16-mixed"}  # a U-Net has no blocks to compute again
    for peak, large, small in rows.values():
        assert float(peak) < 0.1 and int(large) > 100 and small == "–"  # the driver's share alone is more


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--card", "huge"], "--card is 'huge'"),
        (["--card", "0GiB"], "--card is '0GiB'"),
        (["--batch", "0"], "--batch is 0"),
        (["--trainer.precision", "64-true"], "precision is '64-true'; rehearsed are 32-true, bf16-mixed, 16-mixed"),
    ],
)
def test_what_cannot_be_predicted_is_refused(pairs: Path, capsys: Any, flags: list[str], message: str) -> None:
    assert main(["memory", "-c", str(CONF), "--data.source.root", str(pairs), *flags]) == 1
    assert message in capsys.readouterr().err
