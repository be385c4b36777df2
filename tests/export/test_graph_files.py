"""ONNX and torch.export files against the generator and the original code, on real maps, and in other processes."""

from __future__ import annotations

import errno
import functools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from i2i.cli import main
from i2i.errors import InputError
from i2i.export import graph_files
from i2i.export.graph import Graph
from i2i.export.graph_files import Run, load_onnx, load_program, write_onnx, write_program
from i2i.model_folder import read_config
from i2i.nn.spade import SPADEGenerator
from i2i.semantics import LabelSemantics
from tests.export.families import NAMES, model
from tests.export.test_graph import reference, sample

onnxruntime = pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

ROOT = Path(__file__).resolve().parent.parent.parent
SIZES = [(1, 64, 128), (2, 96, 96), (1, 70, 101)]


def export_golden(shared: Path, name: str, out: Path, *formats: str) -> tuple[Path, dict[str, Any]]:
    """A checkpoint of the original code by two commands to a folder; and what the original computed."""
    assert main(["convert", str(shared / "golden" / name), str(out / "model.ckpt")]) == 0
    assert main(["export", str(out / "model.ckpt"), str(out / "exported"), "--format", *formats]) == 0
    with np.load(shared / "golden" / name / "io.npz") as arrays:
        return out / "exported", {
            key: arrays[key] for key in ("label", "instance", "z", "features", "fake", "fake_eval") if key in arrays
        }


