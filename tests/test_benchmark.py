"""The benchmark: that it runs, that its numbers fit together, and that its instruments measure what they say."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader

from i2i.benchmark.maps import MapSet, noise, painted_maps, read_maps
from i2i.benchmark.memory import KeptForBackward, peak_bytes
from i2i.benchmark.results import Case, Ratio
from i2i.benchmark.settings import Settings, make_generator, plain_operations
from i2i.benchmark.step import SteppedAlone, random_vgg
from i2i.benchmark.timing import elapsed, interleave, stopwatch
from i2i.cli import main
from i2i.errors import InputError
from i2i.losses.objective import Objective
from i2i.nn.features import VGG19Features
from i2i.nn.modulate import modulate
from i2i.nn.patchgan import MultiscalePatchGAN
from i2i.patterns import PixelRows
from i2i.semantics import LabelSemantics, instance_edges
from i2i.translator import Translator

CPU = torch.device("cpu")
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
        ("step", "scenes", "G+D"),
        ("step", "scenes", "G+D+VGG"),
        ("data", "Scenes", None),
    ]
    for table in everything["measurements"][:4]:
        assert table["size"] == [64, 64] and table["batch"] == 1
        assert (table["device"], table["dtype"], table["width"], table["repeats"]) == ("cpu", "float32", 2, 2)


def test_the_numbers_of_a_case_fit_together(everything: dict[str, Any]) -> None:
    for table in everything["measurements"][:4]:
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
            assert case["difference"] is None if case is dense else case["difference"] < 1e-4


def test_the_generators_table_tells_patterns_and_shares(everything: dict[str, Any]) -> None:
    painted, random = measured(everything, "generator")
    for table in (painted, random):
        assert [level["size"] for level in table["patterns"]] == [[2 << i, 2 << i] for i in range(6)]
        for level in table["patterns"]:
            assert 1 <= level["inner"] <= level["outer"] <= level["pixels"] == level["size"][0] ** 2
        assert 0 < table["numbers"]["modulation, share of the dense time"] < 1
    assert painted["patterns"][-1]["inner"] < painted["patterns"][-1]["pixels"] / 2
    assert random["patterns"][-1]["inner"] > 0.99 * random["patterns"][-1]["pixels"]


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
        "× faster",
        "quartiles",
        "peak MB",
        "difference",
        "64×64",
        "batch 2",
        "share of the dense",
        "outer 5×5",
    ):
        assert said in printed


# --- the instruments ---------------------------------------------------------------------------------------------


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
    from i2i.nn import modulate_cpp

    monkeypatch.setattr(modulate_cpp, "available", lambda: True)
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


# --- the maps ----------------------------------------------------------------------------------------------------


def save(path: Path, ids: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(ids)).save(path)


def test_maps_of_cityscapes_take_the_instances_beside_them(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 34, (64, 128)).astype(np.uint8)
    instances = random.integers(0, 3, (64, 128)).astype(np.uint16)
    save(tmp_path / "aachen/x_gtFine_labelIds.png", labels)
    save(tmp_path / "aachen/x_gtFine_instanceIds.png", instances)
    maps = read_maps(tmp_path, "cityscapes", (64, 128), batch=2, count=5)
    assert (len(maps), maps.batch, maps.size, maps.semantics.channels) == (1, 2, (64, 128), 36)
    assert maps.upsamplings == 6 and maps.sizes[0] == (1, 2)
    semantics = maps.fresh(0)
    assert (semantics.labels[1].numpy() == labels).all()
    assert semantics.edges is not None
    assert torch.equal(semantics.edges[0], instance_edges(torch.tensor(instances.astype(int))[None])[0])


def test_maps_are_stretched_batched_and_limited(tmp_path: Path) -> None:
    for i in range(5):
        save(tmp_path / f"m{i}.png", np.full((32, 50), i, np.uint8))
    maps = read_maps(tmp_path, "ade20k", (64, 64), batch=2, count=3)
    assert [m.shape for m in maps.labels] == [(2, 64, 64)] * 2
    assert [int(m) for batch in maps.labels for m in batch[:, 0, 0]] == [0, 1, 2, 0]
    assert maps.semantics.channels == 151 and maps.fresh(0).edges is None


def test_given_instances_are_matched_by_name(tmp_path: Path) -> None:
    save(tmp_path / "maps/a.png", np.zeros((64, 64), np.uint8))
    save(tmp_path / "ids/a.png", np.repeat(np.arange(2, dtype=np.uint8), 32)[None].repeat(64, 0))
    maps = read_maps(tmp_path / "maps", "camvid", (64, 64), 1, 1, tmp_path / "ids")
    edges = maps.fresh(0).edges
    assert edges is not None and edges[0, 0].nonzero().flatten().tolist() == [31, 32]
    save(tmp_path / "maps/b.png", np.zeros((64, 64), np.uint8))
    with pytest.raises(InputError, match=r"b\.png: no instance map"):
        read_maps(tmp_path / "maps", "camvid", (64, 64), 1, 2, tmp_path / "ids")


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("ADEChallengeData2016/annotations", "ade20k"),
        ("cityscapes/gtFine/val", "cityscapes"),
        ("coco_stuff/stuffthingmaps/val2017", "coco_stuff"),
        ("camvid/testannot", "camvid"),
    ],
)
def test_real_maps_are_read(shared: Path, folder: str, kind: str) -> None:
    maps = read_maps(shared / "data" / folder, kind, (64, 128), batch=1, count=2)
    assert len(maps) == 2
    assert (maps.instances is not None) == (kind in ("cityscapes", "coco_stuff"))
    assert maps.fresh(0).channels == {"ade20k": 151, "cityscapes": 36, "coco_stuff": 184, "camvid": 12}[kind]


def test_noise_has_a_pattern_per_pixel_and_the_classes_of_its_model() -> None:
    like = MapSet("x", LabelSemantics(20, edges=True), [torch.zeros(2, 64, 64, dtype=torch.uint8)])
    random = noise(like, seed=0)
    assert random.batch == 2 and random.size == (64, 64)
    counts = random.fresh(0).patterns(64, 64).counts
    assert counts.inner == counts.outer == counts.pixels
    assert torch.equal(random.labels[0], noise(like, seed=0).labels[0])


# --- bad input ---------------------------------------------------------------------------------------------------


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
    save(tmp_path / "map.png", np.full((64, 64), 200, np.uint8))
    assert main(["benchmark", "generator", "--maps", str(tmp_path), "--classes", "camvid"]) == 1
    assert "map.png: label 200" in capsys.readouterr().err
