"""`i2i export` through the real command line: which weights, which statistics, which figures on the card."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from i2i.checkpoint import load_file
from i2i.classes import ClassTable
from i2i.cli import main
from i2i.data.datamodule import DataModule
from i2i.export import graph_files
from i2i.metrics.result import Result, write_results
from i2i.model_folder import load_folder, model_hash
from i2i.synthesizer import Synthesizer


@pytest.fixture(scope="module")
def run(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose checkpoint has averaged weights: twice the trained ones, with the batch statistics of these."""
    checkpoint = tmp_path_factory.mktemp("run") / "checkpoints/last.ckpt"
    checkpoint.parent.mkdir()
    contents = torch.load(model, weights_only=True)
    state = contents["state_dict"]
    average = {
        name.replace("generator.", "average."): (1 if "running" in name or "num_batches" in name else 2) * tensor
        for name, tensor in state.items()
        if name.startswith("generator.")
    }
    torch.save(contents | {"state_dict": state | average, "optimizer_states": [1]}, checkpoint)
    return checkpoint.parent.parent


@pytest.fixture(scope="module")
def config(views: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    source = {"class_path": "i2i.data.folder.Folder", "init_args": {"root": str(views), "val_share": 0.5}}
    resize = {"class_path": "i2i.data.transforms.Fixed", "init_args": {"size": [64, 64]}}
    path = tmp_path_factory.mktemp("conf") / "data.yaml"
    path.write_text(json.dumps({"data": {"source": source, "resize": resize, "batch_size": 3, "workers": 0}}))
    return str(path)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if line.startswith("i2i: error:")]
    assert len(lines) == 1 and "Traceback" not in error, error
    return lines[0]


def front_matter(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])
    return found


