"""`i2i benchmark`: that it runs, that its numbers fit together, and what it says of bad input."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from i2i.benchmark.maps import painted_maps
from i2i.benchmark.strokes import STROKES, _painted
from i2i.cli import main

TINY = ["--size", "64", "64", "--width", "2", "--count", "2", "--repeats", "2", "--device", "cpu", "--samples", "4"]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `i2i benchmark all` wrote."""
    path = tmp_path_factory.mktemp("benchmark") / "results.json"
    assert main(["benchmark", "all", *TINY, "--json", str(path)]) == 0
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def measured(everything: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [m for m in everything["measurements"] if m["measure"] == kind]


def test_all_measures_everything_and_says_where(everything: dict[str, Any]) -> None:
    assert {"torch", "processor", "threads"} <= everything["machine"].keys()
    told = [(m["measure"], m["data"], m.get("losses")) for m in everything["measurements"]]
    assert told == [
        ("generator", "scenes", None),
        ("generator", "random labels for scenes", None),
        ("strokes", "scenes", None),
        ("step", "scenes", "G+D"),
        ("step", "scenes", "G+D+VGG"),
        ("data", "Scenes", None),
    ]
    for table in everything["measurements"][:5]:
        assert table["size"] == [64, 64] and table["batch"] == 1
        assert (table["device"], table["dtype"], table["width"]) == ("cpu", "float32", 2)
        assert table["repeats"] == (8 if table["measure"] == "strokes" else 2)


def test_the_numbers_of_a_case_fit_together(everything: dict[str, Any]) -> None:
    for table in measured(everything, "generator") + measured(everything, "step"):
        dense = table["cases"][0]
        assert dense["name"] == "dense" and dense["ratio"] == 1 and dense["ratio_quartiles"] == [1, 1]
        for case in table["cases"]:
            assert np.shape(case["seconds"]) == (table["inputs"], table["repeats"])
            assert case["median"] == pytest.approx(np.median(case["seconds"]))
            assert case["ratio"] == pytest.approx(dense["median"] / case["median"])
            pairs = np.array(dense["seconds"]) / np.array(case["seconds"])
            assert case["ratio_quartiles"] == pytest.approx(list(np.percentile(pairs, [25, 75])))
            assert case["quartiles"][0] <= case["median"] <= case["quartiles"][1]
            assert case["peak_bytes"] > 0
            if table["measure"] == "generator":
                assert case["difference"] is None if case is dense else case["difference"] < 1e-4
            else:
                assert table["numbers"]["largest difference of the first pictures"] < 1e-4


def test_the_generators_table_tells_patterns_and_shares(everything: dict[str, Any]) -> None:
    painted, random = measured(everything, "generator")
    for table in (painted, random):
        assert [level["size"] for level in table["patterns"]] == [[2 << i, 2 << i] for i in range(6)]
        for level in table["patterns"]:
            assert 1 <= level["inner"] <= level["outer"] <= level["pixels"] == level["size"][0] ** 2
        assert 0 < table["numbers"]["modulation, share of the dense time"] < 1
    assert painted["patterns"][-1]["inner"] < painted["patterns"][-1]["pixels"] / 2
    assert random["patterns"][-1]["inner"] > 0.99 * random["patterns"][-1]["pixels"]


def test_the_table_of_strokes_tells_what_they_take(everything: dict[str, Any]) -> None:
    (table,) = measured(everything, "strokes")
    whole, *strokes = table["cases"]
    assert whole["name"] == "whole picture" and [case["name"] for case in strokes] == list(STROKES)
    assert all(np.shape(case["seconds"]) == (2, 8) for case in table["cases"])
    assert all(case["difference"] < 1e-4 for case in strokes)
    for name in STROKES:
        numbers = {key.split(": ")[1]: value for key, value in table["numbers"].items() if key.startswith(name)}
        kept = numbers.pop("MB kept between updates")
        assert len(numbers) == 4 and all(0 <= share <= 1 for share in numbers.values()) and kept > 0
    rows = [table["numbers"][f"{name}: rows of tables computed, share, mean"] for name in STROKES]
    assert 0 < rows[0] < rows[1] < rows[2]


def test_strokes_are_straight_and_round() -> None:
    maps = painted_maps((64, 64), 1, 1, seed=0)
    found = _painted(maps, 0, 5, brush=8, length=24, seed=1)
    assert len(found) == 6
    for (before, ids_before), (after, ids_after) in pairwise(found):
        assert ids_before is not None and ids_after is not None
        painted = ids_after != ids_before
        assert len(after[painted].unique()) == 1 and torch.equal(after[~painted], before[~painted])
        inside = painted.sum() / (24 * 8 + torch.pi * 16)  # less where it leaves the map
        assert 0 < inside < 1.1
    areas = [int((b[1] != a[1]).sum()) for a, b in pairwise(found) if a[1] is not None and b[1] is not None]
    assert max(areas) == pytest.approx(24 * 8 + np.pi * 16, rel=0.1)


def test_the_steps_table_tells_what_is_kept(everything: dict[str, Any]) -> None:
    without, with_vgg = measured(everything, "step")
    for table in (without, with_vgg):
        dense, fast, _ = table["cases"]
        share = table["numbers"]["activations kept, share of the dense reference's"]
        assert share == pytest.approx(fast["kept_bytes"] / dense["kept_bytes"])
    assert with_vgg["cases"][0]["kept_bytes"] > without["cases"][0]["kept_bytes"]
    assert any("random weights" in note for note in with_vgg["notes"])
    assert not any("random weights" in note for note in without["notes"])


def test_the_datas_table_tells_samples_per_second(everything: dict[str, Any]) -> None:
    (table,) = measured(everything, "data")
    assert table["samples"] == 4 and table["size"] == [64, 64]
    assert len(table["numbers"]) == 3 and all(value > 0 for value in table["numbers"].values())


def test_the_printed_table_says_what_it_measures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "generator", *TINY[:-4], "--batch", "2", "--count", "1", "--repeats", "1"]) == 0
    printed = capsys.readouterr().out
    for said in (
        "faster",
        "quartiles",
        "peak MB",
        "differs",
        "64×64",
        "batch 2",
        "share of the dense",
        "outer 5×5",
    ):
        assert said in printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["generator", "--size", "60", "64"], "multiples of 32"),
        (["generator", "--maps", "nowhere", "--classes", "ade20k"], "no such folder"),
        (["generator", "--maps", "nowhere"], "--classes"),
        (["generator", "--maps", ".", "--classes", "pascal"], "invalid choice: 'pascal'"),
        (["generator", "--repeats", "0"], "--repeats is 0"),
        (["generator", "--device", "toaster"], "'toaster'"),
        (["step", "--vgg", "nowhere.pth"], "nowhere.pth"),
        (["generator", "--json", "nowhere/at/all.json"], "all.json"),
        (["data", "-c", "nowhere.yaml"], "nowhere.yaml"),
        (["colours"], "invalid choice: 'colours'"),
        (["generator", "--speed", "high"], "--speed"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", *arguments]) in (1, 2)
    error = capsys.readouterr().err
    assert error.startswith("i2i: error: ") and error.count("\n") == 1 and said in error


def test_an_id_that_is_no_class_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.full((64, 64), 200, np.uint8)).save(tmp_path / "map.png")
    assert main(["benchmark", "generator", "--maps", str(tmp_path), "--classes", "camvid"]) == 1
    assert "map.png: label 200" in capsys.readouterr().err