@pytest.fixture(scope="module")
def golden(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("golden")
    return export_golden(shared, "pix2pixhd-global", folder, "safetensors", "onnx", "torch-export")


def check_against_the_original(folder: Path, expected: dict[str, Any]) -> None:
    """The files have what the original code computed, to 1e-4."""
    inputs = {name: torch.from_numpy(expected[key][:, 0]).long() for name, key in MAPS}
    inputs |= {name: torch.from_numpy(expected[key]) for name, key in STYLES if key in expected}
    picture = expected.get("fake_eval", expected.get("fake"))
    names = [each["name"] for each in read_config(folder)["graph"]["inputs"]]
    for file, load in (("model.onnx", load_onnx), ("model.pt2", load_program)):
        if (folder / file).exists():
            run = load(folder / file)
            assert run is not None
            np.testing.assert_allclose(run([inputs[name] for name in names]).numpy(), picture, rtol=0, atol=1e-4)


MAPS = (("labels", "label"), ("instances", "instance"))
STYLES = (("style", "z"), ("features", "features"))


def test_the_original_code_and_the_files_paint_the_same(golden: tuple[Path, dict[str, Any]]) -> None:
    check_against_the_original(*golden)


def real_maps(shared: Path, count: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Cityscapes' labels and instances, every sixth pixel, so that a small map has many classes."""
    rows, columns = slice(200, 200 + 6 * height, 6), slice(400, 400 + 6 * width, 6)
    made = []
    for ending in ("labelIds", "instanceIds"):
        files = sorted((shared / "data/cityscapes/gtFine/val").glob(f"*/*_gtFine_{ending}.png"))[:count]
        maps = [np.asarray(Image.open(file)).astype(np.int64)[rows, columns] for file in files]
        made.append(torch.from_numpy(np.stack(maps)))
    assert made[0].shape == (count, height, width) and len(made[0].unique()) > 4
    return made[0], made[1]


@functools.lru_cache
def run_of(folder: Path, file: str) -> Run:
    run = load_onnx(folder / file) if file.endswith(".onnx") else load_program(folder / file)
    assert run is not None
    return run


@pytest.mark.parametrize("file", ["model.onnx", "model.pt2"])
def test_real_maps_of_three_sizes(file: str, golden: tuple[Path, dict[str, Any]], shared: Path) -> None:
    from i2i.synthesizer import Synthesizer

    folder, _ = golden
    run, synthesizer = run_of(folder, file), Synthesizer.load(folder)
    for count, height, width in SIZES:
        labels, instances = real_maps(shared, count, height, width)
        with torch.inference_mode():
            expected = synthesizer.generator(synthesizer.condition(labels, instances))[:, :, :height, :width]
        np.testing.assert_allclose(run([labels, instances]).numpy(), expected.numpy(), rtol=0, atol=2e-5)


def test_the_file_tells_what_it_takes(golden: tuple[Path, dict[str, Any]]) -> None:
    made = onnx.load(golden[0] / "model.onnx")
    onnx.checker.check_model(made, full_check=True)
    shapes = {x.name: [d.dim_param or d.dim_value for d in x.type.tensor_type.shape.dim] for x in made.graph.input}
    plane = ["batch", "height", "width"]
    assert shapes == {"labels": plane, "instances": plane}
    assert [x.name for x in made.graph.output] == ["photo"]
    told = json.loads({entry.key: entry.value for entry in made.metadata_props}["i2i"])
    assert told == read_config(golden[0])["graph"]
    assert not any("BatchNormalization" in node.op_type for node in made.graph.node)


def in_another_process(program: str, golden: tuple[Path, dict[str, Any]], folder: Path) -> np.ndarray[Any, Any]:
    """What a program leaves in ``photo``, for the first of the original's maps; it stands where i2i is not found."""
    maps = {name: golden[1][key][:1, 0].astype(np.int64) for name, key in MAPS}
    np.savez(folder / "maps.npz", **maps)
    lines = [
        "import sys, numpy as np, torch",
        'maps = {name: torch.from_numpy(x) for name, x in np.load("maps.npz").items()}',
        program.format(folder=str(golden[0])),
        'np.save("photo.npy", photo)',
        "print(*sorted(sys.modules))",
    ]
    environment = {"PYTHONPATH": str(ROOT)} if "i2i" in program else {}
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | environment
    command = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    forbidden = {"pytorch_lightning", "lightning", "jsonargparse", "albumentations"}
    assert not loaded & (forbidden if "i2i" in program else forbidden | {"i2i"})
    return np.load(folder / "photo.npy")


def test_a_process_without_the_trainer(golden: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    program = "from i2i.synthesizer import Synthesizer\nphoto = Synthesizer.load({folder!r})(**maps)"
    pixels = in_another_process(program, golden, tmp_path).astype(int).transpose(0, 3, 1, 2)
    assert np.abs(pixels - (golden[1]["fake"][:1] + 1) * 127.5).max() <= 0.6


@pytest.mark.slow
def test_a_process_of_torch_alone(golden: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    program = 'photo = torch.export.load({folder!r} + "/model.pt2").module()(*maps.values()).detach().numpy()'
    photo = in_another_process(program, golden, tmp_path)
    np.testing.assert_allclose(photo, golden[1]["fake"][:1], rtol=0, atol=1e-4)


def test_weights_too_large_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_files, "_LARGEST_ONNX", 1000)
    graph = Graph(SPADEGenerator(3, width=1, hidden=2), LabelSemantics(3))

    class Program:
        state_dict = graph.state_dict()

    with pytest.raises(InputError, match="an ONNX file holds 2 at most"):
        write_onnx(tmp_path / "model.onnx", graph, Program())  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_program_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """And not the end of the process, which torch makes of it."""
    program = f"""
import pathlib, resource, torch
from i2i.export.graph_files import write_program
program = torch.export.export(torch.nn.Linear(100, 1000), (torch.zeros(2, 100),))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_program(pathlib.Path({str(tmp_path / "model.pt2")!r}), program)
except OSError as error:
    print(error.errno)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout) == (0, f"{errno.EFBIG}\n"), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["spade-cityscapes", "spade-coco-vae", "pix2pixhd-local-features"])
def test_every_original(name: str, shared: Path, tmp_path: Path) -> None:
    check_against_the_original(*export_golden(shared, name, tmp_path, "onnx", "torch-export"))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_family_at_every_size(name: str, shared: Path, tmp_path: Path) -> None:
    """Multiples and not, the least there is, the size that styles are projected to, batches of 1 to 3."""
    generator, semantics = model(name, classes=35)
    graph = Graph(generator, semantics)
    program = graph.trace()
    write_program(tmp_path / "model.pt2", program)
    write_onnx(tmp_path / "model.onnx", graph, program)
    runs = [run_of(tmp_path, file) for file in ("model.onnx", "model.pt2")]
    multiple, least = generator.multiple, graph.signature.least
    sizes = [(1, 64, 128), (2, 96, 96), (1, 70, 101), (3, least, least), (1, multiple * 2, multiple), (1, least, 200)]
    for count, height, width in sizes:
        inputs = sample(graph, count, max(height, least), max(width, least))
        if "labels" in graph.signature.names:
            maps = zip(real_maps(shared, 3, 100, 200), inputs[:2], strict=True)
            inputs[:2] = [real[: len(own), : own.shape[1], : own.shape[2]] for real, own in maps]
            if len(inputs[0][0]) < max(height, least):  # the real ones are smaller
                inputs[:2] = [padded_to_size(x, max(height, least), max(width, least)) for x in inputs[:2]]
        with torch.no_grad():
            expected = reference(graph, generator, inputs)
        for run in runs:
            np.testing.assert_allclose(run(inputs).numpy(), expected.numpy(), rtol=0, atol=1e-4)


def padded_to_size(maps: Tensor, height: int, width: int) -> Tensor:
    rows = torch.arange(height).clamp(max=maps.shape[1] - 1)
    columns = torch.arange(width).clamp(max=maps.shape[2] - 1)
    return maps[:, rows[:, None], columns]
