from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from i2i.report.curves import chart, running_mean, training_curves
from i2i.report.healthy import GROUPS, verdict
from i2i.report.log import Curve, read_log, run_folder


def write_log(run: Path, version: int, text: str) -> None:
    folder = run / f"logs/version_{version}"
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_text(text)


def test_a_resumed_runs_logs_are_one(tmp_path: Path) -> None:
    write_log(tmp_path, 0, "epoch,generator/adversarial,step,validation/l1\n0,1.5,9,\n0,,9,0.5\n1,2.5,19,\n")
    write_log(tmp_path, 2, "epoch,generator/adversarial,step\n1,3.5,19\n2,nan,29\n3,4.5,39\n")
    write_log(tmp_path, 10, "epoch,generator/adversarial,step\n4,5.5,39\n")  # later than version_2, though "10" < "2"
    log = read_log(tmp_path)
    assert log["generator/adversarial"] == Curve([9, 19, 39], [1.5, 3.5, 5.5])
    assert log["validation/l1"] == Curve([9], [0.5])
    assert set(log) == {"generator/adversarial", "validation/l1"}


def test_the_run_of_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    assert run_folder(tmp_path / "checkpoints/last.ckpt") == tmp_path.resolve()
    assert run_folder(tmp_path / "exported/last.ckpt") is None
    assert read_log(tmp_path) == {}
    assert training_curves({}) == ""


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=90))
def test_the_running_mean_is_that_of_a_window_that_ends_with_the_values(values: list[float]) -> None:
    reach = len(values) // 20
    expected = [np.mean(values[max(0, i - reach) : i + reach + 1]) for i in range(len(values))]
    assert running_mean(values) == pytest.approx(expected, rel=1e-6, abs=1e-3)


@given(st.lists(st.tuples(st.integers(1, 1000), st.floats(-1e9, 1e9)), min_size=1, max_size=1000), st.booleans())
@example([(1, 5e-324)], False)
def test_lines_stay_within_their_chart(points: list[tuple[int, float]], band: bool) -> None:
    steps = np.cumsum([step for step, _ in points]).tolist()
    svg = chart([Curve(steps, [value for _, value in points])], (0.5, 0.95) if band else None)
    lines = re.findall(r'points="([^"]+)"', svg)
    assert lines
    for line in lines:
        pairs = [tuple(map(float, pair.split(","))) for pair in line.split()]
        assert len(pairs) <= 402
        assert all(46 <= x <= 352 and 8 <= y <= 128 and math.isfinite(x + y) for x, y in pairs)
        assert [x for x, _ in pairs] == sorted(x for x, _ in pairs)


def test_a_chart_for_every_curve_but_the_speed() -> None:
    names = ["discriminator/accuracy_real", "discriminator/accuracy_fake", "generator/own_term", "images_per_second"]
    html = training_curves({name: Curve([1, 2, 3], [0.5, 0.6, 0.7]) for name in names})
    assert html.count("<svg") == 2
    assert "generator: own term" in html and "images" not in html


@pytest.mark.parametrize(
    ("real", "fake", "said"),
    [
        (0.8, 0.7, "as it should be"),
        (1.0, 0.99, "has won"),
        (0.95, 0.1, "nearly everything real"),
        (0.1, 0.95, "nearly everything synthesised"),
        (0.5, 0.49, "guessing"),
    ],
)
def test_what_is_said_of_the_last_quarter(real: float, fake: float, said: str) -> None:
    curves = [Curve([1, 2, 3, 4], [0.0, 0.0, 0.0, value]) for value in (real, fake)]
    assert said in verdict(GROUPS[0], curves)
    assert not verdict(GROUPS[1], curves)