def test_which_weights(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    last = run / "checkpoints/last.ckpt"
    assert main(["export", str(last), str(tmp_path / "averaged")]) == 0
    said = capsys.readouterr().out
    assert "its averaged weights" in said
    assert "batch statistics: of the file, those of the trained generator and not the averaged one's own; -c" in said
    assert main(["export", str(last), str(tmp_path / "trained"), "--raw"]) == 0
    said = capsys.readouterr().out
    assert "its trained weights" in said and "batch statistics: of the file\n" in said
    state = load_file(last)["state_dict"]
    for name, part in (("averaged", "average"), ("trained", "generator")):
        found = load_folder(tmp_path / name)
        assert torch.equal(found["state_dict"]["generator.last.weight"], state[f"{part}.last.weight"])
        assert found["export"]["weights"] == name
        assert not any(key.startswith("average.") for key in found["state_dict"])
    # Exported again, it is still told what it is; and what is not in it cannot be had.
    assert main(["export", str(tmp_path / "averaged"), str(tmp_path / "again")]) == 0
    assert load_folder(tmp_path / "again")["export"] == load_folder(tmp_path / "averaged")["export"]
    capsys.readouterr()
    assert main(["export", str(tmp_path / "averaged"), str(tmp_path / "raw"), "--raw"]) == 1
    assert "holds the averaged weights alone" in one_line(capsys)


def test_statistics_that_the_training_has_recalculated(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contents = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    contents["state_dict"]["average.blocks.0.normalise_0.running_mean"] += 1
    torch.save(contents, tmp_path / "own.ckpt")
    assert main(["export", str(tmp_path / "own.ckpt"), str(tmp_path / "out")]) == 0
    assert "batch statistics: of the file, the averaged generator's own\n" in capsys.readouterr().out


def test_statistics_are_recalculated(
    run: Path, config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By one batch: counted from one again, the same at every call, and no weight is another."""
    last, out = run / "checkpoints/last.ckpt", tmp_path / "out"
    flags = ["-c", config, "--recalculate", "1", "--data.batch_size", "2", "--device", "cpu"]
    assert main(["export", str(last), str(out), *flags]) == 0
    assert "batch statistics: recalculated on 1 batches" in capsys.readouterr().out
    found = load_folder(out)["state_dict"]
    name = "generator.blocks.0.normalise_0"
    assert int(found[f"{name}.num_batches_tracked"]) == 1
    assert not torch.equal(
        found[f"{name}.running_var"], load_file(last)["state_dict"]["average.blocks.0.normalise_0.running_var"]
    )
    again = tmp_path / "again"
    assert main(["export", str(last), str(again), *flags]) == 0
    assert model_hash(again) == model_hash(out)
    kept = {key: value for key, value in found.items() if "running" not in key and "num_batches" not in key}
    state = load_file(last)["state_dict"]
    for key, value in kept.items():
        assert torch.equal(value, state[key.replace("generator.", "average.")])


def figures(path: Path, **about: Any) -> dict[str, Any]:
    usual = {"model": str(path), "model sha256": model_hash(path), "data": "Folder", "split": "val"}
    return usual | {"weights": "averaged, where the file has them", "batch statistics": "of the file"} | about


RESULTS = [
    Result("FID", 63.123456, {"data": "Folder", "extractor": "inception | pt"}, better="lower"),
    Result("mIoU", 41.5, {"data": "Folder", "ignored": ["void"]}, better="higher", unit="%"),
    Result("mIoU of the real photos", 71.5, {"data": "Folder"}, better="higher", unit="%", of_real_photos=True),
    Result("PSNR", float("inf"), {"data": "Folder"}, better="higher", unit="dB"),
]


def test_the_card_has_the_figures_of_the_run(run: Path, tmp_path: Path) -> None:
    last = run / "checkpoints/last.ckpt"
    mine = shutil.copytree(run, tmp_path / "run")
    write_results(mine / "report/results.json", RESULTS, figures(last))
    assert main(["export", str(mine / "checkpoints/last.ckpt"), str(tmp_path / "out"), "--licence", "cc-by-4.0"]) == 0
    front = front_matter(tmp_path / "out")
    assert (front["library_name"], front["pipeline_tag"], front["license"]) == ("i2i", "image-to-image", "cc-by-4.0")
    (result,) = front["model-index"][0]["results"]
    assert result["dataset"] == {"type": "folder", "name": "Folder", "split": "val"}
    assert [(m["type"], m["value"]) for m in result["metrics"]] == [("fid", 63.1235), ("mean_iou", 41.5)]
    text = (tmp_path / "out/README.md").read_text()
    assert (
        "| FID ↓ | 63.12 | extractor: inception \\| pt |" in text and "| mIoU of the real photos ↑ | 71.50 % |" in text
    )
    hub = pytest.importorskip("huggingface_hub")
    card = hub.ModelCard.load(tmp_path / "out/README.md")  # as the Hub reads it
    assert [r.metric_value for r in card.data.eval_results] == [63.1235, 41.5] and card.data.license == "cc-by-4.0"


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"model sha256": "0" * 64, "model": "other.ckpt"}, "the figures are of another file, other.ckpt"),
        ({"weights": "trained"}, "the figures are of the trained weights"),
        ({"batch statistics": "recalculated on 9 batches"}, "of batch statistics recalculated on 9 batches"),
    ],
)
def test_figures_of_another_model_are_not_on_the_card(
    about: dict[str, Any], message: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = shutil.copytree(run, tmp_path / "run")
    last, results = mine / "checkpoints/last.ckpt", mine / "report/results.json"
    write_results(results, RESULTS, figures(last, **about))
    assert main(["export", str(last), str(tmp_path / "out")]) == 0
    assert f"{message}; the card goes without" in capsys.readouterr().out
    assert "model-index" not in front_matter(tmp_path / "out")
    assert main(["export", str(last), str(tmp_path / "other"), "--results", str(results)]) == 1
    assert message in one_line(capsys)
    assert not (tmp_path / "other").exists()


def test_the_classes(model: Path, tmp_path: Path, data: DataModule) -> None:
    assert main(["export", str(model), str(tmp_path / "out")]) == 0
    assert data.encoding is not None
    table = ClassTable.from_csv(tmp_path / "out/classes.csv")
    assert table.to_csv() == data.encoding.classes.to_csv()
    with (tmp_path / "out/classes.csv").open(newline="") as file:
        assert [row["label"] for row in csv.DictReader(file)] == ["0", "1", "2", "3"]


def test_evaluate_takes_a_folder(model: Path, config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["export", str(model), str(out)]) == 0
    flags = ["-c", config, "--metrics", "similarity", "--limit", "2", "--device", "cpu"]
    assert main(["evaluate", str(out), *flags]) == 0
    assert (tmp_path / "out-report/results.json").exists() and len(list(out.iterdir())) == 4
    capsys.readouterr()
    assert main(["export", str(out), str(tmp_path / "again")]) == 0
    assert "goes without" not in capsys.readouterr().out
    metrics = front_matter(tmp_path / "again")["model-index"][0]["results"][0]["metrics"]
    assert {"psnr", "ssim"} <= {metric["type"] for metric in metrics}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["nowhere.ckpt", "out"], "nowhere.ckpt: no such file"),
        (["MODEL", "out", "--recalculate", "3"], "--recalculate is about the training photos"),
        (["MODEL", "out", "--data.batch_size", "3"], "--data.batch_size is about the training photos"),
        (["MODEL", "out", "-c", "CONFIG", "--recalculate", "0"], "recalculate is 0"),
        (["MODEL", "out", "-c", "nowhere.yaml"], "cannot read the configuration nowhere.yaml"),
        (["MODEL", "out", "--results", "nowhere.json"], "nowhere.json: no such file of results"),
        (["MODEL", "taken/thesis.tex/x"], "taken/thesis.tex/x: cannot be written: taken/thesis.tex is no folder"),
        (["MODEL", "."], ".: name the folder to write"),
        (["MODEL", "taken"], "taken exists; name another folder"),
        (["MODEL", "taken", "--overwrite"], "taken holds 'thesis.tex', which i2i has not written"),
    ],
)
def test_bad_input_is_one_line(
    flags: list[str],
    message: str,
    model: Path,
    config: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("taken").mkdir()
    Path("taken/thesis.tex").touch()
    names = {"MODEL": str(model), "CONFIG": config}
    assert main(["export", *(names.get(flag, flag) for flag in flags), "--device", "cpu"]) == 1
    assert message in one_line(capsys)
    assert sorted(path.name for path in Path().iterdir()) == ["taken"]


def test_packages_that_are_missing(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_files, "find_spec", lambda name: None)
    assert main(["export", str(model), str(tmp_path / "out"), "--format", "onnx"]) == 1
    assert "--format onnx needs onnx and onnxscript: pip install 'i2i[onnx]'" in one_line(capsys)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert graph_files.load_onnx(tmp_path / "model.onnx") is None


def test_a_disk_that_is_full(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the limit of a process on the size of its files; those of the old model stay."""
    resource = pytest.importorskip("resource")
    assert main(["export", str(model), str(tmp_path / "out")]) == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    capsys.readouterr()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        new = main(["export", str(model), str(tmp_path / "new/out")]), one_line(capsys)
        old = main(["export", str(model), str(tmp_path / "out"), "--overwrite"]), one_line(capsys)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    reason = os.strerror(errno.EFBIG)
    assert new == (1, f"i2i: error: {tmp_path / 'new/out'}: cannot be written: {reason}")
    assert old[0] == 1 and old[1].endswith(f"cannot be written: {reason}; what was there before is untouched")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_graph_that_is_wrong_is_not_written(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from i2i.export import write

    class Graph:
        def __init__(self, *parts: object) -> None:
            self.signature = None

        def trace(self) -> None:
            """Nothing."""

    monkeypatch.setattr(write, "Graph", Graph)
    monkeypatch.setattr(write, "write_program", lambda path, program: path.touch())
    monkeypatch.setattr(write, "load_program", lambda path: lambda inputs: torch.zeros(1, 3, 1, 1))
    assert main(["export", str(model), str(tmp_path / "out"), "--format", "torch-export"]) == 1
    assert "model.pt2: differs from the generator by up to" in one_line(capsys)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_synthesises(model: Path, views: Path, tmp_path: Path) -> None:
    """By the command that follows, with the pictures of the model it came from."""
    assert main(["export", str(model), str(tmp_path / "out")]) == 0
    for given, out in ((model, "a"), (tmp_path / "out", "b")):
        assert (
            main(["synthesize", str(given), str(views / "labels/view0.png"), str(tmp_path / out), "--device", "cpu"])
            == 0
        )
    assert (tmp_path / "a/view0.png").read_bytes() == (tmp_path / "b/view0.png").read_bytes()
    assert Synthesizer.load(tmp_path / "out")(np.zeros((1, 32, 32), int), seed=0).shape == (1, 32, 32, 3)
